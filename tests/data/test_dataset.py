"""The four arrays must agree, and the held-out images never change."""

import dataclasses
import hashlib
from typing import Any

import numpy as np
import pytest

from jaxquard.data import Dataset, split
from jaxquard.data.dataset import build, hold_out_test, shuffled, shuffled_by_class
from jaxquard.errors import DataError, UsageError


def made(class_names=None, **changes: np.ndarray) -> Dataset:
    arrays = {
        "train_images": np.arange(7 * 6, dtype=np.uint8).reshape(7, 2, 3),
        "train_labels": np.array([0, 1, 2, 0, 1, 2, 2], np.uint8),
        "test_images": np.zeros((2, 2, 3), np.uint8),
        "test_labels": np.array([2, 0], np.uint8),
    } | changes
    called = {role: f"file-of-{role}" for role in arrays}
    return build("made", arrays, called=called, source="here", class_names=class_names)


def test_a_dataset_has_its_documented_form() -> None:
    dataset = made()
    assert dataset.train_images.shape == (7, 2, 3, 1)
    assert dataset.train_images.dtype == np.uint8
    assert dataset.train_labels.dtype == np.int32
    assert dataset.image_shape == (2, 3, 1)
    assert dataset.class_names == ("0", "1", "2")
    assert dataset.classes == 3
    with pytest.raises(ValueError, match="read-only"):
        dataset.train_images[0] = 0


def test_the_repr_of_a_dataset_is_one_line() -> None:
    assert repr(made()) == "<Dataset made: 7 training and 2 test images of 2×3×1, 3 classes>"
    one = dataclasses.replace(made(), test_images=made().test_images[:1], test_labels=made().test_labels[:1], name="\n")
    assert repr(one) == r"<Dataset \n: 7 training and 1 test image of 2×3×1, 3 classes>"


def test_names_are_escaped() -> None:
    images, labels = np.zeros((6, 2, 3), np.uint8), ["a\x07", "b"] * 3
    one = Dataset.from_arrays(images, labels, name="\x1b[31m\n")
    assert (one.name, one.class_names) == ("\\x1b[31m\\n", ("a\\x07", "b"))
    other = dataclasses.replace(one, name="\x07", source="\n", class_names=["\t", "b"])
    assert (other.name, other.source, other.class_names) == ("\\x07", "\\n", ("\\t", "b"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": np.zeros((7, 2, 3, 1))}, r"not float64; np.float32\(images\) if white is 1"),
        ({"test_images": np.full((2, 2, 3, 1), np.inf, np.float32)}, "infinite, too large, or not numbers"),
        ({"test_images": np.zeros((2, 2, 3), np.uint8)}, r"has test_images \(n, height, width, channels\) and"),
        ({"train_labels": np.zeros(6, np.int32)}, r"not \(7, 2, 3, 1\) and \(6,\) of int32"),
        ({"test_labels": np.zeros(2)}, r"whole numbers \(n,\), not \(2, 2, 3, 1\) and \(2,\) of float64"),
        ({"test_labels": [0, 1]}, r"whole numbers \(n,\), not \(2, 2, 3, 1\) and \(2,\) of list"),
        ({"class_names": "aab"}, r"a Dataset has class_names that differ, not \('a', 'a', 'b'\)"),
        ({"class_names": ()}, r"a Dataset has class_names that differ, not \(\)"),
    ],
)
def test_arrays_of_another_form_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(made(), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_labels": np.full(7, 3)}, "a Dataset: train_labels: label 3 at index 0 is out of range: 0 to 2"),
        ({"test_labels": np.full(2, -1)}, "a Dataset: test_labels: label -1 at index 0"),
        ({"test_images": np.zeros((2, 3, 2, 1), np.uint8)}, "images of 3×2×1, but of 2×3×1 for training"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        dataclasses.replace(made(), **changes)


def test_a_summary_counts_images_and_classes() -> None:
    counted = "2×3; 3 classes: 0 (2), 1 (2), 2 (3)"
    assert made().summary() == f"7 images for training, 2 for testing, of {counted}"
    assert made().summary(3) == f"4 images for training, 3 for validation, 2 for testing, of {counted}"
    colour = np.zeros((7, 2, 3, 3), np.uint8)
    names = [f"class {k}" for k in range(12)]
    own = made(names, train_images=colour, test_images=colour[:2], val_images=colour[:1], val_labels=np.zeros(1, int))
    start, _, end = own.summary(1).partition("; 12 classes: class 0 (2), class 1 (2), class 2 (3), class 3 (0), ")
    assert start == "7 images for training, 1 for validation, 2 for testing, of 2×3 in colour"
    assert end.endswith("class 9 (0) and 2 more")


def test_colour_stays_colour() -> None:
    colour = np.zeros((7, 2, 3, 3), np.uint8)
    assert made(train_images=colour, test_images=colour[:2]).image_shape == (2, 3, 3)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"train_labels": np.zeros(6, np.uint8)},
            "file-of-train_labels: 6 labels, but 7 images in file-of-train_images",
        ),
        ({"test_labels": np.zeros(3, np.uint8)}, "file-of-test_labels: 3 labels, but 2 images in file-of-test_images"),
        ({"test_labels": np.array([0, 3])}, "file-of-test_labels: label 3 at index 1 is out of range: 0 to 2"),
        (
            {"train_labels": np.array([0, 1, 2, 0, -1, 2, 2])},
            "file-of-train_labels: label -1 at index 4 is out of range",
        ),
        ({"test_images": np.zeros((2, 3, 2), np.uint8)}, "file-of-test_images: images of 3×2, but of 2×3 for training"),
        (
            {"test_images": np.zeros((0, 2, 3), np.uint8), "test_labels": np.zeros(0, np.uint8)},
            "file-of-test_labels: no examples",
        ),
    ],
)
def test_arrays_that_disagree(changes: dict[str, np.ndarray], expected: str) -> None:
    with pytest.raises(DataError) as caught:
        made(**changes)
    assert expected in str(caught.value)


def test_named_classes_bound_the_labels() -> None:
    assert made(["a", "b", "c", "never seen"]).classes == 4
    with pytest.raises(DataError, match="label 2 at index 2 is out of range: 0 to 1"):
        made(["a", "b"])


def test_one_class_and_one_example() -> None:
    one = made(
        train_images=np.zeros((1, 2, 3), np.uint8),
        train_labels=np.zeros(1, np.uint8),
        test_labels=np.zeros(2, np.uint8),
    )
    assert one.class_names == ("0",)
    assert len(one.train_labels) == 1


def test_split_partitions_the_training_set() -> None:
    dataset = made()
    images, labels, held_images, held_labels = split(dataset, 3)
    assert (len(images), len(held_images)) == (4, 3)
    together = [(image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)]
    together += [(image.tobytes(), int(label)) for image, label in zip(held_images, held_labels, strict=True)]
    originals = zip(dataset.train_images, dataset.train_labels, strict=True)
    assert sorted(together) == sorted((image.tobytes(), int(label)) for image, label in originals)


def test_a_larger_validation_set_contains_the_smaller() -> None:
    dataset = made()
    _, _, few, _ = split(dataset, 2)
    _, _, more, _ = split(dataset, 4)
    np.testing.assert_array_equal(more[-2:], few)


def test_without_validation_nothing_changes() -> None:
    dataset = made()
    images, labels, held_images, held_labels = split(dataset, 0)
    assert images is dataset.train_images
    assert labels is dataset.train_labels
    assert held_images.shape == (0, 2, 3, 1)
    assert held_labels.shape == (0,)


def test_own_validation_images_are_held_out_and_no_training_images():
    images = np.arange(5 * 6, dtype=np.uint8).reshape(5, 2, 3)
    dataset = made(val_images=images, val_labels=np.array([0, 1, 2, 3, 0]))
    assert dataset.classes == 4
    assert len(dataset.sha256) == 6
    for validation in (0, 2, 5):
        kept, _, held, held_labels = split(dataset, validation)
        assert kept is dataset.train_images
        assert (len(held), len(held_labels)) == (validation, validation)
    np.testing.assert_array_equal(held, dataset.val_images)
    with pytest.raises(UsageError, match="of the own validation images of made, 0 to 5 can be held out"):
        split(dataset, 6)
    with pytest.raises(DataError, match="file-of-val_labels: 2 labels, but 5 images in file-of-val_images"):
        made(val_images=images, val_labels=np.zeros(2, int))


def test_every_part_of_a_shuffle_by_class_has_nearly_the_same_share_of_each_class():
    labels = np.repeat([3, 0, 1, 7], [600, 60, 12, 1])
    order = shuffled_by_class(labels)
    np.testing.assert_array_equal(np.sort(order), np.arange(673))
    for part in (order[:112], order[-112:], order[-337:]):
        shares = np.bincount(labels[part], minlength=8)[[3, 0, 1]] / len(part)
        np.testing.assert_allclose(shares, np.array([600, 60, 12]) / 673, atol=1.5 / len(part))
    assert 7 not in labels[order[-112:]]  # the only image of a class is for training
    np.testing.assert_array_equal(hold_out_test(labels, labels)["test_labels"], labels[order[-113:]])
    dataset = dataclasses.replace(made(), train_labels=np.array([0, 1, 2] * 2 + [2]), by_class=True)
    assert sorted(split(dataset, 3)[3]) == [0, 1, 2]


def test_floats_are_kept_as_they_are():
    floats = np.linspace(-0.5, 3, 7 * 6, dtype=np.float32).reshape(7, 2, 3)
    dataset = made(train_images=floats, test_images=floats[:2])
    np.testing.assert_array_equal(dataset.train_images[..., 0], floats)
    assert dataset.train_images.dtype == np.float32
    assert dataset.scaled_from == 255
    assert dataset.sha256["train_images"] != made(train_images=np.nextafter(floats, 9)).sha256["train_images"]


@pytest.mark.parametrize("validation", [-1, 7, 100])
def test_a_split_must_leave_something_to_train_on(validation: int) -> None:
    with pytest.raises(
        UsageError, match=f"validation: of the training .* of made, 0 to 6 can be held out, not {validation}"
    ):
        split(made(), validation)


def test_the_shuffle_never_changes() -> None:
    """With another shuffle, validation figures could no longer be compared with published ones."""
    order = shuffled(60000)
    assert order[:5].tolist() == [48008, 1578, 42345, 32271, 23127]
    assert hashlib.sha256(order.astype("<i4").tobytes()).hexdigest()[:16] == "a1927166572006a3"
    assert sorted(order) == list(range(60000))


def test_a_sixth_is_held_out_for_testing() -> None:
    images, labels = np.arange(700, dtype=np.uint32), np.arange(700, dtype=np.uint32)
    parts = hold_out_test(images, labels)
    assert len(parts["test_labels"]) == 117
    np.testing.assert_array_equal(parts["train_images"], parts["train_labels"])
    assert len(hold_out_test(images[:3], labels[:3])["test_labels"]) == 1
