"""Samples of each class of a data set, as HTML for notebooks."""

import base64
import html
import io

import numpy as np

from jaxquard.data import oddities

SAMPLES, CLASSES = 10, 30


def sheet(images: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]) -> str:
    """A table with a row for each of the first classes: its name, its number of images, and the first of these.

    images: (n, height, width, channels), uint8 or floats with 1 for white.
    """
    rows = []
    for k, name in enumerate(class_names[:CLASSES]):
        own = np.flatnonzero(labels == k)
        shown = f'<img src="{_strip(images[own[:SAMPLES]])}" height="48" alt="samples">' if len(own) else ""
        rows.append(f"<tr><td>{html.escape(name)}</td><td>{len(own):,}</td><td>{shown}</td></tr>")
    if len(class_names) > CLASSES:
        rows.append(f"<tr><td>… and {len(class_names) - CLASSES} more</td></tr>")
    return f"<table><tr><th>class</th><th>images</th><th>samples</th></tr>{''.join(rows)}</table>"


def _strip(images: np.ndarray) -> str:
    """The images side by side, as a PNG in a data URI."""
    from PIL import Image

    pixels, file = np.concatenate(list(oddities.as_bytes(images)), axis=1), io.BytesIO()
    Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0]).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
