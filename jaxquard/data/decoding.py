"""The bytes of a picture -> upright RGBA pixels of a working size.

Only the one decoder that the first bytes ask for is used, whatever the file's name says.
"""

import io
import threading
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from jaxquard.errors import DataError

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 50_000_000
WORKING_EDGE = 1024  # larger pictures are reduced to this: plenty to find an object in

_UPRIGHT = {  # EXIF orientation -> what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_UNSUPPORTED = (  # (offset, first bytes, name): enough to tell people what it is that they have
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif", "HEIC"),
    (4, b"ftypavi", "AVIF"),
    (0, b"<svg", "SVG"),
    (0, b"%PDF", "PDF"),
)
_decoding = threading.Lock()  # warnings.catch_warnings changes the whole process


def decode(
    source: Path | bytes, *, name: str | None = None, max_pixels: int = MAX_PIXELS
) -> tuple[np.ndarray, list[str]]:
    """A picture upright as RGBA uint8 (H, W, 4), at most WORKING_EDGE on a side, and notes on what it was.

    `name` stands for the picture in messages. Raises DataError for whatever is wrong with it.
    """
    name = name or (str(source) if isinstance(source, Path) else "the picture")
    data = source if isinstance(source, bytes) else _read_file(source, name)
    opener = _kind(data, name)
    try:
        with _decoding, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's on damaged EXIF and the like: the picture decides, not they
            picture = opener(io.BytesIO(data))
            if picture.width * picture.height > max_pixels:
                raise Image.DecompressionBombError
            _check_whole(data, opener)
            return _load(picture)
    except Image.DecompressionBombError:  # Pillow has a limit of its own, which some decoders reach first
        raise DataError(f"{name}: more than {max_pixels:,} pixels; save it smaller") from None
    except Exception:  # a decoder given hostile bytes raises a dozen types, and all of them mean this
        raise DataError(
            f"{name}: a damaged {opener.format} picture, or only the beginning of one; save or fetch it again"
        ) from None


def _read_file(path: Path, name: str) -> bytes:
    """The bytes of a regular file of at most MAX_BYTES."""
    try:
        if path.is_dir():
            raise DataError(f"{name}: a directory, not a picture; name the files in it")
        if path.exists() and not path.is_file():
            raise DataError(f"{name}: not a regular file")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except (OSError, ValueError) as fault:  # ValueError: a null byte in the path
        raise DataError(f"{name}: cannot be read ({getattr(fault, 'strerror', None) or fault})") from None


def _kind(data: bytes, name: str) -> type[ImageFile.ImageFile]:
    """The one decoder that the first bytes ask for: whatever else Pillow can read is out of reach."""
    if not data:
        raise DataError(f"{name}: an empty file, not a picture")
    if len(data) > MAX_BYTES:
        raise DataError(f"{name}: larger than {MAX_BYTES // 2**20} MB; save it smaller")
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImageFile
    for offset, signature, kind in _UNSUPPORTED:
        if data.startswith(signature, offset):
            raise DataError(f"{name}: {kind} is not supported; save it as PNG, JPEG or WebP")
    raise DataError(f"{name}: not a picture that can be read; PNG, JPEG and WebP can")


def _check_whole(data: bytes, opener: type[ImageFile.ImageFile]) -> None:
    """Raise if a PNG lacks its end or a checksum fails: Pillow stops at the last pixel and would not notice."""
    if opener is PngImageFile:
        if b"IEND\xaeB`\x82" not in data:
            raise ValueError("no IEND chunk")
        opener(io.BytesIO(data)).verify()


def _load(picture: ImageFile.ImageFile) -> tuple[np.ndarray, list[str]]:
    """Decode, reduce, turn upright."""
    notes = []
    if getattr(picture, "n_frames", 1) > 1:
        notes.append("animated: its first frame is used")
    turn = _UPRIGHT.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    image: Image.Image = picture
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
        image = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    elif picture.has_transparency_data or picture.mode in ("P", "1"):
        image = picture.convert("RGBA")
    image.thumbnail((WORKING_EDGE, WORKING_EDGE))  # never enlarges; decodes a JPEG at little more than this size
    if turn is not None:
        image = image.transpose(turn)
        notes.append("turned upright, as its EXIF data asks")
    return np.asarray(image.convert("RGBA")), notes
