"""Pictures are drawn here, saved in every way people save them, and must come back as what the network knows."""

import numpy as np
import pytest
from PIL import Image

from jaxquard.data.framing import Framing
from jaxquard.data.pictures import read_picture
from jaxquard.errors import UsageError

from .drawings import drawing, saved

FORMATS = ("PNG", "JPEG", "WEBP")


def letter(picture) -> bool:
    """Whether the image is that L, white on black: tall as the frame, half as wide, centred, its foot at the right.

    To one pixel, because of what JPEG makes of a hard edge.
    """
    image = picture.image[..., 0]
    lit = image > 127
    rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
    extent = (rows[0], rows[-1], columns[0], columns[-1])
    placed = np.abs(np.subtract(extent, (0, 27, 7, 20))).max() <= 1
    return bool(placed and not lit[:20, 15:].any() and lit[25, 8:18].all())


def dressed_noise(seed: int = 0) -> np.ndarray:
    """A 28x28 image as the data set has them: black corners, anything within."""
    image = np.zeros((28, 28), np.uint8)
    image[:, 4:24] = np.random.default_rng(seed).integers(0, 256, (28, 20))
    return image


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize(
    ("form", "options", "colour"), [("PNG", {}, False), ("PNG", {}, True), ("WEBP", {"lossless": True}, True)]
)
def test_an_image_of_the_data_set_comes_through_bit_for_bit_and_so_does_its_negative(form, options, negative, colour):
    image = dressed_noise()
    pixels = 255 - image if negative else image
    picture = read_picture(saved(np.stack([pixels] * 3, -1) if colour else pixels, form, **options))
    np.testing.assert_array_equal(picture.image[..., 0], image)
    assert picture.inverted is negative
    assert picture.image.shape == (28, 28, 1)
    assert picture.image.dtype == np.uint8


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("ink", "paper"), [(20, 255), (240, 0), (30, 235), (20, 180), (255, 70)])
def test_light_and_dark_backgrounds_in_every_format(form, ink, paper):
    picture = read_picture(saved(drawing(ink=ink, paper=paper), form))
    assert letter(picture)
    assert picture.inverted is (paper > 127)
    assert ("light background: inverted" in picture.notes) is (paper > 127)
    assert not picture.image[0, 0]


@pytest.mark.parametrize("paper", [190, 70])
def test_light_that_falls_from_one_side_is_levelled(paper):
    window = np.add.outer(np.linspace(0, 20, 200), np.linspace(-20, 20, 300))
    page = np.where(drawing(paper=255) == 255, paper + window, 250 if paper < 127 else 10).astype(np.uint8)
    picture = read_picture(saved(page))
    assert letter(picture)
    assert dict(picture.steps)["cropped"].shape == (100, 50)


def as_cut_out(page: np.ndarray, rgb: int) -> Image.Image:
    return Image.fromarray(np.dstack([np.full((*page.shape, 3), rgb, np.uint8), 255 - page]))


PAGE = drawing(ink=0)
KINDS = {
    "palette": Image.fromarray(PAGE).convert("P"),
    "one bit": Image.fromarray(PAGE).convert("1"),
    "16-bit grey": Image.fromarray(PAGE.astype(np.uint16) * 257),
    "colour": Image.fromarray(np.dstack([PAGE, PAGE // 2 + 127, PAGE])),
    "grey and alpha": Image.fromarray(np.dstack([PAGE, np.full_like(PAGE, 255)])),
    "dark on transparent": as_cut_out(PAGE, 10),
    "light on transparent": as_cut_out(PAGE, 250),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_png(kind):
    picture = read_picture(saved(KINDS[kind]))
    assert letter(picture)
    assert picture.inverted is (kind != "light on transparent")


def test_a_palette_with_a_transparent_colour():
    palette = Image.fromarray(255 - PAGE).convert("P")
    assert letter(read_picture(saved(palette, transparency=0)))


def test_a_cmyk_jpeg():
    assert letter(read_picture(saved(Image.fromarray(PAGE).convert("CMYK"), "JPEG")))


def test_transparency_ends_up_black_to_the_last_bit_and_16_bit_grey_keeps_its_levels():
    cut_out = read_picture(saved(KINDS["dark on transparent"]))
    assert not dict(cut_out.steps)["inverted"][0].any()
    ramp = np.add.outer(np.zeros(28, np.uint16), np.arange(28, dtype=np.uint16) * 9)
    np.testing.assert_array_equal(read_picture(saved(ramp * 257)).image[..., 0], ramp)


def test_a_large_photograph_is_reduced_and_a_tiny_one_enlarged():
    large = Image.fromarray(PAGE).resize((4500, 3000))
    for form in FORMATS:
        picture = read_picture(saved(large, form))
        assert letter(picture)
        assert max(picture.steps[0][1].shape) == 1024
    assert letter(read_picture(saved(PAGE[45:155:10, 115:175:10])))


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_extreme_shapes(shape):
    assert read_picture(saved(np.zeros(shape, np.uint8))).image.shape == (28, 28, 1)


def test_the_size_of_the_image_is_the_networks():
    picture = read_picture(saved(PAGE), image_shape=(8, 12, 1))
    assert picture.image.shape == (8, 12, 1)
    assert np.flatnonzero((picture.image > 127).any(axis=(0, 2))).tolist() == [4, 5, 6, 7]
    with pytest.raises(UsageError, match="grey"):
        read_picture(saved(PAGE), image_shape=(32, 32, 3))


def test_the_steps_are_kept_in_order_and_end_in_the_image():
    picture = read_picture(saved(drawing(paper=200)))
    names = [name for name, _ in picture.steps]
    assert names == ["decoded", "grey", "inverted", "levelled", "cropped", "fitted"]
    steps = dict(picture.steps)
    assert steps["cropped"].shape == (100, 50)
    assert all(step.dtype == np.uint8 for step in steps.values())
    np.testing.assert_array_equal(steps["fitted"], picture.image[..., 0])
    np.testing.assert_array_equal(steps["inverted"], 255 - steps["grey"])


@pytest.mark.parametrize("negative", [False, True])
def test_where_the_networks_images_are_dark_on_light_pictures_end_so_too(negative):
    image = 255 - dressed_noise()
    same = read_picture(saved(255 - image if negative else image), framing=Framing("light"))
    np.testing.assert_array_equal(same.image[..., 0], image)
    page = read_picture(saved(255 - PAGE if negative else PAGE), framing=Framing("light"))
    np.testing.assert_array_equal(page.image, 255 - read_picture(saved(PAGE)).image)
    for picture in (same, page):
        assert picture.inverted is negative
        assert ("dark background: inverted" in picture.notes) is negative
        assert "light background: inverted" not in picture.notes
        np.testing.assert_array_equal(picture.steps[-1][1], picture.image[..., 0])


def test_pictures_are_sharpened():
    page = np.full((40, 40), 255, np.uint8)
    page[6:34, 13:18] = page[29:34, 13:27] = 48  # an L as tall as the frame: nothing is resized
    image = read_picture(saved(page)).image
    assert image.max() > 215  # along the edges; the ink itself is 207
    assert np.median(image[image > 0]) == 207


def test_notes_warn_of_what_cannot_work():
    gradient = np.tile(np.linspace(0, 255, 200).astype(np.uint8), (100, 1))
    assert "almost one colour" in " ".join(read_picture(saved(np.full((90, 90), 200, np.uint8))).warnings)
    assert "not plain" in " ".join(read_picture(saved(gradient)).warnings)
    assert "neither light nor dark" in " ".join(read_picture(saved(drawing(paper=120))).warnings)
    assert read_picture(saved(drawing(ink=240, paper=0))).notes == ()
