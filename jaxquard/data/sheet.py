"""A sheet of samples: the first images of each class of a data set, as an SVG without scripts."""

import base64
import html
import io

import numpy as np

from jaxquard.data import oddities
from jaxquard.naming import counted

SAMPLES, CLASSES = 10, 30
SIDE, LINE, GAP, WIDTH = 48, 18, 14, 520  # of an image, a line of text, a space and the sheet, in pixels
LONGEST = 60  # characters of a name


def sheet(images: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]) -> str:
    """For each of the first classes its name, its number of images, and the first of these.

    images: (n, height, width, channels), uint8 or floats with 1 for white.
    """
    _, high, wide, _ = images.shape
    scale, drawn, y = SIDE / max(high, wide + 1), [], GAP
    for k, name in enumerate(class_names[:CLASSES]):
        own = np.flatnonzero(labels == k)
        short = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
        drawn.append(_text(f"{short}: {counted(len(own), 'image')}", y))
        if len(shown := images[own[:SAMPLES]]):
            drawn.append(_image(_strip(shown), y + LINE, scale * (wide + 1) * len(shown), scale * high))
            y += round(scale * high)
        y += LINE + GAP
    if len(class_names) > CLASSES:
        drawn.append(_text(f"… and {len(class_names) - CLASSES:,} more", y))
        y += LINE + GAP
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{paper}{"".join(drawn)}</svg>'


def _text(text: str, y: int) -> str:
    font = 'font-family="Helvetica, Arial, sans-serif" font-size="13"'
    return f'<text x="{GAP}" y="{y + 12}" {font} fill="#222">{html.escape(text)}</text>'


def _image(url: str, y: int, width: float, height: float) -> str:
    place = f'x="{GAP}" y="{y}" width="{width:g}" height="{height:g}" preserveAspectRatio="none"'
    return f'<image {place} href="{url}" style="image-rendering:pixelated"/>'


def _strip(images: np.ndarray) -> str:
    """The images side by side, with a white line after each, as a PNG in a data URI."""
    from PIL import Image

    spaced = np.pad(oddities.as_bytes(images), [(0, 0), (0, 0), (0, 1), (0, 0)], constant_values=255)
    pixels, file = np.concatenate(list(spaced), axis=1), io.BytesIO()
    Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0]).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
