"""Images and weights in a grid with captions; the chart contains each picture as a PNG in a data URI."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxquard.charts import theme
from jaxquard.charts.chart import Chart
from jaxquard.errors import UsageError
from jaxquard.naming import counted

NEGATIVE, POSITIVE = (0, 89, 160), (213, 94, 0)  # negative is darker, so that print in black keeps the sign


def montage(
    images: np.ndarray,
    *,
    labels: Sequence[str] | None = None,
    columns: int = 10,
    diverging: bool = False,
    invert: bool = False,
    size: int = 56,
    title: str = "Images",
    subtitle: str = "",
    description: str = "",
) -> Chart:
    """A grid of images (n, height, width) or (n, height, width, 1 or 3), uint8 or floats from 0 to 1.

    `size`: their height in pixels. `invert`: grey images dark on white (Fashion-MNIST is light on black).
    `diverging`: signed weights on one scale, blue below zero, white at zero, orange above; the subtitle gives the
    scale. Raises UsageError for any other shape.
    """
    images = _checked(images, labels)
    captions = list(labels) if labels is not None else [""] * len(images)
    if diverging:
        pictures, limit = signed(images)
        subtitle = f"{subtitle} {scale_sentence(limit)}".strip()
    else:
        pictures = grey(images, invert and images.ndim == 3)
    columns = min(columns, len(images))
    view, width = grid(pictures, captions, columns, size)
    kind = "weights, one image for each unit" if diverging else "images"
    subtitle = subtitle or f"{counted(len(images), 'image')} of {images.shape[1]}×{images.shape[2]} pixels."
    all_captions = "; ".join(c.replace("\n", " ") for c in captions if c)
    description = description or f"A grid of {len(images)} {kind}" + (f": {all_captions}." if all_captions else ".")
    table: list[dict[str, object]] = [
        {"image": i + 1, "caption": caption, "lowest": float(image.min()), "highest": float(image.max())}
        for i, (image, caption) in enumerate(zip(images, captions, strict=True))
    ]
    return Chart(title, subtitle, description, view, table, max(width, 320))


def _checked(images: np.ndarray, labels: Sequence[str] | None) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.shape[3:] not in ((), (3,)) or images.ndim < 3 or 0 in images.shape:
        raise UsageError(f"a montage needs images of shape (n, height, width[, 1 or 3]), not {images.shape}")
    if labels is not None and len(labels) != len(images):
        raise UsageError(f"a montage of {counted(len(images), 'image')} needs as many labels, not {len(labels)}")
    return images


def grey(images: np.ndarray, invert: bool = False) -> np.ndarray:
    """Levels 0–255, uint8, from uint8 or from floats between 0 and 1; `invert` leaves colours as they are."""
    if images.dtype != np.uint8:
        images = np.round(255 * np.clip(np.nan_to_num(images), 0, 1)).astype(np.uint8)
    return 255 - images if invert and images.ndim == 3 else images


def signed(weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Colours (n, h, w, 3) uint8 for signed values, and the value with full colour (99.5th percentile)."""
    weights = np.nan_to_num(np.asarray(weights, np.float64), posinf=0.0, neginf=0.0)
    limit = float(np.percentile(np.abs(weights), 99.5)) or 1.0
    strength = np.clip(np.abs(weights) / limit, 0, 1)[..., None]
    hue = np.where(weights[..., None] < 0, NEGATIVE, POSITIVE)
    return np.round(255 + strength * (hue - 255)).astype(np.uint8), limit


def scale_sentence(limit: float) -> str:
    return f"Blue: negative; white: 0; orange: positive; full colour at ±{limit:.2g}."


def data_uri(picture: np.ndarray) -> str:
    """A PNG of (h, w) grey or (h, w, 3) colour uint8, as a data URI."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def grid(
    pictures: np.ndarray,
    captions: Sequence[str],
    columns: int,
    size: int,
    *,
    gap: int = 6,
    cell: int = 0,
    frames: Sequence[str | None] | None = None,
) -> tuple[dict[str, Any], int]:
    """A Vega-Lite view of pictures with captions, and its width in pixels. `frames`: a colour or None for each picture.

    Each picture gets `cell` pixels of the width, by default as many as picture and captions need.
    """
    height = size
    wide = round(size * pictures.shape[2] / pictures.shape[1])
    longest = max((len(line) for caption in captions for line in caption.split("\n")), default=0)
    texts = max((caption.count("\n") + 1 for caption in captions if caption), default=0)
    cell = cell or max(wide, round(longest * theme.LETTER * 11 / 12)) + gap
    pitch = height + gap + 15 * texts + (6 if texts else 0)
    rows = [
        {"x": (i % columns) * cell + cell / 2, "y": (i // columns) * pitch + height / 2, "caption": caption}
        for i, caption in enumerate(captions)
    ]
    for row, picture in zip(rows, pictures, strict=True):
        row["url"] = data_uri(picture)
    place = {k: {"field": k, "type": "quantitative", "scale": None, "axis": None} for k in ("x", "y")}
    image = {"type": "image", "width": wide, "height": height, "smooth": False}
    text = {"type": "text", "lineBreak": "\n", "fontSize": 11, "lineHeight": 14, "baseline": "top"}
    text["dy"] = height / 2 + 5
    layers = [theme.layer(image, url={"field": "url"}), theme.layer(text, text={"field": "caption"})]
    if frames is not None:
        layers.append(_frames(rows, frames, wide, height))
    size_of = {"width": columns * cell, "height": -(-len(rows) // columns) * pitch}
    return {**size_of, "data": {"values": rows}, "encoding": place, "layer": layers}, columns * cell


def _frames(rows: list[dict[str, Any]], colors: Sequence[str | None], width: int, height: int) -> dict[str, Any]:
    framed = [{"x": r["x"], "y": r["y"], "color": c} for r, c in zip(rows, colors, strict=True) if c]
    mark = {"type": "rect", "filled": False, "strokeWidth": 2, "width": width + 2, "height": height + 2}
    return theme.layer(mark, framed, stroke={"field": "color", "type": "nominal", "scale": None})
