"""Data sets from arrays: each form of images and labels is read in its one meaning, or refused in one line."""

import numpy as np
import pytest

from jaxquard.data import Dataset, split
from jaxquard.errors import JaxquardError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 4, 5), np.uint8)
IMAGES[::7, 0, 0] = 255
LABELS = np.arange(60) % 3
COLOUR = np.stack([IMAGES] * 3, axis=-1)


def made(X: object = IMAGES, y: object = LABELS, *more: object, **options) -> Dataset:
    return Dataset.from_arrays(X, y, *more, **options)


def test_a_sixth_of_each_class_is_the_test_set_and_always_the_same():
    dataset, again = made(), made(IMAGES.tolist(), LABELS.tolist())
    assert np.bincount(dataset.train_labels).tolist() == [16, 17, 17]
    assert dataset.sha256 == again.sha256
    _, _, _, labels = split(dataset, 6)
    assert np.bincount(labels).tolist() == [2, 2, 2]
    every = np.concatenate([dataset.train_images, dataset.test_images])[..., 0]
    np.testing.assert_array_equal(np.sort(every, axis=0), np.sort(IMAGES, axis=0))


@pytest.mark.parametrize(
    ("X", "options"),
    [
        (IMAGES.astype(np.int64), {}),
        (IMAGES.astype(np.float64), {}),  # whole numbers are not changed
        (IMAGES[..., None], {}),
        (IMAGES.reshape(60, 20), {"image_shape": (4, 5)}),
        (np.asfortranarray(IMAGES), {"image_shape": [4, 5, 1]}),
        (IMAGES.reshape(60, 20), {"image_shape": np.array([4, 5]), "value_range": np.array([0, 255])}),
        (IMAGES, {"value_range": (0, 255)}),
    ],
)
def test_the_same_images_in_other_forms_are_the_same_data(X, options):
    dataset = made(X, **options)
    assert dataset.sha256 == made().sha256
    assert dataset.train_images.dtype == np.uint8
    assert not np.shares_memory(dataset.train_images, X)


@pytest.mark.parametrize(
    ("X", "options", "white"),
    [
        (IMAGES / 255 * 0.999, {}, 0.999),
        (np.float32(IMAGES / 255 * 0.999), {}, 0.999),
        (IMAGES * 0.999, {}, 0.999),
        (IMAGES / 255 * 2 - 1, {"value_range": (-1, 1)}, 1),
        (IMAGES // 16, {"value_range": (0, 15)}, 1),
    ],
)
def test_floats_are_scaled_so_that_1_is_white(X, options, white):
    dataset = made(X, **options)
    assert dataset.train_images.dtype == np.float32
    assert dataset.train_images.max() == pytest.approx(white, rel=1e-6)
    assert bool(dataset.notes) == (not options)
    assert dataset.sha256 != made().sha256


def test_channels_first_and_one_hot_labels_are_read_and_reported():
    dataset = made(np.moveaxis(COLOUR, -1, 1), np.eye(3)[LABELS])
    assert dataset.image_shape == (4, 5, 3)
    assert dataset.sha256 == made(COLOUR).sha256
    assert dataset.notes == (
        "the channels came first, and were moved to the end",
        "y is one-hot: its columns are the classes",
    )


@pytest.mark.parametrize(
    ("y", "names", "options"),
    [
        (np.array(["b", "a", "c"])[LABELS], ("a", "b", "c"), {}),
        ((np.array(["class 10", "B", "class 2"])[LABELS]).astype(object), ("B", "class 2", "class 10"), {}),
        (np.array([7, -3, 10])[LABELS], ("-3", "7", "10"), {}),
        (np.array([7.0, 8, 9])[LABELS][:, None], ("7", "8", "9"), {}),
        (LABELS > 0, ("False", "True"), {}),
        (np.array(["b", "a", "c"], np.dtypes.StringDType())[LABELS], ("a", "b", "c"), {}),
        (LABELS, ("x", "y", "z"), {"class_names": np.array(["x", "y", "z"])}),
        (np.array(["b", "a", "c"])[LABELS], ("c", "b", "a", "d"), {"class_names": ("c", "b", "a", "d")}),
    ],
)  # fmt: skip
def test_labels_of_any_values_have_sorted_names(y, names, options):
    dataset = made(IMAGES, y, IMAGES, y, **options)
    assert dataset.class_names == names
    labels = [names[k] for k in dataset.train_labels]
    wanted = [
        options["class_names"][one] if np.asarray(y).dtype == int and options else str(one) for one in np.ravel(y)
    ]
    assert labels == [one.removesuffix(".0") for one in wanted]


def test_validation_images_are_a_part_of_their_own():
    dataset = made(IMAGES, LABELS, IMAGES[:9], LABELS[:9], val=(IMAGES[9:15], LABELS[9:15]))
    assert (len(dataset.train_labels), len(dataset.test_labels), len(dataset.val_labels)) == (60, 9, 6)


class Closed:
    """An object that is no array."""

    def __array__(self, *args, **options):
        raise KeyError


HOLED = np.where(IMAGES == 255, np.nan, IMAGES)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((HOLED, LABELS), {}, "^X: holds infinite values or NaN, the first in image 0"),
        ((np.full((60, 4, 5), np.inf), LABELS), {}, "X: holds infinite values or NaN"),
        ((IMAGES.astype(object), LABELS), {}, "X: holds objects, not numbers"),
        ((IMAGES.astype(str), LABELS), {}, "X: holds text, not numbers"),
        ((np.ma.masked_equal(IMAGES, 255), LABELS), {}, "X: has masked values"),
        ((IMAGES, np.array(["a\n", r"a\n", "b"])[LABELS]), {}, "two classes are called"),
        (([[1, 2], [3]], [0, 1]), {}, "X: not an array"),
        ((IMAGES[:5], LABELS), {}, "X: 5 images, but 60 labels"),
        ((IMAGES, LABELS, IMAGES[:5], LABELS), {}, "X_test: 5 images, but 60 labels"),
        ((IMAGES[:0], LABELS[:0]), {}, "X: no images"),
        ((IMAGES, LABELS * 0), {}, "y: every label is 0: there is nothing to learn"),
        ((IMAGES, LABELS, IMAGES, LABELS + 1), {}, "y_test: label '3' is not a class; the classes are 0, 1, 2"),
        ((IMAGES, LABELS, IMAGES, ["a"] * 60), {}, "y_test: label 'a' is not a class"),
        ((IMAGES, LABELS / 2), {}, "y: holds fractions, .*, the first at index 1: 0.5; labels are whole"),
        ((IMAGES, [None] * 60), {}, "y: holds objects, the first at index 0: None; labels"),
        ((IMAGES, np.where(LABELS == 2, np.nan, LABELS)), {}, "the first at index 2: nan"),
        ((IMAGES, (k for k in LABELS)), {}, "y: holds objects"),
        ((IMAGES, Closed()), {}, "y: not an array"),
        ((IMAGES, [1, "a", "b"] * 20), {}, "y: holds text beside numbers; labels"),
        ((IMAGES, COLOUR), {}, r"y: shape .*, expected \(n,\)"),
        ((IMAGES, np.arange(5000)[:60] * 0 + np.arange(60)), {"class_names": ["a"]}, "y: label '1' is not a class"),
        ((IMAGES, LABELS), {"class_names": ["a", "a"]}, "class_names: must be different texts"),
        ((IMAGES, LABELS, IMAGES), {}, "test: give both images and labels, X_test and y_test"),
        ((IMAGES, None), {}, "train: give both images and labels, X and y"),
        ((IMAGES, LABELS), {"val": (IMAGES,)}, "val: give both"),
        ((IMAGES.reshape(60, 20), LABELS), {}, r"X: rows of 20 numbers: .*image_shape=\(height, width\)"),
        ((IMAGES[:, :4, :4].reshape(60, 16), LABELS), {}, r"image_shape=\(4, 4\)"),
        ((IMAGES, LABELS), {"image_shape": (5, 4)}, r"X: images of \(4, 5, 1\), not of \(5, 4\)"),
        ((IMAGES, LABELS), {"image_shape": 4}, "image_shape: must be"),
        ((IMAGES, LABELS), {"image_shape": (4, -5)}, "image_shape: must be at least 1"),
        ((COLOUR[..., :2], LABELS), {}, r"X: shape \(60, 4, 5, 2\), expected"),
        ((IMAGES, LABELS, COLOUR, LABELS), {}, "X_test: images of 4×5×3, but of 4×5×1 for training"),
        ((IMAGES - 0.5, LABELS), {}, r"X: .*\(images \+ 0.5\) / 255 .*value_range=\(-0.5, 254.5\)"),
        ((IMAGES / 50, LABELS), {}, r"X: values from 0 to 5.1; .*value_range=\(0, 5.1\)"),
        ((IMAGES * 256.0, LABELS), {}, r"if 0 is black and 65280 white: images = \(images - 0\) / 65280"),
        ((IMAGES / 255, LABELS, IMAGES, LABELS), {}, "X: values up to 1, but up to 255 elsewhere; use one range"),
        ((IMAGES, LABELS), {"value_range": (0, 100)}, "X: values from 0 to 255, but 0 is black and 100 is white"),
        ((IMAGES, LABELS, IMAGES / 255, LABELS), {"value_range": (0, 255)}, "X_test: values from 0 to 1, but"),
        ((IMAGES / 255, LABELS), {"value_range": (0, 16)}, "X: values from 0 to 1, but 0 is black and 16 is white"),
        ((IMAGES, LABELS), {"value_range": (1, 0)}, "value_range: must be two numbers"),
        ((IMAGES, LABELS), {"value_range": (0, 10**400)}, "value_range: must be two numbers"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_one_line(arguments, options, message):
    with pytest.raises(JaxquardError, match=message) as caught:
        made(*arguments, **options)
    assert "\n" not in str(caught.value)
