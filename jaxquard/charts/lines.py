"""Lines with bands, each labelled at its end: the chart of learning curves and most lessons."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxquard.charts import theme
from jaxquard.charts.chart import Chart
from jaxquard.charts.theme import Style
from jaxquard.errors import UsageError

Row = Mapping[str, object]


def lines(
    rows: Sequence[Row],
    x: str,
    y: str,
    *,
    title: str,
    subtitle: str,
    series: str | None = None,
    band: tuple[str, str] | None = None,
    x_title: str = "",
    y_title: str = "",
    log_x: bool = False,
    log_y: bool = False,
    styles: Mapping[str, Style] | None = None,
    description: str = "",
    width: int = theme.WIDTH,
    height: int = theme.HEIGHT,
) -> Chart:
    """Draw `rows[y]` against `rows[x]`, one line for each value of `rows[series]`, with a band between two columns.

    Values that are not finite, or have no logarithm on a logarithmic axis, are gaps. Raises UsageError if no value is
    left to draw.
    """
    points = _points(rows, x, y, series, band, log_x, log_y)
    drawn = {str(p["series"]): p for p in points if p["y"] is not None}  # each line's last point
    if not drawn:
        raise UsageError(f"nothing to draw: no row has a finite {y!r}")
    looks = dict(styles or theme.styles(list(drawn)))
    domain = _domain([p[k] for p in points for k in ("y", "low", "high")], log_y)
    axis_y = {"type": "quantitative", "scale": _scale(domain, log_y), "axis": {"tickCount": 6}, "title": y_title or y}
    banded = [p for p in points if p["low"] is not None and p["high"] is not None]
    area = {"type": "area", "opacity": 0.2, "tooltip": False}
    point = {"type": "point", "filled": True, "size": 36, "opacity": 1, "tooltip": True}
    view = {
        "width": width,
        "height": height,
        "encoding": {
            "x": _x_axis(points, x_title or x, log_x),
            "y": {"field": "y", **axis_y},
            "color": _look("color", looks),
        },
        "layer": [
            theme.layer(area, banded, y={"field": "low", **axis_y}, y2={"field": "high"}),
            theme.layer({"type": "line", "strokeWidth": 2.2}, points, strokeDash=_look("strokeDash", looks)),
            theme.layer(point, _marked(points, looks), shape=_look("shape", looks)),
            *_labels(drawn, looks, domain[0], _gap(domain, height, log_y), log_y),
        ],
    }
    columns = [c for c in (series, x, y, *(band or ())) if c]
    table = [{c: row.get(c) for c in columns} for row in rows]
    return Chart(
        title, subtitle, description or _describe(y_title or y, x_title or x, points), view, table, width + 100
    )


def _points(
    rows: Sequence[Row], x: str, y: str, series: str | None, band: tuple[str, str] | None, log_x: bool, log_y: bool
) -> list[dict[str, Any]]:
    low, high = band or ("", "")
    points = [
        {
            "series": str(row[series]) if series else "",
            "x": _number(row.get(x), log_x),
            "y": _number(row.get(y), log_y),
            "low": _number(row.get(low), log_y),
            "high": _number(row.get(high), log_y),
        }
        for row in rows
    ]
    return [p for p in points if p["x"] is not None]


def _number(value: object, log: bool = False) -> float | None:
    """A float that JSON and the axis can hold, or None."""
    if value is None:
        return None
    number = float(value)  # type: ignore[arg-type]
    return number if math.isfinite(number) and (number > 0 or not log) else None


def _domain(values: Sequence[float | None], log: bool) -> list[float]:
    """The lowest and highest value with some space. Vega uses it unchanged, because the labels are placed by it."""
    present = [v for v in values if v is not None]
    low, high = min(present), max(present)
    if log:
        air = (high / low) ** 0.05 if high > low * (1 + 1e-9) else 2.0
        return [low / air, high * air]
    flat = high - low <= 1e-9 * max(abs(low), abs(high))
    air = abs(high) * 0.1 or 1.0 if flat else 0.05 * (high - low)
    top = high if flat and high == 100 else high + air  # no accuracy is above 100 %
    return [low - air if low < 0 or low > air else 0.0, top]


def _gap(domain: list[float], height: int, log: bool) -> float:
    """The length of 16 pixels (a line of text) on the axis; on a logarithmic axis in natural logarithms."""
    low, high = [math.log(v) for v in domain] if log else domain
    return 16 * (high - low) / height


def spread(positions: Sequence[float], gap: float, least: float = -math.inf) -> list[float]:
    """Move positions as little as possible (least squares) so that neighbours are at least `gap` apart, none below
    `least`.

    With `gap` subtracted for each predecessor, the positions must not decrease: isotonic regression, by pooling.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    pools: list[list[float]] = []
    for rank, i in enumerate(order):
        pools.append([positions[i] - rank * gap])
        while len(pools) > 1 and statistics.fmean(pools[-2]) > statistics.fmean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    level = [max(statistics.fmean(pool), least) for pool in pools for _ in pool]
    placed = {i: level[rank] + rank * gap for rank, i in enumerate(order)}
    return [placed[i] for i in range(len(positions))]


def _look(channel: str, looks: Mapping[str, Style]) -> dict[str, Any]:
    field = {"color": "color", "strokeDash": "dash", "shape": "shape"}[channel]
    scale = {"domain": list(looks), "range": [getattr(look, field) for look in looks.values()]}
    return {"field": "series", "type": "nominal", "scale": scale, "legend": None}


def _x_axis(points: list[dict[str, Any]], title: str, log: bool) -> dict[str, Any]:
    places = sorted({p["x"] for p in points})
    low, high = places[0], places[-1]
    domain = [low / 2, high * 2] if log and low == high else list(theme.widened(low, high))
    axis: dict[str, Any] = {"format": "d" if all(x == int(x) for x in places) else "~g"}
    if log and domain[1] >= 100 * domain[0]:
        axis = {"values": _decades(*domain), "format": "~g"}
    elif len(places) <= 11:  # a tick for each
        axis["values"] = places
    elif axis["format"] == "d" and not log:
        axis["tickMinStep"] = 1
    return {"field": "x", "type": "quantitative", "title": title, "scale": _scale(domain, log), "axis": axis}


def _scale(domain: list[float], log: bool) -> dict[str, Any]:
    """Exactly this domain."""
    return {"type": "log", "domain": domain, "nice": False} if log else {"domain": domain, "nice": False, "zero": False}


def _decades(low: float, high: float) -> list[float]:
    return [10.0**e for e in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)]


def _marked(points: list[dict[str, Any]], names: Iterable[str]) -> list[dict[str, Any]]:
    """Up to 12 points of each line, evenly spaced back from its end."""
    chosen = []
    for name in names:
        own = [p for p in points if p["series"] == name and p["y"] is not None]
        chosen += own[:: -max(1, math.ceil(len(own) / 12))]
    return chosen


def _labels(
    ends: Mapping[str, dict[str, Any]], looks: Mapping[str, Style], bottom: float, gap: float, log: bool
) -> list[dict[str, Any]]:
    """Each line's name at its end, on a white halo. Names that would overlap are moved apart, but not below the chart,
    where the axis has its numbers."""
    into, out = (math.log, math.exp) if log else (float, float)
    rows = []
    for x in {end["x"] for end in ends.values()}:
        here = [name for name in ends if ends[name]["x"] == x and looks[name].label]
        heights = spread([into(ends[name]["y"]) for name in here], gap, into(bottom))
        rows += [{"x": x, "y": out(h), "label": looks[n].label} for n, h in zip(here, heights, strict=True)]
    text = {"type": "text", "align": "left", "dx": 9}
    halo = {"stroke": theme.PAPER, "strokeWidth": 8, "strokeJoin": "round", "aria": False}
    return [
        theme.layer(mark, rows, text={"field": "label"}, color={"value": color})
        for mark, color in ((text | halo, theme.PAPER), (text, theme.INK))
    ]


def _describe(y: str, x: str, points: list[dict[str, Any]]) -> str:
    """Each line's first, last, lowest and highest point: `Line chart: loss by epoch. training: 0.9 at epoch 1, …`"""
    texts = []
    for name in dict.fromkeys(p["series"] for p in points):
        own = [p for p in points if p["series"] == name and p["y"] is not None]
        if own:
            lowest, highest = min(own, key=lambda p: p["y"]), max(own, key=lambda p: p["y"])
            turns = [p for p in own if p is own[0] or p is own[-1] or p is lowest or p is highest]
            texts.append(f"{name or y}: " + ", ".join(f"{p['y']:.4g} at {x} {p['x']:g}" for p in turns) + ".")
    return " ".join([f"Line chart: {y} by {x}.", *texts])
