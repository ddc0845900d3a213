"""What training images are like: the two numbers that standardising needs."""

import numpy as np

from jaxquard.errors import DataError

MIDDLE = 127.5  # a background brighter than this is light
_CHUNK = 1 << 16  # bytes at a time: the squares, as uint16, stay in the processor's cache


def pixel_statistics(images: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the pixels in [0, 1] of uint8 images, exactly and without a second copy of them.

    Raises DataError where all pixels are the same.
    """
    pixels = images.reshape(-1)
    total, squares = int(pixels.sum(dtype=np.uint64)), 0
    for first in range(0, pixels.size, _CHUNK):
        chunk = pixels[first : first + _CHUNK]
        squares += int(np.multiply(chunk, chunk, dtype=np.uint16).sum(dtype=np.uint64))
    # Var(x) = E[x²] - E[x]², in whole numbers as long as possible
    variance = (pixels.size * squares - total**2) / pixels.size**2
    if variance == 0:
        raise DataError("every pixel of every training image has the same value: there is nothing to learn from")
    return total / pixels.size / 255, variance**0.5 / 255
