"""What shuffling does to the pixels, and the verdict on made-up accuracies."""

import numpy as np
import pytest

from jaxquard.lessons.claims.convolution import NAMES, shuffled

NOISE = np.random.default_rng(0).normal(0, 0.1, (4, 5))


def results(arm, ends: tuple[float, float, float, float], noise: float = 1.0) -> dict:
    arms = {name: arm(end + noise * own) for name, end, own in zip(NAMES, ends, NOISE, strict=True)}
    pictures = np.zeros((8, 28, 28), np.uint8)
    return {"parameters": {"mlp": 109386, "cnn": 18698}, "pictures": pictures, **arms}


@pytest.mark.parametrize(
    ("ends", "noise", "verdict", "answer"),
    [
        ((87, 87, 90, 80), 1, "holds", "C"),
        ((87, 87, 90, 85), 1, "holds", "B"),
        ((87, 87, 86, 80), 1, "does not hold", "C"),  # never ahead
        ((87, 87, 90, 89), 1, "does not hold", "A"),  # ahead without neighbours, too
        ((87, 85, 90, 82), 1, "does not hold", "B"),  # the MLP suffered as well: something else was broken
        ((87, 87, 87, 87), 10, "cannot tell", None),
    ],
)
def test_a_clear_win_its_exceptions_and_noise(arm, conclude, ends, noise, verdict, answer):
    found = conclude(results(arm, ends, noise))
    assert (found.verdict, found.answer) == (verdict, answer)


def test_shuffling_loses_nothing_but_the_neighbours(clothes):
    other = shuffled(clothes)
    before, after = (of.train_images.reshape(len(of.train_images), -1) for of in (clothes, other))
    assert (before != after).mean() > 0.5
    np.testing.assert_array_equal(np.sort(before, axis=1), np.sort(after, axis=1))
    columns = [sorted(map(tuple, pixels[:50].T.tolist())) for pixels in (before, after)]
    assert columns[0] == columns[1]  # one order for all images: each pixel has moved as a whole
    np.testing.assert_array_equal(other.train_labels, clothes.train_labels)
    np.testing.assert_array_equal(shuffled(clothes).train_images, other.train_images)


def test_shuffled_or_not_the_network_is_the_same(lesson):
    configs = lesson.configs(lesson.scales["full"])
    assert configs["mlp"] == configs["mlp shuffled"]
    assert configs["cnn"] == configs["cnn shuffled"]
    assert (configs["cnn"].optimizer, configs["cnn"].learning_rate) == (
        configs["mlp"].optimizer,
        configs["mlp"].learning_rate,
    )
