"""Ratios of times, made up; and that the four ways are ways of doing the same. No test asserts a time."""

import numpy as np
import pytest

from jaxquard.lessons.claims.compiler import BATCHES, WAYS, ratios

NOISE = np.random.default_rng(0).normal(1, 0.02, (4, 10))


def results(gain: float, noise: np.ndarray = NOISE) -> dict:
    """Milliseconds by way: interpreted `gain` times as long as jitted."""
    times = dict(zip(WAYS, (gain, 1.0, 0.8, 0.7), strict=True))
    ways = {name: time * noise[k] for k, (name, time) in enumerate(times.items())}
    return {f"batch {size}": ways | {"compiling": 0.8} for size in BATCHES}


@pytest.mark.parametrize(
    ("gain", "verdict", "answer"),
    [(20, "holds", "C"), (4, "does not hold", "B"), (1.5, "does not hold", "A"), (300, "does not hold", "D")],
)
def test_within_the_claim_below_and_above(conclude, gain, verdict, answer):
    found = conclude(results(gain))
    assert (found.verdict, found.answer) == (verdict, answer)
    assert all("on this machine" in part.what or "minus that" in part.what for part in found.comparisons)


def test_a_machine_with_other_things_to_do_cannot_tell(conclude):
    noisy = np.random.default_rng(1).uniform(0.3, 3, (4, 10))
    found = conclude(results(10, noisy))
    assert (found.verdict, found.answer) == ("cannot tell", None)


def test_ratios_are_taken_repetition_by_repetition():
    measured = {"batch 128": {"interpreted": [20.0, 60.0], "jitted step": [1.0, 3.0]}}
    assert ratios(measured, "interpreted", "jitted step").tolist() == [20, 20]


@pytest.mark.check
def test_every_way_does_its_updates(lesson, clothes):
    from jaxquard.lessons.claims.compiler import make_ways
    from jaxquard.lessons.experiment import Scale
    from jaxquard.lessons.lab import Lab

    lab = Lab(clothes, Scale(train=256, validation=100, epochs=1, seeds=5))
    config = lesson.configs(lab.scale)["batch 64"]
    ways = make_ways(lab, config)
    assert list(ways) == list(WAYS)
    assert [prepare(0)() for prepare in ways.values()] == [5, 40, 4, 20]  # four updates an epoch, and five networks
