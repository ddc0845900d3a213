"""How a run learned, in charts: accuracy and loss, and what each layer's gradients, updates and units did."""

import contextlib
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jaxquard.charts import Chart, learning_curves, lines
from jaxquard.errors import UsageError
from jaxquard.runs.journal import Line
from jaxquard.studio.drawing import drawn

MOST = 400
LAYERS = {
    "gradients": ("grad_norm", "gradient", "How large the gradient is in each layer"),
    "updates": ("update_norm", "update", "How far each layer's weights move in a step"),
    "dead": ("dead", "share of dead units (%)", "Units that no longer react to any image"),
}


def of_run(epochs: Sequence[Line]) -> list[dict[str, Any]]:
    """Every chart that a journal's epoch lines have figures for."""
    epochs = thinned(epochs)
    layers = {name: lambda name=name: by_layer(epochs, *LAYERS[name], log=name != "dead") for name in LAYERS}
    return list(_with_figures(_learning({"run": epochs}) | layers))


def of_runs(runs: Mapping[str, Sequence[Line]]) -> list[dict[str, Any]]:
    """Several runs in one chart of accuracy and one of loss."""
    return list(_with_figures(_learning({name: thinned(epochs) for name, epochs in runs.items()})))


def thinned(epochs: Sequence[Line]) -> Sequence[Line]:
    """At most MOST lines, evenly spaced, the last among them: more than that a chart of this size cannot show."""
    return epochs[:: -max(1, math.ceil(len(epochs) / MOST))][::-1]


def _learning(runs: Mapping[str, Sequence[Line]]) -> dict[str, Callable[[], Chart]]:
    return {
        "accuracy": lambda: learning_curves(runs, metric="accuracy"),
        "loss": lambda: learning_curves(runs, metric="loss"),
    }


def _with_figures(charts: Mapping[str, Callable[[], Chart]]) -> Iterator[dict[str, Any]]:
    for name, draw in charts.items():
        with contextlib.suppress(UsageError):  # nothing to draw yet
            yield drawn(name, draw())


def by_layer(epochs: Sequence[Line], field: str, unit: str, title: str, *, log: bool) -> Chart:
    """A journal's figure for each layer, with a band from lowest to highest where there are several networks."""
    rows = [
        {"layer": f"layer {int(layer) + 1}", "epoch": line["epoch"], **_mean(value, unit, 1.0 if log else 100.0)}
        for line in epochs
        for layer, value in line.get(field, {}).items()
    ]
    several = any(row["low"] != row["high"] for row in rows)
    return lines(
        rows,
        x="epoch",
        y=unit,
        series="layer",
        band=("low", "high") if several else None,
        log_y=log,
        title=title,
        subtitle="Mean of the networks; band: from the lowest to the highest." if several else "",
    )


def _mean(value: Any, unit: str, factor: float) -> dict[str, float | None]:
    """Mean, lowest and highest over the networks that are still finite."""
    values = [factor * v for v in (value if isinstance(value, list) else [value]) if v is not None]
    if not values:
        return {unit: None, "low": None, "high": None}
    return {unit: statistics.fmean(values), "low": min(values), "high": max(values)}
