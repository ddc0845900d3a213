"""Decodes a picture file into upright RGBA pixels of a limited size.

The first bytes decide which decoder reads a picture, not the file's name; Pillow's other decoders are never tried.
Colour profiles are not applied, because they were not applied to the training images either.
"""

import contextlib
import importlib
import io
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageFile

from jaxquard.errors import DataError
from jaxquard.installed import how_to_add
from jaxquard.naming import visible

MAX_BYTES = 512 * 2**20  # of a file
MAX_MEMORY = 1_000_000_000  # bytes, while decoding
MAX_SCANS = 200  # of a JPEG; each one takes as long as a small picture
WORKING_EDGE = 1024  # pixels; larger pictures are reduced to this
READABLE = "PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF and HEIC"
SUFFIXES = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
SUFFIXES |= {".avif", ".heic", ".heif"}

_DECODERS = {  # format -> the module and the class that decode it
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "WebP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIC": ("pillow_heif", "HeifImageFile"),
}
_SIGNATURES = (  # (offset, first bytes, format)
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (8, b"WEBP", "WebP"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\0\0\1\0", "icon"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
)
_BRANDS = {  # of the container that HEIC and AVIF share
    "AVIF": {b"avif", b"avis"},
    "HEIC": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"},
}
_ORIENTATION = ExifTags.Base.Orientation
_BITS, _PHOTOMETRIC, _TILE_WIDTH, _TILE_HEIGHT, _SAMPLE_FORMAT = 258, 262, 322, 323, 339  # tags of TIFF
_WHITE_IS_ZERO, _UNSIGNED = 0, 1
_UPRIGHT = {  # EXIF orientation -> the operation that turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
T = TypeVar("T")


def decode(source: Path | bytes, *, name: str | None = None) -> tuple[np.ndarray, list[str]]:
    """A picture as upright RGBA uint8 (H, W, 4), at most WORKING_EDGE on a side, and notes on how it was read.

    `name` is the picture's name in messages. Raises DataError if it cannot be read. Several threads may decode at once.
    """
    return _opened(source, name, _load)


def size(source: Path | bytes, *, name: str | None = None) -> tuple[int, int]:
    """(height, width) of a picture, upright, from its header. Raises DataError as `decode`."""
    return _opened(source, name, _upright_size)


def _opened(source: Path | bytes, name: str | None, use: Callable[[ImageFile.ImageFile, str, str], T]) -> T:
    """The result of `use`, which gets the opened picture, its format and its name. Raises DataError."""
    name = visible(name or (str(source) if isinstance(source, Path) else "the picture"))
    data = source if isinstance(source, bytes) else read_file(source, name)
    kind = _kind(data, name)
    decoder = _decoder(kind, name)
    try:
        with _no_warnings, _no_stderr if kind == "TIFF" else nullcontext():
            return use(decoder(io.BytesIO(_checked(data, kind))), kind, name)
    except DataError:
        raise
    except (MemoryError, Image.DecompressionBombError):
        raise DataError(f"{name}: too large to decode in the free memory; save it smaller") from None
    except Exception:  # decoders raise many types of errors for damaged bytes
        if kind in ("PNG", "JPEG", "WebP", "GIF"):
            raise DataError(f"{name}: the {kind} picture is damaged or incomplete; download it again") from None
        raise DataError(f"{name}: the {kind} picture is damaged, incomplete or unusual; save it as PNG") from None


def read_file(path: Path, name: str) -> bytes:
    """The bytes of a regular file of at most MAX_BYTES."""
    try:
        if path.is_dir():
            raise DataError(f"{name}: a folder without pictures")
        if path.exists() and not path.is_file():
            raise DataError(f"{name}: not a regular file")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except (OSError, ValueError) as fault:  # ValueError: a null byte in the path
        raise DataError(f"{name}: cannot be read ({getattr(fault, 'strerror', None) or fault})") from None


def _kind(data: bytes, name: str) -> str:
    """The picture's format. DataError if it cannot be read."""
    if not data:
        raise DataError(f"{name}: an empty file, not a picture")
    if len(data) > MAX_BYTES:
        raise DataError(f"{name}: larger than {MAX_BYTES // 2**20} MB; save it smaller")
    kind = _signed(data)
    if kind is None:
        raise DataError(f"{name}: not a picture in a supported format: {READABLE}")
    if kind not in _DECODERS:
        raise DataError(f"{name}: {kind} is not supported; save it as PNG or JPEG")
    return kind


def _signed(data: bytes) -> str | None:
    """The format that the first bytes declare, or None."""
    if data[4:8] == b"ftyp":  # a box of brands: its size, its name, the main brand, a version, the other brands
        box = data[8 : min(int.from_bytes(data[:4]), 256)]
        brands = {box[at : at + 4] for at in range(0, len(box), 4)}
        return next((kind for kind, known in _BRANDS.items() if brands & known), None)
    beginning = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if beginning.startswith(b"<") and b"<svg" in beginning:
        return "SVG"
    return next((kind for offset, first, kind in _SIGNATURES if data.startswith(first, offset)), None)


def _decoder(kind: str, name: str) -> type[ImageFile.ImageFile]:
    """Pillow's class that decodes a format. DataError if it is not installed."""
    module, decoder = _DECODERS[kind]
    try:
        found = importlib.import_module(module)
        if getattr(found, "SUPPORTED", True):  # Pillow has the module, but not always the library for it
            return getattr(found, decoder)
    except ImportError:
        pass
    missing = how_to_add("heif") if kind == "HEIC" else "pip install --upgrade pillow"
    raise DataError(f"{name}: to read {kind}, run {missing}; or save the picture as JPEG")


class _Shared:
    """A context that changes the whole process: the first of several threads enters it, the last one leaves it."""

    def __init__(self, make: Callable[[], AbstractContextManager[None]]) -> None:
        self._make, self._users, self._lock = make, 0, threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._made = self._make()
                self._made.__enter__()
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._made.__exit__(None, None, None)


@contextlib.contextmanager
def _ignoring_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _discarding_stderr() -> Iterator[None]:
    with contextlib.ExitStack() as undoing:
        with contextlib.suppress(OSError):  # stderr is closed
            before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
            undoing.callback(os.close, before)
            undoing.callback(os.close, nowhere)
            undoing.callback(os.dup2, before, 2)
            os.dup2(nowhere, 2)
        yield


_no_warnings = _Shared(_ignoring_warnings)  # Pillow's, as on damaged EXIF
_no_stderr = _Shared(_discarding_stderr)  # libtiff writes its messages there
_large = threading.Lock()  # one large picture at a time


def _checked(data: bytes, kind: str) -> bytes:
    """The bytes for the decoder. Raises ValueError for damage that Pillow would not notice."""
    if kind == "PNG":
        return _without_text(data)
    if kind == "GIF" and not data.rstrip(b"\0\r\n").endswith(b";"):
        raise ValueError("no trailer")
    if kind == "JPEG" and data.count(b"\xff\xda") > MAX_SCANS:
        raise ValueError("too many scans")
    return data


def _without_text(data: bytes) -> bytes:
    """A PNG without text and colour profile, because Pillow rejects a picture with more than 1 MB of them.

    Raises if a checksum is wrong or the end is missing, which Pillow does not check after the last pixel.
    """
    kept, at, kind = [data[:8]], 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        chunk = data[at : at + 12 + length]
        if len(chunk) < 12 + length or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise ValueError(f"{kind} is damaged")
        if kind not in (b"tEXt", b"zTXt", b"iTXt", b"iCCP"):
            kept.append(chunk)
        at += len(chunk)
    return b"".join(kept)


def _load(picture: ImageFile.ImageFile, kind: str, name: str) -> tuple[np.ndarray, list[str]]:
    """Decode a picture, reduce it, and turn it upright. DataError if that needs too much memory."""
    needed = _memory(picture, kind)
    if needed > MAX_MEMORY:
        size = f"{picture.width:,} x {picture.height:,} pixels need {needed / 1e9:,.1f} GB of memory to decode"
        raise DataError(f"{name}: {size}; the limit is {MAX_MEMORY / 1e9:,.0f} GB: save it smaller")
    with _large if needed > MAX_MEMORY // 10 else nullcontext():
        return _decoded(picture, kind)


def _decoded(picture: ImageFile.ImageFile, kind: str) -> tuple[np.ndarray, list[str]]:
    """The pixels and the notes of `decode`."""
    notes = []
    if getattr(picture, "is_animated", False):
        notes.append("the file has several images; only the first is used")
    if kind == "PNG" and "transparency" in picture.info:
        _scale_transparent_colour(picture)
    turn = picture.getexif().get(_ORIENTATION, 1)
    if kind == "JPEG":
        width, height = (max(1, side * 2 * WORKING_EDGE // max(picture.size)) for side in picture.size)
        picture.draft(None, (width, height))
    image = _eight_bits(picture, kind)
    image.thumbnail((WORKING_EDGE, WORKING_EDGE))  # never enlarges
    if turn in _UPRIGHT:
        if kind != "TIFF":  # Pillow turns TIFFs itself
            image = image.transpose(_UPRIGHT[turn])
        notes.append("turned upright by its EXIF data")
    return np.asarray(image.convert("RGBA")), notes


def _upright_size(picture: ImageFile.ImageFile, kind: str, name: str) -> tuple[int, int]:
    width, height = picture.size
    turned = kind != "TIFF" and picture.getexif().get(_ORIENTATION, 1) >= 5  # a TIFF's size is upright
    return (width, height) if turned else (height, width)


def _memory(picture: ImageFile.ImageFile, kind: str) -> int:
    """The peak memory of decoding, in bytes, roughly as measured with Pillow 13."""
    width, height = picture.size
    if kind == "JPEG":  # reduced while it is decoded, but a progressive one keeps all coefficients
        return (8 if picture.info.get("progressive") else 4) * width * height
    if kind == "TIFF":  # a tile may claim to be larger than the picture
        tags = picture.tag_v2  # pyright: ignore[reportAttributeAccessIssue]
        width, height = max(width, tags.get(_TILE_WIDTH, 0)), max(height, tags.get(_TILE_HEIGHT, 0))
    plain = picture.mode in ("1", "L", "RGB", "CMYK", "YCbCr") and not picture.has_transparency_data
    return ((4 if plain else 12) + {"WebP": 12, "AVIF": 5, "HEIC": 5}.get(kind, 1)) * width * height


def _eight_bits(picture: ImageFile.ImageFile, kind: str) -> Image.Image:
    """The decoded picture with 8 bits per channel, and its transparency as a channel."""
    if picture.mode.startswith(("I", "F")):
        return _from_deep_grey(picture, kind)
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode not in ("RGBA", "LA") and (picture.mode == "P" or picture.has_transparency_data):
        return picture.convert("RGBA")
    return picture


def _scale_transparent_colour(picture: ImageFile.ImageFile) -> None:
    """Scale the transparent colour to 8 bits, as Pillow scales the samples."""
    colour, stored = picture.info["transparency"], picture.tile[0][3]
    if stored == "RGB;16B":
        picture.info["transparency"] = tuple(value >> 8 for value in colour)
    elif stored in ("L;2", "L;4"):
        picture.info["transparency"] = colour * {"L;2": 85, "L;4": 17}[stored]


def _from_deep_grey(picture: ImageFile.ImageFile, kind: str) -> Image.Image:
    """Grey levels of 8 bits: the upper bits of 12 or 16; 32 bits are scaled so that the darkest value is 0."""
    tags = picture.tag_v2 if kind == "TIFF" else {}  # pyright: ignore[reportAttributeAccessIssue]
    values, bits = np.asarray(picture), tags.get(_BITS, (16,))[0]
    if values.dtype.kind == "u":
        small = (values >> (bits - 8)).astype(np.uint8)
    else:
        if (values.dtype, bits, tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0]) == (np.int32, 32, _UNSIGNED):
            values = values.view(np.uint32)  # Pillow reads them as signed
        values = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
        small = np.rint((values - values.min()) * (255 / max(float(np.ptp(values)), 1e-30))).astype(np.uint8)
    grey = Image.fromarray(255 - small if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else small)
    colour = picture.info.get("transparency")
    if colour is not None:
        grey.putalpha(Image.fromarray(np.where(values == colour, 0, 255).astype(np.uint8)))
    return grey
