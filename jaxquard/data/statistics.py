"""Mean and standard deviation of the training pixels, for standardisation."""

import numpy as np

from jaxquard.errors import DataError

MIDDLE = 127.5  # a background brighter than this is light
_CHUNK = 1 << 16  # bytes: the squares, as uint16, then fit in the processor's cache


def pixel_statistics(images: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of images, white being 1, without a copy of them; exact for uint8.

    Raises DataError if all pixels have the same value.
    """
    pixels = images.reshape(-1)
    if pixels.min() == pixels.max():
        raise DataError("every pixel of every training image has the same value: there is nothing to learn from")
    if images.dtype != np.uint8:
        mean = pixels.mean(dtype=np.float64)
        parts = (pixels[first : first + _CHUNK] - mean for first in range(0, pixels.size, _CHUNK))
        return float(mean), (sum(float(part @ part) for part in parts) / pixels.size) ** 0.5
    total, squares = int(pixels.sum(dtype=np.uint64)), 0
    for first in range(0, pixels.size, _CHUNK):
        chunk = pixels[first : first + _CHUNK]
        squares += int(np.multiply(chunk, chunk, dtype=np.uint16).sum(dtype=np.uint64))
    # Var(x) = E[x²] - E[x]²; integers up to the division
    variance = (pixels.size * squares - total**2) / pixels.size**2
    return total / pixels.size / 255, variance**0.5 / 255
