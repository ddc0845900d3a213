"""Runs side by side: the settings that differ, the figures, one chart, and a plain word on chance."""

from collections.abc import Sequence
from typing import Any

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard.runs.comparing import compare as side_by_side
from jaxquard.studio import charts
from jaxquard.studio.runs import Reader

MOST = 12  # runs in one chart


def comparison(reader: Reader, names: Sequence[str]) -> dict[str, Any]:
    """Two runs or more: `settings` (only those that differ), `runs`, `charts`, `verdict`."""
    sights = [reader.find(name) for name in dict.fromkeys(names)]
    if not 2 <= len(sights) <= MOST:
        raise HTTPException(422, f"name two runs or more, up to {MOST}")
    found = side_by_side([sight.run for sight in sights])
    differing = found.runs[0].settings
    return {
        "settings": [{"name": name, "values": [one.settings[name] for one in found.runs]} for name in differing],
        "runs": [reader.summary(sight) for sight in sights],
        "charts": charts.of_runs(dict(charts.best_of(one.run) for one in found.runs)),
        "verdict": found.verdict,
    }


async def compare(request: Request) -> JSONResponse:
    """The runs named by `?run=…&run=…` beside one another."""
    reader, names = request.app.state.reader, request.query_params.getlist("run")
    return JSONResponse(await to_thread.run_sync(comparison, reader, names))


routes = [Route("/api/compare", compare)]
