"""The rule on made-up results whose verdict is known."""

import math

import numpy as np
import pytest
from scipy import stats

from jaxquard.lessons.verdict import above, all_of, at_an_end, best, bracket, interval, tuned

NOISE = np.random.default_rng(4).normal(0, 1, 10)


def test_the_interval_is_students():
    mean, low, high = interval(NOISE)
    expected = stats.t.interval(0.99, 9, NOISE.mean(), stats.sem(NOISE))
    assert (mean, low, high) == pytest.approx((NOISE.mean(), *expected), rel=1e-12)


@pytest.mark.parametrize("values", [[], [5.0], [5.0, math.nan, 5.0], [5.0, math.inf]])
def test_values_that_are_few_or_not_finite_cannot_tell(values: list[float]):
    part = above("x", values, 0)
    assert part.verdict == "cannot tell"
    assert (part.as_dict()["mean"], part.as_dict()["low"], part.as_dict()["high"]) == (None, None, None)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (5 + 0.1 * NOISE, "holds"),
        (-5 + 0.1 * NOISE, "does not hold"),
        (0.1 * NOISE - 0.1 * NOISE.mean() + 0.5, "cannot tell"),
        ([2.0, 2.0, 2.0], "holds"),  # no spread at all: the interval is a point
        ([0.5, 0.5], "cannot tell"),  # and exactly on the margin
    ],
)
def test_a_clear_win_a_clear_loss_and_noise(values, verdict: str):
    part = above("first less second", values, 0.5)
    assert part.verdict == part.as_dict()["verdict"] == verdict
    assert part.as_dict()["n"] == len(values)


def test_pairs_show_a_gain_that_separate_means_do_not():
    """Each seed gains 0.3, far less than seeds differ from one another."""
    seeds = 3 * NOISE
    first, second = seeds + 0.3 + 0.01 * NOISE[::-1], seeds
    assert interval(first)[1] < interval(second)[2]
    assert above("gain", first - second, 0).verdict == "holds"


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "cannot tell"], "cannot tell"),
        (["holds", "cannot tell", "does not hold"], "does not hold"),
        ([], "cannot tell"),
    ],
)
def test_a_claim_holds_if_every_part_holds(verdicts, together: str):
    assert all_of(verdicts) == together


def test_best_names_a_winner_only_if_it_is_certain():
    assert best({"a": 1 + 0.1 * NOISE, "b": 3 + 0.1 * NOISE, "c": NOISE}) == "b"
    assert best({"a": NOISE, "b": NOISE[::-1] + 0.01}) is None


def test_bracket_names_the_range_of_the_whole_interval():
    assert [bracket(at + 0.1 * NOISE, (10, 20), "ABC") for at in (5, 15, 25)] == ["A", "B", "C"]
    assert bracket(10 + NOISE, (10, 20), "ABC") is None


def test_tuned_does_not_let_a_seed_choose_for_itself():
    figures = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 9.0]])  # the second setting is good for the last seed alone
    np.testing.assert_array_equal(tuned(figures), [0.0, 0.0, 1.0])


def test_a_best_setting_at_an_end_is_named():
    inside, last = [[1, 1], [3, 2], [2, 2]], np.array([[1, 1], [2, 2], [3, 1.5]])
    assert at_an_end({"a": inside, "b": inside}) == ""
    assert at_an_end({"a": inside, "b": last, "c": last[::-1]}).endswith("better: b; c.")
