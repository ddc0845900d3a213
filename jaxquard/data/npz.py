"""An .npz of images and labels, read without trust: each size is checked before memory is set aside, no pickle is read."""

import math
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from jaxquard.data import idx
from jaxquard.data.dataset import Dataset, build, hold_out_test
from jaxquard.errors import DataError

# What people call the four arrays; the first spelling found is taken.
_SPELLINGS = {
    "train_images": ("train_images", "x_train", "X_train", "training_images"),
    "train_labels": ("train_labels", "y_train", "Y_train", "training_labels"),
    "test_images": ("test_images", "x_test", "X_test"),
    "test_labels": ("test_labels", "y_test", "Y_test"),
    "images": ("images", "x", "X"),
    "labels": ("labels", "y", "Y"),
}
_HEADER = re.compile(
    rb"\{'descr': '(?P<dtype>[|<>][biu][1248])', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>[0-9, ]{0,99})\), ?\} *\n"
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
    """Read an .npz with x_train, y_train, x_test and y_test (or similar names), or with images and labels alone.

    Images are 0 to 255, `(n, height, width)` or `(n, height, width, channels)`; labels are integers `(n,)` from 0.
    Of images and labels alone, a sixth is held out as the test set, always the same. Raises DataError.
    """
    arrays = _read(path)
    images = {role: _pixels(values, f"{path}:{role}") for role, values in arrays.items() if role.endswith("images")}
    labels = {role: _labels(values, f"{path}:{role}") for role, values in arrays.items() if role.endswith("labels")}
    sha256 = {role: idx.sha256(values.view(np.uint8)) for role, values in {**images, **labels}.items()}
    ready = {**images, **labels}
    if "images" in ready:
        if len(ready["images"]) != len(ready["labels"]):
            raise DataError(f"{path}: {len(ready['images'])} images, but {len(ready['labels'])} labels")
        ready = hold_out_test(ready["images"], ready["labels"])
    called = {role: f"{path}:{role}" for role in ready}
    return build(path.stem, ready, called=called, sha256=sha256, source=str(path))


def _read(path: Path) -> dict[str, np.ndarray]:
    """The arrays by role: the four, or images and labels."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
            roles = {
                role: name
                for role, names in _SPELLINGS.items()
                if (name := next((n for n in names if n in members), ""))
            }
            four = [role for role in _SPELLINGS if role.startswith("t")]
            wanted = four if all(role in roles for role in four) else ["images", "labels"]
            if any(role not in roles for role in wanted):
                raise DataError(
                    f"{path}: holds {', '.join(members) or 'nothing'}; expected x_train, y_train, x_test and y_test, "
                    "or images and labels"
                )
            return {role: _array(archive, members[roles[role]], path) for role in wanted}
    except DataError:
        raise
    except _DAMAGE as error:
        raise DataError(f"{path}: not a sound .npz file ({error})") from None


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The arrays of the archive by name, once their sizes have been found possible."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name in members:
            raise DataError(f"{path}: holds {name} twice")
        members[name] = info
        if info.file_size > min(info.compress_size * idx.MAX_EXPANSION, idx.MAX_BYTES):
            raise DataError(
                f"{path}: {name} declares {info.file_size} bytes, more than its {info.compress_size} can hold"
            )
    if sum(info.compress_size for info in members.values()) > path.stat().st_size:
        raise DataError(f"{path}: its members declare more bytes than the file has")
    return members


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    """One member as an array of integers."""
    where = f"{path}:{info.filename}"
    with archive.open(info) as stream:
        magic, version, _ = stream.read(6), *stream.read(2)
        if magic != b"\x93NUMPY" or version not in (1, 2):
            raise DataError(f"{where}: not a NumPy array (format 1 or 2)")
        width = 2 if version == 1 else 4
        length = int.from_bytes(stream.read(width), "little")
        found = _HEADER.fullmatch(stream.read(min(length, 1 << 12)))
        if found is None:
            raise DataError(f"{where}: expected an array of integers, described as NumPy writes it")
        shape = tuple(int(n) for n in found["shape"].split(b",") if n.strip())
        dtype = np.dtype(found["dtype"].decode())
        declared = math.prod(shape) * dtype.itemsize
        if 8 + width + length + declared != info.file_size:
            raise DataError(
                f"{where}: declares {declared} bytes of values, but holds {info.file_size - 8 - width - length}"
            )
        values = np.frombuffer(stream.read(declared + 1), dtype)  # the one more makes zipfile check the CRC
    return values.reshape(shape, order="F" if found["fortran"] == b"True" else "C")


def _pixels(values: np.ndarray, where: str) -> np.ndarray:
    if values.ndim not in (3, 4) or (values.ndim == 4 and values.shape[3] not in (1, 3)) or 0 in values.shape:
        raise DataError(f"{where}: shape {values.shape}, expected (n, height, width) or (n, height, width, 1 or 3)")
    if values.min() < 0 or values.max() > 255:
        raise DataError(f"{where}: values from {values.min()} to {values.max()}, expected 0 to 255")
    return np.ascontiguousarray(values, np.uint8)


def _labels(values: np.ndarray, where: str) -> np.ndarray:
    if values.ndim == 2 and values.shape[1] == 1:  # a column, as some write it
        values = values[:, 0]
    if values.ndim != 1 or len(values) == 0:
        raise DataError(f"{where}: shape {values.shape}, expected (n,)")
    if values.min() < 0 or values.max() > 65535:
        raise DataError(f"{where}: labels from {values.min()} to {values.max()}, expected 0 to 65535")
    return np.ascontiguousarray(values, np.int32)
