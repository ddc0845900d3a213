"""Each optimiser's verdict is taken at its own best rate, on made-up accuracies."""

import numpy as np

from jaxquard.lessons.claims.optimizers import RATES, SHARED

NOISE = np.random.default_rng(0).normal(0, 0.1, (3, 10))


def results(arm, best: dict[str, float], noise: float = 1.0) -> dict:
    """Each optimiser reaches `best` at its middle rate, and ten points less at any other."""
    return {
        f"{name} learning_rate={rate:g}": arm(best[name] - 10 * (number != 2) + noise * NOISE[k])
        for k, (name, rates) in enumerate(RATES.items())
        for number, rate in enumerate(rates)
    }


def test_clearly_ahead_clearly_behind_and_noise(arm, conclude):
    ahead = conclude(results(arm, {"sgd": 85, "momentum": 86, "adam": 87}))
    assert (ahead.verdict, ahead.answer) == ("holds", "C")
    behind = conclude(results(arm, {"sgd": 85, "momentum": 86, "adam": 84}))
    assert (behind.verdict, behind.answer) == ("does not hold", "A")
    close = conclude(results(arm, {"sgd": 85, "momentum": 85, "adam": 85}, noise=10))
    assert (close.verdict, close.answer) == ("cannot tell", None)


def test_a_rate_that_suits_only_one_of_them_decides_nothing(arm, conclude):
    """At the shared 0.01, momentum is at its best and SGD is not; at their own rates they are level."""
    found = conclude(results(arm, {"sgd": 85, "momentum": 85, "adam": 85}))
    assert found.facts["sgd_shared"].startswith("75")
    assert found.facts["momentum_shared"].startswith("85")
    assert found.verdict == "cannot tell"
    assert (found.facts["sgd_rate"], found.facts["momentum_rate"], found.facts["adam_rate"]) == ("0.1", "0.01", "0.001")


def test_all_try_the_shared_rate_and_only_the_optimiser_differs(lesson):
    configs = lesson.configs(lesson.scales["full"])
    assert all(SHARED in rates for rates in RATES.values())
    assert len({config.replace(optimizer="sgd", sweep=()) for config in configs.values()}) == 1


def test_a_rate_at_which_nothing_is_learned_is_not_drawn_but_counts(lesson, arm, conclude):
    measured = results(arm, {"sgd": 85, "momentum": 86, "adam": 87})
    measured["sgd learning_rate=1"] = arm([10.0] * 10)
    assert conclude(measured).verdict == "holds"
    drawn = {(row["optimiser"], row["learning rate η"]) for row in lesson.draw(measured)[0].table}
    assert ("plain SGD", 0.3) in drawn
    assert ("plain SGD", 1.0) not in drawn
