"""Runs the tracks of the speedrun, one process for each seed: `python -m benchmarks.speedrun [TRACK…]`.

A track's result replaces the one in results/speedrun.json; the table in docs/SPEEDRUN.md is made from that file.
"""

import argparse
import datetime
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.arena import machine
from benchmarks.bench import RESULTS, warn_if_busy
from benchmarks.process import ROOT, Outcome, run
from benchmarks.report import VERDICTS, line, replace_section
from benchmarks.speedrun.record import TRACKS, Track
from jaxquard.data import cache, load
from jaxquard.runs.figures import t_quantile

FILE, PAGE = RESULTS / "speedrun.json", ROOT / "docs" / "SPEEDRUN.md"
SEEDS = 10  # fewer are no record
CONFIDENCE = 0.95


def measure(name: str, seeds: int, data: Path, scratch: Path) -> list[Outcome]:
    """A process for each of the seeds 0, 1, …"""
    outcomes = []
    for seed in range(seeds):
        command = ("-m", "benchmarks.speedrun.record", name, "--seed", str(seed), "--data", data)
        outcomes.append(run(command, scratch))
        print(f"{name} %, seed {seed}: {outcomes[-1].report['accuracy']:.2%}, {outcomes[-1].seconds:.2f} s")
    return outcomes


def summary(track: Track, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Mean and interval of the accuracies and the seconds. A record has enough seeds and a mean that is high enough."""
    accuracy = spread([outcome.report["accuracy"] for outcome in outcomes])
    seconds = spread([outcome.seconds for outcome in outcomes])
    record = len(outcomes) >= SEEDS and accuracy["mean"] >= track.accuracy
    return {
        "accuracy": accuracy | {"least": track.accuracy},
        "seconds": seconds | {"goal": track.seconds},
        "record": record,
        "in_time": None if track.seconds is None else record and seconds["mean"] <= track.seconds,
        "machine": machine(("jax", "numpy")),
        "date": datetime.date.today().isoformat(),
    }


def spread(values: Sequence[float]) -> dict[str, Any]:
    """The mean of two or more values, half the width of its 95 % interval by Student's t, and the values."""
    error = statistics.stdev(values) / len(values) ** 0.5
    interval = t_quantile(CONFIDENCE, len(values) - 1) * error
    return {"mean": statistics.fmean(values), "interval": interval, "values": list(values)}


def table(results: dict[str, dict[str, Any]]) -> str:
    """One line for each measured track."""
    head = ["track", "test accuracy", "seeds", "record", "seconds", "goal", "met", "measured"]
    rows = [
        [
            f"{name} %",
            f"{one['accuracy']['mean']:.2%} ± {one['accuracy']['interval']:.2%}".replace("%", " %"),
            str(len(one["accuracy"]["values"])),
            VERDICTS[one["record"]],
            f"{one['seconds']['mean']:.2f} ± {one['seconds']['interval']:.2f}",
            f"≤ {one['seconds']['goal']:g}" if one["seconds"]["goal"] else "–",
            VERDICTS[one["in_time"]],
            f"{one['date']}: {one['machine']['processor']}, {one['machine']['cores']} cores, "
            f"JAX {one['machine']['versions']['jax']}",
        ]
        for name, one in sorted(results.items(), key=lambda item: item[1]["accuracy"]["least"])
    ]
    return "\n".join(line(cells) for cells in [head, ["---"] * len(head), *rows])


def main() -> None:
    """Measure the chosen tracks, and write the results and, for the default file, the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speedrun", description=__doc__)
    parser.add_argument("tracks", nargs="*", metavar="TRACK", help=f"{', '.join(TRACKS)} (default: all)")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"fewer than {SEEDS} only with --results")
    parser.add_argument("--data", type=Path, help="a folder of four IDX files (default: Fashion-MNIST's in the cache)")
    parser.add_argument("--results", type=Path, default=FILE, help="another file: docs/SPEEDRUN.md is not written")
    options = parser.parse_args()
    if unknown := set(options.tracks) - set(TRACKS):
        parser.error(f"no track {', '.join(sorted(unknown))}; there are {', '.join(TRACKS)}")
    if options.seeds < (SEEDS if options.results == FILE else 2):
        parser.error(f"fewer than {SEEDS} seeds need --results with another file, and 1 has no interval")
    warn_if_busy()
    data = options.data or fashion_mnist()
    with tempfile.TemporaryDirectory(prefix="jaxquard-speedrun-") as scratch:
        for name in options.tracks or TRACKS:
            outcomes = measure(name, options.seeds, data.absolute(), Path(scratch))
            write(options.results, name, summary(TRACKS[name], outcomes))


def fashion_mnist() -> Path:
    """The cache folder of its IDX files; `load` fetches them if they are missing."""
    load("fashion-mnist", report=print)
    return cache.home() / "fashion-mnist"


def write(file: Path, name: str, result: dict[str, Any]) -> None:
    """Put a track's result into the file and, if it is the default file, into the page."""
    results = (json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}) | {name: result}
    file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if file == FILE:
        page = replace_section(PAGE.read_text(encoding="utf-8"), "speedrun", table(results))
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
