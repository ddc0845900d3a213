"""A data set from arrays in memory: NumPy's, or anything that `numpy.asarray` takes. Nothing is guessed silently."""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jaxquard.arguments import checked, checked_number, plain, shown
from jaxquard.data.dataset import Dataset, build, hold_out_test
from jaxquard.data.idx import sha256
from jaxquard.data.oddities import MAX_CLASSES, shortened, whitened
from jaxquard.errors import DataError, UsageError
from jaxquard.naming import counted, natural, visible

Range = tuple[float, float]  # the values of black and white
BYTES: Range = (0, 255)
_CHUNK = 256
MUCH = 10  # if white is more, floats up to 1 have another range
PARTS = (("train", "X", "y"), ("test", "X_test", "y_test"), ("val", "X_val", "y_val"))


@checked
def from_arrays(
    X: object,
    y: object,
    X_test: object = None,
    y_test: object = None,
    *,
    val: tuple | list | None = None,
    image_shape: Sequence[int] | None = None,
    class_names: Sequence[str] | None = None,
    value_range: Sequence[float] | None = None,
    name: str = "arrays",
) -> Dataset:
    """`Dataset.from_arrays`."""
    if image_shape is not None:
        image_shape = [checked_number("image_shape", int, one, low=1) for one in image_shape]
        if len(image_shape) not in (2, 3):
            raise UsageError("image_shape: must be (height, width) or (height, width, channels)")
    given = {"train": (X, y), "test": (X_test, y_test), "val": (None, None) if val is None else tuple(val)}
    arrays, called, notes = dict[str, Any](), dict[str, str](), list[str]()
    for part, *names in PARTS:
        missing = [one is None for one in given[part]]
        if len(missing) != 2 or any(missing) != all(missing) or (part == "train" and any(missing)):
            raise UsageError(f"{part}: give both images and labels, {names[0]} and {names[1]}")
        called |= {f"{part}_images": names[0], f"{part}_labels": names[1]}
        if given[part][0] is not None:
            arrays |= {f"{part}_images": given[part][0], f"{part}_labels": given[part][1]}
    levels, labels, found = decoded(arrays, called, notes, image_shape, value_range)
    labels, names = numbered(labels, called, class_names)
    if X_test is None:
        held = hold_out_test(levels.pop("train_images"), labels.pop("train_labels"))
        labels |= held
    return build(
        name,
        levels | labels,
        called=called,
        source="arrays in memory",
        class_names=names,
        notes=notes,
        by_class=True,
        value_range=found,
    )


def decoded(
    arrays: Mapping[str, Any],
    called: Mapping[str, str],
    notes: list[str],
    image_shape: Sequence[int] | None = None,
    value_range: Sequence[float] | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], Range | None]:
    """Images and labels by role, and the range of the images: see `to_levels` and `as_labels`. Adds to the notes."""
    images = {k: as_images(v, called[k], image_shape, notes) for k, v in arrays.items() if k.endswith("images")}
    labels = {k: as_labels(v, called[k], notes) for k, v in arrays.items() if k.endswith("labels")}
    for role, values in images.items():
        if len(values) != (n := len(labels[role.replace("images", "labels")])):
            raise DataError(f"{called[role]}: {counted(len(values), 'image')}, but {counted(n, 'label')}")
    levels, found = to_levels(images, called, value_range, notes)
    return levels, labels, found


def as_dataset(data: Any, **options: Any) -> Dataset:
    """The data set that a caller gives as `data`: a Dataset, (X, y) or (X, y, X_test, y_test). UsageError otherwise."""
    if isinstance(data, Dataset):
        return data
    if not isinstance(data, tuple | list) or len(data) not in (2, 4):
        raise UsageError("data: give (X, y), (X_train, y_train, X_test, y_test) or a Dataset")
    return from_arrays(*data, **options)


def evaluated_on(data: Any, like: Mapping[str, Any], is_known: Callable[[Dataset], bool]) -> Dataset:
    """The data set to evaluate a model on; `like`: options of `from_arrays` that fit the model.

    All images of an (X, y) are test images, unless `is_known` says that the model was trained on them.
    """
    if isinstance(data, tuple | list) and len(data) in (2, 4):
        images = {"X": data[0]} if len(data) == 2 else {"X": data[0], "X_test": data[2]}
        found = [_range_of(_array(values, where), like["value_range"]) for where, values in images.items()]
        like = {**like, "value_range": found[0]}
        if len(data) == 2:
            every = from_arrays(*data, *data, **like)
            parted = as_dataset(data, **like) if len(every.test_labels) > 1 else every
            return parted if is_known(parted) else every
    return as_dataset(data, **like)


def as_images(values: Any, where: str, image_shape: Sequence[int] | None, notes: list[str]) -> np.ndarray:
    """Numbers as (n, height, width, channels), of their own type and range. DataError, with `where`, otherwise."""
    array = _array(values, where)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: holds {_kind(array)}, not numbers")
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        first = np.argwhere(~finite)[0][0]
        raise DataError(f"{where}: holds infinite values or NaN, the first in image {first}")
    if array.ndim == 2 and image_shape is not None and array.shape[1] == math.prod(image_shape):
        array = array.reshape(-1, *image_shape)
    if array.ndim == 2 and array.size and image_shape is None:
        side = math.isqrt(array.shape[1])
        shape = f"({side}, {side})" if side**2 == array.shape[1] else "(height, width)"
        advice = f"images = rows.reshape(-1, *{shape}) if that is their shape"
        raise DataError(f"{where}: rows of {array.shape[1]:,} numbers: {advice} (from_arrays: image_shape={shape})")
    if array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[3] not in (1, 3):
        note = "the channels came first, and were moved to the end"
        notes += [] if note in notes else [note]
        array = np.moveaxis(array, 1, -1)
    if array.ndim not in (3, 4) or array.shape[3:] not in ((), (1,), (3,)) or 0 in array.shape[1:]:
        wanted = "(n, height, width), (n, height, width, 1 or 3), or rows with image_shape=(height, width)"
        raise DataError(f"{where}: shape {array.shape}, expected {wanted}")
    if not len(array):
        raise DataError(f"{where}: no images")
    array = array.reshape(*array.shape[:3], -1)
    if image_shape is not None and array.shape[1:] != (*image_shape, 1)[:3]:
        raise DataError(f"{where}: images of {array.shape[1:]}, not of {tuple(image_shape)}")
    return array


def to_levels(
    images: Mapping[str, np.ndarray], called: Mapping[str, str], value_range: Sequence[float] | None, notes: list[str]
) -> tuple[dict[str, np.ndarray], Range | None]:
    """Images by role as uint8 from 0 to 255, or float32 with 1 for white; and the range that they came from.

    They are copies, unless they are bytes in a file that is mapped into memory to be read only. Whole numbers from 0 to
    255 become uint8. Floats are 0 to 1 or 0 to 255, whichever their largest value shows, or `value_range` says what is
    black and white. DataError for anything else.
    """
    whole = all(_is_whole(values) for values in images.values())
    low, high = min(float(a.min()) for a in images.values()), max(float(a.max()) for a in images.values())
    if value_range is None and whole and low >= 0 and high <= 255:
        return {role: _bytes(values) for role, values in images.items()}, None
    black, white = _checked_range(value_range) if value_range is not None else _found_range(images, called, low, high)
    for role, values in images.items():
        if values.min() < black or values.max() > white or _up_to_one(values, white):
            raise DataError(
                f"{called[role]}: values from {values.min():g} to {values.max():g}, "
                f"but {black:g} is black and {white:g} is white; scale them to this range"
            )
    if (black, white) == BYTES and whole:
        return {role: _bytes(values) for role, values in images.items()}, BYTES
    if value_range is None:
        notes.append(f"floats from {low:g} to {high:g}: {black:g} is taken for black and {white:g} for white")
    return {role: _scaled(values, black, white) for role, values in images.items()}, (black, white)


def levels_for(images: Any, where: str, like: Mapping[str, Any]) -> np.ndarray:
    """Images for a network whose training images had this `image_shape` and `value_range`. DataError for others.

    Of zeros and ones, 1 is white.
    """
    array = as_images(images, where, like["image_shape"], [])
    levels = to_levels({where: array}, {where: where}, _range_of(array, like["value_range"]), [])[0][where]
    return whitened(levels, 1) if levels.dtype == np.uint8 and levels.max() == 1 else levels


def _up_to_one(values: np.ndarray, white: float) -> bool:
    """Whether floats are 0 to 1, although a much larger value is white."""
    return values.dtype.kind == "f" and white > MUCH and bool(values.min() >= 0 and 0 < values.max() <= 1)


def _range_of(array: np.ndarray, value_range: Sequence[float] | None) -> Sequence[float] | None:
    """The range of images for a network trained with `value_range`: bytes are 0 to 255 where floats are 0 to 1."""
    is_bytes = array.dtype == np.uint8 and array.max(initial=0) > 1 and tuple(value_range or ()) == (0, 1)
    return None if is_bytes else value_range


def _found_range(images: Mapping[str, np.ndarray], called: Mapping[str, str], low: float, high: float) -> Range:
    """The values of black and white that the range of floats shows; DataError if it could mean several things."""
    for role, values in images.items():
        if float(values.max()) <= 1 < high and values.any():
            raise DataError(
                f"{called[role]}: values up to {values.max():g}, but up to {high:g} elsewhere; use one range"
            )
    if low >= 0 and (high <= 1 or 128 <= high <= 255):
        return (0, 1) if high <= 1 else BYTES
    black = min(low, 0)
    minus = f"+ {-black:g}" if black < 0 else "- 0"
    raise DataError(
        f"{called[next(iter(images))]}: values from {low:g} to {high:g}; if {black:g} is black and {high:g} white: "
        f"images = (images {minus}) / {high - black:g} (from_arrays: value_range=({black:g}, {high:g}))"
    )


def _checked_range(value_range: Sequence[float]) -> Range:
    try:
        black, white = map(float, value_range)
    except (TypeError, ValueError, OverflowError):
        black, white = 0.0, 0.0
    if not (math.isfinite(black) and math.isfinite(white) and black < white):
        raise UsageError("value_range: must be two numbers, the values of black and of white, such as (0, 1)")
    return black, white


def as_labels(values: Any, where: str, notes: list[str]) -> np.ndarray:
    """Labels (n,) as integers or text. One-hot rows become their columns' numbers. DataError for anything else."""
    array = _array(values, where)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    may_be_mixed = array.dtype.kind == "U" and array.ndim == 1 and isinstance(values, list | tuple)
    if may_be_mixed and not all(isinstance(one, str) for one in values):
        raise DataError(f"{where}: holds text beside numbers; labels are whole numbers or text")
    if array.dtype.kind in "OT" and all(isinstance(one, str) for one in array.flat):
        array = array.astype(object).astype(str)
    if (
        array.dtype.kind == "f"
        and np.isfinite(array).all()
        and _is_whole(array)
        and np.abs(array).max(initial=0) < 2**62
    ):
        array = array.astype(np.int64)
    if array.dtype.kind not in "biuU":
        raise DataError(f"{where}: holds {_kind(array)}{_first_wrong(array)}; labels are whole numbers or text")
    if (
        array.ndim == 2
        and array.dtype.kind != "U"
        and ((array == 0) | (array == 1)).all()
        and (array.sum(1) == 1).all()
    ):
        notes.append(f"{where} is one-hot: its columns are the classes")
        array = array.argmax(axis=1)
    if array.ndim != 1:
        raise DataError(f"{where}: shape {array.shape}, expected (n,), a label for each image")
    return array


def numbered(
    labels: Mapping[str, np.ndarray], called: Mapping[str, str], class_names: Sequence[str] | None
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Labels by role as numbers of their classes, and the classes' names: the sorted training labels, or `class_names`.

    With `class_names`, labels are these names, or else their numbers. DataError for a label that is neither.
    """
    known = np.unique(labels["train_labels"])
    if len(known) > MAX_CLASSES:
        raise DataError(
            f"{called['train_labels']}: {len(known):,} different labels; at most {MAX_CLASSES:,} are classes"
        )
    if len(known) == 1 and class_names is None:
        raise DataError(f"{called['train_labels']}: every label is {shown(known[0].item())}: there is nothing to learn")
    if class_names is None:
        names = sorted(known.tolist(), key=natural) if known.dtype.kind == "U" else list(map(str, known.tolist()))
    else:
        names = list(class_names)
    if len(set(names)) < len(names) or not names or not all(isinstance(one, str) for one in names):
        raise UsageError("class_names: must be different texts")
    parted = {role: np.unique(values, return_inverse=True) for role, values in labels.items()}
    found = {role: [visible(str(one)) for one in values.tolist()] for role, (values, _) in parted.items()}
    known = class_numbers([one for role in found for one in found[role]], names)
    for role, values in found.items():
        if unknown := [one for one in values if one not in known]:
            raise DataError(
                f"{called[role]}: label {unknown[0][:60]!r} is not a class; the classes are {_listed(names)}"
            )
    return {r: np.array([known[one] for one in found[r]], np.int32)[parted[r][1]] for r in labels}, names


def class_numbers(found: Collection[str], names: Sequence[str]) -> dict[str, int]:
    """The number of each class by what labels call it: its name or, if none is so `found`, its number.

    Names that are numbers themselves, such as "1" and "2", are only names.
    """
    by_name = {visible(name): k for k, name in enumerate(names)}
    is_named = any(one in by_name for one in found) or any(re.fullmatch(r"[+-]?\d+", name) for name in names)
    return by_name if is_named else {str(k): k for k in range(len(names))}


def matched(dataset: Dataset, names: Sequence[str], owner: str) -> Dataset:
    """A data set with the classes of `owner`: its labels are changed where its own classes differ from these `names`.

    UsageError if a class with images is none of them.
    """
    if tuple(dataset.class_names) == tuple(names):
        return dataset
    labels = {role: getattr(dataset, role) for role in ("train_labels", "test_labels", "val_labels")}
    used = {k: dataset.class_names[k] for k in np.unique(np.concatenate(list(labels.values()))).tolist()}
    known = class_numbers(used.values(), names)
    if unknown := [one for one in used.values() if one not in known]:
        raise UsageError(f"{dataset.name}: {unknown[0]!r} is not a class of {owner}; its classes are {_listed(names)}")
    numbers = np.zeros(dataset.classes, np.int32)
    numbers[list(used)] = [known[one] for one in used.values()]
    changed = {role: numbers[values] for role, values in labels.items()}
    hashes = dataset.sha256 | {role: sha256(changed[role]) for role in changed if role in dataset.sha256}
    return replace(dataset, **changed, class_names=tuple(names), sha256=hashes)


def _listed(names: Sequence[str]) -> str:
    return shortened((name[:60] for name in names), 10)


def _array(values: Any, where: str) -> np.ndarray:
    if np.ma.is_masked(values):
        raise DataError(f"{where}: has masked values; fill them or leave them out")
    try:
        return np.asarray(values)
    except Exception as error:  # any: the object's own. Rows of unequal length, say, or a tensor with a gradient
        raise DataError(
            f"{where}: not an array ({' '.join(str(error).split())[:200] or type(error).__name__})"
        ) from None


def _kind(array: np.ndarray) -> str:
    """What an array holds, in words."""
    words = {
        "O": "objects",
        "U": "text",
        "S": "bytes",
        "c": "complex values",
        "M": "dates",
        "f": "fractions, huge numbers or NaN",
    }
    return words.get(array.dtype.kind, f"values of type {array.dtype}")


def _first_wrong(array: np.ndarray) -> str:
    """Where the first label is that is neither a whole number nor text, and what it is."""
    for k, one in enumerate(map(plain, array.flat if array.ndim else ())):
        is_whole = isinstance(one, int) or (isinstance(one, float) and one.is_integer() and abs(one) < 2**62)
        if not (is_whole or isinstance(one, str)):
            return f", the first at index {k // (array.size // len(array))}: {shown(one)}"
    return ""


def _is_whole(values: np.ndarray) -> bool:
    if values.dtype.kind in "biu":
        return True
    chunks = (values[first : first + _CHUNK] for first in range(0, len(values), _CHUNK))  # the first may decide it
    return all(bool((chunk == np.rint(chunk)).all()) for chunk in chunks)


def _bytes(values: np.ndarray) -> np.ndarray:
    return values * np.uint8(255) if values.dtype == bool else values.astype(np.uint8, copy=not _is_in_file(values))


def _is_in_file(values: Any) -> bool:
    """Whether an array is a part of a file that `numpy.load` or `numpy.memmap` has mapped with the mode "r"."""
    while isinstance(values, np.ndarray) and not isinstance(values, np.memmap):
        values = values.base
    return isinstance(values, np.memmap) and values.mode == "r"


def _scaled(values: np.ndarray, black: float, white: float) -> np.ndarray:
    if (black, white) == (0, 1):
        return values.astype(np.float32)
    values = values.astype(np.result_type(values.dtype, np.float32), copy=False)
    return ((values - black) / (white - black)).astype(np.float32)
