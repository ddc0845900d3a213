"""The background of a picture: a smooth surface, or several parts, some of them in a shadow.

A quadratic surface models light that falls off across the sheet. It is fitted first to the border, which an object
rarely reaches, then to all pixels near the surface. If the border differs from it by more than noise, a shadow has hard
edges. Then the smooth parts that reach the border are the background, and every other pixel gets the nearest one's.
"""

import numpy as np
import scipy  # scipy.ndimage is imported when first used; it takes 0.1 s

FITTED = 64  # pixels of the longer edge that the surface is fitted to
ROUNDS = 6
LEAST_NOISE = 1.5  # grey levels
UNEVEN = 0.08  # share of the border that is neither background nor noise
WIDE = 9  # pixels
STANDS_OUT = 10.0  # grey levels
DARKEST_SHADOW = 0.4  # of the paper in the light
LEAST_PAPER = 0.3  # share of the picture


def background(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """The background of grey levels (h, w, c), of the same shape, and the standard deviation of its noise."""
    paper, noise = surface(picture)
    return (shadowed(picture, paper) if uneven(picture - paper, noise) else paper), noise


def spread(strength: np.ndarray) -> float:
    """The standard deviation of noise, in grey levels, from the median of differences from the background."""
    return max(LEAST_NOISE, 1.4826 * float(np.median(strength)) if strength.size else 0.0)


def surface(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """The background of (h, w, c) as a quadratic surface, and its noise."""
    step = -(-max(picture.shape) // FITTED)
    rows, columns = (max(1, min(step, n // 3)) for n in picture.shape[:2])  # 3 points fix a parabola
    small = picture[::rows, ::columns]
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
    """Whether the residual (h, w, c) exceeds noise in many places of the border: shadows, or the object itself."""
    strength = np.abs(left).max(axis=-1)
    bands = (
        strength[:WIDE],
        strength[-WIDE:],
        strength.T[:WIDE],
        strength.T[-WIDE:],
    )  # wide, so that thin lines vanish
    border = scipy.ndimage.median_filter(np.concatenate([np.median(band, axis=0) for band in bands]), WIDE)
    fine = spread(np.abs(strength - scipy.ndimage.uniform_filter(strength, 3)))
    return float(np.mean(border > max(STANDS_OUT, 4 * min(fine, noise)))) > UNEVEN


def shadowed(picture: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """The background of (h, w, c) if shadows divide it: smooth parts that reach the border.

    Returns `otherwise` if these cover too little of the picture.
    """
    grey = picture.max(axis=-1)
    steep = scipy.ndimage.gaussian_gradient_magnitude(grey, 1.0)
    parts = parts_of(steep < np.clip(4 * np.median(steep), 3, 12))
    border = np.bincount(np.concatenate([parts[[0, -1]].ravel(), parts[:, [0, -1]].ravel()]), minlength=parts.max() + 1)
    border[0] = 0
    long = np.flatnonzero(border > 0.04 * border.sum())
    levels = scipy.ndimage.median(grey, parts, long)
    paper = np.isin(parts, long[levels > DARKEST_SHADOW * np.max(levels, initial=0)])
    if paper.mean() < LEAST_PAPER:
        return otherwise
    smooth = np.zeros_like(picture)
    for number in np.unique(parts[paper]):
        part = (parts == number) & paper
        weight = scipy.ndimage.gaussian_filter(part.astype(np.float32), 3)
        for c in range(picture.shape[-1]):
            sums = scipy.ndimage.gaussian_filter(picture[..., c] * part, 3)
            smooth[part, c] = (sums / np.maximum(weight, 1e-6))[part]
    return smooth[_nearest(paper, grey)]


def _nearest(paper: np.ndarray, grey: np.ndarray) -> tuple[np.ndarray, ...]:
    """The nearest pixel of `paper` (h, w) to each pixel, on the same side if a straight shadow divides the paper."""
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
    divided = np.mean((points @ weights > 0) == shaded) > 0.99 and (paper & side).any() and (paper & ~side).any()
    if not divided:  # no shadow, or not a straight one
        side = np.zeros_like(paper)
    found = np.zeros((2, *paper.shape), int)
    for here in (side, ~side):
        if here.any():
            near = scipy.ndimage.distance_transform_edt(~(paper & here), return_distances=False, return_indices=True)
            found[:, here] = np.asarray(near)[:, here]
    return tuple(found)


def _terms(shape: tuple[int, ...]) -> np.ndarray:
    """1, y, x, y², yx, x² of each pixel of (h, w, …), with y and x from -1 to 1: (h·w, 6)."""
    y, x = (a.ravel() for a in np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j].astype(np.float32))
    return np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=1)


def parts_of(mask: np.ndarray) -> np.ndarray:
    """The connected parts of a mask (h, w), numbered from 1; corners connect."""
    labels = np.empty(mask.shape, np.int32)
    scipy.ndimage.label(mask, np.ones((3, 3)), output=labels)
    return labels
