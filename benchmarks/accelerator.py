"""Jaxquard on an accelerator: `python -m benchmarks.accelerator`, for `make bench-accelerator`.

Each contestant has its own process, one after another. This process does not use the device, because JAX would take
most of its memory. The figures go to results/accelerator-DEVICE.json, and those of all such files to
docs/PERFORMANCE.md.
"""

import argparse
import datetime
import gzip
import json
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import report
from benchmarks.arena import Arena, machine, write_raw_files
from benchmarks.bench import PAGE, RESULTS, read, write
from benchmarks.measures import cnn
from benchmarks.measures.original import epoch_seconds
from benchmarks.process import ChildFailed, Contestant, Outcome
from benchmarks.rows import Row, Spread

ROUNDS, ENOUGH = 3, 240  # seconds: another round begins only if it is likely to end by then
DEVICE = "import jax, json; d = jax.devices()[0]; print(json.dumps({'name': d.device_kind, 'platform': d.platform}))"
PYTORCH = "import torch, json; print(json.dumps({'version': torch.__version__, 'cuda': torch.cuda.is_available()}))"
CNN = "Training step of a CNN (32-32-64-64-128-128, batch 256)"
TRACK = "Process start → end of the speedrun's track"

Outcomes = Mapping[str, list[Outcome]]


@dataclass(frozen=True)
class Sizes:
    """What is measured; those of the trial only show that all works."""

    rounds: int = ROUNDS
    limit: float = 120  # seconds of a contestant
    images: int | None = None
    epochs: int = 5
    batches: tuple[int, ...] = (128, 4096)
    networks: tuple[int, ...] = (1, 64, 1024)
    steps: int = 64
    track: str = "94.0"
    pytorch: str = "cuda"


TRIAL = Sizes(1, 600, 1540, 2, (128, 512), (1, 2), 6, "85.9", "cpu")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the results. Returns 1 if there is no accelerator or a contestant failed, else 0."""
    options = parse(arguments)
    sizes = TRIAL if options.trial else Sizes()
    with tempfile.TemporaryDirectory(prefix="jaxquard-accelerator-") as scratch:
        arena = Arena(Path(scratch), limit=sizes.limit)
        device = arena.run(("-c", DEVICE)).report
        if device["platform"] == "cpu" and not options.trial:
            print("JAX sees no accelerator here: `jaxquard doctor` may find the cause", file=sys.stderr)
            return 1
        write_raw_files(arena.data, sizes.images)
        peers, versions = pytorch(arena, options.pytorch, sizes) if options.pytorch else ({}, {})
        outcomes, failed = measure(ours(arena, sizes) | peers, sizes.rounds)
    where = machine(("jax", "jaxlib", "numpy")) | {"device": device["name"]}
    where["versions"] |= versions
    if found := [row.summary(where, datetime.date.today().isoformat()) for row in rows(outcomes, sizes)]:
        publish(found, options.results)
    return 1 if failed else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accelerator", description=__doc__)
    parser.add_argument("--pytorch", metavar="PYTHON", help="an interpreter with PyTorch, used if that sees the device")
    parser.add_argument("--trial", action="store_true", help="little data and small sizes, on any device")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="another folder: docs/PERFORMANCE.md is not written"
    )
    return parser.parse_args(arguments)


def ours(arena: Arena, sizes: Sizes) -> dict[str, Contestant]:
    """The original training by the script, one and several networks by `fit`, the CNN by `fit`, and a track of the
    speedrun with a seed for each round. The names are those of the rows."""

    def fit(config: dict, *options: str) -> Contestant:
        command = ("-m", "benchmarks.ours.fit", "--data", arena.data, "--config", json.dumps(config))
        return arena.program(*command, *options)

    def speedrun(k: int) -> Outcome:
        command = ("-m", "benchmarks.speedrun.record", sizes.track, "--seed", str(k), "--data", unpacked)
        return arena.run(command)

    unpacked = arena.scratch / "unpacked"
    unpacked.mkdir()
    for file in arena.data.iterdir():
        (unpacked / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    script = ("-m", "benchmarks.ours.script", "--data", arena.data, "--epochs", str(sizes.epochs), "--batch-size")
    return {
        **{f"One epoch of the original MLP, batch {n:,}": arena.program(*script, str(n)) for n in sizes.batches},
        **{of_all(n): fit({"epochs": sizes.epochs, "seeds": n}) for n in sizes.networks},
        CNN: fit(cnn.CONFIG, "--steps", str(sizes.steps)),
        TRACK: speedrun,
    }


def of_all(networks: int) -> str:
    """The name of the row of so many networks."""
    if networks == 1:
        return "One epoch of the original MLP through `fit`, batch 128"
    return f"One epoch of all of {networks:,} original MLPs, batch 128"


def pytorch(arena: Arena, python: str, sizes: Sizes) -> tuple[dict[str, Contestant], dict[str, str]]:
    """PyTorch's step of the CNN, eager and compiled, and its version; nothing if PyTorch does not see the device."""
    arena = replace(arena, python=python)
    try:
        found = arena.run(("-c", PYTORCH)).report
    except ChildFailed:
        return {}, {}
    if sizes.pytorch == "cuda" and not found["cuda"]:
        return {}, {}
    command = ("-m", "benchmarks.peers.torch_cnn", "--data", arena.data, "--steps", str(sizes.steps))
    command += ("--device", sizes.pytorch)
    return {name: arena.program(*command, *how) for name, how in cnn.PEERS.items()}, {"torch": found["version"]}


def measure(contestants: dict[str, Contestant], rounds: int) -> tuple[dict[str, list[Outcome]], int]:
    """Run all in turns, for about ENOUGH seconds, but one round at least. One that fails takes no further part.

    Returns the outcomes, and the number of failures.
    """
    outcomes, failed, began = defaultdict(list), set(), time.monotonic()
    for k in range(rounds):
        for name, contestant in contestants.items():
            if name in failed:
                continue
            print(f"  round {k + 1} of {rounds}: {name}", file=sys.stderr)
            try:
                outcome = contestant(k)
            except ChildFailed as error:
                print(f"  failed: {error}", file=sys.stderr)
                failed.add(name)
            else:
                outcomes[name].append(outcome)
        if (time.monotonic() - began) * (k + 2) / (k + 1) > ENOUGH:
            break
    return dict(outcomes), len(failed)


def rows(outcomes: Outcomes, sizes: Sizes) -> Iterator[Row]:
    """One row for each of our contestants that ran, and for those of `fit` one more: the device's memory."""
    times = {of_all(n): n for n in sizes.networks}
    alone = epoch_seconds(outcomes[of_all(1)]) if of_all(1) in outcomes else None
    for name, ran in outcomes.items():
        if name in cnn.PEERS:
            continue
        if name == CNN:
            peers = {peer: cnn.images_per_second(outcomes[peer]) for peer in cnn.PEERS if peer in outcomes}
            yield Row(name, "images/s", cnn.images_per_second(ran), peers, more_is_better=True)
        elif name == TRACK:
            accuracy = statistics.fmean(outcome.report["accuracy"] for outcome in ran)
            seconds = Spread.of(outcome.seconds for outcome in ran)
            yield Row(f"{name} {sizes.track} ({accuracy:.2%} on the test set)", "s", seconds)
        else:
            turns = {"one after another": alone.times(times[name])} if alone and times.get(name, 1) > 1 else {}
            yield Row(name, "s", epoch_seconds(ran), turns)
        if "device_mb" in ran[0].report:
            memory = Spread.of(outcome.report["device_mb"] for outcome in ran)
            yield Row(f"{name}: peak memory", "MB", memory)


def publish(found: list[report.Summary], results: Path) -> None:
    """Write the rows of a device and, for the default folder of results, the section of the page."""
    name = re.sub("[^a-z0-9]+", "-", found[0]["machine"]["device"].lower())
    write(results / f"accelerator-{name}.json", found)
    print(section(results))
    if results == RESULTS:
        page = report.replace_section(PAGE.read_text(encoding="utf-8"), "accelerator", section(results))
        PAGE.write_text(page, encoding="utf-8")


def section(results: Path) -> str:
    """The tables of all devices that were measured."""
    devices = map(read, sorted(results.glob("accelerator-*.json")))
    tables = (
        f"### {rows[0]['machine']['device']}\n\n{report.heading(rows)}\n\n{report.verdicts(rows)}" for rows in devices
    )
    return "\n\n".join(tables) or "Not measured."


if __name__ == "__main__":
    sys.exit(main())
