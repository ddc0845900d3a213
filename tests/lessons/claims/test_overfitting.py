"""Four remedies on made-up accuracies; and early stopping, which looks at other seeds only."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from jaxquard.config import Config
from jaxquard.lessons.claims import overfitting
from jaxquard.lessons.claims.overfitting import REMEDIES, STRENGTHS, stopped

NOISE = np.random.default_rng(0).normal(0, 0.1, (4, 10))
RISING = [0.6, 0.5, 0.9]


def results(arm, gains: tuple[float, float, float, float], loss=RISING, noise: float = 1.0) -> dict:
    """Gains, in points on 80 %, of L2, dropout (each at its second strength), more data and early stopping."""
    l2, dropout, more, early = gains
    plain = arm(80 + noise * NOISE[0], loss=loss)
    plain["accuracy"] = [[0.5, row[-1] + early / 100, row[-1]] for row in plain["accuracy"]]  # best after epoch 2
    swept = {
        f"{name} {setting}={value:g}": arm(80 + gain - 4 * (number != 1) + noise * own)
        for (name, (setting, values)), gain, own in zip(STRENGTHS.items(), (l2, dropout), NOISE[1:3], strict=True)
        for number, value in enumerate(values)
    }
    return {"every": 2, "plain": plain, **swept, "more data": arm(80 + more + noise * NOISE[3])}


@pytest.mark.parametrize(
    ("gains", "loss", "noise", "verdict", "answer"),
    [
        ((1, 2, 3, 1), RISING, 1, "holds", "C"),
        ((1, 3, 2, 1), RISING, 1, "holds", "B"),
        ((1, 2, 3, -1), RISING, 1, "does not hold", "C"),
        ((1, 2, 3, 1), [0.6, 0.5, 0.5], 1, "does not hold", "C"),  # there was no overfitting to remedy
        ((0, 0, 0, 0.001), RISING, 10, "cannot tell", None),
    ],
)
def test_all_help_one_does_not_and_noise(arm, conclude, gains, loss, noise, verdict, answer):
    found = conclude(results(arm, gains, loss, noise))
    assert (found.verdict, found.answer) == (verdict, answer)


def test_the_facts_name_epochs_as_trained_not_as_kept(arm, conclude):
    found = conclude(results(arm, (1, 2, 3, 1)))
    assert found.facts["stop"] == "4"  # the second of every second epoch
    assert (found.facts["best_l2"], found.facts["best_dropout"]) == ("0.003", "0.35")


def test_stopping_does_not_look_at_the_network_it_stops(arm):
    plain = arm([80, 80, 80])
    plain["accuracy"] = [[0.1, 0.2, 0.3]] * 3
    plain["loss"] = [[0, 9, 9], [9, 1, 9], [9, 1, 9]]
    assert stopped(plain).tolist() == pytest.approx([20, 10, 10])  # by the others: epoch 2; then epoch 1, 0 + 9 < 9 + 1


def test_each_remedy_is_alone(lesson):
    configs = lesson.configs(lesson.scales["default"])
    assert set(configs) == (set(REMEDIES) - {"early stopping"}) | {"plain"}
    plain = configs["plain"]
    assert {config.replace(sweep=(), flip=False, shift=0) for config in configs.values()} == {plain}


def test_long_curves_are_thinned_and_keep_their_end(arm, monkeypatch):
    whole = arm([80, 81], epochs=6)
    lab = SimpleNamespace(scale=SimpleNamespace(epochs=6), train=lambda label, config, watch: {label: whole})
    monkeypatch.setattr(overfitting, "POINTS", 2)
    measured = overfitting.measure(cast(Any, lab), {"plain": Config()})
    assert measured["every"] == 3
    for curve in ("accuracy", "loss", "train_accuracy", "train_loss"):
        assert measured["plain"][curve] == [row[2::3] for row in whole[curve]]  # after epochs 3 and 6
    assert measured["plain"]["diverged"] == whole["diverged"]


def test_the_last_epoch_is_among_those_kept_at_every_scale(lesson):
    for scale in lesson.scales.values():
        assert scale.epochs % max(1, scale.epochs // overfitting.POINTS) == 0
