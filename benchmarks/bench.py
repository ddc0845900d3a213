"""Runs each measure, writes its rows as JSON, and makes the summary, the table and the chart of all of them."""

import argparse
import datetime
import importlib
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from benchmarks import report
from benchmarks.arena import Arena, machine, versions, write_raw_files
from benchmarks.process import ROOT, interleave
from benchmarks.rows import Row

MEASURES = ("original", "accuracy", "cnn", "lenet", "several", "prediction", "help")
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "PERFORMANCE.md"


def main() -> int:
    """Run the chosen measures. Returns 1 if one of them failed, else 0, even if goals are missed."""
    options = parse()
    options.results.mkdir(parents=True, exist_ok=True)
    warn_if_busy()
    wanted = [
        name for name in options.only or MEASURES if not (options.resume and path(options.results, name).exists())
    ]
    failed = measure_all(wanted, options) if wanted else []
    rows = [row for name in MEASURES for row in read(path(options.results, name))]
    if rows:
        publish(rows, options.results)
    return 1 if failed else 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASURES, metavar="NAME", help=", ".join(MEASURES))
    parser.add_argument("--resume", action="store_true", help="keep the measures that already have a result")
    parser.add_argument("--newest", metavar="PYTHON", help="also measure ours with this interpreter, and its JAX")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of everything")
    parser.add_argument(
        "--epochs", type=int, default=20, help="of the original training; fewer only to try the harness"
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="another folder: docs/PERFORMANCE.md is not written"
    )
    return parser.parse_args()


def warn_if_busy() -> None:
    """Print a warning if the machine is busy, which would falsify the figures."""
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"warning: the load average is {load:.1f}; measure on an idle machine", file=sys.stderr)


def measure_all(names: list[str], options: argparse.Namespace) -> list[str]:
    """Run the measures, and write each result at once. Returns the names of those that failed."""
    failed = []
    with tempfile.TemporaryDirectory(prefix="jaxquard-bench-") as scratch:
        arena = Arena(Path(scratch), options.rounds, options.epochs)
        write_raw_files(arena.data)
        newest = arena.with_python(options.newest) if options.newest else None
        where = machine() | ({"newest": versions(newest)} if newest else {})
        for name in names:
            began = time.perf_counter()
            print(name, file=sys.stderr)
            try:
                rows = measure(importlib.import_module(f"benchmarks.measures.{name}"), arena, newest)
            except Exception as error:  # the other measures still run
                print(f"  failed: {error}", file=sys.stderr)
                failed.append(name)
                continue
            date = datetime.date.today().isoformat()
            write(path(options.results, name), [row.summary(where, date) for row in rows])
            print(f"  {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return failed


def measure(module: ModuleType, arena: Arena, newest: Arena | None) -> list[Row]:
    """The rows of a module of `benchmarks.measures`; with `newest`, each has also our figure there.

    `contestants(arena)` of the module run in turns, and `rows(outcomes)` makes the rows of them. Those named in `ONCE`,
    the peers and the floor, do not run in `newest`.
    """
    contestants = module.contestants(arena)
    again = {name: one for name, one in module.contestants(newest).items() if name not in module.ONCE} if newest else {}
    outcomes = interleave(contestants | {f"{name}, newest": one for name, one in again.items()}, arena.rounds)
    rows = module.rows(outcomes)
    if not newest:
        return rows
    others = module.rows(outcomes | {name: outcomes[f"{name}, newest"] for name in again})
    return [replace(row, newest=other) for row, other in zip(rows, others, strict=True)]


def publish(rows: list[report.Summary], results: Path) -> None:
    """Write the summary, the chart and, for the default folder of results, the page in docs."""
    write(results / "summary.json", rows)
    print(report.verdicts(rows))
    for row in read(path(results, "original"))[:1]:
        report.draw(row, results / "epoch.svg")
    if results == RESULTS:
        page = report.replace_section(PAGE.read_text(encoding="utf-8"), "measures", report.section(rows))
        PAGE.write_text(page, encoding="utf-8")


def path(results: Path, name: str) -> Path:
    """The file of a measure's rows."""
    return results / f"{name}.json"


def read(path: Path) -> list[report.Summary]:
    """The rows in a file; none if it does not exist."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def write(path: Path, rows: list[report.Summary]) -> None:
    """Write rows as JSON, on many lines for readable diffs."""
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
