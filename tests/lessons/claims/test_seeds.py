"""How often single runs are wrong: counted on made-up runs, and against simulated ones where a formula is used."""

import numpy as np
import pytest

from jaxquard.lessons.claims.seeds import RECIPES, chance_of_wrong, noise, runs_needed, wrong_winners


def results(arm, gap: float, std: float, n: int = 80, seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    means = (85 + gap, 85.0)
    return {name: arm(mean + std * rng.normal(size=n)) for name, mean in zip(RECIPES, means, strict=True)}


@pytest.mark.parametrize(
    ("gap", "verdict", "answer"), [(3.0, "holds", "A"), (-3.0, "holds", "A"), (0.15, "does not hold", None)]
)
def test_far_apart_either_way_and_close(arm, conclude, gap, verdict, answer):
    found = conclude(results(arm, gap, 0.3))
    assert found.verdict == verdict
    assert answer is None or found.answer == answer


def test_few_runs_cannot_tell(arm, conclude):
    ends = [85.5, 85.2, 85.4, 84.9, 85.3], [85.0, 85.1, 84.8, 85.0, 84.7]
    measured = dict(zip(RECIPES, map(arm, ends), strict=True))
    assert conclude(measured).verdict == "cannot tell"


def test_the_wrong_winner_is_counted_over_all_pairs_of_unlike_seeds(arm):
    first, second = RECIPES
    measured = {first: arm([90, 90, 90, 92]), second: arm([80, 95, 80, 90])}
    assert wrong_winners(measured).mean() == pytest.approx(100 * (3 + 3 * 0.5) / 12)  # three lost to 95, three ties
    swapped = {first: measured[second], second: measured[first]}
    np.testing.assert_allclose(wrong_winners(swapped), wrong_winners(measured))  # the same runs, whichever come first


def test_the_spread_over_seeds_tells_how_certain_the_count_is(arm):
    """The standard error, as the verdict computes it, is the standard deviation over many repetitions."""
    found = np.array([wrong_winners(results(arm, 0.5, 0.5, n=20, seed=k)) for k in range(400)])
    claimed = np.sqrt((found.var(axis=1, ddof=1) / 20).mean())
    assert claimed == pytest.approx(found.mean(axis=1).std(), rel=0.15)


@pytest.mark.parametrize(("gap", "std", "runs"), [(0.3, 0.5, 1), (0.3, 0.5, 10), (1.0, 0.5, 3)])
def test_the_chance_is_that_of_simulated_runs(gap: float, std: float, runs: int):
    better, worse = np.random.default_rng(0).normal(0, std, (2, 20_000, runs)).mean(axis=2)
    assert chance_of_wrong(gap, std, runs) == pytest.approx(100 * np.mean(better + gap < worse), abs=1.2)


def test_so_many_runs_are_enough_and_one_less_is_not():
    needed = runs_needed(0.3, 0.5)
    assert chance_of_wrong(0.3, 0.5, needed) <= 1 < chance_of_wrong(0.3, 0.5, needed - 1)


def test_the_noise_is_of_seeds_not_of_recipes(arm):
    measured = dict(zip(RECIPES, (arm([80, 82]), arm([90, 92])), strict=True))
    assert noise(measured) == pytest.approx(np.sqrt(2))


def test_without_noise_one_run_is_enough(arm, conclude):
    found = conclude(dict(zip(RECIPES, (arm([99.0] * 5), arm([98.0] * 5)), strict=True)))
    assert (found.verdict, found.facts["expected"], found.facts["needed"]) == ("holds", "0", "1")
