"""Photographs of objects on paper, made from small images: sixteen disturbances, each at three strengths.

`photograph(image, step, rng)` is a JPEG of 640 x 480 pixels that imitates a camera's. An image is uint8 (28, 28), a
light object on black. On the sheet its pixels are ink: black is paper, white is the darkest ink.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

HEIGHT, WIDTH = 480, 640
COLOURS = (  # paper, ink
    ((240, 225, 190), (25, 30, 90)),
    ((235, 220, 90), (20, 110, 50)),
    ((235, 150, 160), (150, 20, 40)),
)


Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # of (H, W, 3) grey levels


@dataclass(frozen=True)
class Scene:
    """An object on its paper, before the effects of light and camera."""

    edge: int = 220  # pixels of the object's longer edge
    gap: int | None = None  # pixels between the object and one edge of the sheet; None: anywhere, 30 pixels at least
    tilt: float = 0  # degrees
    paper: tuple[int, int, int] = (215, 215, 215)
    ink: tuple[int, int, int] = (20, 20, 20)
    quality: int = 90  # of the JPEG
    printed: Change | None = None  # what is on the paper, under the object


def noise(sigma: float) -> Change:
    """Normal noise in every pixel and channel."""
    return lambda page, rng: page + rng.normal(0, sigma, page.shape)


def salt(percent: float) -> Change:
    """This percentage of pixels black or white."""

    def light(page: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hit = rng.random(page.shape[:2]) < percent / 100
        page[hit] = rng.choice([0, 255], (int(hit.sum()), 1))
        return page

    return light


def specks(count: int) -> Change:
    """Dark specks of 2 to 4 pixels at random places."""

    def light(page: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for _ in range(count):
            k = rng.integers(2, 5)
            y, x = rng.integers(HEIGHT - k), rng.integers(WIDTH - k)
            page[y : y + k, x : x + k] -= 80
        return page

    return light


def shade(levels: float) -> Change:
    """Light that falls off from one end of the sheet to the other, by this many grey levels on white paper."""
    return lambda page, rng: page * (1 - levels / 215 * _slope(rng))[..., None]


def shadow(levels: float) -> Change:
    """A hard shadow over a part of the sheet, this many grey levels darker on white paper."""
    return lambda page, rng: page * (1 - levels / 215 * (_slope(rng) > rng.uniform(0.3, 0.7)))[..., None]


def _slope(rng: np.random.Generator) -> np.ndarray:
    """From 0 to 1 across the sheet, in any direction: (H, W)."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    along = np.sin(angle) * y + np.cos(angle) * x
    return (along - along.min()) / np.ptp(along)


def texture(levels: float) -> Change:
    """Paper with a grain: blotches of about five pixels, with a standard deviation of this many grey levels."""

    def light(page: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        grain = ndimage.gaussian_filter(rng.normal(0, 1, page.shape[:2]), 2.5)
        return page * (1 + levels / 215 * grain / grain.std())[..., None]

    return light


def frame_line(pixels: int) -> Change:
    """A dark line along one edge, like the end of the sheet."""

    def light(page: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        turned = np.rot90(page, side := int(rng.integers(4)))
        turned[:pixels] = 30
        return np.rot90(turned, -side)

    return light


def blur(sigma: float) -> Change:
    """A picture out of focus."""
    return lambda page, rng: ndimage.gaussian_filter(page, (sigma, sigma, 0))


def lined(levels: float, *, squared: bool = False) -> Change:
    """Lines across the sheet, or across and down, 1.5 pixels wide and this many grey levels darker than the paper."""

    def ruled(page: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        every = 22 if squared else 34
        for axis in (0, 1)[: 1 + squared]:
            along = (np.arange(page.shape[axis]) + rng.uniform(0, every)) % every
            drawn = np.clip(1.5 - np.abs(along - every / 2), 0, 1)
            page = page - levels * np.expand_dims(drawn, (1 - axis, 2))
        return page

    return ruled


def _nothing(page: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    del rng
    return page


Step = tuple[Scene, Change]
DARK = Scene(paper=(40, 40, 40), ink=(230, 230, 230))


def _lights(make: Callable[[Any], Change], *strengths: float, scene: Scene = Scene()) -> tuple[Step, ...]:
    return tuple((scene, make(strength)) for strength in strengths)


def _scenes(*scenes: Scene) -> tuple[Step, ...]:
    return tuple((scene, _nothing) for scene in scenes)


KINDS: dict[str, tuple[Step, ...]] = {  # each at three strengths
    "noise": _lights(noise, 3, 6, 12),
    "salt": _lights(salt, 0.02, 0.1, 0.5),
    "specks": _lights(specks, 1, 4, 12),
    "shade": _lights(shade, 30, 60, 100),
    "texture": _lights(texture, 2, 5, 10),
    "frame line": _lights(frame_line, 1, 4, 12),
    "blur": _lights(blur, 1, 3, 6),
    "JPEG": _scenes(*(Scene(quality=q) for q in (60, 30, 15))),
    "dark paper": _lights(noise, 3, 6, 12, scene=DARK),
    "tilt": _scenes(*(Scene(tilt=degrees) for degrees in (2, 4, 8))),
    "small": _scenes(*(Scene(edge=HEIGHT // part) for part in (2, 4, 8))),
    "off centre": _scenes(*(Scene(gap=gap) for gap in (20, 8, 2))),
    "colour": _scenes(*(Scene(paper=paper, ink=ink) for paper, ink in COLOURS)),
    "shadow": _lights(shadow, 30, 60, 100),
    "lined": _scenes(*(Scene(printed=lined(levels)) for levels in (20, 40, 80))),
    "squared": _scenes(*(Scene(printed=lined(levels, squared=True)) for levels in (15, 30, 60))),
}
STRENGTHS = ("weak", "middle", "strong")
CLEAN: Step = (Scene(), _nothing)


def photograph(image: np.ndarray, step: Step, rng: np.random.Generator) -> bytes:
    """A photograph of uint8 `image` (h, w) as ink on paper. Everything that `step` does not fix is random."""
    scene, light = step
    if scene.tilt:
        scene = replace(scene, tilt=scene.tilt * rng.choice([-1, 1]))
    ink = place(enlarge(image, scene.edge, scene.tilt), scene.gap, rng)[..., None]
    paper = np.full((HEIGHT, WIDTH, 3), scene.paper, float)
    if scene.printed:
        paper = scene.printed(paper, rng)
    page = paper * (1 - ink) + np.asarray(scene.ink) * ink
    return jpeg(light(page, rng), scene.quality)


def jpeg(page: np.ndarray, quality: int = 90) -> bytes:
    """The bytes of a JPEG file of grey levels (H, W, 3)."""
    Image.fromarray(page.round().clip(0, 255).astype(np.uint8)).save(file := io.BytesIO(), "JPEG", quality=quality)
    return file.getvalue()


def enlarge(image: np.ndarray, edge: int, tilt: float = 0) -> np.ndarray:
    """The object, cut out, its longer edge `edge` pixels, turned by `tilt` degrees: [0, 1] (h, w)."""
    rows, columns = (np.flatnonzero(image.max(axis=axis) > 12) for axis in (1, 0))
    cut = Image.fromarray(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = edge / max(cut.size)
    large = cut.resize([max(1, round(side * scale)) for side in cut.size], Image.Resampling.BICUBIC)
    return np.asarray(large.rotate(tilt, Image.Resampling.BICUBIC, expand=True)) / 255


def place(thing: np.ndarray, gap: int | None, rng: np.random.Generator) -> np.ndarray:
    """`thing` at a random place on an empty sheet: (H, W)."""
    sheet = np.zeros((HEIGHT, WIDTH))
    least = 30 if gap is None else gap
    free = [sheet.shape[k] - thing.shape[k] - 2 * least for k in (0, 1)]
    place = [least + int(rng.integers(max(1, space))) for space in free]
    if gap is not None:
        axis, end = rng.integers(2), rng.integers(2)
        place[axis] = sheet.shape[axis] - thing.shape[axis] - gap if end else gap
    sheet[place[0] : place[0] + thing.shape[0], place[1] : place[1] + thing.shape[1]] = thing
    return sheet
