"""From one figure a seed to a point of a chart: mean and 99 % interval, the same as in the verdict."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxquard.lessons.arms import Arm
from jaxquard.lessons.verdict import interval

BAND = "Mean over seeds; band: 99 % interval of the mean."
BAR = "Bar: 99 % interval of the mean."


def point(values: Sequence[float] | np.ndarray, y: str, **at: Any) -> dict[str, Any]:
    """A row for `lines(..., band=("low", "high"))`: `at` names its x, and its series where there are several."""
    mean, low, high = interval(values)
    return {**at, y: mean, "low": low, "high": high}


def dot(values: Sequence[float] | np.ndarray, name: str) -> dict[str, Any]:
    """A row for `dot_plot(..., interval=BAR)`."""
    _, low, high = interval(values)
    return {"name": name, "values": np.asarray(values).tolist(), "low": low, "high": high}


def by_epoch(arm: Arm, y: str, curve: str = "accuracy", **at: Any) -> list[dict[str, Any]]:
    """Rows for `lines(x="epoch")` from one of an arm's curves; what counts examples is turned into %."""
    factor = 100 if "accuracy" in curve else 1
    columns = factor * np.array(arm[curve], np.float64).T
    return [point(values, y, epoch=epoch, **at) for epoch, values in enumerate(columns, 1)]
