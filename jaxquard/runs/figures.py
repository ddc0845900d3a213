"""A run's progress and results, from its files."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxquard.config import Config
from jaxquard.errors import RunError
from jaxquard.runs.directory import Line, Run
from jaxquard.runs.journal import own_evaluation


@dataclass(frozen=True)
class Figure:
    """A value for each network of a run, in `values`; None for a network that diverged.

    `mean` and `std` (with n - 1) are over the other networks; None if there are none, or for `std` fewer than two.
    """

    values: tuple[float | None, ...]

    @property
    def mean(self) -> float | None:
        """The mean over the networks that have a value."""
        sound = self._sound()
        return statistics.fmean(sound) if sound else None

    @property
    def std(self) -> float | None:
        """The standard deviation over the networks that have a value."""
        sound = self._sound()
        return statistics.stdev(sound) if len(sound) > 1 else None

    def _sound(self) -> list[float]:
        return [value for value in self.values if value is not None]

    def __str__(self) -> str:
        """`0.8703`, or `0.8703 ± 0.0021` for several networks."""
        return format(self, ".4f")

    def __format__(self, spec: str) -> str:
        """As `str`, with mean and deviation in the format of a number: `.3f`, or `.1%`."""
        mean, std, spec = self.mean, self.std, spec or ".4f"
        return "–" if mean is None else format(mean, spec) + (f" ± {format(std, spec)}" if std is not None else "")

    def document(self) -> Any:
        """For JSON: a number for one network, `{"mean", "std", "values"}` for several."""
        return self.values[0] if len(self.values) == 1 else self.spread()

    def spread(self) -> dict[str, Any]:
        """`{"mean", "std", "values"}`, also for one network."""
        return {"mean": self.mean, "std": self.std, "values": list(self.values)}


def figure_of(values: Sequence[float | None] | None) -> Figure | None:
    """A list with a value for each network as a Figure; None for None."""
    return None if values is None else Figure(tuple(values))


def t_quantile(confidence: float, degrees: float) -> float:
    """The two-sided quantile of Student's t: a share `confidence` of its values lies within ± this."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2))


def _selected(run: Run, epochs: list[Line], name: str) -> list[Any]:
    """Each network's value `name` in the epoch of its selected weights: the newest or, under early stopping, the best
    one. None if it has none.
    """
    networks = range(len(run.config.networks()))
    if not epochs or name not in (last := epochs[-1]):
        return [None for _ in networks]
    lines = {line["epoch"]: line for line in epochs}
    best = last.get("best_epoch", [last["epoch"] for _ in networks])
    chosen = [lines.get(_of(best, k)) for k in networks]
    return [None if line is None else _of(line[name], k) for k, line in enumerate(chosen)]


def held_out_accuracy(run: Run, epochs: list[Line]) -> list[float | None]:
    """Each network's validation accuracy with its selected weights. None for a network that diverged, or if no images
    are held out. `epochs`: the run's epoch lines."""
    lost = run.diverged()
    return [None if k in lost else value for k, value in enumerate(_selected(run, epochs, "val_accuracy"))]


def train_loss(run: Run, epochs: list[Line]) -> list[float | None]:
    """Each network's training loss in the epoch of its selected weights. `epochs`: the run's epoch lines."""
    return _selected(run, epochs, "train_loss")


def _of(figure: list[float | None], k: int) -> float | None:
    if k >= len(figure):
        raise RunError(f"damaged: its journal has values for {len(figure)} networks, its config describes more")
    return figure[k]


def swept(config: Config) -> dict[str, Any]:
    """`{"sweep": {setting: values}}`, or {} without a sweep."""
    return {"sweep": {name: list(values) for name, values in config.sweep}} if config.sweep else {}


def figures(run: Run) -> dict[str, Any]:
    """A run's progress and results, from its journal and its own evaluation on the test set, and its sweep, if any: a
    mean over a sweep says little.
    """
    sweep = swept(run.config)  # first: in another format the journal has another meaning
    epochs, evaluations = run.epochs(), run.evaluations()
    test = own_evaluation(evaluations)
    return sweep | {
        "status": run.status(),
        "epochs": len(epochs),
        "train_loss": figure_of(train_loss(run, epochs)),
        "val_accuracy": figure_of(held_out_accuracy(run, epochs)),
        "test_accuracy": figure_of(test.get("accuracy")),
        "test_evaluations": len(evaluations),
        "seconds": round(sum(line.get("seconds", 0.0) for line in epochs), 3),
    }
