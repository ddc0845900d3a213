"""What every data set becomes, whatever it was read from: four consistent arrays and the names of the classes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jaxquard.data import idx, oddities
from jaxquard.errors import DataError, UsageError

NDIM = {"train_images": 3, "train_labels": 1, "test_images": 3, "test_labels": 1}  # by role, in an IDX file
_SHUFFLE = 20170825  # any constant does, so long as it never changes: it decides which examples are held out


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images, split into a training and a test set. The arrays are read-only.

    Images are uint8 `(n, height, width, channels)`, labels int32 `(n,)` in 0 … classes − 1.
    `sha256` has the hash of each array by role (`idx.sha256`), as it was decoded: two data sets are the same if these
    are, whatever files they were read from. `source` says in a phrase where they came from.
    `notes` are what is unusual about them, in plain sentences. `scaled_from` is the value that was made 255: that
    of white in the files. The last `own_validation` training images are held out before any other.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    sha256: dict[str, str]
    source: str
    notes: tuple[str, ...] = ()
    scaled_from: int = 255
    own_validation: int = 0

    def __post_init__(self) -> None:
        """UsageError where an array is not of the form above."""
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            oddities.check_images(images, np.shape(images)[1:], "a Dataset")
            whole = np.asarray(labels).dtype.kind in "iu"
            if np.ndim(images) != 4 or np.shape(labels) != (len(images),) or not whole:
                raise UsageError(
                    f"a Dataset has {part}_images (n, height, width, channels) and {part}_labels, whole numbers (n,), "
                    f"not {np.shape(images)} and {np.shape(labels)} of {np.asarray(labels).dtype}"
                )

    def __repr__(self) -> str:
        size, train, test = _size(self.train_images), len(self.train_images), len(self.test_images)
        return f"<Dataset {self.name}: {train:,} training and {test:,} test images of {size}, {self.classes} classes>"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        _, height, width, channels = self.train_images.shape
        return height, width, channels

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)


def build(
    name: str,
    arrays: Mapping[str, np.ndarray],
    *,
    called: Mapping[str, str],
    source: str,
    class_names: Sequence[str] | None = None,
    notes: Iterable[str] = (),
    own_validation: int = 0,
    sha256: Mapping[str, str] | None = None,
) -> Dataset:
    """Check the four arrays against one another and make a Dataset of them.

    arrays: by role (the keys of NDIM); images uint8 `(n, height, width[, channels])`, labels any integers `(n,)`.
    called: what errors call each array: the file, or the member of an archive, that it was read from.
    class_names: default "0" … "k − 1", where k − 1 is the largest label for training. notes: what was noticed before.
    sha256: hashes of arrays, by role, that are known already; those of the others are computed. Raises DataError.
    """
    if class_names is None:
        class_names = numbered(arrays["train_labels"], called["train_labels"])
    for part in ("train", "test"):
        _check_part(part, arrays, called, len(class_names))
    train, test = arrays["train_images"], arrays["test_images"]
    if train.shape[1:] != test.shape[1:]:
        raise DataError(f"{called['test_images']}: images of {_size(test)}, but of {_size(train)} for training")
    known = sha256 or {}
    hashes = {role: known.get(role) or idx.sha256(arrays[role]) for role in NDIM}
    white = oddities.brightest(arrays, called)
    notes = [
        *notes,
        *oddities.about_classes(arrays["train_labels"], arrays["test_labels"], class_names),
        *oddities.about_pixels(arrays, white),
    ]
    ready = {role: _frozen(values, white) for role, values in arrays.items()}
    return Dataset(
        name=name,
        **ready,
        class_names=tuple(class_names),
        sha256=hashes,
        source=source,
        notes=tuple(notes),
        scaled_from=white,
        own_validation=own_validation,
    )


def numbered(labels: np.ndarray, where: str) -> list[str]:
    """Names for classes known by their labels alone, read from `where`: "0" up to the largest. DataError."""
    oddities.check_gaps(labels, where)
    return [str(k) for k in range(1 + int(labels.max(initial=0)))]


def split(dataset: Dataset, validation: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Hold out `validation` training examples: (train images, train labels, validation images, validation labels).

    The examples held out are the last of a shuffle that is the same for every run and seed, so that figures measured
    on them can be compared; those that the data set itself has for validation come last. 0 holds out nothing and leaves
    the training set in its own order. Raises UsageError.
    """
    images, labels = dataset.train_images, dataset.train_labels
    if not 0 <= validation < len(labels):
        most = len(labels) - 1
        raise UsageError(f"validation {validation}: of {dataset.name}'s training examples, 0 to {most} can be held out")
    if validation == 0:
        return images, labels, images[:0], labels[:0]
    own = len(labels) - dataset.own_validation
    order = np.concatenate([shuffled(own), own + shuffled(dataset.own_validation)])
    kept, held = np.split(order, [len(labels) - validation])
    return images[kept], labels[kept], images[held], labels[held]


def shuffled(n: int) -> np.ndarray:
    """One fixed permutation of 0 … n − 1, from raw random bits: those NumPy promises never to change (NEP 19)."""
    return np.argsort(np.random.PCG64(_SHUFFLE).random_raw(n), kind="stable")


def hold_out_test(images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Make a training and a test set of one set, by role: the last sixth of the fixed shuffle is for testing."""
    tested = -(-len(labels) // 6)
    kept, held = np.split(shuffled(len(labels)), [len(labels) - tested])
    return dict(zip(NDIM, (images[kept], labels[kept], images[held], labels[held]), strict=True))


def _check_part(part: str, arrays: Mapping[str, np.ndarray], called: Mapping[str, str], classes: int) -> None:
    images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
    file = called[f"{part}_labels"]
    if len(images) != len(labels):
        raise DataError(f"{file}: {len(labels)} labels, but {len(images)} images in {called[f'{part}_images']}")
    if len(labels) == 0:
        raise DataError(f"{file}: no examples")
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise DataError(f"{file}: label {labels[wrong[0]]} at index {wrong[0]} is out of range: 0 to {classes - 1}")


def _size(images: np.ndarray) -> str:
    return "×".join(str(n) for n in images.shape[1:])


def _frozen(values: np.ndarray, white: int) -> np.ndarray:
    """Images from 0 to 255 with their channel axis, labels as int32; read-only, for they are shared."""
    if values.ndim == 1:
        values = values.astype(np.int32)
    else:
        values = oddities.whitened(values, white)
        values = values[..., np.newaxis] if values.ndim == 3 else values
    values.flags.writeable = False
    return values
