"""Falling schedules against a constant rate, on made-up accuracies; and the shapes that are drawn."""

import numpy as np
import pytest

from jaxquard.lessons.claims.schedules import RATES, SCHEDULES

NOISE = np.random.default_rng(0).normal(0, 0.1, (4, 10))


def results(arm, best: dict[str, float], noise: float = 1.0) -> dict:
    """Each schedule reaches `best` at the middle peak, and five points less at any other."""
    arms = {
        f"{name} learning_rate={rate:g}": arm(best[name] - 5 * (number != 1) + noise * NOISE[k])
        for k, name in enumerate(SCHEDULES)
        for number, rate in enumerate(RATES)
    }
    return {"shapes": {name: [[0.0, 1.0], [2.9, 0.5]] for name in SCHEDULES}, **arms}


@pytest.mark.parametrize(
    ("best", "noise", "verdict", "answer"),
    [
        ((85, 86, 87, 88), 1, "holds", "D"),
        ((85, 86, 88, 87), 1, "holds", "C"),
        ((88, 86, 87, 85), 1, "does not hold", "A"),
        ((85, 86, 86, 84), 1, "does not hold", None),  # two ahead, one behind, and no clear winner
        ((85, 85, 85, 85), 10, "cannot tell", None),
    ],
)
def test_a_clear_win_a_clear_loss_and_noise(arm, conclude, best, noise, verdict, answer):
    found = conclude(results(arm, dict(zip(SCHEDULES, best, strict=True)), noise))
    assert (found.verdict, found.answer) == (verdict, answer)


def test_only_the_schedule_differs(lesson):
    configs = lesson.configs(lesson.scales["quick"])
    assert list(configs) == list(SCHEDULES)
    assert len({config.replace(schedule="constant") for config in configs.values()}) == 1


def test_the_shapes_are_those_that_train(lesson, clothes):
    from jaxquard.lessons.claims.schedules import _shape
    from jaxquard.lessons.lab import Lab

    scale = lesson.scales["quick"]
    lab = Lab(clothes, scale)
    shapes = {name: np.array(_shape(lab, config)) for name, config in lesson.configs(scale).items()}
    for shape in shapes.values():
        assert shape[0, 0] == 0
        assert shape[-1, 0] < scale.epochs
        assert shape[:, 1].max() <= 1.0001
    assert set(shapes["constant"][:, 1].round(6)) == {1}
    assert set(shapes["step"][:, 1].round(6)) == {1, 0.2, 0.04}
    assert shapes["cosine"][-1, 1] < 0.01
    assert shapes["one_cycle"][0, 1] < 0.1 < 0.9 < shapes["one_cycle"][:, 1].max()
