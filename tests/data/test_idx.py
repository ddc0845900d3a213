"""Every fault of an IDX file is one DataError, without memory allocated for it; a correct file is read exactly."""

import contextlib
import gzip
import hashlib
import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jaxquard.data import idx
from jaxquard.data.idx import read_idx
from jaxquard.errors import DataError

# Two images of 2×3 and three labels, written by the format's description.
IMAGES = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, *range(12)])
LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9])


def named(data: bytes, size: int) -> bytes:
    """`data` gzipped into exactly `size` bytes, padded by the file name in gzip's header."""
    for name in ("x", "x" * (size - len(named(data, 0)) + 1) if size else "x"):
        with gzip.GzipFile(name, "wb", fileobj=(packed := io.BytesIO()), mtime=0) as file:
            file.write(data)
    return packed.getvalue()


def declaring(*shape: int) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: gzip.compress(data, 0)])
def test_reads_the_bytes_of_the_format(pack, tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(pack(IMAGES))
    for source in (path, pack(IMAGES)):
        np.testing.assert_array_equal(read_idx(source, ndim=3), np.arange(12).reshape(2, 2, 3))
    assert read_idx(pack(LABELS), ndim=1).tolist() == [7, 0, 9]


def test_reads_more_than_one_chunk_of_noise() -> None:
    values = np.random.default_rng(0).integers(0, 256, (300, 28, 28), np.uint8)
    packed = gzip.compress(idx.header(values.shape) + values.tobytes())
    assert len(packed) > 1 << 17
    np.testing.assert_array_equal(read_idx(packed, ndim=3), values)


def test_checksums_are_those_of_the_decoded_file() -> None:
    images = read_idx(gzip.compress(IMAGES), ndim=3)
    assert idx.header(images.shape) == IMAGES[:16]
    assert idx.sha256(images) == idx.sha256(images[..., np.newaxis]) == hashlib.sha256(IMAGES).hexdigest()
    assert idx.crc32(images) == zlib.crc32(IMAGES)


def test_a_hash_is_of_values_shape_and_type():
    """Labels have the same hash as bytes and as integers; larger labels have another."""
    labels = np.arange(6)
    assert idx.sha256(labels) == idx.sha256(labels.astype(np.uint8)) == idx.sha256(labels.astype(np.int32))
    large = bytes([0, 0, 0x0C, 1, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 1])
    assert idx.sha256(np.array([256, 1], np.int32)) == hashlib.sha256(large).hexdigest()
    shapes = [(6,), (2, 3), (3, 2), (1, 2, 3), (1, 2, 1, 3)]
    assert len({idx.sha256(labels.astype(np.uint8).reshape(shape)) for shape in shapes}) == len(shapes)


FAULTS = {
    "nothing": (b"", "truncated: 0 bytes where the header alone takes 16"),
    "half a magic number": (IMAGES[:3], "truncated: 3 bytes"),
    "half a header": (IMAGES[:10], "truncated: 10 bytes where the header alone takes 16"),
    "another magic number": (b"PK\3\4" + IMAGES[4:], "wrong magic number 0x504b0304, expected 0x00000803"),
    "a web page": (b"<!DOCTYPE html>" + b" " * 40, "wrong magic number 0x3c21444f"),
    "little-endian": (bytes([3, 8, 0, 0]) + IMAGES[4:], "wrong magic number 0x03080000"),
    "unknown type": (bytes([0, 0, 7, 3]) + IMAGES[4:], "wrong magic number 0x00000703"),
    "floats": (bytes([0, 0, 13, 3]) + IMAGES[4:], "holds float32 values, expected uint8"),
    "labels for images": (LABELS + b"\0" * 9, "has 1 dimensions, expected 3"),
    "no dimensions": (bytes([0, 0, 8, 0]) + b"\0" * 12, "has 0 dimensions, expected 3"),
    "no examples": (declaring(0, 2, 3), "empty: its header declares dimensions (0, 2, 3)"),
    "no pixels": (declaring(2, 0, 3), "empty: its header declares dimensions (2, 0, 3)"),
    "one byte short": (IMAGES[:-1], "truncated: 28 bytes declared, 27 there"),
    "one image short": (declaring(3, 2, 3) + bytes(12), "truncated: 34 bytes declared, 28 there"),
    "one byte long": (IMAGES + b"\0", "1 trailing bytes after the 28"),
    "count too small": (declaring(1, 2, 3) + bytes(12), "6 trailing bytes after the 22"),
    "a terabyte": (declaring(1 << 20, 1 << 10, 1 << 10) + bytes(12), "declares 1099511627792 bytes"),
    "all ones": (declaring(*[(1 << 32) - 1] * 3), "more than a file of 16 bytes can hold"),
    "gzipped: one byte short": (gzip.compress(IMAGES[:-1]), "truncated: 28 bytes declared, 27 there"),
    "gzipped: one byte long": (gzip.compress(IMAGES + b"\0"), "trailing bytes after the 28"),
    "gzipped: no header": (gzip.compress(IMAGES[:9]), "truncated: 9 bytes where the header alone takes 16"),
    "gzipped: nothing": (gzip.compress(b""), "truncated: 0 bytes"),
    "gzipped: a gigabyte": (gzip.compress(declaring(1 << 20, 32, 32)), "more than a file of"),
    "gzipped: cut in the body": (gzip.compress(IMAGES)[:-12], "damaged gzip data (the gzip data ends too early)"),
    "gzipped: cut in the checksum": (gzip.compress(IMAGES)[:-5], "damaged gzip data (the gzip data ends too early)"),
    "gzipped: only the magic": (b"\x1f\x8b", "damaged gzip data (the gzip data ends too early)"),
    "gzipped: wrong checksum": (gzip.compress(IMAGES)[:-8] + b"\0" * 8, "damaged gzip data (incorrect data check)"),
    "gzipped: wrong length": (gzip.compress(IMAGES)[:-4] + b"\0" * 4, "damaged gzip data (incorrect length check)"),
    "gzipped: unknown method": (b"\x1f\x8b\x07" + bytes(30), "damaged gzip data (unknown compression method)"),
    "gzipped: something behind": (gzip.compress(IMAGES) + b"x", "trailing bytes after the 28"),
    "gzipped: zeros behind": (gzip.compress(IMAGES) + bytes(512), "trailing bytes after the 28"),
    "gzipped: something behind a whole chunk": (named(IMAGES, 1 << 16) + b"x", "trailing bytes after the 28"),
    "gzipped: much behind": (gzip.compress(IMAGES) + bytes(1 << 17), "trailing bytes after the 28"),
    "gzipped: a second member": (gzip.compress(IMAGES) * 2, "trailing bytes after the 28"),
    "gzipped twice": (gzip.compress(gzip.compress(IMAGES)), "wrong magic number 0x1f8b0800"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_error(fault: str, tmp_path: Path) -> None:
    data, expected = FAULTS[fault]
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_idx(path, ndim=3)
    assert str(caught.value).startswith(f"{path}: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"^fetched: "):
        read_idx(data, ndim=3, name="fetched")


def test_a_path_that_is_not_a_file_is_an_error(tmp_path: Path) -> None:
    for path, expected in ((tmp_path, "not a file"), (tmp_path / "x", "No such file")):
        with pytest.raises(DataError, match=f"{path}: cannot be read .*{expected}"):
            read_idx(path, ndim=3)


@pytest.mark.posix
def test_a_pipe_is_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"pipe: cannot be read .*not a file"):
        read_idx(tmp_path / "pipe", ndim=3)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (declaring(1 << 10, 1 << 10, 1 << 10) + bytes(100), "truncated"),
        (gzip.compress(declaring(1 << 10, 1 << 10, 1 << 10) + bytes(100)), "more than a file of"),
        (gzip.compress(IMAGES + bytes(50_000_000)), "trailing bytes"),  # 49 KB that decompress to 50 MB
    ],
    ids=["plain", "gzipped", "a bomb"],
)
def test_a_false_size_allocates_no_memory(data: bytes, expected: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=expected):
            read_idx(data, ndim=3)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@given(
    packed=st.booleans(),
    cut=st.tuples(st.integers(0, 60), st.integers(0, 4)),
    patch=st.binary(max_size=4),
    ndim=st.sampled_from([1, 3]),
)
@example(packed=True, cut=(3, 1), patch=b"\xff", ndim=3)  # every optional part of a gzip header
def test_no_mutant_raises_anything_else(packed: bool, cut: tuple[int, int], patch: bytes, ndim: int) -> None:
    data = gzip.compress(IMAGES, mtime=0) if packed else IMAGES
    start, length = cut
    mutant = data[:start] + patch + data[start + length :]
    with contextlib.suppress(DataError):
        values = read_idx(mutant, ndim=ndim)
        assert values.ndim == ndim
        if not packed:
            assert idx.header(values.shape) + values.tobytes() == mutant
