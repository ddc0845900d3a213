"""docs/reliability.json, and the page that is drawn from it; run as a script, this prints the page."""

import ast
import json
from pathlib import Path

HERE, DOCS = Path(__file__).parent, Path(__file__).parents[2] / "docs"
COMMAND = "python tests/stress "
INTRODUCTION = """\
# What Jaxquard promises, and how that was tested

Drawn from [reliability.json](reliability.json), which `make stress` measures again; the short forms of the same scripts
(`tests/stress/`) run in `make check`, and `planted.py` puts in a fault for each promise, which its check must notice.
A promise without a figure is not made. Repeating a test needs the development environment (`pip install -e '.[dev]'`)
and writes the new figures into this page.

| promise | how it is tested | measured | goal | holds | repeat with |
|---|---|---|---|---|---|
"""

Promise = dict[str, str | bool]


def known() -> list[Promise]:
    """The rows measured so far."""
    file = DOCS / "reliability.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def record(measure: str, rows: list[Promise], order: tuple[str, ...]) -> None:
    """Put a measure's rows in the place of those it had, and draw the page."""
    rows = [row | {"command": COMMAND + measure} for row in rows]
    rows += [row for row in known() if row["command"] != COMMAND + measure and measured_by(row) in order]
    rows.sort(key=lambda row: order.index(measured_by(row)))
    (DOCS / "reliability.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (DOCS / "RELIABILITY.md").write_text(page(rows), encoding="utf-8")


def measured_by(row: Promise) -> str:
    """The name of a row's measure."""
    return str(row["command"]).removeprefix(COMMAND)


def page(rows: list[Promise]) -> str:
    """docs/RELIABILITY.md."""
    return INTRODUCTION + "".join(
        f"| {row['promise']} | {method(measured_by(row))} | {row['figure']} | {row['goal']} "
        f"| {'yes' if row['holds'] else '**no**'} | `{row['command']}` |\n"
        for row in rows
    )


def method(measure: str) -> str:
    """The first sentence or two of a measure's script, which say how it goes about it."""
    text = ast.get_docstring(ast.parse((HERE / f"{measure}.py").read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


if __name__ == "__main__":
    print(page(known()), end="")
