"""Eight networks at once, by seed and by learning rate, against the same networks one after another."""

import json

from benchmarks.arena import Arena
from benchmarks.measures.original import best_gflops, epoch_seconds, gflop_an_epoch
from benchmarks.process import Contestant, Outcome
from benchmarks.rows import Bound, Row

NETWORKS = 8
HELD_OUT = 5000  # a sweep needs validation data, so all contestants hold out this many
LEARNING_RATES = [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1]
CONFIGS = {
    "one": {},
    "seeds": {"seeds": NETWORKS},
    "learning rates": {"sweep": {"learning_rate": LEARNING_RATES}},
}
ONCE = ("floor",)


def contestants(arena: Arena) -> dict[str, Contestant]:
    """One network, and eight of both kinds."""
    shared = {"epochs": min(3, arena.epochs), "validation": HELD_OUT}
    ours = {
        name: arena.program("-m", "benchmarks.ours.fit", "--data", arena.data, "--config", json.dumps(shared | changed))
        for name, changed in CONFIGS.items()
    }
    return {**ours, "floor": arena.program("-m", "benchmarks.floor")}


def rows(outcomes: dict[str, list[Outcome]]) -> list[Row]:
    """Seconds for an epoch of all eight networks."""
    alone = epoch_seconds(outcomes["one"]).times(NETWORKS)
    floor = NETWORKS * gflop_an_epoch(60_000 - HELD_OUT) / best_gflops(outcomes)
    bounds = (
        Bound("never slower than one after another", alone.median),
        Bound("≤ 1.25 × the floor of its arithmetic", 1.25 * floor),
    )
    return [
        Row(
            f"{NETWORKS} networks at once ({NETWORKS} {name}), one epoch of all",
            "s",
            epoch_seconds(outcomes[name]),
            {"one after another": alone},
            bounds,
        )
        for name in ("seeds", "learning rates")
    ]
