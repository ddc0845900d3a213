"""A run in figures: how far it came and how good it is, from what it wrote down."""

import math
import statistics
from array import array
from typing import Any

from jaxquard.config import Config
from jaxquard.errors import RunError
from jaxquard.runs.directory import Line, Run
from jaxquard.runs.journal import own_evaluation


def summary(values: Any) -> Any:
    """A figure for one network, `{"mean", "std", "values"}` (std with n - 1) for several; diverged ones are null."""
    if not isinstance(values, list):
        return values
    sound = [value for value in values if value is not None]
    mean = statistics.fmean(sound) if sound else None
    std = statistics.stdev(sound) if len(sound) > 1 else None
    return {"mean": mean, "std": std, "values": values}


def t_quantile(confidence: float, degrees: float) -> float:
    """Student's t: what a share `confidence` of its values stays within, either side of 0."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2))


def _judged(run: Run, epochs: list[Line], name: str) -> list[Any]:
    """Each network's figure of that name in the epoch whose weights are judged: the newest or, under early stopping,
    its own best one. None where there is none."""
    networks, patience = range(len(run.config.networks())), run.config.patience
    if not epochs or name not in epochs[-1]:
        return [None for _ in networks]
    chosen = [_best(epochs, k, patience) if patience else epochs[-1] for k in networks]
    return [None if line is None else _of(line[name], k) for k, line in enumerate(chosen)]


def held_out_accuracy(run: Run, epochs: list[Line]) -> list[float | None]:
    """Each network's validation accuracy with the weights that are judged. None for a network that diverged, or where
    nothing is held out. `epochs` are the run's."""
    lost = run.diverged()
    return [None if k in lost else value for k, value in enumerate(_judged(run, epochs, "val_accuracy"))]


def train_loss(run: Run, epochs: list[Line]) -> Any:
    """The training loss of the epoch whose weights are judged: a number or, of several networks, a list. `epochs` are
    the run's."""
    return _one_or_all(_judged(run, epochs, "train_loss"))


def _one_or_all(values: list[Any]) -> Any:
    return values if len(values) > 1 else values[0]


def _best(lines: list[Line], k: int, patience: int) -> Line | None:
    """The epoch whose weights early stopping kept for network k: the rule of `training.steps.end_epoch`."""
    best, best_loss, waited = None, math.inf, 0
    for line in lines:
        loss = _of(line["val_loss"], k)
        loss = math.inf if loss is None else array("f", [loss])[0]  # the rule computes in single precision
        if loss < best_loss and waited < patience:
            best, best_loss, waited = line, loss, 0
        else:
            waited += 1
    return best


def _of(figure: Any, k: int) -> Any:
    if isinstance(figure, list) and k >= len(figure):
        raise RunError(f"damaged: its journal has figures of {len(figure)} networks, it trains more")
    return figure[k] if isinstance(figure, list) else figure


def swept(config: Config) -> dict[str, Any]:
    """`{"sweep": {setting: values}}`, or {} where nothing was swept."""
    return {"sweep": {name: list(values) for name, values in config.sweep}} if config.sweep else {}


def figures(run: Run) -> dict[str, Any]:
    """How far a run came and how good it is, from its journal and its own evaluation on the test set; and what it
    swept, if it did: a mean over that says little.
    """
    epochs, evaluations = run.epochs(), run.evaluations()
    test = own_evaluation(evaluations)
    return swept(run.config) | {
        "status": run.status(),
        "epochs": len(epochs),
        "train_loss": summary(train_loss(run, epochs)),
        "val_accuracy": summary(_one_or_all(held_out_accuracy(run, epochs))),
        "test_accuracy": summary(test.get("accuracy")),
        "test_evaluations": len(evaluations),
        "seconds": round(sum(line.get("seconds", 0.0) for line in epochs), 3),
    }
