"""The runs for the page: the list, and one run with its journal. It only reads."""

import math
import statistics
from collections import Counter
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard import strict_json
from jaxquard.errors import RunError
from jaxquard.runs.directory import Run
from jaxquard.runs.environment import trained_on
from jaxquard.runs.figures import figures
from jaxquard.runs.journal import own_evaluation
from jaxquard.runs.ranking import ranking, verdict
from jaxquard.studio import charts
from jaxquard.studio.learn import arguments
from jaxquard.studio.security import without_paths
from jaxquard.studio.watch import Sight, Watch, modified, status_of

Summary = dict[str, Any]
FIGURES = ("train_loss", "val_accuracy", "test_accuracy")  # each is a list with a value for each network


class Reader:
    """Reads run directories, and caches summaries until a run changes."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._summaries: dict[str, tuple[Any, Summary]] = {}

    def find(self, name: str) -> Sight:
        """The run of that id. HTTPException (404) if there is none."""
        sight = self.watch.find(name)
        if sight is None:
            raise HTTPException(404, "there is no run of this name")
        return sight

    def summaries(self) -> list[Summary]:
        """The summary of every run, newest first."""
        found = [self.summary(sight) for sight in self.watch.look().values()]
        return sorted(found, key=lambda one: one["started"], reverse=True)

    def summary(self, sight: Sight) -> Summary:
        """A run's summary; for a damaged run, `error` says what is wrong."""
        run = sight.run
        now = (sight, modified(run.evaluations_file), modified(run.path / "config.toml"))
        then, found = self._summaries.get(run.id, (None, {}))
        if then != now:
            found = summarised(sight)
            self._summaries[run.id] = now, found
        return found


def summarised(sight: Sight) -> Summary:
    """A run's progress, accuracy and errors."""
    run = sight.run
    begun = {"run": run.id, "started": run.started}
    try:
        found, config = figures(run), run.config
        networks = len(config.networks())
        return begun | {
            "recipe": config.recipe,
            "dataset": config.dataset,
            "status": status_of(sight),
            "epoch": found["epochs"],
            "epochs": config.epochs,
            "networks": networks,
            "sweep": found.get("sweep"),
            "parameters": parameters(run, networks),
            **{name: found[name] and list(found[name].values) for name in FIGURES},
            "evaluations": found["test_evaluations"],
            "confusion": commonest(own_evaluation(run.evaluations()).get("confusion")),
            "diverged": divergences(run),
            "seconds": found["seconds"],
            "error": None,
        }
    except RunError as error:
        unknown = ("recipe", "dataset", "epochs", "networks", "sweep", "parameters", "val_accuracy", "test_accuracy")
        begun |= {"confusion": None, "diverged": []}
        said = without_paths(str(error), run.path.parent)
        return begun | dict.fromkeys(unknown) | {"status": "damaged", "epoch": 0, "error": said}


def parameters(run: Run, networks: int) -> int | None:
    """The number of parameters of each network, from the header of the first snapshot; None if that is damaged."""
    try:
        with open(run.snapshot(0), "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = strict_json.loads(file.read(min(size, 1 << 20)))
        learned = [tensor for name, tensor in header.items() if name.startswith("0/")]  # 1/… is the layers' own state
        return sum(math.prod(tensor["shape"]) for tensor in learned) // networks
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def commonest(found: Any) -> dict[str, Any] | None:
    """The most common confusion. With several networks: the pair that most networks have (`networks`: how many), with
    their mean `count`. None if unknown."""
    given = [one for one in found or () if one]
    if not given:
        return None
    (pair, networks), *_ = Counter((one["true"], one["predicted"]) for one in given).most_common(1)
    same = [one for one in given if (one["true"], one["predicted"]) == pair]
    count = statistics.fmean(one["count"] for one in same)
    return {"true": pair[0], "predicted": pair[1], "count": count, "of": same[0]["of"], "networks": networks}


def divergences(run: Run) -> list[dict[str, Any]]:
    """Each network that diverged, the step, and the quantity: `{"network", "step", "quantity"}`."""
    said = [line for line in run.journal() if line.get("event") == "diverged"]
    return [
        {
            "network": line.get("network", 0),
            "step": line.get("bad_step", line.get("step")),
            "quantity": line.get("quantity", "loss"),
        }
        for line in said
    ]


def details(reader: Reader, sight: Sight) -> Summary:
    """One run with its settings, command, networks and journal."""
    run, config = sight.run, sight.run.config
    swept = [name for name, _ in config.sweep]
    ranked = ranking([run], swept) if swept else []
    return reader.summary(sight) | {
        "config": config.to_dict(),
        "command": run.command("train", *arguments(config)),
        "steps_per_epoch": trained_on(config, run.environment["dataset"]) // config.batch_size,
        "networks": [{key: getattr(one, key) for key in ("seed", *swept)} for one in config.networks()],
        "ranking": [row | {"val_accuracy": list(row["val_accuracy"].values)} for row in ranked],
        "verdict": verdict(ranked) if ranked else None,
        "groups": charts.groups_of(ranked),
        "journal": run.journal(),
    }


def list_runs(request: Request) -> JSONResponse:
    """All runs, newest first."""
    return JSONResponse({"runs": request.app.state.reader.summaries()})


def one_run(request: Request) -> JSONResponse:
    """One run with all details."""
    reader: Reader = request.app.state.reader
    return JSONResponse(details(reader, reader.find(request.path_params["run"])))


routes = [
    Route("/api/runs", list_runs),
    Route("/api/runs/{run}", one_run),
]
