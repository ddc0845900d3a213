"""Pictures in every common format are decoded upright, or refused with a message."""

import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from jaxquard.data import decoding
from jaxquard.data.decoding import WORKING_EDGE, decode
from jaxquard.errors import DataError

from .drawings import drawing, saved

pillow_heif.register_heif_opener()  # so that Pillow saves HEIC
PAGE = drawing(ink=0)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
EXACT = ("PNG", "WEBP", "GIF", "BMP", "TIFF")


def grey(pixels: np.ndarray) -> np.ndarray:
    """RGBA -> grey on a white page."""
    sheet = Image.new("RGBA", pixels.shape[1::-1], "white")
    return np.asarray(Image.alpha_composite(sheet, Image.fromarray(pixels)).convert("L"))


def same(pixels: np.ndarray, page: np.ndarray = PAGE) -> bool:
    """Whether RGBA pixels show the page, apart from JPEG's errors at edges and a palette's errors in grey."""
    assert pixels.dtype == np.uint8
    assert pixels.shape == (*page.shape, 4)
    return bool(np.abs(grey(pixels).astype(int) - page).mean() < 4)


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(depth: int, colour: int, samples: np.ndarray, transparent: tuple[int, ...] = ()) -> bytes:
    """A PNG of raw samples (H, W) or (H, W, 3) of `depth` bits, with one `transparent` colour."""
    height, width = samples.shape[:2]
    row = samples.reshape(height, -1)
    bits = (row[..., None] >> np.arange(depth - 1, -1, -1) & 1).astype(np.uint8).reshape(height, -1)
    packed = np.packbits(bits, axis=1)
    lines = b"".join(b"\0" + line.tobytes() for line in packed)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    parts += [chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))] if transparent else []
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")])


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


@pytest.mark.parametrize("colour", [0, 2])
@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_the_transparent_colour_of_a_png_is_transparent(depth, colour):
    if colour == 2 and depth < 8:
        return
    top = 2**depth - 1
    key, other = (top // 3 if depth > 1 else 0), top
    samples = np.where(PAGE == 255, key, other).astype(np.uint32)
    channels = 3 if colour else 1
    samples = np.stack([samples] * 3, -1) if colour else samples
    pixels, _ = decode(png(depth, colour, samples, (key,) * channels))
    np.testing.assert_array_equal(pixels[..., 3], 255 - PAGE)
    assert (pixels[PAGE == 0, :3] == 255).all()
    opaque, _ = decode(png(depth, colour, samples))
    assert (opaque[..., 3] == 255).all()
    assert set(np.unique(opaque[..., :3])) == {255 * key // top, 255}


def test_transparency_by_16_bits_is_exact_and_grey_keeps_its_upper_bits():
    ramp = np.add.outer(np.zeros(28, np.uint32), np.arange(28) * 9 * 257)
    ramp[:14, 3] += 1  # nearly the transparent colour
    pixels, _ = decode(png(16, 0, ramp, (27 * 257,)))
    np.testing.assert_array_equal(pixels[..., 0], ramp >> 8)
    assert np.argwhere(pixels[..., 3] == 0).tolist() == [[row, 3] for row in range(14, 28)]


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_palette_with_a_transparent_colour(form):
    palette = Image.fromarray(255 - PAGE).convert("P")
    pixels, _ = decode(saved(palette, form, transparency=0))
    np.testing.assert_array_equal(pixels[..., 3] == 0, PAGE == 255)


@pytest.mark.parametrize(("form", "mode"), [("JPEG", "CMYK"), ("TIFF", "CMYK"), ("TIFF", "LAB"), ("TIFF", "1")])
def test_other_colour_spaces(form, mode):
    page = Image.fromarray(PAGE)
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        page = ImageCms.profileToProfile(page.convert("RGB"), *profiles, outputMode="LAB")
    assert same(decode(saved(page.convert(mode), form))[0])


@pytest.mark.parametrize("values", [PAGE / np.float32(255), PAGE.astype(np.int32) * 3000 - 9])
def test_values_of_32_bits_are_stretched(values):
    assert same(decode(saved(Image.fromarray(values), "TIFF"))[0])
    assert not decode(saved(Image.fromarray(np.zeros_like(values)), "TIFF"))[0][..., :3].any()


def test_unsigned_values_of_32_bits_are_not_read_as_signed():
    values = Image.fromarray((PAGE.astype(np.uint32) << 24).view(np.int32))
    signed, unsigned = (struct.pack("<HHII", 339, 3, 1, form) for form in (2, 1))
    assert same(decode(saved(values, "TIFF").replace(signed, unsigned))[0])


@pytest.mark.parametrize("form", EXACT)
def test_small_images_come_through_bit_for_bit(form):
    options = {"lossless": True} if form == "WEBP" else {}
    np.testing.assert_array_equal(decode(saved(noise(), form, **options))[0][..., 0], noise())


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_exif_orientation_is_honoured(form):
    stored = {1: lambda p: p, 2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud, 5: np.transpose}
    stored |= {6: lambda p: np.rot90(p, 1), 7: lambda p: np.rot90(p.T, 2), 8: lambda p: np.rot90(p, -1)}
    for orientation, turned in stored.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        pixels, notes = decode(saved(np.ascontiguousarray(turned(PAGE)), form, exif=exif.tobytes()))
        assert same(pixels), orientation
        if form != "HEIF":  # turned by its decoder
            assert notes == ["turned upright by its EXIF data"] * (orientation > 1)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF"])
def test_of_several_images_the_first_is_used(form):
    second = Image.fromarray(np.full_like(PAGE, 128))
    pixels, notes = decode(saved(Image.fromarray(PAGE), form, save_all=True, append_images=[second]))
    assert same(pixels)
    assert notes == ["the file has several images; only the first is used"]


@pytest.mark.parametrize("content", ["text", "compressed text", "profile"])
def test_a_png_with_large_metadata_is_read(content):
    text, options = PngImagePlugin.PngInfo(), {}
    if content == "profile":
        options["icc_profile"] = bytes(3_000_000)
    else:
        text.add_itxt("Comment", "a" * 3_000_000, zip=content != "text")
    assert same(decode(saved(PAGE, pnginfo=text, **options))[0])


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_large_picture_is_reduced(form):
    large = Image.fromarray(PAGE).resize((4500, 3000))
    pixels, _ = decode(saved(large, form))
    assert same(pixels, np.asarray(large.resize((1024, 683))))


@pytest.mark.parametrize("size", [(12000, 9000), (60000, 40)])
def test_a_jpeg_is_reduced_as_it_is_decoded(size, monkeypatch):
    decoded = []
    monkeypatch.setattr(Image.Image, "thumbnail", lambda self, _: decoded.append(self.size))
    decode(saved(Image.new("L", size), "JPEG"))
    assert WORKING_EDGE <= max(decoded[0]) <= max(4 * WORKING_EDGE, max(size) / 8)


def refused(source: Path | bytes, *words: str) -> None:
    with pytest.raises(DataError) as caught:
        decode(source, name="my.png")
    message = str(caught.value)
    assert message.startswith("my.png: ")
    assert all(word in message for word in words), message
    assert len(message) < 160
    assert "\n" not in message


def test_files_that_are_not_pictures(tmp_path, monkeypatch):
    refused(tmp_path / "nowhere.png", "no such file")
    refused(tmp_path, "a folder without pictures")
    refused(Path("a\0b"), "cannot be read")
    refused(b"", "empty")
    refused(b"hello, world", "not a picture")
    refused(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "not a picture")
    monkeypatch.setattr(decoding, "MAX_BYTES", 2**20)
    refused(bytes(2**20 + 1), "larger than 1 MB")


@pytest.mark.posix
def test_a_pipe_is_not_a_picture(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "not a regular file")


SVG = [b"<svg>", b'<?xml version="1.0"?>\n<svg>', b"\xef\xbb\xbf <!-- drawn --> <SVG>"]


@pytest.mark.parametrize("data", [*SVG, b"%PDF-1.7", b"8BPS\0\1", b"\xff\x0a", b"\0\0\0\x0cjP  \r\n\x87\n"])
def test_other_formats_are_named(data):
    refused(data, "not supported", "save it as PNG")


@pytest.mark.parametrize(("form", "said"), [("HEIF", "[heif]"), ("AVIF", "upgrade pillow")])
def test_a_decoder_that_is_not_installed(form, said, monkeypatch):
    data = saved(PAGE, form)
    monkeypatch.setitem(sys.modules, {"HEIF": "pillow_heif", "AVIF": "PIL.AvifImagePlugin"}[form], None)
    refused(data, said, "save the picture as JPEG")


def test_avif_and_heic_are_distinguished_by_any_brand():
    data = saved(PAGE, "AVIF")
    assert same(decode(data.replace(b"ftypavif", b"ftypmif1", 1))[0])


def test_the_message_names_the_file_itself_where_no_name_is_given(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        decode(tmp_path / "nowhere.png")


SOUND = {form: (form, {}) for form in FORMATS} | {
    "progressive": ("JPEG", {"progressive": True}),
    **{compression: ("TIFF", {"compression": compression}) for compression in ("tiff_lzw", "jpeg", "packbits")},
}


@pytest.mark.parametrize("sound", SOUND)
def test_an_incomplete_picture_is_refused(sound, capfd):
    form, options = SOUND[sound]
    whole = saved(noise(), form, **options)
    end = len(whole) - 4 * (form == "TIFF" and bool(options))  # libtiff does not need the pointer to a second page
    for length in range(end):
        refused(whole[:length])
    decode(whole)
    assert capfd.readouterr() == ("", "")  # libtiff would write to stderr


def test_the_size_in_the_header_is_checked_before_decoding():
    def claiming(width: int, height: int) -> bytes:
        ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        good = saved(PAGE)
        return good[:12] + ihdr + struct.pack(">I", zlib.crc32(ihdr)) + good[33:]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(claiming(20_000, 20_000), "20,000 x 20,000 pixels need 2.0 GB of memory to decode; the limit is 1 GB")
        refused(claiming(2**31 - 1, 2**31 - 1), "the limit is 1 GB")
        refused(claiming(400, 400), "damaged")  # declares more rows than the file has
        refused(claiming(0, 5), "damaged")


def claims(data: bytes, marker: bytes, offset: int, form: str, *size: int) -> bytes:
    """The picture with another size in its header."""
    at = data.index(marker) + offset
    return data[:at] + struct.pack(form, *size) + data[at + struct.calcsize(form) :]


def test_a_bomb_of_any_format_is_refused_by_its_header():
    small = Image.new("RGB", (10, 10))
    refused(claims(saved(small, "JPEG"), b"\xff\xc0", 5, ">HH", 65000, 65000), "16.9 GB")
    refused(claims(saved(small.convert("P"), "GIF"), b"GIF8", 6, "<HH", 60000, 60000), "GB")
    refused(claims(saved(small.convert("P"), "GIF"), b",\0\0\0\0", 5, "<HH", 60000, 60000), "too large")
    refused(claims(saved(small, "BMP"), b"BM", 18, "<ii", 30000, 30000), "GB")
    refused(tiff(10, 10, tile=60_000), "GB")
    refused(tiff(60_000, 60_000, tile=16), "GB")
    refused(b"\xff\xd8\xff\xfe\x04\x02" + b"\xff\xda" * 512 + saved(small, "JPEG")[2:], "damaged")


def tiff(width: int, height: int, tile: int) -> bytes:
    """A tiled TIFF whose header declares these sizes."""
    tags = {256: width, 257: height, 258: 8, 259: 5, 262: 1, 277: 1, 322: tile, 323: tile, 324: 8, 325: 8}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHI", b"II", 42, 16) + bytes(8) + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_a_flipped_bit_in_the_pixels_of_a_png_is_noticed():
    whole = bytearray(saved(noise()))
    whole[whole.index(b"IDAT") + 40] ^= 1
    refused(bytes(whole), "PNG picture is damaged")


def test_other_decoders_of_pillow_are_never_used():
    for form in ("PPM", "TGA", "ICO", "PCX", "SGI", "EPS"):
        refused(
            saved(Image.fromarray(PAGE).convert("RGB"), form), "save it as PNG" if form == "ICO" else "not a picture"
        )


EXIF = Image.Exif()
EXIF[0x0112] = 6


def samples() -> list[bytes]:
    found = [saved(noise(), form, exif=EXIF) for form in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF")]
    found += [saved(noise(), form) for form in ("GIF", "BMP")]
    found += [saved(noise(), "TIFF", compression=name) for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg")]
    found += [saved(KINDS[kind].resize((30, 20))) for kind in ("palette", "dark on transparent", "one bit")]
    found += [png(16, 0, noise().astype(np.uint32) * 257, (257,)), tiff(16, 16, 16)]
    two = {"save_all": True, "append_images": [Image.new("RGB", (9, 9), 255)]}
    found += [saved(Image.new("RGB", (9, 9)), form, **two) for form in ("WEBP", "GIF", "TIFF")]
    return found


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(samples()), st.data())
def test_damaged_pictures_raise_only_data_errors(sample, data):
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
    assert pixels.shape[2] == 4


CONVERT = {  # ImageMagick's options, by the kind of file
    "png": ["", "-depth 16", "-interlace PNG", "-type Palette", "-monochrome -negate -negate", "-depth 16 -alpha set"],
    "jpg": ["-quality 95", "-quality 95 -interlace JPEG", "-quality 95 -colorspace CMYK", "-sampling-factor 4x2"],
    "gif": ["", "-interlace GIF"],
    "bmp": ["", "-type TrueColor", "-type Palette -compress RLE", "-alpha set", "-define bmp:format=bmp3"],
    "tif": [f"-compress {name}" for name in ("None", "LZW", "Zip", "RLE", "JPEG", "Group4 -monochrome")]
    + [
        f"-depth 16{rest}"
        for rest in ("", " -endian MSB", " -type TrueColor", " -type TrueColorAlpha", " -compress LZW")
    ]
    + ["-define tiff:tile-geometry=64x64 -compress LZW", "-negate -define quantum:polarity=min-is-white -depth 16"]
    + ["-negate -define quantum:polarity=min-is-white", "-colorspace CMYK", "-colorspace Lab -type TrueColor"]
    + ["-type TrueColor -interlace plane", "-define quantum:format=floating-point -depth 32", "-type TrueColorAlpha"],
    "webp": ["-define webp:lossless=true", "-quality 95"],
}
FFMPEG = {"rgb48be": ["png", "tif"], "gray16be": ["png"], "pal8": ["png", "gif", "bmp", "tif"], "rgba": ["png", "tif"]}
FFMPEG |= {"bgr24": ["bmp"], "yuvj444p": ["jpg"], "yuv420p": ["webp"]}
COMMANDS = [(f"convert IN {options} OUT", suffix) for suffix, several in CONVERT.items() for options in several]
COMMANDS += [
    (f"ffmpeg -loglevel error -i IN -pix_fmt {pixels} -q:v 2 OUT", suffix)
    for pixels, several in FFMPEG.items()
    for suffix in several
]
COMMANDS += [
    ("cwebp -quiet -lossless IN -o OUT", "webp"),
    ("cwebp -quiet -q 95 IN -o OUT", "webp"),
    ("avifenc -l IN OUT", "avif"),
    ("avifenc -d 10 IN OUT", "avif"),
    ("heif-enc -q 95 IN -o OUT", "heic"),
    ("heif-enc -q 95 -b 10 IN -o OUT", "heic"),
    ("heif-enc -A -q 95 IN -o OUT", "avif"),
]


@pytest.mark.check
@pytest.mark.parametrize(("command", "suffix"), COMMANDS)
def test_pictures_made_by_other_programs(command, suffix, tmp_path):
    made = tmp_path / f"made.{suffix}"
    (tmp_path / "page.png").write_bytes(saved(np.dstack([PAGE] * 3)))
    words = command.replace("IN", str(tmp_path / "page.png")).replace("OUT", str(made)).split()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    pixels, _ = decode(made)
    assert same(pixels)
    refused(made.read_bytes()[: made.stat().st_size // 2], "damaged")
