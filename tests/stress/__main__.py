"""The stress tests of the promises: `make stress`, or `python tests/stress [NAME…] [--short]`.

When a measure ends, its rows go into docs/reliability.json, and docs/RELIABILITY.md is drawn from that file. The exit
code is 0 if every measured promise held.
"""

import argparse
import importlib
import sys
import time

import common
import table

MEASURES = (
    *("resume", "kills", "damage", "cost", "signals", "ranks", "contenders", "disk"),
    *("handwritten", "hostile", "downloads", "golden", "estimator", "ordinary"),
)


def main() -> int:
    """Run the named measures, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURES)}")
    parser.add_argument("--short", action="store_true", help="a few of each, in seconds; times do not count; no table")
    given = parser.parse_args()
    if unknown := set(given.names) - set(MEASURES):
        parser.error(f"no measure is called {', '.join(sorted(unknown))}")
    held = True
    try:
        for name in given.names or MEASURES:
            began = time.monotonic()
            rows = importlib.import_module(name).measure(short=given.short)
            for row in rows:
                print(f"{'holds' if row.holds else 'BROKEN'}  {row.promise}: {row.figure}", flush=True)
            print(f"        ({name}: {time.monotonic() - began:.0f} s)", flush=True)
            held &= all(row.holds for row in rows)
            if not given.short:
                table.record(name, [row._asdict() for row in rows], MEASURES)
    finally:
        common.clear()
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
