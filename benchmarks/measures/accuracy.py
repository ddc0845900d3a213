"""The time from process start to an accuracy on the test set, for recipes that were tuned on validation data."""

import statistics
from typing import NamedTuple

from benchmarks.arena import Arena
from benchmarks.measures.original import wall_seconds
from benchmarks.measures.prediction import COMMAND
from benchmarks.process import Contestant, Outcome
from benchmarks.rows import Bound, Row


class Target(NamedTuple):
    """An accuracy, the recipe that reaches it, and its goals in seconds for a cold and a warm start."""

    accuracy: float
    recipe: str
    cold: float
    warm: float


TARGETS = (Target(0.859, "quick", cold=3.0, warm=2.5), Target(0.8887, "quick-8887", cold=8.0, warm=8.0))


ONCE = ()


class NotReached(Exception):
    """The recipe's mean accuracy is below its target, so its time is meaningless."""


def contestants(arena: Arena) -> dict[str, Contestant]:
    """Each target, cold and warm, with another seed in every round."""
    return {
        f"{target.accuracy:.2%}, {state}": lambda k, target=target: train(arena, target, k)
        for target in TARGETS
        for state in ("nothing cached", "caches warm")
    }


def rows(outcomes: dict[str, list[Outcome]]) -> list[Row]:
    """The rows of all targets. The mean accuracies must reach them. Raises NotReached."""
    return [row for target in TARGETS for row in rows_of(target, outcomes)]


def train(arena: Arena, target: Target, k: int) -> Outcome:
    """Train in the folder of round k. The second training there uses the caches of the first."""
    folder = arena.fresh(target.recipe, k)
    options = ("--recipe", target.recipe, "--seed", str(k), "--data-dir", folder / "data", "--runs", folder / "runs")
    return arena.run((COMMAND, "train", *options, "--offline", "--quiet", "--json"), folder / "cache")


def rows_of(target: Target, outcomes: dict[str, list[Outcome]]) -> list[Row]:
    """The rows of a target: seconds from a cold and a warm start. Raises NotReached."""
    found = []
    for state, limit in (("nothing cached", target.cold), ("caches warm", target.warm)):
        trained = outcomes[f"{target.accuracy:.2%}, {state}"]
        mean = statistics.mean(outcome.report["test_accuracy"] for outcome in trained)
        if mean < target.accuracy:
            raise NotReached(f"{target.recipe} reaches {mean:.2%} on average, not {target.accuracy:.2%}")
        seconds = wall_seconds(trained)
        measure = f"Process start → {target.accuracy:.2%} on the test set, {state}"
        found.append(Row(measure, "s", seconds, bounds=(Bound(f"≤ {limit:g} s", limit),)))
    return found
