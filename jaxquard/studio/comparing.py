"""Runs side by side: the settings that differ, the figures, one chart, and a plain word on chance."""

from collections.abc import Sequence
from typing import Any

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard import api
from jaxquard.runs.directory import Run
from jaxquard.runs.figures import summary
from jaxquard.runs.journal import own_evaluation
from jaxquard.runs.ranking import place, ranking, verdict
from jaxquard.studio import curves
from jaxquard.studio.runs import Reader

CHANCE = {"seed", "seeds"}  # no choices to compare
SAME = "Nothing tells them apart: the same settings and the same seeds."
SEEDS = "They differ in nothing but chance: the same settings, other seeds."
AMOUNTS = "They hold out different numbers of images, so they did not learn from the same ones."
MOST = 12  # runs in one chart


def comparison(reader: Reader, names: Sequence[str]) -> dict[str, Any]:
    """Two runs or more: `settings` (only those that differ), `runs`, `charts`, `verdict`."""
    sights = [reader.find(name) for name in dict.fromkeys(names)]
    if not 2 <= len(sights) <= MOST:
        raise HTTPException(422, f"name two runs or more, up to {MOST}")
    runs = {sight.run.id: sight.run for sight in sights}
    documents = api.compare(list(runs), runs=reader.watch.root)
    differing = list(documents[0]["settings"])
    return {
        "settings": [{"name": key, "values": [one["settings"][key] for one in documents]} for key in differing],
        "runs": [reader.summary(sight) for sight in sights],
        "charts": curves.of_runs({name: run.epochs() for name, run in runs.items()}),
        "verdict": word(list(runs.values()), differing),
    }


def word(runs: Sequence[Run], differing: Sequence[str]) -> str:
    """Is the best really better than the next, or may that be chance?

    Told by held-out data, or where there are none by the test set, which whoever chooses by it has used up.
    """
    uneven = {"held_out"} if len({run.config.held_out for run in runs}) > 1 else set()
    chosen = set(differing) - {"recipe", "validation"} | uneven
    if not chosen:
        return SAME
    settings = sorted((chosen - CHANCE - {"sweep"}) | {name for run in runs for name, _ in run.config.sweep})
    if not settings:
        return SEEDS
    last = [run.epochs()[-1:] for run in runs]
    if all(lines and lines[0].get("val_accuracy") is not None for lines in last):
        measure, rows = "validation accuracy", ranking(runs, settings)
    else:
        measure, rows = "test accuracy", by_test(runs)
    if len(rows) < 2:
        return "Too few of them have been judged yet: held-out data (--validation 5000) or a finished training do that."
    told = f"By {measure}, {rows[0]['networks'][0].partition('@')[0]} comes first; {verdict(rows)}."
    return f"{told} {AMOUNTS}" if uneven else told


def by_test(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Rows as `ranking` makes them, from each run's own evaluation on the test set at its end."""
    rows = []
    for run in runs:
        judged = own_evaluation(run.evaluations()).get("accuracy")
        if judged is not None:
            values = judged if isinstance(judged, list) else [judged]
            rows.append({"networks": [run.id], "val_accuracy": summary(values)})
    return sorted(rows, key=place)


async def compare(request: Request) -> JSONResponse:
    """The runs named by `?run=…&run=…` beside one another."""
    reader, names = request.app.state.reader, request.query_params.getlist("run")
    return JSONResponse(await to_thread.run_sync(comparison, reader, names))


routes = [Route("/api/compare", compare)]
