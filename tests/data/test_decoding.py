"""Pictures are saved in every way people save them, and must come back upright, or be refused by name."""

import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jaxquard.data.decoding import MAX_BYTES, WORKING_EDGE, decode
from jaxquard.errors import DataError

from .drawings import drawing, saved

FORMATS = ("PNG", "JPEG", "WEBP")
PAGE = drawing(ink=0)


def grey(pixels: np.ndarray) -> np.ndarray:
    """RGBA -> grey on a white page."""
    sheet = Image.new("RGBA", pixels.shape[1::-1], "white")
    return np.asarray(Image.alpha_composite(sheet, Image.fromarray(pixels)).convert("L"))


def same(pixels: np.ndarray, page: np.ndarray = PAGE) -> bool:
    """Whether RGBA pixels show the page, but for what JPEG makes of an edge."""
    return (
        pixels.dtype == np.uint8
        and pixels.shape == (*page.shape, 4)
        and bool(np.mean(np.abs(grey(pixels).astype(int) - page)) < 1)
    )


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)


KINDS = {
    "palette": Image.fromarray(PAGE).convert("P"),
    "one bit": Image.fromarray(PAGE).convert("1"),
    "16-bit grey": Image.fromarray(PAGE.astype(np.uint16) * 257),
    "colour": Image.fromarray(np.dstack([PAGE] * 3)),
    "grey and alpha": Image.fromarray(np.dstack([PAGE, np.full_like(PAGE, 255)])),
    "dark on transparent": Image.fromarray(np.dstack([np.zeros((*PAGE.shape, 3), np.uint8), 255 - PAGE])),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_png(kind):
    assert same(decode(saved(KINDS[kind]))[0])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(form, orientation):
    stored = {1: lambda p: p, 2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud, 5: np.transpose}
    stored |= {6: lambda p: np.rot90(p, 1), 7: lambda p: np.rot90(p.T, 2), 8: lambda p: np.rot90(p, -1)}
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels, notes = decode(saved(np.ascontiguousarray(stored[orientation](PAGE)), form, exif=exif))
    assert same(pixels)
    assert (notes == []) is (orientation == 1)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_used(form):
    second = Image.fromarray(np.full_like(PAGE, 128))
    pixels, notes = decode(saved(Image.fromarray(PAGE), form, save_all=True, append_images=[second]))
    assert same(pixels)
    assert notes == ["animated: its first frame is used"]


def refused(source: Path | bytes, *words: str, **options) -> None:
    with pytest.raises(DataError) as caught:
        decode(source, name="my.png", **options)
    message = str(caught.value)
    assert message.startswith("my.png: ")
    assert all(word in message for word in words), message
    assert len(message) < 160
    assert "\n" not in message


def test_files_that_are_no_pictures(tmp_path):
    refused(tmp_path / "nowhere.png", "no such file")
    refused(tmp_path, "directory")
    refused(Path("a\0b"), "cannot be read")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "not a regular file")
    refused(b"", "empty")
    refused(b"hello, world", "not a picture")
    refused(saved(PAGE, "GIF"), "GIF", "save it as PNG")
    refused(saved(PAGE, "BMP"), "BMP", "save it as PNG")
    refused(saved(PAGE, "TIFF"), "TIFF", "save it as PNG")
    refused(b"\0\0\0\x18ftypheic" + bytes(99), "HEIC", "save it as PNG")
    refused(bytes(MAX_BYTES + 1), "64 MB")


def test_the_message_names_the_file_itself_where_no_name_is_given(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        decode(tmp_path / "nowhere.png")


@pytest.mark.parametrize(("form", "options"), [(f, {}) for f in FORMATS] + [("JPEG", {"progressive": True})])
def test_no_beginning_of_a_picture_passes_for_the_whole(form, options):
    whole = saved(noise(), form, **options)
    for length in range(len(whole)):
        refused(whole[:length])
    assert decode(whole)


def test_size_is_judged_by_the_header_before_anything_is_decoded():
    def claiming(width: int, height: int) -> bytes:
        ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        good = saved(PAGE)
        return good[:12] + ihdr + struct.pack(">I", zlib.crc32(ihdr)) + good[33:]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for size in [(13_000, 13_000), (100_000, 100_000), (2**31 - 1, 2**31 - 1)]:
            refused(claiming(*size), "more than 50,000,000 pixels")
        refused(claiming(400, 400), "damaged")  # asks for more rows than there are
        refused(claiming(0, 5), "damaged")
    refused(saved(PAGE), "more than 59,999 pixels", max_pixels=PAGE.size - 1)
    assert decode(saved(PAGE), max_pixels=PAGE.size)


def test_a_flipped_bit_in_the_pixels_of_a_png_is_noticed():
    whole = bytearray(saved(noise()))
    whole[whole.index(b"IDAT") + 40] ^= 1
    refused(bytes(whole), "damaged PNG")


EXIF = Image.Exif()
EXIF[0x0112] = 6
SAMPLES = [saved(noise(), form, exif=EXIF) for form in FORMATS]
SAMPLES += [saved(KINDS[kind].resize((30, 20))) for kind in ("palette", "dark on transparent", "one bit")]
SAMPLES += [saved(Image.new("RGB", (9, 9)), "WEBP", save_all=True, append_images=[Image.new("RGB", (9, 9), 255)])]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_nothing_but_a_data_error_ever_escapes(sample, data):
    mutant = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 4))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    start = data.draw(st.integers(0, len(mutant)))
    del mutant[start : start + data.draw(st.integers(0, 8))]
    try:
        pixels, _ = decode(bytes(mutant))
    except DataError:
        return
    assert max(pixels.shape[:2]) <= WORKING_EDGE
