"""Images made harder to recognise, by rotation or noise, for the lesson on calibration and for the studio."""

import numpy as np

ANGLES = (0, 5, 10, 15, 20, 30, 45)  # degrees
NOISES = (0, 10, 20, 30, 45, 60)  # standard deviation, in the grey levels 0 to 255


def turned(images: np.ndarray, angle: float) -> np.ndarray:
    """Rotated about the middle by so many degrees; the corners are blank."""
    from scipy.ndimage import rotate

    return rotate(images, angle, axes=(2, 1), reshape=False, order=1)


def noisy(images: np.ndarray, std: float) -> np.ndarray:
    """With normal noise on every pixel, the same at every call."""
    noise = np.random.default_rng(0).normal(0, std, images.shape)
    if images.dtype != np.uint8:
        return (images + noise / 255).astype(np.float32)
    return np.clip(images + noise, 0, 255).round().astype(np.uint8)
