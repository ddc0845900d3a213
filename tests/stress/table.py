"""docs/reliability.json and the page drawn from it. Run as a script, this prints the page."""

import ast
import json
from pathlib import Path

HERE, DOCS = Path(__file__).parent, Path(__file__).parents[2] / "docs"
COMMAND = "python tests/stress "
INTRODUCTION = """\
# What Jaxquard promises, and how that was tested

This page is drawn from [reliability.json](reliability.json). `make stress` measures every row again with the scripts in
`tests/stress/`; `make check` runs short forms of them. `planted.py` plants a fault for each promise, and its check must
detect it. To repeat a test, install the development environment (`pip install -e '.[dev]'`) and run its command, which
writes the new figures into this page.

| promise | how it is tested | measured | goal | holds | repeat with |
|---|---|---|---|---|---|
"""

Promise = dict[str, str | bool]


def known() -> list[Promise]:
    """The rows in docs/reliability.json."""
    file = DOCS / "reliability.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def record(measure: str, rows: list[Promise], order: tuple[str, ...]) -> None:
    """Replace a measure's rows and draw the page."""
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
    """The first paragraph of a measure's script: how it tests."""
    text = ast.get_docstring(ast.parse((HERE / f"{measure}.py").read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


if __name__ == "__main__":
    print(page(known()), end="")
