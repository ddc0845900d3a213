"""How far shares can be trusted: bins of confidence, the expected calibration error (Guo et al., 2017, arXiv
1706.04599), and the interval of a share.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

BINS = 15  # of equal width, open on the left and closed on the right


def by_confidence(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> dict[str, np.ndarray]:
    """Sort predictions into bins by confidence in [0, 1], (..., n); `right` says which are right, (..., n).

    Returns, for each bin (..., bins): the number of predictions (`count`), their summed `confidence`, and how many are
    `right`.
    """
    *networks, n = confidence.shape
    number = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1).reshape(-1, n)
    number += bins * np.arange(len(number))[:, None]  # each network has its own bins
    weights = {"count": np.ones(confidence.shape, int), "confidence": confidence, "right": right.astype(int)}
    sums = {name: np.bincount(number.ravel(), each.ravel(), bins * len(number)) for name, each in weights.items()}
    return {name: each.reshape(*networks, bins).astype(weights[name].dtype) for name, each in sums.items()}


def calibration_error(found: Mapping[str, Any]) -> np.ndarray:
    """Expected calibration error (eq. 3), (...): the mean gap between confidence and accuracy, weighted by `count`."""
    count, confidence, right = (np.asarray(found[name]) for name in ("count", "confidence", "right"))
    return np.abs(right - confidence).sum(axis=-1) / count.sum(axis=-1)


def wilson(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a proportion (Wilson 1927), 95 % by default. (scipy.stats is slow to import.)"""
    p, scale = successes / n, 1 + z * z / n
    middle = (p + z * z / (2 * n)) / scale
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)
