"""Runs side by side: the settings that differ, the figures, charts, and whether the difference exceeds the noise."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard.runs.comparing import compare as side_by_side
from jaxquard.studio import charts
from jaxquard.studio.runs import Reader

MOST = 12  # runs in one chart


def compare(request: Request) -> JSONResponse:
    """The runs named by `?run=…&run=…`: `settings` (only those that differ), `runs`, `charts`, `verdict`."""
    reader: Reader = request.app.state.reader
    sights = [reader.find(name) for name in dict.fromkeys(request.query_params.getlist("run"))]
    if not 2 <= len(sights) <= MOST:
        raise HTTPException(422, f"name two to {MOST} runs")
    found = side_by_side([sight.run for sight in sights])
    differing = found.runs[0].settings
    document = {
        "settings": [{"name": name, "values": [one.settings[name] for one in found.runs]} for name in differing],
        "runs": [reader.summary(sight) for sight in sights],
        "charts": charts.of_runs(dict(charts.best_of(one.run) for one in found.runs)),
        "verdict": found.verdict,
    }
    return JSONResponse(document)


routes = [Route("/api/compare", compare)]
