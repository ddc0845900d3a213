"""Any picture a person has -> the small image that a network was trained on.

A network knows its own training images and nothing else. So the object in a picture is found (`segmentation`) and put
on a plain background as the training images show theirs (`framing`): for Fashion-MNIST bright on black, the longer
edge as long as the frame; for MNIST 20 of 28 pixels, the centre of mass in the middle. How it was done is half of any
surprising answer, so every step is kept for display.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from jaxquard.data import likeness
from jaxquard.data.decoding import decode
from jaxquard.data.framing import USUAL, Framing
from jaxquard.data.segmentation import Found, look
from jaxquard.data.statistics import MIDDLE
from jaxquard.errors import UsageError

MARGIN = 2  # pixels around the object that belong to its soft edge
CUT = 0.1  # of the object's longer edge, along the border of the picture: it is cut off
BRIGHTEST = 99  # percentile of the object's pixels that becomes white

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as the network receives it, and how it came to look like that."""

    image: np.ndarray  # uint8 (height, width, channels), as the network's own images are
    steps: tuple[tuple[str, np.ndarray], ...]  # (name, uint8 (H, W), (H, W, 3) or (H, W, 4)), in order
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
    """Read a picture of any size and colour into an image of `image_shape`, framed as `framing` says.

    `background` is the picture's; "auto" looks at it. `as_is` leaves out the search for an object, and inverts
    nothing: the whole picture is resized. A picture that has the network's size already is never changed, unless
    `background` asks for its negative. `name` stands for the picture in messages. Raises DataError for whatever is
    wrong with the picture.
    """
    if image_shape[-1] not in (1, 3):
        raise UsageError(f"only grey and colour images can be made of pictures; this network takes {image_shape}")
    size, channels = (image_shape[0], image_shape[1]), image_shape[2]
    decoded, notes = decode(source, name=name)
    picture, is_opaque = _on_paper(decoded)
    is_light = None if background == "auto" else background == "light"
    if is_opaque and picture.shape[:2] == size:
        made = _unchanged(_in_channels(picture, channels), framing, None if as_is else is_light)
    elif as_is or not framing.stands_out:
        image = _in_channels(_resized(picture, size, whole=framing.stands_out), channels)
        made = Picture(_scaled(image, framing), (), False, ("resized as it is",), ())
    else:
        made = _framed(picture, size, channels, framing, is_light)
    steps = (("decoded", decoded), *made.steps, ("fitted", made.image.squeeze(2) if channels == 1 else made.image))
    return replace(made, steps=steps, notes=(*notes, *made.notes))


def _on_paper(decoded: np.ndarray) -> tuple[np.ndarray, bool]:
    """RGBA -> RGB (H, W, 3), transparent parts white, or black if what is there is light; whether all is opaque."""
    colours, alpha = decoded[..., :3], decoded[..., 3:]
    if alpha.min() == 255:
        return colours, True
    light = alpha.any() and np.average(colours.mean(axis=-1), weights=alpha[..., 0]) > MIDDLE
    weight = alpha / np.float32(255)
    return np.rint(colours * weight + (0 if light else 255) * (1 - weight)).astype(np.uint8), False


def _in_channels(picture: np.ndarray, channels: int) -> np.ndarray:
    """RGB (h, w, 3), or its grey levels (h, w, 1)."""
    return picture if channels == 3 else np.asarray(Image.fromarray(picture).convert("L"))[..., None]


def _scaled(image: np.ndarray, framing: Framing) -> np.ndarray:
    """Grey levels from 0 to 255 as levels from 0 to the brightest that the network knows."""
    return np.rint(image * (framing.white / 255)).astype(np.uint8)


def _unchanged(image: np.ndarray, framing: Framing, is_light: bool | None) -> Picture:
    """A picture of the network's size, as it is; its negative if `is_light` says that it is one."""
    notes, warnings = [f"already {image.shape[1]} x {image.shape[0]} pixels: left as it is"], []
    white = framing.white if image.max() <= framing.white else 255
    corners = np.median(image[[0, 0, -1, -1], [0, -1, 0, -1]])
    looks_light = bool(corners > white / 2)
    inverted = is_light is not None and _differs(is_light, framing)
    if inverted:
        image = white - image
        notes = [f"{'light' if is_light else 'dark'} background: inverted"]
    elif framing.stands_out and is_light is None and _differs(looks_light, framing):
        now, then = ("light", "dark") if looks_light else ("dark", "light")
        warnings.append(f"the background seems {now}, and the network knows {then} ones; say {now} to have it inverted")
    image = image if white == framing.white else _scaled(image, framing)
    return Picture(image, (), inverted, tuple(notes), tuple(warnings))


def _differs(is_light: bool, framing: Framing) -> bool:
    """Whether the network's images have the other background."""
    return framing.background == ("dark" if is_light else "light")


def _resized(picture: np.ndarray, size: Size, *, whole: bool) -> np.ndarray:
    """(H, W, 3) resized to `size`, its proportions kept: the whole on more of its border's colour, or the middle of it.

    The middle is what photographs in data sets are, as a rule: their shorter edge fills the frame.
    """
    image = Image.fromarray(picture)
    if not whole:
        return np.asarray(ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BICUBIC))
    border = np.concatenate([picture[[0, -1]].reshape(-1, 3), picture[:, [0, -1]].reshape(-1, 3)])
    colour = tuple(int(level) for level in np.median(border, axis=0))
    return np.asarray(ImageOps.pad(image, (size[1], size[0]), Image.Resampling.BICUBIC, color=colour))


def _framed(picture: np.ndarray, size: Size, channels: int, framing: Framing, is_light: bool | None) -> Picture:
    """The object in (H, W, 3), alone on the network's background."""
    found = look(picture, is_light)
    light = found.is_light if framing.background == "both" else framing.background == "light"
    ink = _ink(found, channels, light, framing)
    cut = ink[found.box]
    fitted = _placed(cut, size, framing)
    image = _scaled(255 * (1 - fitted if light else fitted), framing)
    steps = {"background": found.paper, "difference": 255 * found.difference, "object": 255 * cut}
    shown = tuple((name, np.rint(step).astype(np.uint8).squeeze()) for name, step in steps.items())
    inverted = channels == 1 and found.is_light != light
    notes = (f"{'light' if found.is_light else 'dark'} background: inverted",) if inverted else ()
    return Picture(image, shown, inverted, notes, tuple(_doubts(found, fitted, framing)))


def _ink(found: Found, channels: int, light: bool, framing: Framing) -> np.ndarray:
    """How each pixel differs from a plain background, light or dark: [0, 1] (h, w, c), 0 beside the object."""
    if channels == 3:  # the colours that it would have on white paper, or on black
        colours = found.picture / np.maximum(found.paper, 1) if found.is_light else found.picture / 255
        ink = 1 - colours if light else colours
    else:
        brightest = np.percentile(found.difference[found.mask], BRIGHTEST) if found.mask.any() else 1
        ink = found.difference[..., None] / (max(0.01, float(brightest)) if framing.full_contrast else 1)
    near = ndimage.binary_dilation(found.mask, iterations=MARGIN)
    return np.where(near[..., None], ink, 0).clip(0, 1)


def _placed(ink: np.ndarray, size: Size, framing: Framing) -> np.ndarray:
    """Ink (h, w, c) resized to fill as much of `size` as the network's objects do, and put where they are."""
    scale = framing.fill * min(size[0] / ink.shape[0], size[1] / ink.shape[1])
    height, width = (max(1, round(edge * scale)) for edge in ink.shape[:2])
    layers = [
        Image.fromarray(layer).resize((width, height), Image.Resampling.BICUBIC) for layer in np.moveaxis(ink, -1, 0)
    ]
    small = np.stack([np.asarray(layer) for layer in layers], axis=-1).clip(0, 1)
    if framing.full_contrast:
        small /= max(0.01, float(small.max()))
    corner = [_start(small.sum(axis=(1 - axis, 2)), size[axis], framing.centre) for axis in (0, 1)]
    placed = np.zeros((*size, ink.shape[2]), np.float32)
    placed[corner[0] : corner[0] + height, corner[1] : corner[1] + width] = small
    return placed


def _start(weight: np.ndarray, length: int, centre: str) -> int:
    """Where along an axis of `length` pixels to begin, so that what has this weight per pixel is in the middle."""
    middle = len(weight) / 2
    if centre == "mass" and weight.sum() > 0:
        middle = float(weight @ (np.arange(len(weight)) + 0.5) / weight.sum())
    return min(max(0, round(length / 2 - middle)), length - len(weight))


def _doubts(found: Found, fitted: np.ndarray, framing: Framing) -> list[str]:
    """Why the answer may be wrong, from what was found and what the network gets of it, [0, 1] (h, w, c)."""
    if not found.mask.any():
        return ["nothing stands out from the background: there is nothing to recognise"]
    if found.cut > CUT:
        return ["the object reaches the edge of the picture, so a part of it may be missing; leave a margin around it"]
    if framing.learned and likeness.is_unlike(fitted.mean(axis=-1), framing.learned):
        return ["it looks like none of the images that the network learned from, so the answer means little"]
    return []
