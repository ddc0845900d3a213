"""Pictures are drawn and saved in several formats, and must become images like the training images."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from jaxquard.data.framing import Framing, measure_whole
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
    """A random 28x28 image with black corners, as in the data set."""
    image = np.zeros((28, 28), np.uint8)
    image[:, 4:24] = np.random.default_rng(seed).integers(0, 256, (28, 20))
    return image


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize(
    ("form", "options", "colour"), [("PNG", {}, False), ("PNG", {}, True), ("WEBP", {"lossless": True}, True)]
)
def test_a_picture_of_the_networks_size_is_never_changed_unless_its_negative_is_asked_for(form, options, colour, light):
    image = 255 - dressed_noise() if light else dressed_noise()
    data = saved(np.stack([image] * 3, -1) if colour else image, form, **options)
    for framing in (Framing("light"), Framing("dark"), Framing("both"), Framing(stands_out=False)):
        picture = read_picture(data, framing=framing)
        np.testing.assert_array_equal(picture.image[..., 0], image)
        assert not picture.inverted
        assert bool(picture.warnings) is (framing.stands_out and framing.background == ("dark" if light else "light"))
    asked = read_picture(data, framing=Framing("dark" if light else "light"), background="light" if light else "dark")
    np.testing.assert_array_equal(asked.image[..., 0], 255 - image)
    assert asked.inverted
    assert not asked.warnings
    in_colour = read_picture(data, image_shape=(28, 28, 3), as_is=True)
    np.testing.assert_array_equal(in_colour.image, np.stack([image] * 3, -1))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("ink", "paper"), [(20, 255), (240, 0), (30, 235), (20, 180), (255, 70)])
def test_light_and_dark_backgrounds_in_every_format(form, ink, paper):
    picture = read_picture(saved(drawing(ink=ink, paper=paper), form))
    assert letter(picture)
    assert picture.inverted is (paper > 127)
    assert ("light background: inverted" in picture.notes) is (paper > 127)
    assert not picture.image[0, 0]


PAGE = drawing(ink=0)


@pytest.mark.parametrize("light", [False, True])
def test_an_object_that_is_cut_out(light):
    colours = np.full((*PAGE.shape, 3), 250 if light else 10, np.uint8)
    picture = read_picture(saved(np.dstack([colours, 255 - PAGE])))
    assert letter(picture)
    assert picture.inverted is not light


def test_a_picture_in_colour():
    picture = read_picture(saved(np.dstack([PAGE, PAGE // 2 + 127, PAGE])))
    assert letter(picture)
    assert picture.inverted


def test_a_large_photograph_is_reduced_and_a_tiny_one_enlarged():
    large = Image.fromarray(PAGE).resize((4500, 3000))
    for form in FORMATS:
        picture = read_picture(saved(large, form))
        assert letter(picture)
        assert max(picture.steps[0][1].shape) == 1024
    assert letter(read_picture(saved(PAGE[45:155:10, 115:175:10])))


def test_a_small_object_is_searched_for_at_a_higher_resolution():
    page = np.full((1000, 1000), 255, np.uint8)
    page[500:520, 700:704] = page[516:520, 700:710] = 20
    picture = read_picture(saved(page))
    assert letter(picture)
    assert dict(picture.steps)["object"].shape == (20, 10)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_extreme_shapes(shape):
    assert read_picture(saved(np.zeros(shape, np.uint8))).image.shape == (28, 28, 1)


def test_the_size_of_the_image_is_the_networks():
    picture = read_picture(saved(PAGE), image_shape=(8, 12, 1))
    assert picture.image.shape == (8, 12, 1)
    assert np.flatnonzero((picture.image > 127).any(axis=(0, 2))).tolist() == [4, 5, 6, 7]
    with pytest.raises(UsageError, match="grey or colour"):
        read_picture(saved(PAGE), image_shape=(32, 32, 2))


def test_the_steps_are_kept_in_order_and_end_in_the_image():
    picture = read_picture(saved(drawing(paper=200)))
    assert [name for name, _ in picture.steps] == ["decoded", "background", "difference", "object", "fitted"]
    steps = dict(picture.steps)
    assert np.abs(steps["background"] - 200.0).max() <= 1
    assert steps["object"].shape == (85, 43)  # reduced to 256 pixels, the sheet's 300
    assert all(step.dtype == np.uint8 for step in steps.values())
    np.testing.assert_array_equal(steps["fitted"], picture.image[..., 0])


def test_the_background_is_the_networks_or_if_it_knows_both_the_pictures():
    on_dark, on_light = (read_picture(saved(page)) for page in (255 - PAGE, PAGE))
    for page, own in ((255 - PAGE, on_dark.image), (PAGE, 255 - on_light.image)):
        light = read_picture(saved(page), framing=Framing("light"))
        np.testing.assert_array_equal(light.image, 255 - read_picture(saved(page)).image)
        both = read_picture(saved(page), framing=Framing("both"))
        np.testing.assert_array_equal(both.image, own)
        assert not both.inverted
    assert on_light.notes == ("light background: inverted",)
    assert on_dark.notes == ()


@pytest.mark.parametrize("times", [1, 9])
def test_what_is_finer_than_a_pixel_comes_out_as_its_mean(times):
    """Without smoothing, a pixel of a fine chequered pattern would become the value of one of its squares."""
    page = np.zeros((300, 300), np.uint8)
    rows, columns = np.indices((280, 280))
    page[10:290, 10:290] = np.where((rows + columns) % 2, 120, 240)
    image = read_picture(saved(page.repeat(times, 0).repeat(times, 1)), framing=Framing(full_contrast=False)).image[
        4:-4, 4:-4
    ]
    assert np.abs(image.astype(int) - 180).max() < 20


def test_objects_are_as_large_as_the_networks_and_their_centre_of_mass_is_in_the_middle():
    image = read_picture(saved(PAGE), framing=Framing("dark", 20 / 28, "mass")).image[..., 0].astype(float)
    lit = image > 127
    assert np.ptp(np.flatnonzero(lit.any(axis=1))) == 19
    for axis in (0, 1):
        assert abs(np.average(np.arange(28) + 0.5, weights=image.sum(axis=1 - axis)) - 14) <= 0.5


def test_contrast_is_kept_where_it_says_something_and_levels_are_the_networks():
    faint = saved(drawing(ink=180, paper=240))
    assert read_picture(faint).image.max() == 255
    assert read_picture(faint, framing=Framing(full_contrast=False)).image.max() == pytest.approx(255 * 60 / 240, abs=4)
    assert read_picture(faint, framing=Framing(white=1)).image.max() == 1
    assert read_picture(saved((dressed_noise() > 127) * np.uint8(255)), framing=Framing(white=1)).image.max() == 1


def test_photographs_and_pictures_taken_as_they_are_are_resized_and_that_is_all():
    page = np.full((60, 90, 3), (10, 200, 90), np.uint8)
    page[:, 30:60] = (250, 20, 30)
    middle = read_picture(saved(page), image_shape=(6, 6, 3), framing=Framing(stands_out=False))
    np.testing.assert_allclose(middle.image[:, [2, 3]].astype(int), np.full((6, 2, 3), (250, 20, 30)), atol=30)
    whole = read_picture(saved(page), image_shape=(6, 6, 3), as_is=True)
    np.testing.assert_array_equal(whole.image[[0, 5]], np.full((2, 6, 3), (10, 200, 90)))
    np.testing.assert_allclose(whole.image[2, [0, 5]].astype(int), np.full((2, 3), (10, 200, 90)), atol=30)
    assert whole.notes == middle.notes == ("resized as a whole",)


def test_senseless_pictures_are_warned_of_if_training_images_were_whole_pictures():
    rng = np.random.default_rng(0)
    pages = rng.normal(220, 8, (240, 60, 80, 3)).clip(0, 255).astype(np.uint8)
    blank, noise = pages[0].copy(), rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    for page in pages:
        top, left = rng.integers(5, 15, 2)
        page[top : top + 40, left : left + rng.integers(30, 50)] = rng.integers(0, 120, 3)

    def warnings(page: np.ndarray, **options: Any) -> tuple[str, ...]:
        return read_picture(saved(page), image_shape=(30, 40, 3), **options).warnings

    images = np.stack([read_picture(saved(page), image_shape=(30, 40, 3), as_is=True).image for page in pages])
    framing = measure_whole(images[:220])
    assert sum(bool(warnings(page, framing=framing)) for page in pages[220:]) <= 1
    expected = ("the picture is unlike the network's training images, so the answer may be meaningless",)
    for page in (blank, noise, np.full_like(blank, 255), np.zeros_like(blank)):
        assert warnings(page, framing=framing) == expected
        assert warnings(page[:30, :40], framing=framing) == ()  # of the network's size
        assert warnings(page, framing=Framing(learned=framing.learned), as_is=True) == ()  # it is known of objects


@pytest.mark.parametrize("paper", [(255, 255, 255), (235, 150, 160), (0, 0, 0)])
@pytest.mark.parametrize("background", ["light", "dark"])
def test_colours_for_networks_that_learned_from_colours(paper, background):
    page = np.full((80, 60, 3), paper, np.uint8)
    page[20:60, 20:40] = (20, 120, 60)
    picture = read_picture(saved(page), image_shape=(16, 16, 3), framing=Framing(background, full_contrast=False))
    assert set(picture.image[:, 0].ravel()) == {255 if background == "light" else 0}
    red, green, blue = picture.image[8, 8]
    assert green > blue > red
    assert not picture.inverted


def test_a_blank_picture_is_warned_of():
    for level in (0, 120, 255):
        (warning,) = read_picture(saved(np.full((90, 90), level, np.uint8))).warnings
        assert "nothing stands out" in warning
    assert read_picture(saved(drawing(ink=240, paper=0))).warnings == ()


@pytest.mark.parametrize("edge", range(4))
def test_an_object_cut_by_the_frame_is_warned_of(edge):
    (warning,) = read_picture(saved(np.rot90(PAGE[:, :150], edge))).warnings
    assert "reaches the edge" in warning
    assert not read_picture(saved(np.rot90(PAGE[45:, 115:], edge))).warnings


@pytest.mark.parametrize(("line", "tilt"), [((110, 110, 110), 0), ((90, 130, 200), 3)])
def test_squared_paper_is_not_an_object(line, tilt):
    page = np.full((480, 640, 3), (225, 222, 215), float)
    page[::24] = page[:, ::24] = line
    sheet = Image.fromarray(page.astype(np.uint8)).rotate(tilt, Image.Resampling.BICUBIC, fillcolor=(225, 222, 215))
    page = np.asarray(sheet) * np.linspace(1, 0.75, 640)[:, None]
    page[140:340, 230:270] = page[300:340, 230:330] = 25
    assert letter(read_picture(saved(page.astype(np.uint8), "JPEG", quality=50)))


def test_an_object_of_thin_lines_is_found():
    page = np.full((200, 300), 255, np.uint8)
    page[50:150, 120:122] = page[148:150, 120:170] = 20
    lit = read_picture(saved(page)).image[..., 0] > 100
    assert np.flatnonzero(lit.any(1)).tolist() == list(range(28))
    assert np.flatnonzero(lit.any(0)).tolist() == list(range(7, 21))


def test_specks_lines_and_light_that_falls_off_change_nothing():
    clean = read_picture(saved(PAGE)).image.astype(int)
    page = drawing(paper=220).astype(float)
    page *= np.linspace(1, 0.7, 300)
    page[20:23, 30:33] -= 80
    page[-4:] = 20
    page[::20] -= 25
    page[50:150, 120:140] = page[130:150, 120:170] = 20
    page += np.random.default_rng(0).normal(0, 4, page.shape)
    disturbed = read_picture(saved(page.clip(0, 255).astype(np.uint8), "JPEG"))
    assert letter(disturbed)
    assert np.abs(disturbed.image - clean).mean() < 12


def test_a_hard_shadow_is_not_an_object():
    page = drawing(paper=220, shape=(240, 320))
    y, x = np.indices(page.shape)
    page[y + x > 330] = page[y + x > 330] * 0.6
    assert letter(read_picture(saved(page)))


def test_a_dark_object_at_the_edge_is_not_a_shadow():
    page = np.full((240, 320), 220, np.uint8)
    y, x = np.indices(page.shape)
    page[y + x > 330] = 132
    page[120:240, 80:220] = 15
    picture = read_picture(saved(page))
    assert (picture.image > 127).sum() > 600
    assert "reaches the edge" in picture.warnings[0]
