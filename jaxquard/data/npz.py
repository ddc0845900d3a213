"""A strict reader of .npz files with images and labels. Sizes are checked before memory is allocated; no pickles."""

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO

import numpy as np

from jaxquard.data import idx
from jaxquard.data.dataset import NDIM, Dataset, build, hold_out_test, numbered
from jaxquard.data.oddities import MAX_CLASSES, RENUMBER
from jaxquard.errors import DataError

# The accepted names of each array; the first one in the file is taken.
_SPELLINGS = {
    "train_images": ("train_images", "x_train", "X_train", "training_images"),
    "train_labels": ("train_labels", "y_train", "Y_train", "training_labels"),
    "test_images": ("test_images", "x_test", "X_test"),
    "test_labels": ("test_labels", "y_test", "Y_test"),
    "images": ("images", "x", "X"),
    "labels": ("labels", "y", "Y"),
    "val_images": ("val_images", "x_val", "X_val", "x_valid", "X_valid", "valid_images", "validation_images"),
    "val_labels": ("val_labels", "y_val", "Y_val", "y_valid", "Y_valid", "valid_labels", "validation_labels"),
}
_VALIDATION = ("val_images", "val_labels")
_HEADER = re.compile(  # Python 2 wrote long integers with an L
    rb"\{'descr': '(?P<dtype>[|<>][a-zA-Z][0-9]{0,9})', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>(?:[0-9]{1,19}L?,? ?){0,9})\), ?\} *\n"
)
_ADVICE = {  # NumPy's kind of a dtype -> its values, and advice for images and for labels
    "f": (
        "floating-point numbers",
        "save np.rint(255 * x).astype(np.uint8) if they are 0 to 1, np.rint(x).astype(np.uint8) if they are 0 to 255",
        "save y.astype(int), or y.argmax(1) if they are one-hot",
    ),
    "U": ("text or objects", "save pixels from 0 to 255", "save np.unique(y, return_inverse=True)[1]"),
}
_ADVICE["S"] = _ADVICE["O"] = _ADVICE["U"]
_DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    zlib.error,
    struct.error,
)


def load_npz(path: Path) -> Dataset:
    """Read an .npz with x_train, y_train, x_test and y_test (or similar names), or only with images and labels.

    Images are 0 to 255, `(n, height, width)` or `(n, height, width, channels)`; labels are integers `(n,)` from 0.
    Without a test set, always the same sixth of the images becomes it. x_val and y_val are the validation set.
    Raises DataError.
    """
    arrays, unused = _read(path)
    notes = [f"not used: {', '.join(unused)}"] if unused else []
    called = {role: f"{path}:{role}" for role in _SPELLINGS}
    arrays = {
        role: (_pixels if role.endswith("images") else _labels)(values, called[role]) for role, values in arrays.items()
    }
    class_names = None
    if "images" in arrays:
        if len(arrays["images"]) != len(arrays["labels"]):
            raise DataError(f"{path}: {len(arrays['labels'])} labels, but {len(arrays['images'])} images")
        class_names = numbered(
            arrays["labels"], called["labels"]
        )  # before the split: the test set may get the largest label
        arrays = hold_out_test(arrays["images"], arrays["labels"])
    return build(path.stem, arrays, called=called, source=str(path), class_names=class_names, notes=notes)


def _read(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays by role (with or without test and validation sets), and the names of the unused ones."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
            roles = _roles(members, path)
            arrays = {role: _array(archive, members[name], f"{path}:{name}") for role, name in roles.items()}
            return arrays, [name[:80] for name in members if name not in roles.values()]
    except _DAMAGE as error:
        raise DataError(f"{path}: damaged, or not an .npz file ({str(error)[:200]})") from None


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The members of the archive by name. DataError for impossible sizes."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name in members:
            raise DataError(f"{path}: holds {name} twice")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{path}: {name} is compressed in a way NumPy does not use")
        if info.file_size > min(info.compress_size * idx.MAX_EXPANSION, idx.MAX_BYTES):
            raise DataError(f"{path}: {name} declares {info.file_size} bytes, more than {info.compress_size} can hold")
        members[name] = info
    if sum(info.compress_size for info in members.values()) > path.stat().st_size:
        raise DataError(f"{path}: its members declare more bytes than the file has")
    return members


def _roles(names: Collection[str], path: Path) -> dict[str, str]:
    """The name of the array for each role."""
    roles = {role: name for role, spellings in _SPELLINGS.items() for name in reversed(spellings) if name in names}
    for wanted in ((*NDIM, *_VALIDATION), tuple(NDIM), ("images", "labels")):
        if all(role in roles for role in wanted):
            return {role: roles[role] for role in wanted}
    raise DataError(
        f"{path}: holds {', '.join(names) or 'nothing'};\n"
        "expected x_train, y_train, x_test and y_test, or images and labels"
    )


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> np.ndarray:
    """One member as an array of integers."""
    with archive.open(info) as stream:
        dtype, fortran, shape, begin = _header(stream, where)
        declared, there = math.prod(shape) * dtype.itemsize, info.file_size - begin
        if declared != there:
            raise DataError(f"{where}: declares {declared} bytes of values, but holds {there}")
        values = np.frombuffer(stream.read(declared + 1), dtype)  # reading to the end makes zipfile check the CRC
    return values.reshape(shape, order="F" if fortran else "C")


def _header(stream: IO[bytes], where: str) -> tuple[np.dtype, bool, tuple[int, ...], int]:
    """(dtype, whether in Fortran order, shape, offset of the values): https://numpy.org/neps/nep-0001-npy-format.html"""
    magic, major, _ = stream.read(6), *stream.read(2)
    if magic != b"\x93NUMPY" or major not in (1, 2):
        raise DataError(f"{where}: not a NumPy array (of format 1 or 2)")
    length = int.from_bytes(stream.read(2 * major), "little")
    found = _HEADER.fullmatch(stream.read(min(length, 1 << 12)))
    if found is None:
        raise DataError(f"{where}: not an array of integers, or with a header that NumPy would not write")
    shape = tuple(int(n.strip().removesuffix(b"L")) for n in found["shape"].split(b",") if n.strip())
    return _integers(found["dtype"].decode(), where), found["fortran"] == b"True", shape, 8 + 2 * major + length


def _integers(dtype: str, where: str) -> np.dtype:
    """The integer dtype with this name. DataError for another dtype."""
    if re.fullmatch(r".(?:b1|[iu][1248])", dtype):
        return np.dtype(dtype)
    held, images, labels = _ADVICE.get(dtype[1], ("other values", "save pixels from 0 to 255", "save whole numbers"))
    role = next((role for role, spellings in _SPELLINGS.items() if where.rpartition(":")[2] in spellings), "")
    raise DataError(f"{where}: not an array of integers but of {held}; {images if 'images' in role else labels}")


def _pixels(values: np.ndarray, where: str) -> np.ndarray:
    if values.ndim not in (3, 4) or (values.ndim == 4 and values.shape[3] not in (1, 3)) or 0 in values.shape:
        raise DataError(f"{where}: shape {values.shape}, expected (n, height, width) or (n, height, width, 1 or 3)")
    if values.dtype == bool:
        values = values * np.uint8(255)
    if values.min() < 0 or values.max() > 255:
        raise DataError(f"{where}: values from {values.min()} to {values.max()}, expected 0 to 255")
    return np.ascontiguousarray(values, np.uint8)


def _labels(values: np.ndarray, where: str) -> np.ndarray:
    if values.ndim == 2 and values.shape[1] == 1:  # a single column
        values = values[:, 0]
    if values.ndim == 2 and len(values) and (values.sum(axis=1) == 1).all():
        raise DataError(f"{where}: shape {values.shape}, one column per class; save y.argmax(axis=1)")
    if values.ndim != 1 or len(values) == 0:
        raise DataError(f"{where}: shape {values.shape}, expected (n,)")
    if values.min() < 0 or values.max() >= MAX_CLASSES:
        most = MAX_CLASSES - 1
        raise DataError(f"{where}: labels from {values.min()} to {values.max()}, expected 0 to {most}; {RENUMBER}")
    return np.ascontiguousarray(values, np.int32)
