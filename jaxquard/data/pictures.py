"""Any picture a person has -> the small grey image the network was trained on.

A network knows its own training images and nothing else: for Fashion-MNIST, object bright, background black, longest
edge filling the frame. A photograph has to be brought into that form first, and how it was is half of any surprising
answer, so every step is kept for display. The steps are those by which Fashion-MNIST itself was made: trim edges
within 5 % of the corner pixels' colour, longest edge to 28, sharpen with a Gaussian of radius 1, extend to 28x28,
negate, 8-bit grey (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747, section 2). Three depart from it. The resizing is
antialiased where the paper drops rows and columns; the negation comes first, and only when the background is light; and
a background that is not quite black after it is brought down to black, for theirs was a white studio wall and a kitchen
table is not.
Where the network's own images are dark on light, the last step negates once more.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from jaxquard.data.decoding import decode
from jaxquard.data.framing import USUAL, Framing
from jaxquard.data.statistics import MIDDLE
from jaxquard.errors import UsageError

CLOSE = 0.05 * 255  # as close to the background's grey as the paper calls background
UNEVEN = 5 * CLOSE  # corners further apart than this do not all show the same background


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as the network receives it, and how it came to look like that."""

    image: np.ndarray  # uint8 (height, width, 1): bright object on black, or the negative of that
    steps: tuple[tuple[str, np.ndarray], ...]  # (name, uint8 (H, W) or RGBA (H, W, 4)), in order
    inverted: bool  # whether it arrives as its own negative
    notes: tuple[str, ...]  # what was done, in plain sentences
    warnings: tuple[str, ...]  # why the answer may be wrong, in plain sentences


def read_picture(
    source: Path | bytes,
    *,
    name: str | None = None,
    image_shape: tuple[int, ...] = (28, 28, 1),
    framing: Framing = USUAL,
    as_is: bool = False,
    background: Literal["auto", "light", "dark"] = "auto",
) -> Picture:
    """Read a picture of any size and colour into a grey image of `image_shape`.

    `framing` says what the network's images look like. `background` is the picture's; "auto" looks at it. `as_is`
    leaves out the search for an object, and inverts nothing: the whole picture is resized. A
    picture that has the network's size already is not cropped: an image of the test set comes through bit for bit, and
    so does its negative. `name` stands for the picture in messages. Raises DataError for whatever is wrong with the
    picture.
    """
    *size, channels = image_shape
    if len(size) != 2 or channels != 1:
        raise UsageError(f"only grey images can be made of pictures; this network takes {image_shape}")
    decoded, notes = decode(source, name=name)
    grey, ground, flaws = _flatten(decoded)
    steps, warnings = [("decoded", decoded), ("grey", grey)], []
    light = framing.background == "light"
    is_light = ground > MIDDLE if background == "auto" else background == "light"
    if as_is or framing.background == "both":
        is_light = light
    if is_light != light:
        notes.append(f"{'light' if is_light else 'dark'} background: inverted")
    if is_light:
        grey, ground = 255 - grey, 255 - ground
        steps.append(("inverted", grey))
    if grey.shape == tuple(size):
        notes.append(f"already {size[1]} x {size[0]} pixels: neither cropped nor resized")
    elif as_is:
        steps.append(("fitted", _fit(grey, ground, (size[0], size[1]))))
    else:
        steps += _frame(grey, ground, (size[0], size[1]))
        warnings += flaws
    if light:
        steps.append(("inverted back" if is_light else "inverted", 255 - steps[-1][1]))
    return Picture(steps[-1][1][..., None], tuple(steps), is_light != light, tuple(notes), tuple(warnings))


def _flatten(decoded: np.ndarray) -> tuple[np.ndarray, float, list[str]]:
    """RGBA -> grey (H, W), the grey of its background, and notes on what may go wrong with it."""
    grey, alpha = np.asarray(Image.fromarray(decoded).convert("L")), decoded[..., 3]
    notes = []
    if np.median(_corners(alpha)) > MIDDLE:
        background = float(np.median(_corners(grey)))
        if np.ptp(np.median(_corners(grey), axis=(1, 2))) > UNEVEN:
            notes.append("the background is not plain, so the object may be lost; crop the picture closer to it")
    else:  # a transparent background is whatever the object stands out from
        background = 255.0 if not alpha.any() or np.average(grey, weights=alpha) < MIDDLE else 0.0
    weight = alpha / np.float32(255)
    flat = np.rint(grey * weight + np.float32(background) * (1 - weight)).astype(np.uint8)
    if np.ptp(flat) <= CLOSE:
        notes.append("the picture is almost one colour: there is nothing in it to recognise")
    elif 0.45 < background / 255 < 0.55:
        notes.append("the background is neither light nor dark, so the object may be lost; a plain white one is best")
    return flat, background, notes


def _corners(channel: np.ndarray) -> np.ndarray:
    """The four corner patches of (H, W), a twentieth of the shorter edge wide: (4, k, k)."""
    k = max(1, min(channel.shape) // 20)
    return np.stack([channel[:k, :k], channel[:k, -k:], channel[-k:, :k], channel[-k:, -k:]])


def _frame(grey: np.ndarray, background: float, size: tuple[int, int]) -> list[tuple[str, np.ndarray]]:
    """The named steps from a dark-background picture (H, W) to one of `size`: levelled, cropped, fitted."""
    steps = []
    if background <= MIDDLE and _corners(grey).any():
        grey, background = _level(grey), 0.0
        steps.append(("levelled", grey))
    grey = _crop(grey, background)
    return [*steps, ("cropped", grey), ("fitted", _fit(grey, background, size))]


def _level(grey: np.ndarray) -> np.ndarray:
    """The dark background of (H, W) brought down to black, white kept white.

    It is taken to change evenly from corner to corner, as light from a window makes it, unless the corners differ so
    much that one of them must be something else.
    """
    corners = np.median(_corners(grey), axis=(1, 2)).astype(np.float32)
    if np.ptp(corners) > UNEVEN:
        corners[:] = np.median(corners)
    down, across = (np.linspace(0, 1, edge, dtype=np.float32) for edge in grey.shape)
    background = np.stack([1 - down, down], 1) @ corners.reshape(2, 2) @ np.stack([1 - across, across])  # bilinear
    stretched = (grey - background) * 255 / (255 - background)
    return np.rint(stretched.clip(0)).astype(np.uint8)


def _crop(grey: np.ndarray, background: float) -> np.ndarray:
    """The bounding box of all that differs from the background by more than CLOSE; everything if nothing does.

    No margin: in 94 % of Fashion-MNIST's training images the object fills the longest edge, all 28 pixels of it.
    """
    stands_out = np.abs(grey - np.float32(background)) > CLOSE
    rows, columns = np.flatnonzero(stands_out.any(axis=1)), np.flatnonzero(stands_out.any(axis=0))
    if not len(rows):
        return grey
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fit(grey: np.ndarray, background: float, size: tuple[int, int]) -> np.ndarray:
    """Resize (H, W) to fit within `size`, aspect ratio kept, sharpen, and centre on the background."""
    scale = min(size[0] / grey.shape[0], size[1] / grey.shape[1])
    height, width = (max(1, round(edge * scale)) for edge in grey.shape)
    small = Image.fromarray(grey).resize((width, height), Image.Resampling.BICUBIC)
    small = small.filter(ImageFilter.UnsharpMask(radius=1, percent=50, threshold=0))
    fitted = np.full(size, round(background), np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    fitted[top : top + height, left : left + width] = np.asarray(small)
    return fitted
