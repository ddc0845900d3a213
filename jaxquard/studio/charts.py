"""Charts of a run's training: accuracy and loss, and each layer's gradients, updates and dead units."""

import contextlib
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from jaxquard.charts import Chart, learning_curves, lines, theme
from jaxquard.errors import UsageError
from jaxquard.runs.directory import Run
from jaxquard.runs.journal import Line
from jaxquard.runs.ranking import ranking

Group = dict[str, Any]  # a setting of a sweep: its `label`, and its `networks` by their numbers
MOST = 400  # points in a line
LINES = len(theme.COLORS)  # most settings of a sweep in one chart
LAYERS = {
    "gradients": ("grad_norm", "gradient", "How large the gradient is in each layer", True),
    "updates": ("update_norm", "update", "How far each layer's weights move in a step", True),
    "dead": ("dead", "share of dead units (%)", "Units that no longer react to any image", False),
}
FIRST = {"each layer": "the first layer", "any image": "any image, in the first layer"}


def of_run(epochs: Sequence[Line], groups: Sequence[Group] = ()) -> list[dict[str, Any]]:
    """Every chart that a journal's epoch lines have figures for; a sweep's by setting, and only for the first layer."""
    epochs = thinned(epochs)
    runs: Mapping[str, Sequence[Line]] = {"run": epochs}
    if len(groups) > 1:
        runs = {group["label"]: [of_networks(line, group["networks"]) for line in epochs] for group in groups}
    return list(_with_figures(_learning(runs) | {name: partial(of_layers, runs, *LAYERS[name]) for name in LAYERS}))


def groups_of(ranked: Sequence[dict[str, Any]]) -> list[Group]:
    """The LINES best settings of a sweep, in the order of their networks: `{"label", "networks"}`."""
    found = [
        {
            "label": ", ".join(f"{name} {value}" for name, value in row["settings"].items()),
            "networks": [int(network.partition("@")[2] or 0) for network in row["networks"]],
        }
        for row in ranked[:LINES]
    ]
    return sorted(found, key=lambda group: group["networks"][0])


def of_networks(figure: Any, networks: Sequence[int]) -> Any:
    """A line of a journal with the figures of only these networks."""
    if isinstance(figure, Mapping):
        return {name: of_networks(value, networks) for name, value in figure.items()}
    return [figure[k] for k in networks] if isinstance(figure, list) else figure  # else a step or an epoch


def of_runs(runs: Mapping[str, Sequence[Line]]) -> list[dict[str, Any]]:
    """Several runs in one chart of accuracy and one of loss."""
    return list(_with_figures(_learning({name: thinned(epochs) for name, epochs in runs.items()})))


def lines_of(run: Run) -> list[Line]:
    """A run's epoch lines; a network has no figures after it diverged, because its accuracy would be 0."""
    lost = {line.get("network", 0): line["step"] for line in run.journal() if line.get("event") == "diverged"}

    def sound(figure: Any, step: int) -> Any:
        if isinstance(figure, Mapping):
            return {name: sound(value, step) for name, value in figure.items()}
        if not isinstance(figure, list):
            return figure
        return [None if step >= lost.get(k, math.inf) else value for k, value in enumerate(figure)]

    return [sound(line, line["step"]) for line in run.epochs()] if lost else run.epochs()


def best_of(run: Run) -> tuple[str, list[Line]]:
    """A run's name and epoch lines; for a sweep only those of its best setting: a mean over all would say little."""
    swept, lines = [name for name, _ in run.config.sweep], lines_of(run)
    if not swept:
        return run.id, lines
    best = groups_of(ranking([run], swept)[:1])[0]
    return f"{run.id} at {best['label']}", [of_networks(line, best["networks"]) for line in lines]


def thinned(epochs: Sequence[Line]) -> Sequence[Line]:
    """At most MOST lines, evenly spaced, including the last: a chart of this size cannot show more."""
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


def of_layers(runs: Mapping[str, Sequence[Line]], field: str, unit: str, title: str, log: bool) -> Chart:
    """A figure by epoch, for each layer of one run or for the first layer of several. The axis is logarithmic (`log`)
    or in per cent. With several networks there is a band from the lowest to the highest."""
    several = len(runs) > 1
    series, most = ("setting", 1) if several else ("layer", None)
    rows = [
        {
            series: label if several else f"layer {int(layer) + 1}",
            "epoch": line["epoch"],
            **_mean(value, unit, 1.0 if log else 100.0),
        }
        for label, epochs in runs.items()
        for line in epochs
        for layer, value in list(line.get(field, {}).items())[:most]
    ]
    for words, instead in FIRST.items() if several else ():
        title = title.replace(words, instead)
    banded = any(row["low"] != row["high"] for row in rows)
    return lines(
        rows,
        x="epoch",
        y=unit,
        series=series,
        band=("low", "high") if banded else None,
        log_y=log,
        title=title,
        subtitle="Mean of the networks; band: from the lowest to the highest." if banded else "",
    )


def _mean(value: Any, unit: str, factor: float) -> dict[str, float | None]:
    """Mean, lowest and highest over the networks that are still finite."""
    values = [factor * v for v in value if v is not None]
    if not values:
        return {unit: None, "low": None, "high": None}
    return {unit: statistics.fmean(values), "low": min(values), "high": max(values)}


def drawn(name: str, chart: Chart) -> dict[str, Any]:
    """`{"name", "spec", "sentence", "table": {"columns", "rows"}}`, ready for JSON."""
    columns = list(chart.table[0])
    rows = [[row[column] for column in columns] for row in chart.table]
    return {
        "name": name,
        "spec": chart.spec,
        "sentence": chart.description,
        "table": {"columns": columns, "rows": rows},
    }
