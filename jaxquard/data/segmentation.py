"""Where in a picture the object is: what differs from a background that is estimated, with noise that is measured.

The background is a smooth surface, fitted to the border first and then to all that looks like it, so that light may
fall off across the sheet. What is left beyond several times the noise is object or dirt: connected parts that are
light in mass, or thin along the border, go. One pixel, one speck or one line moves nothing.
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy import ndimage

EDGE = 256  # pixels of the longer edge that are searched; larger pictures are reduced by averaging
CLOSE = 80  # pixels: of an object that is smaller, the original has more to show
FITTED = 64  # pixels of the longer edge that the surface is fitted to
ROUNDS = 6
SURE, MAYBE = 8.0, 4.0  # times the noise: object; object if it touches what surely is
NEAR = 8  # pixels from the core: what is fainter may belong to the object
DARKEST_SHADOW = 0.4  # of the paper in the light
LEAST_PAPER = 0.3  # share of the picture
LEAST_NOISE = 1.5  # grey levels
LIGHT_PART = 0.04  # of the heaviest part's mass: dirt
CERTAIN = 20.0  # grey levels


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in a picture."""

    picture: np.ndarray  # float32 (h, w, c): the part that was searched, small
    difference: np.ndarray  # float32 (h, w): 0 background … 1 as different as can be, along the object's colour
    mask: np.ndarray  # bool (h, w): object
    is_light: bool  # the background is lighter than the object
    noise: float  # of the background, grey levels
    paper: np.ndarray  # float32 (h, w, c): the background, grey levels

    cut: float  # how much of the border is object, over the object's longer edge

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the object; all of them if there is none."""
        if not self.mask.any():
            return slice(None), slice(None)
        rows, columns = (np.flatnonzero(self.mask.any(axis=axis)) for axis in (1, 0))
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def look(picture: np.ndarray, is_light: bool | None = None) -> Found:
    """The object in uint8 (H, W, c) of any size: searched for in the whole, and once more closely if it is small."""
    found = find(reduced(picture), is_light)
    rows, columns = found.box
    edge = max(rows.stop - rows.start, columns.stop - columns.start) if found.mask.any() else EDGE
    scale = max(picture.shape) / max(found.mask.shape)
    if edge > CLOSE or scale == 1:
        return found
    near = tuple(
        slice(max(0, int((side.start - edge) * scale)), int((side.stop + edge) * scale)) for side in (rows, columns)
    )
    closely = replace(find(reduced(picture[near]), found.is_light), cut=found.cut)
    return closely if closely.mask.any() else found


def reduced(picture: np.ndarray) -> np.ndarray:
    """uint8 (H, W, c) with EDGE pixels on the longer edge at most, by averaging."""
    image = Image.fromarray(picture)
    scale = max(image.size) / EDGE
    if scale <= 1:
        return picture
    return np.asarray(image.resize([max(1, round(side / scale)) for side in image.size], Image.Resampling.BOX))


def find(picture: np.ndarray, is_light: bool | None = None) -> Found:
    """The object in grey levels (h, w, c), at most EDGE on a side; `is_light` says what the background is, if known."""
    picture = picture.astype(np.float32)
    paper, noise = surface(picture)
    if uneven(picture - paper, noise):
        paper = shadowed(picture, paper)
    left = picture - paper
    strength = np.abs(left).max(axis=-1)
    mask = stand_out(strength, noise)
    colour = left[mask].sum(axis=0) if mask.any() else 127.5 - np.median(paper, axis=(0, 1))
    if is_light is not None and (colour.sum() < 0) != is_light:
        colour = np.where(is_light, -1, 1) * np.ones(picture.shape[-1], np.float32)
    colour = colour / max(1e-6, np.abs(colour).sum())
    room = np.where(colour < 0, paper, 255 - paper) @ np.abs(colour)
    difference = np.clip(left @ colour / np.maximum(room, 1), 0, 1)
    return Found(picture, difference, mask, bool(colour.sum() < 0), noise, paper, _cut(mask, difference))


def _cut(mask: np.ndarray, difference: np.ndarray) -> float:
    """How long the object's contact with the border is, over the object's longer edge."""
    if not mask.any():
        return 0.0
    solid = mask & (difference > 0.5 * np.percentile(difference[mask], 90))
    border = max(int(side.sum()) for side in (solid[0], solid[-1], solid[:, 0], solid[:, -1]))
    return border / max(1, *(int(np.ptp(np.flatnonzero(mask.any(axis=axis)))) for axis in (0, 1)))


def spread(strength: np.ndarray) -> float:
    """The noise behind differences from the background, grey levels: their median, of those that are not object."""
    return max(LEAST_NOISE, 1.4826 * float(np.median(strength)) if strength.size else 0.0)


def surface(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """The background of (h, w, c) and its noise: the quadratic surface through the border, then all that is like it."""
    step = max(1, -(-max(picture.shape) // FITTED))
    small = picture[::step, ::step]
    flat, terms = small.reshape(-1, picture.shape[-1]), _terms(small.shape)
    k = max(1, min(small.shape[:2]) // 24)
    inner = np.zeros(small.shape[:2], bool)
    inner[k:-k, k:-k] = True
    border = ~inner.ravel()
    fitted, chosen = np.median(flat[border], axis=0), border
    coefficients = np.zeros((6, picture.shape[-1]), np.float32)
    coefficients[0] = fitted
    for k in range(ROUNDS):
        strength = np.abs(flat - terms @ coefficients).max(axis=1)
        near = strength < 3 * spread(strength[chosen])
        chosen = near & border if k < ROUNDS // 2 else near
        if chosen.sum() < 20:
            break
        coefficients = np.linalg.lstsq(terms[chosen], flat[chosen], rcond=None)[0]
    noise = spread(np.abs(flat - terms @ coefficients).max(axis=1)[chosen])
    return (_terms(picture.shape) @ coefficients).reshape(picture.shape).clip(0, 255), noise


def uneven(left: np.ndarray, noise: float) -> bool:
    """Whether the border of what is left (h, w, c) is more than noise in many places: shadows, or the object itself."""
    strength = np.abs(left).max(axis=-1)
    border = ndimage.median_filter(np.concatenate([*strength[[0, -1]], *strength.T[[0, -1]]]), 9)  # wide, not lines
    fine = spread(np.abs(strength - ndimage.uniform_filter(strength, 3)))
    return float(np.mean(border > max(CERTAIN / 2, MAYBE * min(fine, noise)))) > 0.08


def shadowed(picture: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """The background of (h, w, c) where it is in parts, as shadows make them: calm parts that reach the border.

    `otherwise` is the answer where these are not most of the picture.
    """
    grey = picture.max(axis=-1)
    steep = ndimage.gaussian_gradient_magnitude(grey, 1.0)
    parts = _parts(steep < np.clip(4 * np.median(steep), 3, 12))
    border = np.bincount(np.concatenate([parts[[0, -1]].ravel(), parts[:, [0, -1]].ravel()]), minlength=parts.max() + 1)
    border[0] = 0
    long = np.flatnonzero(border > 0.04 * border.sum())
    levels = ndimage.median(grey, parts, long)
    paper = np.isin(parts, long[levels > DARKEST_SHADOW * np.max(levels, initial=0)])
    if paper.mean() < LEAST_PAPER:
        return otherwise
    smooth = np.zeros_like(picture)
    for number in np.unique(parts[paper]):
        part = (parts == number) & paper
        weight = ndimage.gaussian_filter(part.astype(np.float32), 3)
        for c in range(picture.shape[-1]):
            smooth[part, c] = (ndimage.gaussian_filter(picture[..., c] * part, 3) / np.maximum(weight, 1e-6))[part]
    return smooth[_nearest(paper, grey)]


def _nearest(paper: np.ndarray, grey: np.ndarray) -> tuple[np.ndarray, ...]:
    """For each pixel the nearest one of `paper` (h, w), on its own side of a straight shadow if there is one."""
    middle = (np.percentile(grey[paper], 2) + np.percentile(grey[paper], 98)) / 2
    y, x = np.nonzero(paper)
    some = slice(None, None, max(1, len(y) // 2000))
    points = np.stack([np.ones(len(y)), y / len(paper), x / len(paper)], axis=1)[some]
    shaded = grey[paper][some] < middle
    weights = np.zeros(3)
    for _ in range(20):  # logistic regression by Newton's method
        chance = 1 / (1 + np.exp(-np.clip(points @ weights, -30, 30)))
        curvature = (points * (chance * (1 - chance))[:, None]).T @ points + 1e-4 * np.eye(3)
        weights += np.linalg.solve(curvature, points.T @ (shaded - chance) - 1e-4 * weights)
    side = (np.indices(paper.shape).reshape(2, -1).T / len(paper) @ weights[1:] + weights[0] > 0).reshape(paper.shape)
    if np.mean((points @ weights > 0) == shaded) < 0.99 or shaded.all() or not shaded.any():
        side = np.zeros_like(paper)  # a shadow of another shape
    found = np.zeros((2, *paper.shape), int)
    for here in (side, ~side):
        if here.any():
            near = ndimage.distance_transform_edt(~(paper & here), return_distances=False, return_indices=True)
            found[:, here] = np.asarray(near)[:, here]
    return tuple(found)


def _terms(shape: tuple[int, ...]) -> np.ndarray:
    """1, y, x, y², yx, x² of each pixel of (h, w, …), its sides from -1 to 1: (h·w, 6)."""
    y, x = (a.ravel() for a in np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j].astype(np.float32))
    return np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=1)


def stand_out(strength: np.ndarray, noise: float) -> np.ndarray:
    """What differs enough: above the noise, and if that reaches the border, as lines on paper do, above more."""
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
    thick = ndimage.binary_opening(everything, np.ones((3, 3)))
    whole = _holding(core | thick, core)
    near = ndimage.binary_dilation(core, iterations=NEAR)
    return core | np.logical_and(thick, near) if _touches(whole) else whole


def _touches(mask: np.ndarray) -> bool:
    """Whether it reaches the border of the picture."""
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def hysteresis(strength: np.ndarray, low: float, high: float) -> np.ndarray:
    """What is above `low` and connected to something above `high`."""
    return _holding(strength > low, strength > high)


def _holding(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The connected parts of a mask that hold a seed."""
    labels = _parts(mask)
    return np.isin(labels, np.setdiff1d(labels[seeds], 0))


def without_dirt(mask: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """The parts that are heavy enough, and not thin along the border."""
    labels = _parts(mask)
    numbers = np.arange(1, labels.max() + 1)
    if not len(numbers):
        return mask
    masses = ndimage.sum_labels(strength, labels, numbers)
    for k, (rows, columns) in enumerate(ndimage.find_objects(labels)):
        touches = rows.start == 0 or columns.start == 0 or rows.stop == mask.shape[0] or columns.stop == mask.shape[1]
        box = (rows.stop - rows.start, columns.stop - columns.start)
        if touches and min(box) < 0.08 * min(mask.shape):
            masses[k] = 0
    heavy = (masses >= LIGHT_PART * masses.max()) & (masses > 0)
    return np.isin(labels, numbers[heavy])


def _parts(mask: np.ndarray) -> np.ndarray:
    """The connected parts of a mask (h, w), numbered from 1; corners connect."""
    labels = np.empty(mask.shape, np.int32)
    ndimage.label(mask, np.ones((3, 3)), output=labels)
    return labels
