"""Evaluation against plain loops and scikit-learn, for any number of examples."""

import itertools
import json
import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)

from jaxquard.calibration import BINS, by_confidence, calibration_error
from jaxquard.training.evaluation import (
    accuracy,
    all_logits,
    commonest_confusion,
    evaluate_logits,
    mean_loss,
    mean_over_views,
    views,
)


def made_up(n: int, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are often right, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n).astype(np.int32)
    return rng.normal(0, 2, (n, classes)) + 2 * np.eye(classes)[labels], labels


@pytest.mark.parametrize(
    ("n", "size"),
    [(1, 1), (2, 32), (32, 32), (33, 256), (257, 1000), (999, 1000), (1000, 1000), (1001, 1000), (2500, 1000)],
)
def test_logits_of_any_number_of_images_come_through_one_shape(n: int, size: int):
    images = np.random.default_rng(n).integers(0, 256, (n, 2, 2, 1), dtype=np.uint8)
    shapes = set()

    def apply(chunk):
        shapes.add((chunk.shape, chunk.dtype))
        return jnp.stack([chunk.sum(axis=(1, 2, 3)), chunk[:, 0, 0, 0]], axis=-1)

    expected = np.stack([images.sum(axis=(1, 2, 3)), images[:, 0, 0, 0]], axis=-1)
    for given_images in (images, jnp.asarray(images)):
        logits = all_logits(apply, given_images)
        assert logits.dtype == np.float64
        np.testing.assert_array_equal(logits, expected)
    assert shapes == {((size, 2, 2, 1), np.dtype(np.uint8))}
    several = all_logits(lambda chunk: jnp.stack([apply(chunk), 2 * apply(chunk)]), images)
    np.testing.assert_array_equal(several, np.stack([expected, 2 * expected]))


def test_figures_are_scikit_learns():
    logits, labels = made_up(1001)
    found = evaluate_logits(logits, labels)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    predicted = p.argmax(axis=1)
    precision, recall, _, _ = precision_recall_fscore_support(labels, predicted)
    assert (found.n, found.accuracy) == (1001, np.mean(predicted == labels))
    assert found.loss == pytest.approx(log_loss(labels, p), rel=1e-12)
    np.testing.assert_array_equal(found.confusion, confusion_matrix(labels, predicted))
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert found.macro_f1 == pytest.approx(f1_score(labels, predicted, average="macro"))
    np.testing.assert_allclose(found.precision, precision)
    np.testing.assert_allclose(found.recall, recall)
    np.testing.assert_allclose(found.probabilities, p)


def error_of(confidence, right, bins=BINS):
    return calibration_error(by_confidence(confidence, right, bins))


def test_calibration_error_is_the_one_written_out():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.34, 0.98, 2000)
    right = rng.random(2000) < 0.5 + 0.4 * np.sin(30 * confidence)  # overconfident here, underconfident there
    logits, labels = np.log(np.stack([confidence, *2 * [(1 - confidence) / 2]], axis=1)), np.where(right, 0, 1)
    found = evaluate_logits(logits, labels)
    expected = 0.0
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert found.calibration_error == pytest.approx(expected, rel=1e-12)
    others = [error_of(confidence, right, bins) for bins in (5, 10, 14, 20)]
    assert np.abs(np.array(others) - expected).min() > 0.001


def test_calibration_error_at_the_extremes():
    assert error_of(np.ones(8), np.ones(8, bool)) == 0
    assert error_of(np.ones(8), np.zeros(8, bool)) == 1
    assert error_of(np.full(4, 0.75), np.array([True, True, True, False])) == 0
    assert error_of(np.zeros(3), np.zeros(3, bool)) == 0
    at_the_edge = error_of(np.array([0.5, 0.4]), np.array([True, False]), bins=2)
    assert at_the_edge == pytest.approx(0.05)  # bins are closed on the right, as in the charts: both in the first


def test_mistakes_are_the_wrong_ones_most_confident_first():
    logits, labels = made_up(300)
    found = evaluate_logits(logits, labels)
    confidence = found.probabilities.max(axis=1)[found.mistakes]
    assert set(found.mistakes) == {k for k in range(300) if np.argmax(logits[k]) != labels[k]}
    assert np.all(np.diff(confidence) <= 0)
    assert len(confidence) > 20
    assert len(repr(found)) < 150  # no arrays


def test_several_networks_at_once_are_each_alone():
    (first, labels), (second, _) = made_up(77), made_up(77, seed=1)
    both = np.stack([first, second])
    assert accuracy(both, labels).tolist() == [evaluate_logits(each, labels).accuracy for each in both]
    assert mean_loss(both, labels).tolist() == pytest.approx(
        [evaluate_logits(each, labels).loss for each in both], rel=1e-14
    )


@given(arrays(np.float64, (5, 3), elements=st.floats(-1e4, 1e4)), arrays(np.int32, 5, elements=st.integers(0, 2)))
def test_extreme_logits_give_finite_figures(logits: np.ndarray, labels: np.ndarray):
    found = evaluate_logits(logits, labels)
    assert 0 <= found.loss <= 2e4 + math.log(3)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    assert found.confusion.sum() == 5
    assert found.accuracy == np.trace(found.confusion) / 5


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", [0, 3])
def test_logits_that_are_not_finite_count_as_wrong(bad: float, column: int):
    logits, labels = made_up(200)
    good = evaluate_logits(logits, labels)
    logits[:50, column] = bad
    found = evaluate_logits(logits, labels)
    rest = evaluate_logits(logits[50:], labels[50:])
    assert found.accuracy == pytest.approx(rest.accuracy * 150 / 200)
    np.testing.assert_array_equal(found.confusion, rest.confusion)
    np.testing.assert_allclose(found.recall * np.bincount(labels), rest.recall * np.bincount(labels[50:]))
    assert set(range(50)) <= set(found.mistakes)
    assert set(found.mistakes[-50:]) == set(range(50))  # without confidence
    assert math.isnan(found.calibration_error)
    assert good.accuracy > found.accuracy


def test_a_network_that_is_all_nan_is_evaluated_and_becomes_json():
    _, labels = made_up(20)
    found = evaluate_logits(np.full((20, 4), np.nan), labels)
    document = json.loads(json.dumps(found.as_dict(tuple("abcd")), allow_nan=False))
    assert (document["accuracy"], document["loss"], document["calibration_error"]) == (0, None, None)
    assert [row["precision"] for row in document["per_class"]] == [None] * 4
    assert [row["recall"] for row in document["per_class"]] == [0] * 4


def test_a_class_without_examples_or_predictions_is_null_in_json():
    labels, predicted = np.array([0, 1, 1]), [0, 0, 1]
    document = evaluate_logits(np.eye(3)[predicted] * 9, labels).as_dict(("a", "b", "c"))
    assert document["balanced_accuracy"] == balanced_accuracy_score(labels, predicted)
    assert document["macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert document["per_class"] == [
        {"class": "a", "precision": 0.5, "recall": 1.0, "n": 1},
        {"class": "b", "precision": 1.0, "recall": 0.5, "n": 2},
        {"class": "c", "precision": None, "recall": None, "n": 0},
    ]
    assert document["confusion"] == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    names = "n accuracy loss balanced_accuracy macro_f1 calibration_error confusion per_class"
    assert list(document) == names.split()


def test_views_are_the_image_moved_by_one_pixel_and_mirrored():
    image = np.zeros((1, 5, 6, 1), np.uint8)
    image[0, 2, 1] = 9
    assert [np.argwhere(view[0, ..., 0]).tolist() for view in views(image, "none")] == [[[2, 1]]]
    assert [np.argwhere(view[0, ..., 0]).tolist() for view in views(image, "mirror")] == [[[2, 1]], [[2, 4]]]
    shown = views(image, "mirror_and_shift")
    places = {tuple(np.argwhere(view[0, ..., 0])[0].tolist()) for view in shown}
    around = {(2, 1), (1, 1), (3, 1), (2, 0), (2, 2)}
    assert len(shown) == 10
    assert places == around | {(row, 5 - column) for row, column in around}
    assert all(view.shape == image.shape and view.max() == 9 for view in shown)


def test_the_mean_over_views_weighs_them_alike():
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 6, 1), dtype=np.uint8)

    def left(x: np.ndarray) -> np.ndarray:
        return np.stack([x[:, :, 0].sum(axis=(1, 2)), x[:, :, -1].sum(axis=(1, 2))], axis=-1).astype(float)

    np.testing.assert_array_equal(mean_over_views(left, images, "none"), left(images))
    both = left(images).mean(axis=-1, keepdims=True)  # mirrored, left is right
    np.testing.assert_allclose(mean_over_views(left, images, "mirror"), np.repeat(both, 2, axis=-1))
    stacked = mean_over_views(lambda x: np.stack([left(x), 2 * left(x)]), images, "mirror")
    np.testing.assert_allclose(stacked[1], 2 * stacked[0])


def test_the_commonest_confusion_by_brute_force():
    rng = np.random.default_rng(3)
    names = ("cat", "dog", "emu")
    labels, logits = rng.integers(0, 3, 200).astype(np.int32), rng.normal(size=(2, 200, 3))
    logits[1, :50] = np.nan
    for one in logits:
        found = commonest_confusion(one, labels, names)
        assert found
        counts = {
            (i, j): sum(
                t == i and row.argmax() == j and np.isfinite(row).all() for t, row in zip(labels, one, strict=True)
            )
            for i, j in itertools.permutations(range(3), 2)
        }
        pair = names.index(found["true"]), names.index(found["predicted"])
        assert counts[pair] == found["count"] == max(counts.values())
        assert found["of"] == (labels == pair[0]).sum()
    assert commonest_confusion(np.eye(3)[labels], labels, names) is None
    assert commonest_confusion(np.full((200, 3), np.nan), labels, names) is None


def test_a_confusion_among_very_many_classes_is_counted_without_a_table_of_all_pairs():
    labels = np.array([64_999, 64_999, 0], np.int32)
    logits = np.zeros((3, 65_000))
    logits[:, 64_998] = 1
    found = commonest_confusion(logits, labels, [str(k) for k in range(65_000)])
    assert found == {"true": "64999", "predicted": "64998", "count": 2, "of": 2}
