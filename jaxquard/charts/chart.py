"""The class `Chart`, a Vega-Lite description with texts and figures, and the functions that write one to a file."""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jaxquard.charts import theme
from jaxquard.errors import JaxquardError, UsageError
from jaxquard.files import expanded, write_atomically
from jaxquard.installed import how_to_add

LESS = "{less-than}"  # stands for < until the page is made
SUFFIXES = (".png", ".svg", ".html")


@dataclass(frozen=True)
class Chart:
    """A drawing (`view`, a Vega-Lite view `width` pixels wide) with its texts and figures.

    `description` is the alternative text for readers who cannot see the drawing. `table` has the figures: one
    dictionary a row, with the same columns in each.
    """

    title: str
    subtitle: str
    description: str
    view: dict[str, Any]
    table: list[dict[str, object]]
    width: int = theme.WIDTH

    @property
    def spec(self) -> dict[str, Any]:
        """The complete Vega-Lite description, ready for a browser with Vega."""
        heading = theme.wrap(self.title, self.width, letter=9.5)
        return {
            "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
            "title": {"text": heading, "subtitle": theme.wrap(self.subtitle, self.width, letter=6.3)},
            "description": self.description,
            "background": theme.PAPER,
            "padding": 20,
            "config": theme.CONFIG,
            **self.view,
        }

    def _repr_svg_(self) -> str:
        """For notebooks."""
        return _render(self, ".svg").decode()


def save(chart: Chart | str, path: str | Path, *, overwrite: bool = False) -> list[Path]:
    """Write `chart`, or an SVG, as PNG, SVG or self-contained HTML, by the path's suffix; without one, PNG and SVG.

    Returns the paths written; no file is ever half-written. Raises UsageError if a file exists (unless `overwrite`),
    JaxquardError if the extra is not installed or a file cannot be written.
    """
    paths = paths_of(path, overwrite=overwrite)
    for p in paths:
        write_atomically(p, _render(chart, p.suffix.lower()))
    return paths


def paths_of(path: str | Path, *, overwrite: bool = False) -> list[Path]:
    """The files that `save` would write. UsageError if it would refuse; a long job checks this before it starts."""
    path = Path(expanded(path))
    if not path.name:
        raise UsageError(f"{path}: a folder; give the name of a file, such as chart.svg")
    if path.suffix[1:].isalpha() and path.suffix.lower() not in SUFFIXES:  # but -0.01 is no suffix
        raise UsageError(f"{path}: charts are written as {', '.join(SUFFIXES)}, not as {path.suffix}")
    if path.suffix.lower() in SUFFIXES:
        paths = [path]
    else:
        paths = [path.with_name(path.name + suffix) for suffix in SUFFIXES[:2]]
    taken = [p for p in paths if p.exists()]
    if taken and not overwrite:
        raise UsageError(f"{taken[0]}: already there; choose another name or add --overwrite")
    return paths


def need_renderer() -> None:
    """JaxquardError if the extra for charts is not installed; a training checks this before it starts."""
    if find_spec("vl_convert") is None:
        raise JaxquardError(f"charts need the extra that draws them: {how_to_add('charts')}")


def _render(chart: Chart | str, suffix: str) -> bytes:
    need_renderer()
    import vl_convert

    if isinstance(chart, str):
        head = '<!doctype html><meta charset="utf-8">' if suffix == ".html" else ""
        return vl_convert.svg_to_png(chart, scale=2.0) if suffix == ".png" else f"{head}{chart}".encode()
    if suffix == ".png":
        return vl_convert.vegalite_to_png(chart.spec, scale=2.0, allowed_base_urls=[])
    if suffix == ".svg":
        return _described(vl_convert.vegalite_to_svg(chart.spec, allowed_base_urls=[]), chart).encode()
    # the page has the chart in a <script>, which a class called </script> would end
    page = vl_convert.vegalite_to_html(json.dumps(chart.spec).replace("<", LESS), bundle=True)
    return page.replace(LESS, r"\u003c").encode()


def _described(svg: str, chart: Chart) -> str:
    """The SVG with title and alternative text, which the renderer leaves out."""
    words = f"<title>{html.escape(chart.title)}</title><desc>{html.escape(chart.description)}</desc>"
    return svg.replace(">", f">{words}", 1)


def data_table(chart: Chart) -> str:
    """The figures of a chart as a Markdown table."""
    columns = list(chart.table[0])
    head = [_row([_cell(c) for c in columns]), _row(["---"] * len(columns))]
    return "\n".join(head + [_row([_cell(row[c]) for c in columns]) for row in chart.table]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: object) -> str:
    """One cell: four significant digits, `–` for a missing value, and nothing that breaks the table."""
    if value is None:
        return "–"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
