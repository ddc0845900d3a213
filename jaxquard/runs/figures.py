"""A run in figures: how far it came and how good it is, from what it wrote down."""

import statistics
from typing import Any

from jaxquard.runs.directory import Run


def summary(values: Any) -> Any:
    """A figure for one network, `{"mean", "std", "values"}` (std with n - 1) for several; diverged ones are null."""
    if not isinstance(values, list):
        return values
    sound = [value for value in values if value is not None]
    mean = statistics.fmean(sound) if sound else None
    std = statistics.stdev(sound) if len(sound) > 1 else None
    return {"mean": mean, "std": std, "values": values}


def t_quantile(confidence: float, degrees: int) -> float:
    """Student's t: what a share `confidence` of its values stays within, either side of 0."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2))


def figures(run: Run) -> dict[str, Any]:
    """How far a run came and how good it is, from its journal and its own evaluation on the test set."""
    epochs, evaluations = run.epochs(), run.evaluations()
    last = epochs[-1] if epochs else {}
    test = next((line for line in evaluations if line.get("by") == "train"), {})
    return {
        "status": run.status(),
        "epochs": len(epochs),
        "train_loss": summary(last.get("train_loss")),
        "val_accuracy": summary(last.get("val_accuracy")),
        "test_accuracy": summary(test.get("accuracy")),
        "test_evaluations": len(evaluations),
        "seconds": round(sum(line.get("seconds", 0.0) for line in epochs), 3),
    }
