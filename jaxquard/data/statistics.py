"""Mean and standard deviation of the training pixels, for standardisation."""

from collections.abc import Iterator

import numpy as np

from jaxquard.errors import DataError

MIDDLE = 127.5  # a background brighter than this is light
_CHUNK = 1 << 16  # bytes: the squares, as uint16, then fit in the processor's cache


def pixel_statistics(images: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of images, white being 1, without a copy of them; exact for uint8.

    Raises DataError if all pixels have the same value.
    """
    pixels = images.reshape(-1)
    mean, std = (_of_bytes if images.dtype == np.uint8 else _of_floats)(pixels)
    if std == 0:
        raise DataError("every pixel of every training image has the same value: there is nothing to learn from")
    return mean, std


def _of_bytes(pixels: np.ndarray) -> tuple[float, float]:
    total, squares = int(pixels.sum(dtype=np.uint64)), 0
    for chunk in _chunks(pixels):
        squares += int(np.multiply(chunk, chunk, dtype=np.uint16).sum(dtype=np.uint64))
    # Var(x) = E[x²] - E[x]²; integers up to the division
    variance = (pixels.size * squares - total**2) / pixels.size**2
    return total / pixels.size / 255, variance**0.5 / 255


def _of_floats(pixels: np.ndarray) -> tuple[float, float]:
    first = np.float64(pixels[0])  # subtracted, so that equal pixels have a variance of exactly 0
    mean = first + sum(float((chunk - first).sum()) for chunk in _chunks(pixels)) / pixels.size
    variance = sum(float((chunk - mean) @ (chunk - mean)) for chunk in _chunks(pixels)) / pixels.size
    return float(mean), variance**0.5


def _chunks(pixels: np.ndarray) -> Iterator[np.ndarray]:
    return (pixels[first : first + _CHUNK] for first in range(0, pixels.size, _CHUNK))
