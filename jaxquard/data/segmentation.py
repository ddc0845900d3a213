"""Finds the object in a picture: the pixels that differ from the estimated background by several times the noise.

A median filter first removes fine detail: noise, specks, the lines of ruled paper. Connected parts with little mass,
and thin parts along the border, are removed as dirt. If the rest reaches the border, as broad lines do, the threshold
rises.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy
from PIL import Image

from jaxquard.data.background import background, parts_of, spread

EDGE = 256  # pixels of the longer edge; larger pictures are reduced by averaging
CLOSE = 80  # pixels: a smaller object is searched for again at a higher resolution
FINE = 2  # pixels: lines of this width belong to the paper, unless the whole object is as thin
SURE, MAYBE = 8.0, 4.0  # times the noise: surely object; object if connected to such a pixel
NEAR = 8  # pixels from the core within which fainter pixels may belong to the object
LIGHT_PART = 0.04  # of the heaviest part's mass: a lighter part is dirt
CERTAIN = 20.0  # grey levels


@dataclass(frozen=True, eq=False)
class Found:
    """The object in a picture, and the background."""

    picture: np.ndarray  # float32 (h, w, c): the searched part, reduced
    difference: np.ndarray  # float32 (h, w): 0 background … 1 most different, along the object's colour
    mask: np.ndarray  # bool (h, w): object
    is_light: bool  # the background is lighter than the object
    paper: np.ndarray  # float32 (h, w, c): the background, grey levels
    cut: float  # the object's contact with the border, over its longer edge

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the object; all of them if there is none."""
        if not self.mask.any():
            return slice(None), slice(None)
        rows, columns = (np.flatnonzero(self.mask.any(axis=axis)) for axis in (1, 0))
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def look(picture: np.ndarray, is_light: bool | None = None) -> Found:
    """The object in uint8 (H, W, c) of any size. A small object is searched for again at a higher resolution."""
    found = find(reduced(picture), is_light)
    rows, columns = found.box
    edge = max(rows.stop - rows.start, columns.stop - columns.start) if found.mask.any() else EDGE
    scale = max(picture.shape[:2]) / max(found.mask.shape)
    if edge > CLOSE or scale <= 1:
        return found
    near = tuple(
        slice(max(0, int((side.start - edge) * scale)), int((side.stop + edge) * scale)) for side in (rows, columns)
    )
    closely = replace(find(reduced(picture[near]), found.is_light), cut=found.cut)
    return closely if closely.mask.any() else found


def reduced(picture: np.ndarray) -> np.ndarray:
    """uint8 (H, W, c), reduced to EDGE pixels on the longer edge by averaging."""
    image = Image.fromarray(picture)
    scale = max(image.size) / EDGE
    if scale <= 1:
        return picture
    return np.asarray(image.resize([max(1, round(side / scale)) for side in image.size], Image.Resampling.BOX))


def find(picture: np.ndarray, is_light: bool | None = None) -> Found:
    """The object in grey levels (h, w, c), at most EDGE on a side. `is_light`: whether the background is, if known."""
    paper, mask = _separated(picture)
    picture = picture.astype(np.float32)
    left = picture - paper
    colour = left[mask].sum(axis=0) if mask.any() else 127.5 - np.median(paper, axis=(0, 1))
    if is_light is not None and (colour.sum() < 0) != is_light:
        colour = np.where(is_light, -1, 1) * np.ones(picture.shape[-1], np.float32)
    colour = colour / max(1e-6, np.abs(colour).sum())
    most = np.where(colour < 0, paper, 255 - paper) @ np.abs(colour)
    difference = np.clip(left @ colour / np.maximum(most, 1), 0, 1)
    return Found(picture, difference, mask, bool(colour.sum() < 0), paper, _cut(mask, difference))


def _separated(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The background of grey levels (h, w, c), and the object's mask (h, w)."""
    fine = 1 + 2 * min(FINE, min(picture.shape[:2]) // 48)
    plain = scipy.ndimage.median_filter(picture, (fine, fine, 1)).astype(np.float32)
    paper, noise = background(plain)
    mask = stand_out(np.abs(plain - paper).max(axis=-1), noise)
    strength = np.abs(picture - paper).max(axis=-1)
    thin = stand_out(strength, spread(strength[~mask]))
    whole = not _touches(thin) and strength[thin].sum() > 2 * strength[mask].sum()
    return paper, thin if whole or not mask.any() else mask


def _cut(mask: np.ndarray, difference: np.ndarray) -> float:
    """The length of the object's contact with the border, over the object's longer edge."""
    if not mask.any():
        return 0.0
    solid = mask & (difference > 0.5 * np.percentile(difference[mask], 90))
    border = max(int(side.sum()) for side in (solid[0], solid[-1], solid[:, 0], solid[:, -1]))
    return border / max(1, *(int(np.ptp(np.flatnonzero(mask.any(axis=axis)))) for axis in (0, 1)))


def stand_out(strength: np.ndarray, noise: float) -> np.ndarray:
    """The pixels far enough above the noise. While they reach the border, as lines on paper do, the threshold rises."""
    low, high = max(MAYBE * noise, CERTAIN / 2), max(SURE * noise, CERTAIN)
    everything = without_dirt(hysteresis(strength, low, high), strength)
    core, most = everything, 0.5 * float(np.percentile(strength[everything], 98)) if everything.any() else 0.0
    while _touches(core):
        low, high = 1.4 * low, max(high, 1.4 * low)
        if low > most:
            return everything
        core = without_dirt(hysteresis(strength, low, high), strength)
    if core is everything:
        return core
    thick = scipy.ndimage.binary_opening(everything, np.ones((3, 3)))
    whole = _holding(core | thick, core)
    near = scipy.ndimage.binary_dilation(core, iterations=NEAR)
    return core | np.logical_and(thick, near) if _touches(whole) else whole


def _touches(mask: np.ndarray) -> bool:
    """Whether a mask reaches the border of the picture."""
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def hysteresis(strength: np.ndarray, low: float, high: float) -> np.ndarray:
    """The pixels above `low` that are connected to one above `high`."""
    return _holding(strength > low, strength > high)


def _holding(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The connected parts of a mask that contain a seed."""
    labels = parts_of(mask)
    return np.isin(labels, np.setdiff1d(labels[seeds], 0))


def without_dirt(mask: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """The mask without light parts, and without thin ones along the border."""
    labels = parts_of(mask)
    numbers = np.arange(1, labels.max() + 1)
    if not len(numbers):
        return mask
    masses = scipy.ndimage.sum_labels(strength, labels, numbers)
    for k, (rows, columns) in enumerate(scipy.ndimage.find_objects(labels)):
        touches = rows.start == 0 or columns.start == 0 or rows.stop == mask.shape[0] or columns.stop == mask.shape[1]
        box = (rows.stop - rows.start, columns.stop - columns.start)
        if touches and min(box) < 0.08 * min(mask.shape):
            masses[k] = 0
    heavy = (masses >= LIGHT_PART * masses.max()) & (masses > 0)
    return np.isin(labels, numbers[heavy])
