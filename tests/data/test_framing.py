"""The framing is measured correctly on drawn images."""

import numpy as np
import pytest

from jaxquard.data.framing import AS_READ, ENOUGH, Framing, measure, measure_whole


def blocks(*, edge: int = 20, by_mass: bool = False, contrast: int | None = 255, n: int = 60) -> np.ndarray:
    """Blocks `edge` high on 28 x 28 black pixels, with a heavy end, in the middle by box or by mass: (n, h, w, 1)."""
    rng = np.random.default_rng(0)
    images = np.zeros((n, 28, 28, 1), np.uint8)
    for image in images:
        heavy, wide = rng.integers(2, edge // 2), rng.integers(4, 9)
        level = contrast or rng.integers(60, 256)
        middle = 10 * edge // 20 if not by_mass else round((heavy * heavy + (edge - heavy) * (edge + heavy) / 4) / edge)
        top = 14 - middle if by_mass else 14 - edge // 2
        image[top : top + edge, 14 - wide // 2 : 14 + wide // 2] = level // 2
        image[top : top + heavy, 14 - wide : 14 + wide] = level
    return images


def test_how_much_of_the_frame_is_filled_and_by_what_objects_are_centred():
    assert measure(blocks()) == Framing("dark", 20 / 28 // 0.001 / 1000, "box")
    assert measure(blocks(edge=28)).fill == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_light_dark_and_both(channels):
    images = np.repeat(blocks(), channels, axis=-1)
    assert measure(images).background == "dark"
    assert measure(255 - images).background == "light"
    images[0] = 255 - images[0]  # a single exception is ignored
    assert measure(images).background == "dark"
    images[::3] = 255 - images[::3]
    assert measure(images).background == "both"


def test_contrast_that_says_something_and_images_of_zeros_and_ones():
    assert measure(blocks()).full_contrast
    assert not measure(blocks(contrast=None)).full_contrast
    assert measure((blocks() > 0).astype(np.uint8)) == Framing("dark", measure(blocks()).fill, white=1)


def test_nothing_stands_out_from_photographs_nor_from_blank_images():
    photographs = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3), dtype=np.uint8)
    assert not measure(photographs).stands_out
    assert not measure(np.zeros((3, 28, 28, 1), np.uint8)).stands_out


def test_whole_images_are_learned_from_if_there_are_enough():
    images = np.random.default_rng(0).integers(0, 256, (ENOUGH, 8, 8, 3), dtype=np.uint8)
    assert measure_whole(images[1:]) == AS_READ
    framing = measure_whole(images)
    assert framing.learned
    assert framing == Framing("both", as_read=True, learned=framing.learned) == Framing.from_dict(framing.to_dict())


def test_facts_are_checked():
    framing = Framing("both", 0.5, "mass", stands_out=False, full_contrast=False, white=1)
    assert Framing.from_dict(framing.to_dict()) == framing
    assert Framing.from_dict({}) == Framing()
    wrong = [{"background": "grey"}, {"fill": 0}, {"fill": True}, {"fill": float("nan")}, {"centre": None}]
    wrong += [{"stands_out": 1}, {"full_contrast": "yes"}, {"white": 256}, {"white": 1.0}, {"more": 1}]
    for facts in (*wrong, None, [], 3):
        with pytest.raises(ValueError, match="invalid framing"):
            Framing.from_dict(facts)
