"""JavaScript makes the same images of pictures as Python."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Error

from benchmarks.photographs import CLEAN, KINDS, photograph
from jaxquard.data import load
from jaxquard.data.framing import AS_READ, Framing
from jaxquard.data.pictures import read_picture
from jaxquard.runs.models import TrainedModel, file_content, load_model

from ..data.drawings import drawing, saved
from ..exporting.networks import made

pytestmark = pytest.mark.check

RNG = np.random.default_rng(0)
PREPARE = """const network = read(given[0].buffer), images = [];
for (const bytes of given.slice(1)) {
  const bitmap = await createImageBitmap(new Blob([bytes]));
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  images.push([...prepare(context.getImageData(0, 0, bitmap.width, bitmap.height), network)]);
}
return images"""


def prepared(ask: Any, model: TrainedModel, pictures: Iterable[bytes]) -> np.ndarray:
    """Picture files as JavaScript prepares them for a model, uint8 (n, h, w, c)."""
    return np.reshape(ask(PREPARE, file_content(model), *pictures), (-1, *model.image_shape)).astype(np.uint8)


def thin_lines() -> np.ndarray:
    """Lines of one and two pixels: uint8 (H, W)."""
    page = np.full((200, 300), 250, np.uint8)
    page[40:150, 100] = page[40, 100:190] = page[41, 100:190] = 60
    return page


def with_speck() -> np.ndarray:
    """A drawing and a speck: uint8 (H, W)."""
    page = drawing()
    page[30:35, 250:255] = 20
    return page


def cut_out(ink: int) -> np.ndarray:
    """Ink without paper, with a soft edge: uint8 (H, W, 4)."""
    rgba = np.zeros((120, 160, 4), np.uint8)
    rgba[20:100, 50:90] = [ink, ink, ink, 255]
    rgba[20:100, 90:94, 3] = 90
    return rgba


def in_colour(paper: tuple[int, int, int]) -> np.ndarray:
    """An L in red and blue: uint8 (H, W, 3)."""
    page = np.full((150, 200, 3), paper, np.uint8)
    page[40:110, 60:90] = (200, 30, 40)
    page[80:110, 60:140] = (30, 60, 180)
    return page


PICTURES = {
    **{f"{ink} on {paper}": drawing(ink=ink, paper=paper) for ink, paper in ((20, 255), (240, 0), (20, 180))},
    "thin": thin_lines(),
    "speck": with_speck(),
    "small": np.pad(drawing()[40:160, 110:180], ((200, 100), (300, 200)), constant_values=255),
    "light cut out": cut_out(230),
    "dark cut out": cut_out(40),
    "blank": np.full((90, 130), 200, np.uint8),
    "noise": RNG.integers(0, 256, (60, 80), dtype=np.uint8),
    "at the edge": drawing()[:140, 125:],
    "red and blue on white": in_colour((255, 255, 255)),
    "red and blue on black": in_colour((0, 0, 0)),
    "one pixel": np.full((1, 1), 70, np.uint8),
    "long and plain": np.full((5, 400), 100, np.uint8),
    "a line": np.full((1, 300), 70, np.uint8),
    "tiny": RNG.integers(0, 256, (3, 2), dtype=np.uint8),
    "of the network's size": RNG.integers(0, 256, (28, 24), dtype=np.uint8),
    "dark, of the network's size": RNG.integers(0, 16, (28, 24), dtype=np.uint8),
}
FRAMINGS = [  # and channels
    (Framing(), 1),
    (Framing(fill=0.714, centre="mass"), 1),
    (Framing("light", fill=0.9), 3),
    (Framing("both", full_contrast=False), 1),
    (Framing("both", full_contrast=False), 3),
    (Framing(white=16), 1),
    (Framing("both", stands_out=False), 3),
    (AS_READ, 1),
    (AS_READ, 3),
]


@pytest.mark.parametrize(("framing", "channels"), FRAMINGS, ids=str)
def test_a_picture_becomes_the_same_image(ask, framing, channels):
    shape = (28, 24, channels)
    model = made(image_shape=shape, hidden=(), facts={"framing": framing.to_dict()})
    data = {name: saved(pixels) for name, pixels in PICTURES.items() if channels == 3 or "red" not in name}
    for (name, one), image in zip(data.items(), prepared(ask, model, data.values()), strict=True):
        expected = read_picture(one, image_shape=shape, framing=framing).image
        np.testing.assert_allclose(image, expected, rtol=0, atol=3, err_msg=name)


def test_photographs_become_images_of_the_same_classes(ask, tmp_path):
    model, image = load_model("cnn-small", tmp_path), load("fashion-mnist").test_images[0, ..., 0]
    steps = [CLEAN, *(middle for _, middle, _ in KINDS.values())]
    taken = [photograph(image, step, np.random.default_rng(k)) for k, step in enumerate(steps)]
    found = prepared(ask, model, taken)
    expected = np.stack([read_picture(one, framing=model.framing).image for one in taken])
    assert np.median(np.abs(np.subtract(found, expected, dtype=int)).max(axis=(1, 2, 3))) <= 3
    np.testing.assert_array_equal(model.predict(found), model.predict(expected))


def test_a_line_across_the_paper_is_no_object(ask):
    page, lined = drawing(), drawing()
    lined[60:68, :120] = lined[60:68, 140:] = 190
    plain, found = prepared(ask, made(image_shape=(28, 24, 1), hidden=()), [saved(page), saved(lined)]).astype(int)
    assert np.abs(plain - found).max() < 50  # the line beside the object is grey


def test_images_that_are_no_pictures_are_refused(ask):
    model = made(image_shape=(5, 5, 2), hidden=())
    with pytest.raises(Error, match="Pictures have 1 or 3 channels, the network's images 2"):
        prepared(ask, model, [saved(drawing())])


def test_the_program_on_the_page_runs(ask, tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "EXPORT.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```js\n(?:import [^\n]*\n)*(.*?)^```", page, re.M | re.S)
    given = """const said = [], console = { log: (words) => said.push(words) }, canvas = new OffscreenCanvas(28, 28);
    const fetch = async () => ({ arrayBuffer: () => given[0].buffer }), context = canvas.getContext("2d");
    context.fillRect(0, 0, 28, 28);"""
    model = load_model("mlp", tmp_path)
    assert ask(f"{given} {program} return said", file_content(model)) == [
        *model.predict(np.zeros((1, 28, 28, 1), np.uint8))
    ]
