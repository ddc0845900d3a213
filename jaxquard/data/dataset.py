"""`Dataset`: consistent arrays and the names of the classes, from any source; and its split."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxquard.arguments import shown
from jaxquard.data import idx, oddities
from jaxquard.errors import DataError, UsageError
from jaxquard.naming import counted, visible

NDIM = {"train_images": 3, "train_labels": 1, "test_images": 3, "test_labels": 1}  # by role, in an IDX file
MAX_NAME = 255  # characters of a class's name
_SHUFFLE = 20170825  # an arbitrary seed that must never change: it decides which examples are held out


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images, split into a training and a test set, perhaps with a validation set. The arrays are read-only.

    Images are `(n, height, width, channels)`, uint8 from 0 to 255, or float32 where 1 is white; other finite floats are
    allowed. Labels are int32 `(n,)` in 0 … classes − 1.
    `sha256`: the hash of each decoded array by role (`idx.sha256`). Two data sets with the same hashes are the same.
    `source`: where they came from. `notes`: what is unusual about them, one sentence each. `scaled_from`: the value of
    white in the files, which became 255. `value_range`: the values of black and white in arrays of floats, which became
    0 and 1. `by_class`: `split` holds out the same share of each class. `reading`: if the images were made from
    pictures, the options with which `load` makes the same again.
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
    val_images: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0, 0), np.uint8))
    val_labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    value_range: tuple[float, float] | None = None
    by_class: bool = False
    reading: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Escape what does not print in the names. UsageError if an array does not have the form above; DataError if
        two of them, or a label and the names of the classes, do not fit together.
        """
        for name in ("name", "source"):
            object.__setattr__(self, name, visible(getattr(self, name)))
        object.__setattr__(self, "class_names", tuple(visible(str(name)) for name in self.class_names))
        if not 0 < len(set(self.class_names)) == self.classes:
            raise UsageError(f"a Dataset has class_names that differ, not {shown(self.class_names)}")
        for part in ("train", "test", "val"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            oddities.check_images(images, np.shape(images)[1:], "a Dataset")
            kind = getattr(labels, "dtype", type(labels).__name__)
            whole = isinstance(labels, np.ndarray) and labels.dtype.kind in "iu"
            if np.ndim(images) != 4 or np.shape(labels) != (len(images),) or not whole:
                raise UsageError(
                    f"a Dataset has {part}_images (n, height, width, channels) and {part}_labels, whole numbers (n,), "
                    f"not {np.shape(images)} and {np.shape(labels)} of {kind}"
                )
            if len(labels):
                names = {f"{part}_{what}": f"a Dataset: {part}_{what}" for what in ("images", "labels")}
                _check_part(part, vars(self), names, self.classes)

    @staticmethod
    def from_arrays(
        X: object,
        y: object,
        X_test: object = None,
        y_test: object = None,
        *,
        val: tuple[object, object] | None = None,
        image_shape: Sequence[int] | None = None,
        class_names: Sequence[str] | None = None,
        value_range: Sequence[float] | None = None,
        name: str = "arrays",
    ) -> "Dataset":
        """A data set from arrays, or from anything that `numpy.asarray` takes: lists, data frames, tensors on the CPU.

        X, X_test: images, (n, height, width), (n, height, width, 1 or 3), or rows (n, d) with `image_shape`. Whole
        numbers are 0 to 255; floats 0 to 1 or 0 to 255, or `value_range` gives the values of black and white.
        y, y_test: integers or text, (n,); the sorted labels name the classes, unless `class_names` does.
        Without X_test, always the same sixth of these images, by class, is the test set. val: (X_val, y_val).
        Raises UsageError or DataError.
        """
        from jaxquard.data.arrays import from_arrays

        given = {"val": val, "image_shape": image_shape, "class_names": class_names, "value_range": value_range}
        return from_arrays(X, y, X_test, y_test, **given, name=name)

    def __repr__(self) -> str:
        train, test = len(self.train_images), counted(len(self.test_images), "test image")
        size, classes = _size(self.train_images), counted(self.classes, "class")
        return f"<Dataset {self.name}: {train:,} training and {test} of {size}, {classes}>"

    def _repr_html_(self) -> str:
        """For notebooks."""
        return f"<p>{html.escape(repr(self)[1:-1])}</p>{self.sheet()}"

    def sheet(self) -> str:
        """The first training images of each class, as an SVG."""
        from jaxquard.data.sheet import sheet  # imports Pillow

        return sheet(self.train_images, self.train_labels, self.class_names)

    def summary(self, validation: int = 0) -> str:
        """The number and size of its images, with `validation` of them for validation, and the classes, in one line."""
        own = len(self.val_labels)
        train = len(self.train_labels) - (0 if own else validation)
        parts = [f"{counted(train, 'image')} for training", *([f"{validation:,} for validation"] if validation else [])]
        height, width, channels = self.image_shape
        size = f"{height}×{width}" + (" in colour" if channels == 3 else "")
        counts = zip(self.class_names, self.counts, strict=True)
        each = oddities.shortened((f"{name} ({count:,})" for name, count in counts), 10)
        test = f"{len(self.test_labels):,} for testing"
        return f"{', '.join([*parts, test])}, of {size}; {counted(self.classes, 'class')}: {each}"

    @property
    def counts(self) -> list[int]:
        """The number of training images of each class."""
        return np.bincount(self.train_labels, minlength=self.classes).tolist()

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
    value_range: tuple[float, float] | None = None,
    by_class: bool = False,
    sha256: Mapping[str, str] | None = None,
) -> Dataset:
    """Check the arrays against one another, and make a Dataset of them. Raises DataError.

    arrays: by role (the keys of NDIM, and perhaps val_images and val_labels); images `(n, height, width[, channels])`,
    uint8, or float32 with 1 for white; labels any integers `(n,)`.
    called: the name of each array in errors: its file, or its member of an archive.
    class_names: default "0" … "k − 1", where k − 1 is the largest label to learn. notes: the first of the notes.
    value_range, by_class: as for `Dataset`. sha256: known hashes of arrays, by role; the others are computed.
    """
    if class_names is not None:
        class_names = checked_names(class_names, source)
    else:
        labels = [arrays[role] for role in ("train_labels", "val_labels") if role in arrays]
        class_names = numbered(np.concatenate(labels), called["train_labels"])
    for part in ("train", "test", "val"):
        if f"{part}_images" in arrays:
            _check_part(part, arrays, called, len(class_names))
    known = sha256 or {}
    hashes = {role: known.get(role) or idx.sha256(values) for role, values in arrays.items()}
    white = oddities.brightest(arrays, called)
    notes = [
        *notes,
        *oddities.about_classes(arrays["train_labels"], arrays["test_labels"], class_names),
        *oddities.about_pixels(arrays, white),
        *(() if "train_images" in known else oddities.about_images(arrays)),
    ]
    ready: dict[str, Any] = {role: _frozen(values, white) for role, values in arrays.items()}
    return Dataset(
        name=name,
        **ready,
        class_names=tuple(class_names),
        sha256=hashes,
        source=source,
        notes=tuple(notes),
        scaled_from=white,
        value_range=value_range,
        by_class=by_class,
    )


def checked_names(names: Sequence[str], source: str) -> list[str]:
    """The names of the classes, with escapes for what does not print. They may come from a stranger."""
    shown = [visible(name) for name in names]
    if not shown:
        raise DataError(f"{source}: its class names are an empty list; name every class, or leave them out")
    for name in shown:
        if not 0 < len(name.strip()) <= MAX_NAME:
            raise DataError(f"{source}: {name[:60]!r} names a class; a name has 1 to {MAX_NAME} characters")
    if len(set(shown)) < len(shown):
        twice = next(name for name in shown if shown.count(name) > 1)
        raise DataError(f"{source}: two classes are called {twice!r}; give each a name of its own")
    return shown


def numbered(labels: np.ndarray, where: str) -> list[str]:
    """The labels from 0 to the largest as names of the classes. DataError, with `where`, if too many have no images."""
    oddities.check_gaps(labels, where)
    return [str(k) for k in range(1 + int(labels.max(initial=0)))]


def split(dataset: Dataset, validation: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and `validation` examples: (train images, train labels, validation images, validation labels).

    The latter are some of the data set's own validation images, or else of the training images: the same for every run
    and seed, so that runs can be compared. 0 holds out nothing, and keeps the order of the training set. UsageError.
    """
    images, labels = dataset.train_images, dataset.train_labels
    if validation == 0:
        return images, labels, images[:0], labels[:0]
    kept, held = split_rows(dataset, validation)
    if own := len(dataset.val_labels):
        val_images, val_labels = dataset.val_images, dataset.val_labels
        return (
            images,
            labels,
            *((val_images, val_labels) if own == validation else (val_images[held], val_labels[held])),
        )
    return images[kept], labels[kept], images[held], labels[held]


def split_rows(dataset: Dataset, validation: int) -> tuple[np.ndarray, np.ndarray]:
    """The indices of the images to keep, and of those to hold out: the last `validation` of a fixed shuffle.

    They count the data set's own validation images or, without these, its training images. Raises UsageError.
    """
    own = len(dataset.val_labels)
    labels = dataset.val_labels if own else dataset.train_labels
    most = own or len(labels) - 1
    if not 0 <= validation <= most:
        of = "own validation" if own else "training"
        raise UsageError(
            f"validation: of the {of} images of {dataset.name}, 0 to {most} can be held out, not {validation}"
        )
    order = shuffled_by_class(labels) if dataset.by_class else shuffled(len(labels))
    kept, held = np.split(order, [len(labels) - validation])
    return kept, held


def shuffled(n: int) -> np.ndarray:
    """One fixed permutation of 0 … n − 1, from raw random bits, which NumPy promises never to change (NEP 19)."""
    return np.argsort(np.random.PCG64(_SHUFFLE).random_raw(n), kind="stable")


def shuffled_by_class(labels: np.ndarray) -> np.ndarray:
    """A fixed permutation of 0 … n − 1 for labels (n,); each part of it has nearly the same share of each class."""
    order, place = shuffled(len(labels)), np.empty(len(labels))
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return order[np.argsort(place[order], kind="stable")]


def hold_out_test(images: np.ndarray, labels: np.ndarray, *, by_class: bool = True) -> dict[str, np.ndarray]:
    """Split one set into training and test arrays, by role. The last sixth of a fixed shuffle is the test set."""
    tested, order = -(-len(labels) // 6), shuffled_by_class(labels) if by_class else shuffled(len(labels))
    kept, held = np.split(order, [len(labels) - tested])
    return dict(zip(NDIM, (images[kept], labels[kept], images[held], labels[held]), strict=True))


def _check_part(part: str, arrays: Mapping[str, np.ndarray], called: Mapping[str, str], classes: int) -> None:
    images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
    file = called[f"{part}_labels"]
    if len(images) != len(labels):
        found, needed = counted(len(labels), "label"), counted(len(images), "image")
        raise DataError(f"{file}: {found}, but {needed} in {called[f'{part}_images']}")
    if len(labels) == 0:
        raise DataError(f"{file}: no examples; each part needs an image, and data without a test part need two")
    if images.shape[1:] != (train := arrays["train_images"]).shape[1:]:
        raise DataError(f"{called[f'{part}_images']}: images of {_size(images)}, but of {_size(train)} for training")
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise DataError(f"{file}: label {labels[wrong[0]]} at index {wrong[0]} is out of range: 0 to {classes - 1}")


def _size(images: np.ndarray) -> str:
    return "×".join(str(n) for n in images.shape[1:])


def _frozen(values: np.ndarray, white: int) -> np.ndarray:
    """Read-only images with a channel axis, or read-only int32 labels."""
    if values.ndim == 1:
        values = values.astype(np.int32)
    else:
        values = oddities.whitened(values, white)
        values = values[..., np.newaxis] if values.ndim == 3 else values
    values.flags.writeable = False
    return values
