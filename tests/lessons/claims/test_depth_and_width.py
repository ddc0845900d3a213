"""The same number of parameters for every depth; deeper against shallow on made-up accuracies."""

import numpy as np
import pytest

from jaxquard.lessons.claims.depth_and_width import BUDGET, DEPTHS, RATES, parameters, width

NOISE = np.random.default_rng(0).normal(0, 0.1, (len(DEPTHS), 10))


def results(arm, by_depth, noise: float = 1.0) -> dict:
    """Every depth reaches its figure at the smallest rate and diverges at the largest."""
    figures = zip(DEPTHS, by_depth, NOISE, strict=True)
    return {
        f"depth {depth} learning_rate={rate:g}": arm(
            figure - 3 * number + noise * own if number < 2 else np.full(10, 10.0)
        )
        for depth, figure, own in figures
        for number, rate in enumerate(RATES)
    }


@pytest.mark.parametrize(
    ("by_depth", "noise", "verdict", "answer"),
    [
        ((85, 86, 87, 86, 85), 1, "holds", "C"),
        ((85, 87, 86, 86, 85), 1, "holds", "B"),
        ((87, 86, 86, 85, 84), 1, "does not hold", "A"),
        ((86, 86, 86, 86, 86), 10, "cannot tell", None),
    ],
)
def test_a_clear_win_a_clear_loss_and_noise(arm, conclude, by_depth, noise, verdict, answer):
    found = conclude(results(arm, by_depth, noise))
    assert (found.verdict, found.answer) == (verdict, answer)


def test_every_depth_has_as_many_parameters(lesson):
    import jax

    from jaxquard.nn.mlp import mlp
    from jaxquard.nn.model import count_parameters

    for depth, config in zip(DEPTHS, lesson.configs(lesson.scales["full"]).values(), strict=True):
        params, _ = jax.eval_shape(mlp(config.hidden).init, jax.random.key(0))
        assert count_parameters(params) == parameters(width(depth), depth)
        assert 0.98 * BUDGET < count_parameters(params) <= BUDGET
