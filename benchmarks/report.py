"""Makes the Markdown tables and the chart from the figures in `summary.json`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

VERDICTS = {True: "yes", False: "**no**", None: "–"}

Summary = dict[str, Any]


def number(value: float) -> str:
    """Three significant digits, thousands grouped."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(figures: Summary) -> str:
    """A median with the least and the greatest figure."""
    return f"{number(figures['median'])} ({number(figures['min'])}–{number(figures['max'])})"


def goals(row: Summary) -> str:
    """Each bound in words, with its figure unless the words have it."""
    relation = "≥" if row["more_is_better"] else "≤"
    texts = [f"{g['text']} ({relation} {number(g['limit'])})" if _relative(g) else g["text"] for g in row["goal"]]
    return "; ".join(texts) or "report"


def _relative(goal: Summary) -> bool:
    return number(goal["limit"]) not in goal["text"]


def line(cells: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column has words, and the others figures."""
    return "\n".join(map(line, [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]))


def verdicts(rows: Sequence[Summary]) -> str:
    """The table of goals: one line per measure. If it was also measured with the newest JAX, two more columns."""
    newest = _newest(rows)
    head = ["measure", "unit", "Jaxquard", "best peer", "goal", "holds"]
    head += [f"jax {newest['jax']}", "holds"] if newest else []
    lines = [line(head), line(["---"] * len(head))]
    for row in rows:
        best = row["best_peer"]
        peer = f"{best}: {spread(row['peers'][best])}" if best else "–"
        cells = [row["measure"], row["unit"], spread(row["ours"]), peer, goals(row), VERDICTS[row["holds"]]]
        if newest:
            again = row.get("newest")
            cells += [spread(again["ours"]), VERDICTS[again["holds"]]] if again else ["–", "–"]
        lines.append(line(cells))
    return "\n".join(lines)


def _newest(rows: Sequence[Summary]) -> dict[str, str] | None:
    """The versions of the newest Python and its JAX, if there are figures of them."""
    return next((row["machine"]["newest"] for row in rows if row.get("newest")), None)


def everyone(rows: Sequence[Summary]) -> str:
    """The table of systems: one column for each measure with several peers."""
    shared = [row for row in rows if len(row["peers"]) > 2]
    names = list(dict.fromkeys(name for row in shared for name in row["peers"]))
    systems = {"Jaxquard": [row["ours"] for row in shared]} | {
        name: [row["peers"].get(name) for row in shared] for name in names
    }
    head = ["system", *(f"{row['measure']}, {row['unit']}" for row in shared)]
    body = [line([name, *(spread(f) if f else "–" for f in figures)]) for name, figures in systems.items()]
    return "\n".join([line(head), line(["---"] * len(head)), *body])


def section(rows: Sequence[Summary]) -> str:
    """Both tables, below a description of the machine."""
    return "\n\n".join([heading(rows), verdicts(rows), everyone(rows)])


def heading(rows: Sequence[Summary]) -> str:
    """The date, the machine and the versions of a measurement."""
    machine, dates = rows[0]["machine"], sorted({row["date"] for row in rows})
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}"
    newest = _newest(rows)
    also = f" Also with Python {newest['python']} and jax {newest['jax']}." if newest else ""
    return f"Measured on {' and '.join(dates)}: {where}; {versions}.{also} Medians, with the least and the greatest."


def markers(name: str) -> tuple[str, str]:
    """The lines before and after the section `name` of a page."""
    return f"<!-- {name}: written by the benchmarks -->", f"<!-- end of {name} -->"


def replace_section(page: str, name: str, text: str) -> str:
    """`page` with the text between the section's markers replaced. ValueError if it has no such markers."""
    first, last = markers(name)
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"no lines {first} and {last}: the table has no place to go")
    return f"{before}{first}\n\n{text}\n\n{last}{after}"


def draw(row: Summary, path: Path) -> None:
    """Draw a row as a chart, the best system first."""
    from jaxquard.charts import dot_plot, save

    systems = {"Jaxquard": row["ours"], **row["peers"]}
    ranked = sorted(systems.items(), key=lambda item: item[1]["median"], reverse=row["more_is_better"])
    figures = [{"name": name, "values": [f["median"]], "low": f["min"], "high": f["max"]} for name, f in ranked]
    chart = dot_plot(
        figures,
        title=row["measure"],
        subtitle=f"Medians of {row['ours']['n']} runs, interleaved.",
        interval="Bar: from the least to the greatest of them.",
        x_title="seconds" if row["unit"] == "s" else row["unit"],
        zero=True,
        digits=2,
    )
    save(chart, path, overwrite=True)
