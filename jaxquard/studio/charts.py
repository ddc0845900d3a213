"""Charts as JSON for the page, and the learning curves of several runs in one chart. (The page draws those of one.)"""

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxquard.charts import Chart, learning_curves, theme
from jaxquard.errors import UsageError
from jaxquard.runs.directory import Run
from jaxquard.runs.journal import Line
from jaxquard.runs.ranking import ranking

Group = dict[str, Any]  # a setting of a sweep: its `label`, and its `networks` by their numbers
MOST = 400  # points in a line
LINES = len(theme.COLORS)  # most settings of a sweep in one chart


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


def of_runs(runs: Mapping[str, Sequence[Line]]) -> list[dict[str, Any]]:
    """Several runs in one chart of accuracy and one of loss, as far as they have figures."""
    charts = []
    for metric in ("accuracy", "loss"):
        with contextlib.suppress(UsageError):  # nothing to draw yet
            epochs = {name: thinned(lines) for name, lines in runs.items()}
            charts.append(drawn(metric, learning_curves(epochs, metric=metric)))
    return charts


def best_of(run: Run) -> tuple[str, list[Line]]:
    """A run's name and epoch lines; for a sweep only those of its best setting: a mean over all would say little."""
    swept = [name for name, _ in run.config.sweep]
    if not swept:
        return run.id, lines_of(run, range(len(run.config.networks())))
    best = groups_of(ranking([run], swept)[:1])[0]
    return f"{run.id} at {best['label']}", lines_of(run, best["networks"])


def lines_of(run: Run, networks: Sequence[int]) -> list[Line]:
    """A run's epoch lines with the figures of these networks: none after a network diverged, whose accuracy is 0."""
    lost = {line.get("network", 0): line["step"] for line in run.journal() if line.get("event") == "diverged"}

    def of_networks(figure: Any, step: int) -> Any:
        if not isinstance(figure, list):
            return figure  # a step or an epoch
        return [None if step >= lost.get(k, math.inf) else one for k, one in enumerate(figure) if k in networks]

    return [{name: of_networks(figure, line["step"]) for name, figure in line.items()} for line in run.epochs()]


def thinned(epochs: Sequence[Line]) -> Sequence[Line]:
    """At most MOST lines, evenly spaced, including the last: a chart of this size cannot show more."""
    return epochs[:: -max(1, math.ceil(len(epochs) / MOST))][::-1]


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
