"""Figures as points of charts and as words in sentences, with the interval of the verdict."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxquard.lessons.experiment import Arm
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


def show(value: float | None, digits: int = 2) -> str:
    """A figure for people, with a true minus sign, and none before nought."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:z.{digits}f}".replace("-", "−")


def spread(values: Any, digits: int = 1) -> str:
    """`86.3 ± 0.2`: mean and 99 % t interval over seeds."""
    mean, low, high = interval(values)
    return f"{show(mean, digits)} ± {show((high - low) / 2, digits)}"


def filled(text: str, facts: Mapping[str, Any]) -> str:
    """A lesson's words with its facts in their places, lines joined into paragraphs."""
    paragraphs = [part if "```" in part else " ".join(part.split()) for part in text.strip().split("\n\n")]
    return "\n\n".join(paragraphs).format_map(facts)
