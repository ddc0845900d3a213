"""The result of a training. Needs no JAX, so that a finished run is read quickly."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jaxquard.errors import RunError
from jaxquard.runs import journal
from jaxquard.runs.directory import Run
from jaxquard.runs.figures import Figure, swept, train_loss

if TYPE_CHECKING:
    from jaxquard.charts import Chart
    from jaxquard.runs.models import TrainedModel


@dataclass
class Seconds:
    """Where the time went; `train` is the time of training steps only."""

    data: float = 0.0
    compile: float = 0.0
    train: float = 0.0
    evaluate: float = 0.0


@dataclass(frozen=True)
class TrainResult:
    """The result of a training: each Figure has a value for each network; `diverged` lists those that diverged.

    All values are for the selected weights, under early stopping those of the best epoch. Test results are None if
    training has not finished or there are no test images. `tta`: `{"name", "accuracy"}` with test-time augmentation.
    `already_finished`: the run to resume had finished, and nothing was trained. `mistakes`: the images, labels and
    probabilities of the surest mistakes on the test set, if the training has just ended.
    """

    run: Run
    parameters: int
    epochs: int
    train_loss: Figure
    test_loss: Figure | None
    test_accuracy: Figure | None
    seconds: Seconds
    diverged: tuple[int, ...] = ()
    tta: dict[str, Any] | None = None
    already_finished: bool = False
    mistakes: Any = field(default=None, repr=False, compare=False)

    def _repr_html_(self) -> str:
        """For notebooks: the figures, the learning curve, and the surest mistakes."""
        from jaxquard.runs.notebook import page

        about = {"parameters": f"{self.parameters:,}", "training loss": self.train_loss}
        return page(self.run, about | {"seconds of training": f"{self.seconds.train:.1f}"}, self.mistakes)

    @property
    def model(self) -> "TrainedModel":
        """The trained network; the average of several."""
        from jaxquard.runs import models  # imports JAX

        several = len(self.run.config.networks()) > 1
        return models.average_of_run(self.run) if several else models.models_of_run(self.run)[0]

    @property
    def history(self) -> dict[str, list[Any]]:
        """The figures of each epoch and network as columns of equal length, for `pandas.DataFrame(result.history)`."""
        lines, networks = self.run.epochs(), range(len(self.run.config.networks()))
        names = [name for name, found in (lines[0] if lines else {}).items() if not isinstance(found, dict)]
        columns: dict[str, list[Any]] = {"network": [k for _ in lines for k in networks]}
        for name in names:
            each = [line.get(name) for line in lines]
            columns[name] = [found[k] if isinstance(found, list) else found for found in each for k in networks]
        return columns

    def plot(self, metric: Literal["accuracy", "loss"] = "accuracy") -> "Chart":
        """The learning curve, which a notebook shows. JaxquardError if the extra `charts` is not installed."""
        from jaxquard import charts

        charts.need_renderer()
        return charts.learning_curves({self.run.id: self.run.epochs()}, metric=metric)

    def document(self) -> dict[str, Any]:
        """The document of `train --json`. For one network it has no `seeds`, and `diverged` is true or false."""
        config = self.run.config
        seeds = [network.seed for network in config.networks()]
        several = {"seeds": seeds} if len(seeds) > 1 else {}
        return {
            "run": self.run.id,
            "recipe": config.recipe,
            "dataset": config.dataset,
            "parameters": self.parameters,
            "epochs": self.epochs,
            "seed": config.seed,
            **several,
            **swept(config),
            "train_loss": self.train_loss,
            "test_loss": self.test_loss,
            "test_accuracy": self.test_accuracy,
            "tta": self.tta and {"name": self.tta["name"], "test_accuracy": Figure(tuple(self.tta["accuracy"]))},
            "seconds": {name: round(value, 3) for name, value in vars(self.seconds).items()},
            "diverged": list(self.diverged) if several else bool(self.diverged),
            "already_finished": self.already_finished,
        }


Named = str | Path | Run | TrainResult  # a model or a run by name or path, a run, or its result


def name_of(model: Named) -> str:
    """The name or path of a model or a run."""
    run = model.run if isinstance(model, TrainResult) else model
    return os.fspath(run.path if isinstance(run, Run) else run)


def evaluated(run: Run, test: journal.Line, parameters: int, seconds: Seconds, **more: Any) -> TrainResult:
    """The result of a run that finished training; `test` is its evaluation."""
    lines, tested = run.epochs(), run.environment["dataset"]["test"] > 0
    loss, accuracy = (Figure(tuple(test[name])) if tested else None for name in ("loss", "accuracy"))
    trained = Figure(tuple(train_loss(run, lines)))
    return TrainResult(run, parameters, len(lines), trained, loss, accuracy, seconds, tta=test.get("tta"), **more)


def finished_result(run: Run) -> TrainResult | None:
    """The result of a finished run; None if it has not finished or its weights are lost. RunError if its journal has no
    results.
    """
    from jaxquard.runs import checkpoint  # imports JAX

    finished = run.finished()
    if not finished or checkpoint.newest(run.checkpoints, run.last_step())[1]:
        return None
    try:
        seconds = Seconds(**{name: float(value) for name, value in finished["seconds"].items()})
        test, diverged = journal.own_evaluation(run.evaluations()), tuple(finished["diverged"])
        return evaluated(run, test, finished["parameters"], seconds, diverged=diverged, already_finished=True)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{run.path}: damaged: its journal has no results of the finished training ({error!r})"
        ) from error
