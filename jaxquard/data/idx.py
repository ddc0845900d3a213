"""A strict reader of IDX, the format of MNIST. It returns an array, or raises a DataError with the file and its fault.

An IDX file has a magic number (two zero bytes, a type code, the number of dimensions), the dimensions as big-endian
32-bit integers, and the values in C order; nothing may follow. It is usually gzipped. The declared size is checked
against the size of the file before memory is allocated, so that a small file cannot claim gigabytes.
"""

import hashlib
import io
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from jaxquard.errors import DataError

MAX_BYTES = 1 << 32  # no data set for this program is larger, and no size below can overflow
MAX_EXPANSION = 1032  # bytes that DEFLATE can make of one byte at most: 258 bytes from two bits
_TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_CHUNK = 1 << 16


def read_idx(source: Path | bytes, *, ndim: int, name: str = "") -> np.ndarray:
    """Read an IDX file of unsigned bytes, gzipped or not, from a path or from bytes.

    Returns a uint8 array of `ndim` dimensions. `name` is the file's name in errors (default: its path).
    Raises DataError for every deviation from the format.
    """
    name = name or (str(source) if isinstance(source, Path) else "IDX data")
    try:
        with _open(source) as stream:
            return _read(stream, ndim, name)
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror or error})") from None
    except zlib.error as error:
        raise DataError(f"{name}: damaged gzip data ({str(error).rpartition(': ')[2]})") from None


def header(shape: tuple[int, ...]) -> bytes:
    """The header of an IDX file of uint8 values with this shape."""
    return struct.pack(f">HBB{len(shape)}I", 0, 0x08, len(shape), *shape)


def sha256(values: np.ndarray) -> str:
    """SHA-256 of the IDX file, not gzipped, with these values: the same for the same values from any source.

    Images (n, height, width, 1) are written as (n, height, width), float32 with type code 0x0D. Labels are written as
    bytes if these suffice, else as big-endian 32-bit integers, type code 0x0C.
    """
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    head = header(values.shape)
    if values.dtype.kind == "f":
        values, head = values.astype(">f4"), head[:2] + b"\x0d" + head[3:]
    elif values.dtype != np.uint8:
        small = values.max(initial=0) <= 255
        values = values.astype(np.uint8 if small else ">i4")
        head = head if small else head[:2] + b"\x0c" + head[3:]
    digest = hashlib.sha256(head)
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def crc32(values: np.ndarray) -> int:
    """CRC-32 of the IDX file with uint8 values: three times as fast as SHA-256, and enough to detect accidents."""
    return zlib.crc32(np.ascontiguousarray(values).data, zlib.crc32(header(values.shape)))


def _open(source: Path | bytes) -> io.BufferedIOBase:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if os.path.exists(source) and not os.path.isfile(source):  # opening a named pipe could wait forever
        raise OSError("not a file")
    return source.open("rb")


def _read(stream: io.BufferedIOBase, ndim: int, name: str) -> np.ndarray:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    gzipped = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    reader = _Gunzip(stream) if gzipped else stream
    shape = _shape(reader.read(4 + 4 * ndim), ndim, name)
    declared = len(header(shape)) + math.prod(shape)
    _check_size(declared, size, gzipped, name)
    values = np.empty(math.prod(shape), np.uint8)
    filled = reader.readinto(values.data)
    if filled < values.size:
        raise DataError(f"{name}: truncated: {declared} bytes declared, {len(header(shape)) + filled} there")
    if reader.read(1) or stream.read(1):
        raise DataError(f"{name}: trailing bytes after the {declared} that its header declares")
    return values.reshape(shape)


def _shape(head: bytes, ndim: int, name: str) -> tuple[int, ...]:
    """The dimensions in the header of an IDX file."""
    if len(head) >= 4:
        zero, kind, dimensions = struct.unpack(">HBB", head[:4])
        if zero != 0 or kind not in _TYPES:
            raise DataError(
                f"{name}: wrong magic number 0x{head[:4].hex()}, expected 0x{header((0,) * ndim)[:4].hex()}"
            )
        if kind != 0x08:
            raise DataError(f"{name}: holds {_TYPES[kind]} values, expected uint8")
        if dimensions != ndim:
            raise DataError(f"{name}: has {dimensions} dimensions, expected {ndim}")
    if len(head) < 4 + 4 * ndim:
        raise DataError(f"{name}: truncated: {len(head)} bytes where the header alone takes {4 + 4 * ndim}")
    shape = struct.unpack(f">{ndim}I", head[4:])
    if 0 in shape:
        raise DataError(f"{name}: empty: its header declares dimensions {shape}")
    return shape


def _check_size(declared: int, size: int, gzipped: bool, name: str) -> None:
    """DataError for a header that declares more, or less, than a file of `size` bytes can contain."""
    if declared > MAX_BYTES or (gzipped and declared > size * MAX_EXPANSION):
        raise DataError(f"{name}: its header declares {declared} bytes, more than a file of {size} bytes can hold")
    if not gzipped and size < declared:
        raise DataError(f"{name}: truncated: {declared} bytes declared, {size} there")
    if not gzipped and size > declared:
        raise DataError(f"{name}: {size - declared} trailing bytes after the {declared} that its header declares")


class _Gunzip:
    """One gzip member, decompressed piece by piece into the caller's buffers."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._zlib = zlib.decompressobj(wbits=31)

    def readinto(self, buffer: memoryview | bytearray) -> int:
        """Fill the buffer, or as much as is left; returns the number of bytes. Raises zlib.error on damage."""
        view, filled = memoryview(buffer), 0
        while filled < len(view) and not self._zlib.eof:
            packed = self._zlib.unconsumed_tail or self._stream.read(_CHUNK)
            if not packed:
                raise zlib.error("the gzip data ends too early")
            part = self._zlib.decompress(packed, len(view) - filled)
            view[filled : filled + len(part)] = part
            filled += len(part)
        return filled

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; at the end of the member, one byte if the file has more data."""
        buffer = bytearray(size)
        filled = self.readinto(buffer)
        return bytes(buffer[:filled]) or self._zlib.unused_data[:1]
