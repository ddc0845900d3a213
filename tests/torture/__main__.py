"""The long forms of the promises' tests: `make torture`, or `python tests/torture [NAME…] [--short] [--keep-table]`.

Each measure's rows go into docs/reliability.json as soon as it ends, so that one broken off can be gone on with by
name; docs/RELIABILITY.md is drawn from that file. The exit code says whether every promise measured held.
"""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

import common
from common import Row

MEASURES = ("resume", "kills", "damage", "signals", "contenders", "disk", "hostile")
DOCS = Path(__file__).parents[2] / "docs"
INTRODUCTION = """\
# What Jaxquard promises, and how that was tested

Drawn from [reliability.json](reliability.json), which `make torture` measures anew; the short forms of the same scripts
(`tests/torture/`) run in `make check`. A promise without a figure is not made.

| promise | measured | goal | holds | repeat with |
|---|---|---|---|---|
"""


def record(rows: list[Row]) -> None:
    """Put rows in the place of those that made the same promise, and draw the table."""
    file = DOCS / "reliability.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    table = {row["promise"]: row for row in known} | {row.promise: row._asdict() for row in rows}
    file.write_text(json.dumps(list(table.values()), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (DOCS / "RELIABILITY.md").write_text(page(list(table.values())), encoding="utf-8")


def page(rows: list[dict]) -> str:
    """docs/RELIABILITY.md."""
    cells = [(row["promise"], row["figure"], row["goal"], "yes" if row["holds"] else "**no**", f"`{row['command']}`")
             for row in rows]  # fmt: skip
    return INTRODUCTION + "".join("| " + " | ".join(row) + " |\n" for row in cells)


def main() -> int:
    """Measure what was named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURES)}")
    parser.add_argument("--short", action="store_true", help="a few of each, in seconds")
    parser.add_argument("--keep-table", action="store_true", help="measure only: leave docs/ as it is")
    given = parser.parse_args()
    held = True
    try:
        for name in given.names or MEASURES:
            began = time.monotonic()
            rows = importlib.import_module(name).measure(short=given.short)
            for row in rows:
                print(f"{'holds' if row.holds else 'BROKEN'}  {row.promise}: {row.figure}", flush=True)
            print(f"        ({name}: {time.monotonic() - began:.0f} s)", flush=True)
            held &= all(row.holds for row in rows)
            if not given.keep_table:
                record(rows)
    finally:
        common.clear()
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
