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

from jaxquard.data import arrays as in_memory
from jaxquard.data import idx
from jaxquard.data.dataset import NDIM, Dataset, build, checked_names, hold_out_test, numbered
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
    "class_names": ("class_names", "label_names", "classes", "names"),
}
_PARTLESS = {"images": "train_images", "labels": "train_labels"}
_VALIDATION = ("val_images", "val_labels")
_HEADER = re.compile(  # Python 2 wrote long integers with an L
    rb"\{'descr': '(?P<dtype>[|<>][a-zA-Z][0-9]{0,9})', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>(?:[0-9]{1,19}L?,? ?){0,9})\), ?\} *\n"
)
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

    Images and labels are as for `Dataset.from_arrays`, but integer labels count from 0. `class_names` names them.
    Without a test set, always the same sixth of each class becomes it. x_val and y_val are the validation set.
    Raises DataError.
    """
    arrays, unused = _read(path)
    notes = [f"not used: {', '.join(unused)}"] if unused else []
    called = {role: f"{path}:{role}" for role in _SPELLINGS}
    if "images" in arrays:  # without parts: to train on, and to test
        arrays = {_PARTLESS.get(role, role): values for role, values in arrays.items()}
        called |= {_PARTLESS[role]: called[role] for role in _PARTLESS}
    names = arrays.pop("class_names", None)
    class_names = None if names is None else checked_names(names.ravel().astype(str).tolist(), called["class_names"])
    images, labels, value_range = in_memory.decoded(arrays, called, notes)
    if any(values.dtype.kind == "U" for values in labels.values()):
        labels, class_names = in_memory.numbered(labels, called, class_names)
    else:
        labels = {role: _counted(values, called[role]) for role, values in labels.items()}
    if by_class := "test_images" not in images:
        if class_names is None:  # before the split: the test set may get the largest label
            learned = np.concatenate([labels[role] for role in ("train_labels", "val_labels") if role in labels])
            class_names = numbered(learned, called["train_labels"])
        labels |= hold_out_test(images.pop("train_images"), labels.pop("train_labels"))
    facts = {"class_names": class_names, "notes": notes, "value_range": value_range, "by_class": by_class}
    return build(path.stem, images | labels, called=called, source=str(path), **facts)


def _read(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays by role (with or without test and validation sets), and the names of the unused ones."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
            roles = _roles(members, path)
            arrays = {role: _array(archive, members[name], f"{path}:{name}") for role, name in roles.items()}
            return arrays, [name[:80] for name in members if name not in roles.values()]
    except PermissionError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
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
    train = tuple(NDIM)[:2]
    for wanted in ((*NDIM, *_VALIDATION), tuple(NDIM), (*train, *_VALIDATION), train, tuple(_PARTLESS)):
        if all(role in roles for role in wanted):
            return {role: roles[role] for role in (*wanted, "class_names") if role in roles}
    raise DataError(
        f"{path}: holds {', '.join(names) or 'nothing'};\n"
        "expected x_train and y_train, perhaps x_test and y_test, or images and labels"
    )


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> np.ndarray:
    """One member as an array of numbers or text."""
    with archive.open(info) as stream:
        dtype, fortran, shape, begin = _header(stream, where)
        declared, there = math.prod(shape) * dtype.itemsize, info.file_size - begin
        if declared != there:
            raise DataError(f"{where}: declares {declared} bytes of values, but holds {there}")
        values = np.frombuffer(stream.read(declared + 1), dtype)  # reading to the end makes zipfile check the CRC
    if dtype.kind == "U":
        try:
            "".join(values.tolist()).encode()
        except (ValueError, SystemError):  # SystemError: beyond the last character
            raise DataError(f"{where}: holds text that is not Unicode") from None
    return values.reshape(shape, order="F" if fortran else "C")


def _header(stream: IO[bytes], where: str) -> tuple[np.dtype, bool, tuple[int, ...], int]:
    """(dtype, whether in Fortran order, shape, offset of the values): https://numpy.org/neps/nep-0001-npy-format.html"""
    magic, major, _ = stream.read(6), *stream.read(2)
    if magic != b"\x93NUMPY" or major not in (1, 2):
        raise DataError(f"{where}: not a NumPy array (of format 1 or 2)")
    length = int.from_bytes(stream.read(2 * major), "little")
    found = _HEADER.fullmatch(stream.read(min(length, 1 << 12)))
    if found is None:
        raise DataError(f"{where}: not an array of numbers or text, or with a header that NumPy would not write")
    shape = tuple(int(n.strip().removesuffix(b"L")) for n in found["shape"].split(b",") if n.strip())
    return _dtype(found["dtype"].decode(), where), found["fortran"] == b"True", shape, 8 + 2 * major + length


def _dtype(name: str, where: str) -> np.dtype:
    """The dtype with this name, of numbers or text. DataError for another one, such as objects."""
    if re.fullmatch(r".(?:b1|[iu][1248]|f[248]|U[1-9][0-9]{0,3})", name):
        return np.dtype(name)
    held = {"O": "objects", "S": "bytes", "U": "long text"}.get(name[1], f"values of type {name}")
    raise DataError(f"{where}: holds {held}; save images as numbers, labels as numbers or text: np.asarray(y.tolist())")


def _counted(labels: np.ndarray, where: str) -> np.ndarray:
    """Integer labels from 0. DataError for others."""
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= MAX_CLASSES:
        most = MAX_CLASSES - 1
        raise DataError(f"{where}: labels from {labels.min()} to {labels.max()}, expected 0 to {most}; {RENUMBER}")
    return labels.astype(np.int32)
