"""The lessons' pages, from results that are there already: the package's own, else the last ones made here."""

from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard import lessons
from jaxquard.lessons import page
from jaxquard.lessons.lesson import Lesson
from jaxquard.lessons.run import Result, judged, read, shipped
from jaxquard.studio.drawing import drawn

LAST = Path("lessons")  # where `jaxquard lesson` leaves its results


def result_of(name: str, lesson: Lesson) -> Result | None:
    """A lesson's figures, judged by today's rule; None where it was never run."""
    made = shipped(name)
    if made:
        return judged(lesson, made)
    file = LAST / name / f"{name}.json"
    return read(file, lesson) if file.is_file() else None


def one_lesson(name: str) -> dict[str, Any]:
    """A lesson as a page: its words, and its charts beside them."""
    facts = next(facts for facts in lessons.listing() if facts["name"] == name)
    lesson, number = lessons.find(name), lessons.NAMES.index(name) + 1
    facts |= {"number": number, "choices": dict(lesson.choices), "command": f"jaxquard lesson {name}"}
    result = result_of(name, lesson)
    if result is None:
        return facts | {"markdown": unmeasured(lesson, name), "charts": []}
    charts = [drawn(f"{name}-{k}", chart) for k, chart in enumerate(lesson.draw(result["measured"]), 1)]
    made = {"seconds": result["seconds"], "verdict": result["verdict"]}
    return facts | made | {"markdown": page.markdown(result, lesson, [], []), "charts": charts}


def unmeasured(lesson: Lesson, name: str) -> str:
    """The page of a lesson that nobody has run here: the claim, and how to put it to the test."""
    return (
        f"# {lesson.question}\n\n> **The claim.** {lesson.claim}\n>\n> — {lesson.source}\n\n"
        f"There are no figures yet. `jaxquard lesson {name}` makes them, in two minutes at most.\n"
    )


async def list_lessons(request: Request) -> JSONResponse:
    """Every lesson in the order of the book."""
    return JSONResponse({"lessons": await to_thread.run_sync(lessons.listing)})


async def show(request: Request) -> JSONResponse:
    """One lesson, by its name in the list."""
    name = request.path_params["name"]
    if name not in lessons.NAMES:
        raise HTTPException(404, "there is no lesson of this name")
    return JSONResponse(await to_thread.run_sync(one_lesson, name))


routes = [Route("/api/lessons", list_lessons), Route("/api/lessons/{name}", show)]
