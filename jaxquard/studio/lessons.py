"""The lessons' pages, from stored results: the package's own, else the last ones from `jaxquard lesson`."""

from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard import lessons
from jaxquard.lessons import page
from jaxquard.lessons.lesson import Lesson
from jaxquard.lessons.run import Result, read, shipped, with_verdict
from jaxquard.studio.charts import drawn

LAST = Path("lessons")  # the folder of `jaxquard lesson`'s results


class Markdown(MarkdownIt):
    """CommonMark and tables. HTML in the text is shown as text; links must start with http:// or https://."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False})
        self.enable("table").disable("image")

    def validateLink(self, url: str) -> bool:
        """Whether an address may become a link."""
        return url.startswith(("https://", "http://"))


MARKDOWN = Markdown()


def html(text: str) -> str:
    """Markdown as HTML without inline styles, which the page's security policy forbids."""
    tokens = MARKDOWN.parse(text)
    for token in tokens:
        if token.type in ("th_open", "td_open"):
            right = token.attrs.pop("style", None) == "text-align:right"
            token.attrs |= {"scope": "col"} if token.tag == "th" else {}
            token.attrs |= {"class": "number"} if right else {}
    return MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})


def result_of(name: str, lesson: Lesson) -> Result | None:
    """A lesson's figures, with the verdict by its current rule; None if it was never run."""
    made = shipped(name)
    if made:
        return with_verdict(lesson, made)
    file = LAST / name / f"{name}.json"
    return read(file, lesson) if file.is_file() else None


def unmeasured(lesson: Lesson, name: str) -> str:
    """The page of a lesson without results: its claim, and the command that tests it."""
    return (
        f"> **The claim.** {lesson.claim}\n>\n> — {lesson.source}\n\n"
        f"There are no figures yet. Run `jaxquard lesson {name}`: it takes two minutes at most.\n"
    )


def list_lessons(request: Request) -> JSONResponse:
    """Every lesson, in order."""
    return JSONResponse({"lessons": lessons.listing()})


def show(request: Request) -> JSONResponse:
    """One lesson, by its name in the list: its text and its charts."""
    name = request.path_params["name"]
    if name not in lessons.NAMES:
        raise HTTPException(404, "there is no lesson of this name")
    lesson = lessons.find(name)
    facts: dict[str, Any] = {"name": name, "question": lesson.question}
    result = result_of(name, lesson)
    if result is None:
        return JSONResponse(facts | {"verdict": None, "html": html(unmeasured(lesson, name)), "charts": []})
    charts = [drawn(f"{name}-{k}", chart) for k, chart in enumerate(lesson.draw(result["measured"]), 1)]
    _, _, text = page.markdown(result, lesson, [], []).partition("\n")  # the title is the question
    return JSONResponse(facts | {"verdict": result["verdict"], "html": html(text), "charts": charts})


routes = [Route("/api/lessons", list_lessons), Route("/api/lessons/{name}", show)]
