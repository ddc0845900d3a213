"""The simple classifiers, on images whose answer is plain."""

import numpy as np
import pytest

from jaxquard.lessons import simple

IMAGES = np.zeros((6, 2, 2, 1), np.uint8)
IMAGES[0:2, 0] = 200  # class 0: the upper row
IMAGES[2:4, 1] = 200  # class 1: the lower row, as dark on average
IMAGES[4:6] = 250  # class 2: all of it
LABELS = np.array([0, 0, 1, 1, 2, 2])


def test_guessing_ignores_the_images_and_uses_every_class():
    found = simple.guess(np.random.default_rng(0), 3000, 3)
    assert np.bincount(found).tolist() == pytest.approx([1000] * 3, abs=120)


def test_average_darkness_depends_on_ink_and_not_on_its_place():
    found = simple.average_darkness(IMAGES, LABELS, IMAGES)
    assert found.tolist() == [0, 0, 0, 0, 2, 2]


def test_the_nearest_mean_depends_on_the_place_of_ink():
    assert simple.nearest_mean(IMAGES, LABELS, IMAGES).tolist() == LABELS.tolist()
    faint = (IMAGES // 3).astype(np.uint8)
    assert simple.nearest_mean(IMAGES, LABELS, faint[:4]).tolist() == [0, 0, 1, 1]


def test_a_class_without_examples_is_never_chosen():
    labels = np.array([0, 0, 3, 3, 2, 2])
    for method in (simple.average_darkness, simple.nearest_mean):
        assert 1 not in method(IMAGES, labels, IMAGES)
