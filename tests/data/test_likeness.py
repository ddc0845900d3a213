"""Images of one kind are unlike those of another kind."""

import numpy as np
from scipy import ndimage

from jaxquard.data import likeness


def test_strokes_are_unlike_areas_and_the_same_kind_is_alike():
    rng = np.random.default_rng(0)
    areas, strokes = np.zeros((2, 300, 28, 28))
    for area, stroke in zip(areas, strokes, strict=True):
        top, left, tall, wide = (*rng.integers(2, 6, 2), *rng.integers(14, 20, 2))
        area[top : top + tall, left : left + wide] = rng.uniform(0.3, 0.9)
        stroke[top : top + tall : 4, left : left + wide] = 1
        area += rng.uniform(0, 0.05, area.shape)
        stroke += rng.uniform(0, 0.05, area.shape)
    for known, other in ((areas, strokes), (strokes, areas)):
        learned = likeness.learn(known[:250])
        assert len(learned) == likeness.NUMBERS
        assert np.mean([likeness.is_unlike(image, learned) for image in known[250:]]) < 0.1
        assert np.mean([likeness.is_unlike(image, learned) for image in other[250:]]) > 0.9
    learned = likeness.learn(areas[:250])
    softer = [ndimage.gaussian_filter(image, 0.35) for image in areas[250:]]  # like reduced pictures
    assert np.mean([likeness.is_unlike(image, learned) for image in softer]) < 0.1


def test_few_images_give_no_false_alarms():
    images = np.random.default_rng(0).normal(0.5, 0.1, (2100, 4, 4)).repeat(4, 1).repeat(4, 2).clip(0, 1)
    learned = likeness.learn(images[:100])
    assert np.mean([likeness.is_unlike(image, learned) for image in images[100:]]) < 0.03


def test_contrast_is_the_difference_from_the_median_in_grey():
    images = np.full((2, 3, 3, 3), [[[[255]]], [[[51]]]], np.uint8)
    images[0, 1, 2] = (0, 0, 153)
    expected = np.zeros((2, 3, 3))
    expected[0, 1, 2] = 0.8
    np.testing.assert_allclose(likeness.contrast(images), expected, atol=1e-6)
    np.testing.assert_array_equal(likeness.contrast(images[0]), likeness.contrast(images)[0])
