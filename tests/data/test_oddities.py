"""Notes and errors about unusual data sets."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from jaxquard.data import idx, load, split
from jaxquard.data.oddities import MAX_CLASSES, about_classes, about_images, check_gaps, check_images
from jaxquard.errors import DataError, UsageError

NAMES = [str(k) for k in range(10)]
RNG = np.random.default_rng(0)


def evenly(*labels: int, each: int = 20) -> np.ndarray:
    return np.repeat(labels, each)


@pytest.mark.parametrize(
    ("train", "test", "notes"),
    [
        (evenly(*range(10)), evenly(*range(10), each=1), []),
        (
            evenly(*range(1, 10)),
            evenly(*range(1, 10)),
            ["1 of 10 classes without training images: 0; labels begin at 1: subtract 1 if that is a mistake"],
        ),
        (
            evenly(0, 1, 9),
            evenly(0, 1, 5, 9, each=7),
            [
                "7 of 10 classes without training images: 2, 3, 4, 5, 6, 7 and 1 more; "
                "test images of these classes will be classified wrongly: 7"
            ],
        ),
        (
            np.concatenate([evenly(*range(9), each=550), evenly(9, each=25)]),
            evenly(*range(10)),
            ["1 of 10 classes with few training images: 9 (25 of 4,975)"],
        ),
        (
            evenly(*range(10), each=1),
            evenly(*range(10)),
            ["hardly more than one training image for each class: 10 for 10"],
        ),
        (
            evenly(2),
            evenly(2),
            [
                "every training image is of the class 2: no network can be trained on them",
                "9 of 10 classes without training images: 0, 1, 3, 4, 5, 6 and 3 more",
            ],
        ),
        (evenly(*range(10)), evenly(*range(8)), ["2 of 10 classes without test images: 8, 9"]),
    ],
)
def test_classes_that_can_hardly_be_learned_or_tested(train, test, notes) -> None:
    assert list(about_classes(train, test, NAMES)) == notes
    assert "subtract" not in " ".join(about_classes(train, test, list("abcdefghij")))


def test_copies_and_images_of_a_single_colour_are_counted() -> None:
    train = RNG.integers(0, 256, (20, 4, 4, 3), np.uint8)
    train[3:5] = 9
    test = np.concatenate([train[5:8], RNG.integers(0, 256, (9, 4, 4, 3), np.uint8)])
    assert list(about_images({"train_images": train, "test_images": test})) == [
        "3 of 12 test images are training images, too: the test accuracy will be too high",
        "2 of 32 images have a single colour",
    ]
    assert not list(about_images({"train_images": train[8:], "test_images": test[3:]}))


@pytest.mark.parametrize("labels", [[0, 255], [3, 400, 401], [0, MAX_CLASSES], [1, 65_000]])
def test_labels_with_large_gaps_are_refused(labels, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=RNG.integers(0, 256, (60, 4, 4), np.uint8), labels=np.resize(labels, 60))
    with pytest.raises(DataError, match="renumber them from 0"):
        load(tmp_path / "a.npz")


def test_labels_with_small_gaps_are_accepted(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=RNG.integers(0, 256, (9, 4, 4), np.uint8), labels=np.resize([3, 8], 9))
    assert load(tmp_path / "a.npz").classes == 9
    check_gaps(np.arange(0, 600, 2), "y")  # as many empty classes as others
    with pytest.raises(DataError, match="only 300 classes; 301 would be empty"):
        check_gaps(np.arange(0, 602, 2)[1:], "y")


@pytest.mark.parametrize(("white", "scaled"), [(1, 1), (15, 15), (16, 16), (17, 255), (255, 255)])
def test_dim_images_are_scaled_as_pictures_are(white: int, scaled: int, tmp_path: Path) -> None:
    images, labels = RNG.integers(0, white + 1, (60, 4, 4), np.uint8), np.arange(60) % 3
    images[:, 0, 0] = white
    np.savez(tmp_path / "a.npz", x_train=images[:50], y_train=labels[:50], x_test=images[50:], y_test=labels[50:])
    (folder := tmp_path / "idx").mkdir()
    for part, chosen in (("train", slice(50)), ("t10k", slice(50, None))):
        for kind, values in (("images-idx3", images), ("labels-idx1", labels.astype(np.uint8))):
            found = values[chosen]
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx.header(found.shape) + found.tobytes()))
    for place in (tmp_path / "a.npz", folder):
        dataset = load(place)
        assert dataset.scaled_from == scaled
        np.testing.assert_array_equal(dataset.train_images[..., 0], np.rint(images[:50] * (255 / scaled)))
        said = {17: "no pixel is brighter than 17 of 255", 255: ""}.get(white, f"pixels from 0 to {white}: scaled to")
        assert " ".join(dataset.notes).startswith(said)
        assert bool(dataset.notes) == bool(said)


def test_training_and_test_images_in_different_ranges_are_refused(tmp_path: Path) -> None:
    images, labels = RNG.integers(0, 2, (60, 4, 4), np.uint8), np.arange(60) % 3
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images * 255, y_test=labels)
    with pytest.raises(DataError, match=r"train_images: pixels from 0 to 1, but to 255 in .*test_images"):
        load(tmp_path / "a.npz")


def test_images_for_validation_are_the_validation_set(tmp_path: Path) -> None:
    images = np.arange(60, dtype=np.uint8).reshape(60, 1, 1).repeat(4, axis=2) * 4
    labels = np.arange(60)[:, np.newaxis] % 3
    parts = {"train": slice(30), "val": slice(30, 40), "test": slice(40, None)}
    arrays = {f"{part}_{what}": values[at] for part, at in parts.items() for what, values in
              (("images", images), ("labels", labels))}  # fmt: skip
    np.savez(tmp_path / "med.npz", **arrays, extra=images)
    dataset = load(tmp_path / "med.npz")
    assert dataset.notes[0] == "not used: extra"
    _, _, held, held_labels = split(dataset, 10)
    np.testing.assert_array_equal(held[..., 0], images[30:40])
    np.testing.assert_array_equal(held_labels, labels[30:40, 0])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 4, 4, 1)), r"not float64; np.float32\(images\) if white is 1"),
        (np.zeros((2, 4, 4, 1), np.int64), r"not int64; .* np.uint8\(images\) if it is 255"),
        (np.zeros((2, 4, 4, 1), bool), "not bool; "),
        ([[0]], "not list; "),
        (np.full((2, 4, 4, 1), np.nan, np.float32), "infinite, too large, or not numbers"),
        (np.zeros((2, 4, 4), np.uint8), r"trained on images of \(4, 4, 1\), not \(4, 4\)"),
    ],
)
def test_images_that_a_network_would_misunderstand(images, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_images(images, (4, 4, 1), "net")
    for kind in (np.uint8, np.float32):
        check_images(np.zeros((2, 4, 4, 1), kind), (4, 4, 1), "net")
