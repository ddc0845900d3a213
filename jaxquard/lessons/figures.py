"""Figures as charts and as words, with the 99 % interval that the verdict uses."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxquard.charts import Chart, dot_plot, lines
from jaxquard.lessons.experiment import Arm
from jaxquard.lessons.verdict import interval

Points = dict[Any, Any]  # x -> values, one for each seed
LEARNED = 50  # %


def curves(
    title: str,
    found: Mapping[str, Points],
    x: str = "epoch",
    y: str = "accuracy (%)",
    *,
    series: str | None = None,
    note: str = "",
    over: str = "seeds",
    **options: Any,
) -> Chart:
    """A line with a band for each name in `found`; without `series` there is one line, and its name is not shown."""
    rows = []
    for name, points in found.items():
        for at, values in points.items():
            mean, low, high = interval(values)
            low = max(low, 0.0) if "loss" in y else low  # no loss is negative
            rows.append({x: at, series: name, y: mean, "low": low, "high": high})
    subtitle = f"{note} Mean over {over}; band: 99 % interval of the mean.".strip()
    return lines(rows, x, y, series=series, band=("low", "high"), title=title, subtitle=subtitle, **options)


def dots(title: str, found: Mapping[str, Any], x: str = "held-out accuracy (%)", **options: Any) -> Chart:
    """A row for each name in `found`: a dot for each seed, their mean and its interval."""
    rows = []
    for name, values in found.items():
        _, low, high = interval(values)
        rows.append({"name": name, "values": list(values), "low": low, "high": high})
    return dot_plot(rows, title=title, x_title=x, interval="Bar: 99 % interval of the mean.", **options)


def by_rate(found: Mapping[str, Points], series: str, title: str = "Held-out accuracy by learning rate") -> Chart:
    """Held-out accuracy in % by learning rate, without rates at which a network stays below LEARNED."""
    learned = {name: {rate: v for rate, v in points.items() if v.min() > LEARNED} for name, points in found.items()}
    note = f"Rates at which a network stays below {LEARNED} % are left out."
    return curves(title, learned, "learning rate η", series=series, log_x=True, note=note)


def by_epoch(arm: Arm, curve: str = "accuracy", every: int = 1) -> Points:
    """One of an arm's curves by epoch; only one epoch in `every` was kept. Accuracies in %."""
    columns = (100 if "accuracy" in curve else 1) * np.array(arm[curve], np.float64).T
    return {every * epoch: values for epoch, values in enumerate(columns, 1)}


def show(value: float | None, digits: int = 2) -> str:
    """A number with `digits` decimals for a text: “−” as minus sign, none before zero, and “–” if it is not finite."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:z.{digits}f}".replace("-", "−")


def spread(values: Any, digits: int = 1) -> str:
    """`86.3 ± 0.2`: mean and 99 % t interval over seeds."""
    mean, low, high = interval(values)
    return f"{show(mean, digits)} ± {show((high - low) / 2, digits)}"


def filled(text: str, facts: Mapping[str, Any]) -> str:
    """A lesson's text with its facts filled in, and lines joined into paragraphs."""
    paragraphs = [part if "```" in part else " ".join(part.split()) for part in text.strip().split("\n\n")]
    return "\n\n".join(paragraphs).format_map(facts)
