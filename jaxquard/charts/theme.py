"""The style of every chart: colours, dashes, marks, type, and the Vega-Lite configuration made from them.

The first five series colours are from Okabe and Ito ("Color Universal Design", 2008): readers with any common colour
blindness can distinguish them. Three of their colours are too pale for white paper. Seven more follow, for charts of
many runs. Dash and mark change with the colour, for print in black.
"""

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
PAPER, INK, MUTED, RULE = "#ffffff", "#1f2328", "#59636e", "#e4e7eb"
BLUE, VERMILLION = "#0072b2", "#d55e00"
COLORS = (BLUE, VERMILLION, "#009e73", "#cc79a7", "#000000", "#8800ff", "#663311", "#112288", "#554455", "#bb55ff")
COLORS += ("#330044", "#dd1144")
DASHES = ((1, 0), (6, 3), (2, 2), (9, 3, 2, 3))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
FONT = "Helvetica, Arial, Liberation Sans, sans-serif"
WIDTH, HEIGHT = 600, 320  # pixels of the plot itself
LETTER = 6.1  # average width of a letter at 12 pixels


class Style(NamedTuple):
    """How one series is drawn; a line with an empty label has no name."""

    color: str
    dash: tuple[int, ...]
    shape: str
    label: str


def cycle(choices: Sequence[T], i: int) -> T:
    return choices[i % len(choices)]


def styles(names: list[str]) -> dict[str, Style]:
    """A style for each series; the first twenty all differ."""
    return {
        name: Style(cycle(COLORS, i), cycle(DASHES, i + i // len(COLORS)), cycle(SHAPES, i), name)
        for i, name in enumerate(names)
    }


def wrap(text: str, width: float, letter: float = LETTER) -> list[str]:
    """`text` in lines that fit into `width` pixels; Vega does not wrap."""
    return textwrap.wrap(text, max(20, int(width / letter)), break_on_hyphens=False)


def percent(fraction: float, digits: int = 1) -> str:
    return f"{100 * fraction:.{digits}f} %"


def widened(low: float, high: float, air: float = 0.5) -> tuple[float, float]:
    """The ends of an axis: if they are equal, up to rounding, they get `air` on either side."""
    flat = high - low <= 1e-9 * max(abs(low), abs(high))
    return (low - air, high + air) if flat else (low, high)


def layer(mark: dict[str, Any], values: list[dict[str, Any]] | None = None, **encoding: Any) -> dict[str, Any]:
    """A layer of a Vega-Lite view, with its own `values` or those of the view."""
    return ({} if values is None else {"data": {"values": values}}) | {"mark": mark, "encoding": encoding}


_TEXT = {"labelColor": MUTED, "titleColor": MUTED, "labelFontSize": 12, "titleFontSize": 12}
_TEXT |= {"titleFontWeight": "normal"}

CONFIG: dict[str, Any] = {
    "font": FONT,
    "view": {"stroke": None},
    "title": {
        "anchor": "start",
        "frame": "group",
        "fontSize": 18,
        "color": INK,
        "subtitleFontSize": 13,
        "subtitleColor": MUTED,
        "subtitlePadding": 6,
        "subtitleLineHeight": 17,
        "lineHeight": 22,
        "offset": 14,
    },
    "axis": {**_TEXT, "domain": False, "ticks": False, "gridColor": RULE, "labelPadding": 6, "titlePadding": 8},
    "axisX": {
        "grid": False,
        "domain": True,
        "domainColor": MUTED,
        "ticks": True,
        "tickColor": MUTED,
        "tickSize": 4,
        "labelFlush": False,
    },
    # The unit is above the axis, so that it is horizontal.
    "axisY": {"titleAngle": 0, "titleAlign": "left", "titleBaseline": "bottom", "titleX": 0, "titleY": -8},
    "text": {"color": INK, "fontSize": 12},
}
