"""The binary archives of CIFAR-10 and CIFAR-100. They are verified and unpacked in memory.

Each record has one or two bytes of labels, the finer one last, then the red, the green and the blue pixels:
https://www.cs.toronto.edu/~kriz/cifar.html
"""

import hashlib
import io
import tarfile
import zlib
from pathlib import Path

import numpy as np

from jaxquard.data import idx
from jaxquard.data.catalogue import Archive
from jaxquard.errors import DataError

SIDE = 32
PIXELS = 3 * SIDE * SIDE
MOST = 1 << 28  # bytes of one file; the largest has 154 million


def unpacked(archive: Archive, origin: bytes | Path) -> dict[str, bytes]:
    """The contents of an archive as IDX files, by role. DataError if it is not the published archive."""
    if isinstance(origin, Path):
        with origin.open("rb") as file:
            name, data = str(origin), file.read(MOST)
    else:
        name, data = f"{archive.name}.gz", origin
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != archive.md5:
        raise DataError(f"{name}: not the expected file (wrong MD5)")
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
            train, test = (_records(tar, archive, members) for members in (archive.train, archive.test))
    except (tarfile.TarError, EOFError, OSError, KeyError, ValueError, zlib.error) as fault:
        raise DataError(f"{name}: damaged ({fault})") from None
    return {
        "train_images": _images(train),
        "train_labels": _labels(train),
        "test_images": _images(test),
        "test_labels": _labels(test),
    }


def _records(tar: tarfile.TarFile, archive: Archive, members: tuple[str, ...]) -> np.ndarray:
    """The records of some members, uint8 (n, bytes)."""
    found = []
    for name in members:
        stream = tar.extractfile(name)
        if stream is None:
            raise ValueError(f"{name} is not a file")
        found.append(np.frombuffer(stream.read(MOST), np.uint8).reshape(-1, archive.labels + PIXELS))
    return np.concatenate(found)


def _images(records: np.ndarray) -> bytes:
    pixels = records[:, -PIXELS:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return idx.header(pixels.shape) + pixels.tobytes()


def _labels(records: np.ndarray) -> bytes:
    labels = records[:, -PIXELS - 1]
    return idx.header(labels.shape) + labels.tobytes()
