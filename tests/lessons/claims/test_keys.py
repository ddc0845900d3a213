"""What forgetting a key does, in numbers that can be checked; and the verdict on made-up ones."""

import numpy as np
import pytest

from jaxquard.config import Config
from jaxquard.lessons.claims.keys import TRAINED, alike, draws, share_equal, train
from jaxquard.lessons.experiment import Scale
from jaxquard.lessons.lab import Lab

NOISE = np.random.default_rng(0).normal(0, 0.001, (4, 10))
TINY = Config(dropout=0.5, learning_rate=0.1, hidden=(8,), seeds=2, epochs=2)


def results(costs: tuple[float, float, float], same_seed: float = 1.0, noise: float = 1.0) -> dict:
    ends = (0.85, *(0.85 - cost / 100 for cost in costs))
    found = {name: end + noise * own for name, end, own in zip(TRAINED, ends, NOISE, strict=True)}
    same = {"same_key": 1.0, "split": 0.0, "same_seed": same_seed, "next_seed": 0.0}
    found["differing"] = np.full(10, round(100_000 * (1 - same_seed)))
    return found | {name: np.full(10, share) for name, share in same.items()}


@pytest.mark.parametrize(
    ("costs", "same_seed", "noise", "verdict", "answer"),
    [
        ((2, 3, 40), 1.0, 1, "holds", "C"),
        ((0, 3, 40), 1.0, 1, "does not hold", "C"),  # one mistake goes unpunished
        ((2, 3, 4), 0.9999, 1, "does not hold", "B"),  # not the same bits
        ((0.5, 0.5, 0.5), 1.0, 5, "cannot tell", None),
    ],
)
def test_harm_to_all_to_some_and_noise(conclude, costs, same_seed, noise, verdict, answer):
    found = conclude(results(costs, same_seed, noise))
    assert (found.verdict, found.answer) == (verdict, answer)


def test_one_key_gives_one_set_of_numbers():
    found = draws(3)
    assert found["same_key"].tolist() == [1, 1, 1]
    assert found["split"].max() < 0.01


def test_bits_are_compared_by_network():
    first = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert share_equal(first, np.array([[1.0, 2.0], [3.0, np.nextafter(4.0, 5)]])).tolist() == [1, 0.5]


@pytest.fixture(scope="module")
def lab(clothes) -> Lab:
    return Lab(clothes, Scale(train=512, validation=200, epochs=2, seeds=2))


@pytest.fixture(scope="module")
def usual(lab) -> tuple[np.ndarray, np.ndarray]:
    return train(lab, "x", TINY)


def test_with_nothing_forgotten_it_is_what_fit_does(lab, usual):
    kept = lab.look("x", TINY, lambda model, params, *_: params[0]["w"], images=1, trained=True)
    np.testing.assert_array_equal(usual[0], kept.reshape(2, -1))


@pytest.mark.parametrize("forgotten", ["epochs", "steps", "units"])
def test_what_is_forgotten_makes_a_difference(lab, usual, forgotten: str):
    others, _ = train(lab, "x", TINY, forgotten)
    assert share_equal(usual[0], others).max() < 0.9


def test_what_begins_alike_stays_alike(lab):
    weights, _ = train(lab, "x", TINY.replace(dropout=0.0), "units")
    units = weights.reshape(2, 784, 8)
    np.testing.assert_allclose(units, np.repeat(units[..., :1], 8, axis=-1), rtol=1e-5, atol=1e-6)


def test_in_the_first_epoch_there_is_no_order_to_forget(lab):
    once = TINY.replace(epochs=1)
    np.testing.assert_array_equal(train(lab, "x", once)[0], train(lab, "x", once, "epochs")[0])


def test_alike_copies_the_first_unit():
    params = [{"w": np.arange(12.0).reshape(1, 3, 4), "b": np.zeros((1, 4))}]
    assert np.asarray(alike(params)[0]["w"])[0].tolist() == [[0] * 4, [4] * 4, [8] * 4]


def test_one_weight_of_one_network_is_enough_not_to_be_the_same(conclude):
    measured = results((2, 3, 40))
    measured["differing"][3] = 1
    assert conclude(measured).comparisons[0].verdict == "does not hold"
