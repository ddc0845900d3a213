"""Results side by side: means with intervals, and the value of each seed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxquard.charts import theme
from jaxquard.charts.chart import Chart
from jaxquard.errors import UsageError

STD = "Bar: mean ± 1 standard deviation."


def dot_plot(
    rows: Sequence[Mapping[str, Any]],
    *,
    title: str,
    x_title: str,
    subtitle: str = "",
    interval: str = STD,
    zero: bool = False,
    digits: int = 1,
    width: int = 520,
) -> Chart:
    """A line for each row `{"name": str, "values": [one for each seed]}`, in the order given.

    A row's `low` and `high` replace mean ± 1 standard deviation (n − 1); `interval` explains them. Values have the unit
    of `x_title` (accuracies in %). `zero`: the axis starts at 0. Raises UsageError if there are no rows, or a row has
    no values or one that is not finite.
    """
    figures = [_figures(row) for row in rows]
    if not figures:
        raise UsageError("nothing to draw: a dot plot needs at least one row")
    seeds = [{"name": f["name"], "value": v} for f in figures for v in f["values"] if len(f["values"]) > 1]
    words = [subtitle, _explain(figures), interval if seeds or any("low" in row for row in rows) else ""]
    spread = [f[k] for f in figures for k in ("low", "high")] + [s["value"] for s in seeds]
    view = _view(figures, seeds, x_title, _scale(spread, zero), digits, width)
    table: list[dict[str, object]] = [
        {"name": f["name"], f"mean {x_title}": f["mean"], "low": f["low"], "high": f["high"], "n": len(f["values"])}
        for f in figures
    ]
    means = "; ".join(f"{f['name']} {f['mean']:.{digits}f}" for f in figures)
    description = f"Dot plot of {x_title}. Means: {means}."
    return Chart(title, " ".join(filter(None, words)), description, view, table, width + _margin(figures))


def _explain(figures: list[dict[str, Any]]) -> str:
    fewest, most = (pick(len(f["values"]) for f in figures) for pick in (min, max))
    if most == 1:
        return "One value each."
    n = f"n = {most}" if fewest == most else f"n = {fewest} to {most}"
    return f"Large dot: mean; small dots: single seeds ({n})."


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    values = [float(v) for v in row["values"]]
    if not values or not all(map(math.isfinite, values)):
        raise UsageError(f"{row['name']!r} needs finite values to draw, not {values}")
    n, mean = len(values), math.fsum(values) / len(values)
    std = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1)) if n > 1 else 0.0
    low, high = float(row.get("low", mean - std)), float(row.get("high", mean + std))
    return {"name": str(row["name"]), "values": values, "mean": mean, "low": low, "high": high}


def _margin(figures: list[dict[str, Any]]) -> int:
    return round(theme.LETTER * max(len(f["name"]) for f in figures))


def _scale(values: list[float], zero: bool) -> dict[str, Any]:
    low, high = min(values), max(values)
    low, high = theme.widened(low, high, abs(high) * 0.1 or 1.0)
    air = 0.06 * (high - low)
    return {"zero": False, "nice": False, "domain": [0 if zero else low - air, high + air]}


def _view(
    figures: list[dict[str, Any]],
    seeds: list[dict[str, Any]],
    x_title: str,
    scale: dict[str, Any],
    digits: int,
    width: int,
) -> dict[str, Any]:
    names = [f["name"] for f in figures]
    y = {"field": "name", "type": "nominal", "sort": names, "title": None, "axis": {"grid": False, "labelLimit": 400}}
    y["axis"] |= {"labelColor": theme.INK, "labelFontSize": 13}
    x = {"type": "quantitative", "title": x_title, "scale": scale, "axis": {"grid": True, "tickCount": 6}}
    means = [{k: f[k] for k in ("name", "mean", "low", "high")} | {"text": f"{f['mean']:.{digits}f}"} for f in figures]
    dot = {"type": "point", "filled": True}
    return {
        "width": width,
        "height": {"step": 38},
        "encoding": {"y": y},
        "data": {"values": means},
        "layer": [
            theme.layer(
                {"type": "rule", "strokeWidth": 3, "color": theme.BLUE, "opacity": 0.45},
                x={"field": "low", **x},
                x2={"field": "high"},
            ),
            theme.layer(
                {**dot, "size": 28, "color": theme.INK, "opacity": 0.55, "yOffset": 9}, seeds, x={"field": "value", **x}
            ),
            theme.layer(
                {**dot, "size": 90, "tooltip": True, "color": theme.BLUE, "opacity": 1}, x={"field": "mean", **x}
            ),
            theme.layer(
                {"type": "text", "dy": -12, "fontWeight": "bold"}, x={"field": "mean", **x}, text={"field": "text"}
            ),
        ],
    }
