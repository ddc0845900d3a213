"""Whether an image looks like a network's training images: two Mahalanobis distances from their mean.

The first is in three numbers: the amount of ink, its edges, and its share of grey. They separate strokes of a pen from
areas of cloth. The second is in the amount of ink in each sixteenth of the frame. docs/LOG.md has what else was tried.
Ink is the object's; in pictures that are resized as a whole, it is the contrast with the picture's median.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

PARTS = 4  # rows and columns of the frame
USUAL = 99.3  # percentile of the training images' distances
SLACK = (1.4, 1.1)  # factors of the two limits: a picture that was enlarged and reduced has softer edges
KINDS = (3, PARTS**2)  # dimensions of the two distances
NUMBERS = sum(n + n * n + 1 for n in KINDS)  # that `learn` returns: means, inverse covariances, limits


def learn(ink: np.ndarray) -> tuple[float, ...]:
    """The numbers that `is_unlike` needs, from training images (n, h, w): 0 for the background, at most 1."""
    learned: list[np.ndarray] = []
    for values, slack in zip(_numbers(ink), SLACK, strict=True):
        mean = values.mean(axis=0)
        precision = np.linalg.inv(np.cov(values.T) + 1e-5 * np.eye(len(mean)))
        distances = _distances(values, mean, precision)
        distances /= 1 - distances / len(ink)  # as if each image were left out of the mean and the covariance
        limit = slack * np.percentile(distances, USUAL)
        learned += [mean, precision.ravel(), np.array([limit])]
    return tuple(float(f"{number:.5g}") for number in np.concatenate(learned))


def is_unlike(ink: np.ndarray, learned: Sequence[float]) -> bool:
    """Whether one image (h, w) is further from the mean than nearly all training images."""
    each = np.split(np.asarray(learned), [KINDS[0] + KINDS[0] ** 2 + 1])
    for values, known, n in zip(_numbers(ink[None]), each, KINDS, strict=True):
        if _distances(values, known[:n], known[n:-1].reshape(n, n))[0] > known[-1]:
            return True
    return False


def contrast(images: np.ndarray) -> np.ndarray:
    """How each pixel of images, uint8 (..., h, w, c), differs from its image's median level: [0, 1] (..., h, w)."""
    grey = images.mean(axis=-1, dtype=np.float32) / 255
    return np.abs(grey - np.median(grey, axis=(-2, -1), keepdims=True))


def _distances(values: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Squared Mahalanobis distances of rows (n, k): (n,)."""
    return np.einsum("ni,ij,nj->n", values - mean, precision, values - mean)


def _numbers(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3): log of ink, log of edges per ink, share of grey; and (n, PARTS²): square root of each part's ink."""
    axes = (1, 2)
    total = ink.sum(axis=axes)
    edges = np.abs(np.diff(ink, axis=1)).sum(axis=axes) + np.abs(np.diff(ink, axis=2)).sum(axis=axes)
    inked = ink > 0.1
    grey = (inked & (ink > 0.2) & (ink < 0.8)).sum(axis=axes) / np.maximum(1, inked.sum(axis=axes))
    whole = np.stack([np.log(total + 1), np.log(edges / (total + 1) + 0.01), grey], axis=1)
    size, box = (PARTS, PARTS), Image.Resampling.BOX
    parts = [np.asarray(Image.fromarray(one.astype(np.float32)).resize(size, box)).ravel() for one in ink]
    return whole, np.sqrt(np.maximum(parts, 0))
