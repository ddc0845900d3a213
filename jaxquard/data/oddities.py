"""Notes on what is unusual about a data set, and errors where nothing could be learned.

Users rarely look at every label. A class without images, or pixels from 0 to 1, would be trained on without an error
and give a useless network.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from jaxquard.errors import DataError, UsageError
from jaxquard.naming import visible

MAX_CLASSES = 4096  # the confusion matrix then takes 134 MB
MANY_EMPTY = 100  # classes without images: if there are more, the labels do not count from 0
HUGE = 1e30  # larger floats could overflow in the network
DIM = 16  # images without a brighter pixel are masks (0 and 1), or count from 0 to 16 like scikit-learn's digits
RENUMBER = "renumber them from 0, for training and testing alike: y = np.searchsorted(np.unique(y_train), y)"


def check_gaps(labels: np.ndarray, where: str) -> None:
    """DataError for labels with too many gaps: more classes without images than with."""
    present = len(np.unique(labels))
    classes = 1 + int(labels.max(initial=0))
    if classes - present > max(MANY_EMPTY, present):
        raise DataError(
            f"{where}: labels up to {classes - 1}, but only {present} classes; {classes - present:,} would be empty;\n"
            f"{RENUMBER}"
        )


def about_classes(train: np.ndarray, test: np.ndarray, names: Sequence[str]) -> Iterator[str]:
    """Notes on the labels (n,) of the two sets, sentences without a full stop."""
    learned, tested = (np.bincount(labels, minlength=len(names)) for labels in (train, test))
    total, present = len(train), np.flatnonzero(learned)
    average = total / len(present)
    if len(present) == 1:
        yield f"every training image is of the class {names[present[0]]}: no network can be trained on them"
    if len(present) < len(names):
        empty = learned == 0
        note = f"{_of(names, empty)} without training images: {_list(names, empty)}"
        if len(names) - len(present) == present[0] and names[0] == "0":  # numbers: only the first labels are missing
            note += f"; labels begin at {present[0]}: subtract {present[0]} if that is a mistake"
        if tested[empty].any():
            note += f"; test images of these classes will be classified wrongly: {tested[empty].sum():,}"
        yield note
    few = (learned > 0) & (learned < average / 5)
    if few.any():
        counts = [f"{name} ({count:,} of {total:,})" for name, count in zip(names, learned, strict=True)]
        yield f"{_of(names, few)} with few training images: {_list(counts, few)}"
    if average < 2:
        yield f"hardly more than one training image for each class: {total:,} for {len(present):,}"
    unseen = (learned > 0) & (tested == 0)
    if unseen.any():
        yield f"{_of(names, unseen)} without test images: {_list(names, unseen)}"


def _of(names: Sequence[str], chosen: np.ndarray) -> str:
    return f"{chosen.sum():,} of {len(names):,} classes"


def _list(words: Sequence[str], chosen: np.ndarray) -> str:
    return shortened(word for word, wanted in zip(words, chosen, strict=True) if wanted)


def shortened(words: Iterable[str], most: int = 6) -> str:
    """Words in a line, printable; if there are many, only the first."""
    found = list(words)
    return visible(", ".join(found[:most])) + (f" and {len(found) - most:,} more" if len(found) > most else "")


def brightest(arrays: Mapping[str, np.ndarray], called: Mapping[str, str]) -> int:
    """The value of white in these images: 255, or the brightest pixel of bytes if that is at most DIM.

    DataError if only some of the sets are so dim.
    """
    peaks = _peaks(arrays)
    if not peaks:
        return 255
    dim, bright = min(peaks, key=peaks.__getitem__), max(peaks, key=peaks.__getitem__)
    if 0 < peaks[dim] <= DIM and peaks[bright] > 127:
        raise DataError(
            f"{called[dim]}: pixels from 0 to {peaks[dim]}, but to {peaks[bright]} in {called[bright]};\n"
            "save both in the same range, 0 to 255"
        )
    return peaks[bright] if 0 < peaks[bright] <= DIM else 255


def _peaks(arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The brightest pixel of each array of bytes by role."""
    return {role: int(values.max()) for role, values in arrays.items() if values.ndim > 1 and values.dtype == np.uint8}


def about_pixels(arrays: Mapping[str, np.ndarray], white: int) -> Iterator[str]:
    """Notes on the range of the pixels; `white` is the value of white."""
    if arrays["train_images"].min() == arrays["train_images"].max():
        yield "every pixel of every training image has the same value: no network can be trained on them"
    if white < 255:
        yield f"pixels from 0 to {white}: scaled to 0 to 255, the range of pictures"
    elif 0 < (peak := max(_peaks(arrays).values(), default=0)) < 128:
        yield f"no pixel is brighter than {peak} of 255: if {peak} is white, scale the images to 0 to 255"


def about_images(arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Notes on images that are in both sets, and on images of a single colour."""
    train, test = arrays["train_images"], arrays["test_images"]
    known = {hash(image.tobytes()) for image in train}
    if copies := sum(hash(image.tobytes()) in known for image in test):
        yield f"{copies:,} of {len(test):,} test images are training images, too: the test accuracy will be too high"
    flat = (images.reshape(len(images), -1) for images in (train, test))
    if plain := sum(int(np.count_nonzero(np.ptp(pixels, axis=1) == 0)) for pixels in flat):
        yield f"{plain:,} of {len(train) + len(test):,} images have a single colour"


def whitened(images: np.ndarray, white: int) -> np.ndarray:
    """Images; uint8 ones with values up to `white` are scaled to 0 to 255."""
    return images if white == 255 else np.rint(np.arange(256).clip(max=white) * (255 / white)).astype(np.uint8)[images]


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Images as uint8, to draw or measure them: floats are clipped to 0 … 1."""
    return images if images.dtype == np.uint8 else np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)


def check_images(images: np.ndarray, shape: Sequence[int], name: str) -> None:
    """UsageError for images that do not fit the network `name`, trained on images of `shape`."""
    if (kind := getattr(images, "dtype", type(images).__name__)) not in (np.uint8, np.float32):
        mend = "np.float32(images) if white is 1, np.uint8(images) if it is 255"
        raise UsageError(f"{name} takes images as a uint8 array of 0 to 255, or float32 of 0 to 1, not {kind}; {mend}")
    if kind == np.float32 and not -HUGE < images.min(initial=0) <= images.max(initial=0) < HUGE:
        raise UsageError(f"{name}: images have values that are infinite, too large, or not numbers")
    if tuple(images.shape[1:]) != tuple(shape):
        raise UsageError(f"{name} was trained on images of {tuple(shape)}, not {tuple(images.shape[1:])}")
