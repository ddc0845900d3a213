"""A training step of a CNN: ours in a compiled epoch, PyTorch's with channels last, eager and compiled."""

import json
import statistics

from benchmarks.arena import Arena
from benchmarks.process import Contestant, Outcome
from benchmarks.rows import Bound, Row, Spread

STEPS = 24
CONFIG = {"model": "cnn", "widths": [32, 64, 128], "blocks": 0, "batch_size": 256, "epochs": 1}
SHARED = {**CONFIG, "shards": 2}
PEERS = {"PyTorch eager": (), "torch.compile": ("--compile",)}
ONCE = tuple(PEERS)
TWO = "two CPU devices"
GOALS = {"ours": ("", 0.85), TWO: (", on two CPU devices with two shards", 1.0)}


def contestants(arena: Arena) -> dict[str, Contestant]:
    """Our training, on one device and on two that share the cores, and PyTorch's."""
    options = ("--data", arena.data, "--steps", str(STEPS))
    ours = arena.program("-m", "benchmarks.ours.fit", *options, "--config", json.dumps(CONFIG))
    two = arena.program("-m", "benchmarks.ours.fit", *options, "--config", json.dumps(SHARED), "--devices", "2")
    peers = {name: arena.program("-m", "benchmarks.peers.torch_cnn", *options, *how) for name, how in PEERS.items()}
    return {"ours": ours, TWO: two, **peers}


def rows(outcomes: dict[str, list[Outcome]]) -> list[Row]:
    """Images per second."""
    rates = {name: images_per_second(outcomes[name]) for name in PEERS}
    best = max(rate.median for rate in rates.values())
    return [
        Row(
            f"Training step of a CNN (32-32-64-64-128-128, batch 256){where}",
            "images/s",
            images_per_second(outcomes[name]),
            rates,
            (Bound(f"≥ {goal} × PyTorch's best of eager and compiled", goal * best),),
            more_is_better=True,
        )
        for name, (where, goal) in GOALS.items()
    ]


def images_per_second(outcomes: list[Outcome]) -> Spread:
    """Images per second: the median step of each process."""
    return Spread.of(statistics.median(outcome.report["images_per_second"][1:]) for outcome in outcomes)
