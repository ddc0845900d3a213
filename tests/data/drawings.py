"""Pictures drawn for tests, and their bytes in several formats."""

import io

import numpy as np
from PIL import Image


def saved(pixels: np.ndarray | Image.Image, form: str = "PNG", **options) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    if form == "JPEG":  # at the default of 75, ripples around hard edges would count as object
        options = {"quality": 95} | options
    image.save(buffer := io.BytesIO(), form, **options)
    return buffer.getvalue()


def drawing(*, ink: int = 20, paper: int = 255, shape: tuple[int, int] = (200, 300)) -> np.ndarray:
    """An upright L in ink on paper, 100 tall and 50 wide, far from the edges: uint8 (H, W)."""
    page = np.full(shape, paper, np.uint8)
    page[50:150, 120:140] = ink
    page[130:150, 120:170] = ink
    return page
