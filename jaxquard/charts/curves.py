"""The learning curves of runs, from their journals."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jaxquard.charts import theme
from jaxquard.charts.chart import Chart
from jaxquard.charts.lines import lines
from jaxquard.charts.theme import Style
from jaxquard.errors import UsageError

Record = Mapping[str, Any]
SPLITS = {"val": "validation", "train": "training"}


def learning_curves(
    runs: Mapping[str, Sequence[Record]],
    *,
    metric: Literal["accuracy", "loss"] = "accuracy",
    title: str = "",
    subtitle: str = "",
    width: int = theme.WIDTH,
    height: int = theme.HEIGHT,
) -> Chart:
    """Accuracy (in %) or loss by epoch on training and validation data. `runs`: journal records by run name.

    A record's figure is None or a list with a value for each network, drawn as mean and band (from the lowest to the
    highest). The mean leaves out values that are not finite, and the subtitle says so.
    """
    several = len(runs) > 1
    unit = "accuracy (%)" if metric == "accuracy" else "loss (cross-entropy)"
    rows = [row for run in runs for row in _rows(f"{run}: " if several else "", runs[run], metric, unit)]
    if not rows:
        raise UsageError(f"nothing to draw: no record of {', '.join(runs) or 'any run'} has a {metric}")
    return lines(
        rows,
        x="epoch",
        y=unit,
        series="series",
        band=("low", "high") if any(row["low"] is not None for row in rows) else None,
        title=title or f"{metric.capitalize()} by epoch",
        subtitle=" ".join(filter(None, [subtitle, _explain(rows, several)])),
        styles=_styles(rows, list(runs) if several else [], unit),
        width=width,
        height=height,
    )


def _rows(prefix: str, records: Sequence[Record], metric: str, unit: str) -> list[dict[str, Any]]:
    """A row for each split and epoch, over all networks."""
    rows = []
    for split, name in SPLITS.items():
        for record in records:
            value = record.get(f"{split}_{metric}")
            if value is not None and record.get("epoch") is not None:
                row = {"series": prefix + name, "epoch": record["epoch"]}
                rows.append(row | _summary(value, unit, 100.0 if metric == "accuracy" else 1.0))
    return rows


def _summary(given: Sequence[Any], unit: str, factor: float) -> dict[str, Any]:
    """Mean, band and number of networks of one figure; `lost`: how many values are not finite."""
    values = [factor * float(v) for v in given if v is not None and math.isfinite(v)]
    lost, n = len(given) - len(values), len(values)
    if n == 0:
        return {unit: None, "low": None, "high": None, "networks": 0, "lost": lost}
    low, high = (min(values), max(values)) if len(given) > 1 else (None, None)
    return {unit: math.fsum(values) / n, "low": low, "high": high, "networks": n, "lost": lost}


def _explain(rows: list[dict[str, Any]], several: bool) -> str:
    """The subtitle: the meaning of line, band and dash, and missing networks."""
    networks = max(row["networks"] + row["lost"] for row in rows)
    said = ["One network each." if several else "One network."]
    if networks > 1:
        said = [f"Mean of {networks} networks; band: from the lowest to the highest."]
    if several and len({row["series"].rsplit(": ", 1)[1] for row in rows}) > 1:
        said.append("Solid: validation; dashed: training.")
    if lost := max(row["lost"] for row in rows):
        said.append(f"Up to {lost} of {networks} not finite, and left out from there on.")
    return " ".join(said)


def _styles(rows: list[dict[str, Any]], runs: list[str], unit: str) -> dict[str, Style]:
    """For one run, a colour, mark and dash for each split. For several, a colour and mark for each run, and a dash for
    each split; only one line of each run has a name: the validation curve, if there is one."""
    last = {row["series"]: row[unit] for row in rows if row[unit] is not None}
    alone = theme.styles(list(last))
    named: set[str] = set()
    found = {}
    for series, mean in last.items():
        run, _, split = series.rpartition(": ")
        who = run or split
        label = f"{who} {mean:.1f} %" if "%" in unit else f"{who} {mean:.3f}"
        look = alone[series]._replace(label="" if who in named else label)
        if run:
            i = runs.index(run)
            dash = theme.DASHES[0] if split == "validation" else theme.DASHES[1]
            look = look._replace(color=theme.cycle(theme.COLORS, i), shape=theme.cycle(theme.SHAPES, i), dash=dash)
        found[series] = look
        named.add(who)
    return found
