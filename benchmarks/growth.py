"""How an epoch's time grows with batch, width, depth and data: `python -m benchmarks.growth`, for `make bench-full`."""

import json
import math
import statistics
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.arena import Arena, write_raw_files
from benchmarks.bench import PAGE, RESULTS, warn_if_busy

AXES = {
    "batch size": {n: ("--batch-size", str(n)) for n in (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)},
    "width": {n: ("--hidden", str(n), str(n)) for n in (32, 64, 128, 256, 512, 1024, 2048, 4096)},
    "depth": {n: ("--hidden", *["128"] * n) for n in (1, 2, 4, 8, 16)},
    "images": {n: ("--images", str(n)) for n in (6_000, 20_000, 60_000, 200_000, 600_000)},
}


def main() -> None:
    """Measure the four curves, save them as JSON, draw them, and write their exponents into the page."""
    warn_if_busy()
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="jaxquard-growth-") as scratch:
        arena = Arena(Path(scratch))
        write_raw_files(arena.data)
        gflops = max(arena.program("-m", "benchmarks.floor")(0).report.values())
        curves = {axis: curve(arena, sizes) for axis, sizes in AXES.items()}
    (RESULTS / "growth.json").write_text(json.dumps({"gflops": gflops, "curves": curves}, indent=1) + "\n")
    for axis, points in curves.items():
        draw(axis, points, gflops, RESULTS / f"growth-{axis.replace(' ', '-')}.svg")
    page = report.replace_section(PAGE.read_text(encoding="utf-8"), "growth", table(curves))
    PAGE.write_text(page, encoding="utf-8")
    print(table(curves))


def curve(arena: Arena, sizes: dict[int, tuple[str, ...]]) -> list[dict[str, float]]:
    """For each size, the median epoch in seconds, without the first repetition, which compiles; and its GFLOP."""
    points = []
    for size, options in sizes.items():
        print(f"  {' '.join(options)}", file=sys.stderr)
        found = arena.program("-m", "benchmarks.ours.growth", "--data", arena.data, *options)(0).report
        seconds = found["epoch_seconds"][1:]
        points.append({"size": size, "seconds": statistics.median(seconds), "gflop": found["gflop"]})
        points[-1] |= {"min": min(seconds), "max": max(seconds)}
    return points


def exponent(points: list[dict[str, float]], key: str) -> float:
    """The k of the power law sizeᵏ, by least squares on the logarithms."""
    x, y = ([math.log(point[name]) for point in points] for name in ("size", key))
    return statistics.linear_regression(x, y).slope


def largest_jump(points: list[dict[str, float]]) -> float:
    """The largest ratio, from one size to the next, of the growth in time to the growth in arithmetic; 1: the same."""
    return max((b["seconds"] / a["seconds"]) / (b["gflop"] / a["gflop"]) for a, b in pairwise(points))


def table(curves: dict[str, list[dict[str, float]]]) -> str:
    """One line per axis: its range, the exponents of time and of arithmetic, the largest jump."""
    head = ["axis", "from", "to", "exponent of the time", "of the arithmetic", "largest jump beyond it"]
    lines = [report.line(head), report.line(["---"] * len(head))]
    for axis, points in curves.items():
        ends = [f"{points[i]['size']:,.0f}: {report.number(points[i]['seconds'])} s" for i in (0, -1)]
        fitted = [f"{exponent(points, key):.2f}" for key in ("seconds", "gflop")]
        lines.append(report.line([axis, *ends, *fitted, f"× {largest_jump(points):.2f}"]))
    return "\n".join(lines)


def draw(axis: str, points: list[dict[str, Any]], gflops: float, path: Path) -> None:
    """Draw the measured times with their ranges, and the times of the arithmetic alone."""
    from jaxquard.charts import lines, save

    floor = f"its arithmetic at {gflops:.0f} GFLOP/s"
    measured = [{**point, "series": "measured"} for point in points]
    least = [{"size": p["size"], "seconds": p["gflop"] / gflops, "series": floor} for p in points]
    chart = lines(
        [*measured, *least],
        "size",
        "seconds",
        title=f"Time of an epoch against {axis}",
        subtitle=f"Medians of 5 (band: min to max). Fitted exponent {exponent(points, 'seconds'):.2f}.",
        series="series",
        band=("min", "max"),
        x_title=axis,
        y_title="seconds",
        log_x=True,
        log_y=True,
    )
    save(chart, path, overwrite=True)


if __name__ == "__main__":
    main()
