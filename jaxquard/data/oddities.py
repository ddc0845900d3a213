"""What is unusual about somebody's data set: said by count before training, or refused where nothing could be learned.

Nobody looks at every label of their data. A class without images, or pixels that stop at 1, train without an error and
give a network that is wrong in use.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from jaxquard.errors import DataError, UsageError

MAX_CLASSES = 4096  # the confusion matrix of as many takes 134 MB
MANY_EMPTY = 100  # classes without images: as many may be meant, more and the labels are no numbers from 0
DIM = 16  # pixels that never exceed this are masks (0 and 1), or counted from 0 to 16 as in scikit-learn's digits
RENUMBER = "renumber them from 0, for training and testing alike: y = np.searchsorted(np.unique(y_train), y)"


def check_gaps(labels: np.ndarray, where: str) -> None:
    """Refuse labels that make more classes without images than with. DataError."""
    present = len(np.unique(labels))
    classes = 1 + int(labels.max(initial=0))
    if classes - present > max(MANY_EMPTY, present):
        raise DataError(
            f"{where}: labels up to {classes - 1} for {present} classes, so {classes - present:,} would be empty;\n"
            f"{RENUMBER}"
        )


def about_classes(train: np.ndarray, test: np.ndarray, names: Sequence[str]) -> Iterator[str]:
    """What the labels (n,) of the two sets leave to be desired, in plain sentences without a full stop."""
    learned, tested = (np.bincount(labels, minlength=len(names)) for labels in (train, test))
    total, present = len(train), np.flatnonzero(learned)
    average = total / len(present)
    if len(present) == 1:
        yield f"every training image has the label {present[0]}: no network can be trained on them"
    if len(present) < len(names):
        empty = learned == 0
        note = f"{_of(names, empty)} without training images: {_list(names, empty)}"
        if len(names) - len(present) == present[0]:  # nothing else is missing
            note += f"; labels begin at {present[0]}: subtract {present[0]} if that is not meant"
        if tested[empty].any():
            note += f"; all {tested[empty].sum():,} test images of them will be wrong"
        yield note
    few = (learned > 0) & (learned < average / 5)
    if few.any():
        counts = [f"{name} ({count:,} of {total:,})" for name, count in zip(names, learned, strict=True)]
        yield f"{_of(names, few)} with few training images: {_list(counts, few)}"
    if average < 2:
        yield f"{total:,} training images for {len(present):,} classes: hardly more than one for each"
    unseen = (learned > 0) & (tested == 0)
    if unseen.any():
        yield f"{_of(names, unseen)} without test images: {_list(names, unseen)}"


def _of(names: Sequence[str], chosen: np.ndarray) -> str:
    return f"{chosen.sum():,} of {len(names):,} classes"


def _list(words: Sequence[str], chosen: np.ndarray, most: int = 6) -> str:
    """The chosen words, of many the first."""
    found = [word for word, wanted in zip(words, chosen, strict=True) if wanted]
    return ", ".join(found[:most]) + (f" and {len(found) - most:,} more" if len(found) > most else "")


def brightest(arrays: Mapping[str, np.ndarray], called: Mapping[str, str]) -> int:
    """The value that white has in these images: 255, or the brightest pixel of all where that is at most DIM. Raises
    DataError where only one of the two sets is so dim."""
    peaks = {role: int(arrays[role].max()) for role in ("train_images", "test_images")}
    dim, bright = sorted(peaks, key=peaks.__getitem__)
    if 0 < peaks[dim] <= DIM and peaks[bright] > 127:
        raise DataError(
            f"{called[dim]}: pixels from 0 to {peaks[dim]}, but to {peaks[bright]} in {called[bright]};\n"
            "save both in the same range, 0 to 255"
        )
    return peaks[bright] if 0 < peaks[bright] <= DIM else 255


def about_pixels(arrays: Mapping[str, np.ndarray], white: int) -> Iterator[str]:
    """What is unusual about the range of the images, whose white is `white`."""
    if arrays["train_images"].min() == arrays["train_images"].max():
        yield "every pixel of every training image has the same value: no network can be trained on them"
    if white < 255:
        yield f"pixels from 0 to {white}: scaled to 0 to 255, as pictures have them"
    elif 0 < (peak := max(int(arrays[role].max()) for role in ("train_images", "test_images"))) < 128:
        yield f"no pixel is brighter than {peak} of 255: if {peak} is meant to be white, save them as 0 to 255"


def whitened(images: np.ndarray, white: int) -> np.ndarray:
    """uint8 images of 0 to `white` as 0 to 255."""
    return images if white == 255 else np.rint(np.arange(256).clip(max=white) * (255 / white)).astype(np.uint8)[images]


def as_uint8(kind: object) -> str:
    """How to make the uint8 images wanted of what somebody has."""
    if isinstance(kind, np.dtype) and kind.kind == "f":
        return "if they are 0 to 1: np.rint(255 * images).astype(np.uint8)"
    return "if they are 0 to 255: np.asarray(images).astype(np.uint8)"


def check_images(images: np.ndarray, shape: Sequence[int], name: str) -> None:
    """Refuse images that the network `name`, trained on uint8 images of `shape`, would misunderstand. UsageError."""
    if (kind := getattr(images, "dtype", type(images).__name__)) != np.uint8:
        raise UsageError(f"{name} takes images as a uint8 array of 0 to 255, not {kind}; {as_uint8(kind)}")
    if tuple(images.shape[1:]) != tuple(shape):
        raise UsageError(f"{name} was trained on images of {tuple(shape)}, not {tuple(images.shape[1:])}")
