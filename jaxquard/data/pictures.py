"""Turns any picture into a small image like those that a network was trained on.

A network knows only images like those of its training. So the object in a picture is found (`segmentation`) and put on
a plain background as in the training images (`framing`): for Fashion-MNIST bright on black, its longer edge as long as
the frame; for MNIST 20 of 28 pixels, with the centre of mass in the middle. Every step is kept, because it often
explains a surprising answer.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import scipy
from PIL import Image, ImageOps

from jaxquard.data import likeness
from jaxquard.data.decoding import decode
from jaxquard.data.framing import USUAL, Framing
from jaxquard.data.segmentation import Found, look
from jaxquard.data.statistics import MIDDLE
from jaxquard.errors import UsageError

MARGIN = 2  # pixels around the object, for its soft edge
CUT = 0.1  # of the object's longer edge: an object with a longer contact with the border is cut off
BRIGHTEST = 99  # percentile of the object's pixels that becomes white
UNLIKE = {  # warnings
    kind: f"the {kind} is unlike the network's training images, so the answer may be meaningless"
    for kind in ("object", "picture")
}

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as the network gets it, and the steps that made it."""

    image: np.ndarray  # uint8 (height, width, channels), like the training images
    steps: tuple[tuple[str, np.ndarray], ...]  # (name, uint8 (H, W), (H, W, 3) or (H, W, 4)), in order
    inverted: bool  # whether it is a negative of the picture
    notes: tuple[str, ...]  # what was done, one sentence each
    warnings: tuple[str, ...]  # why the answer may be wrong, one sentence each


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

    background: of the picture; "auto" detects it. as_is: resize the whole picture, without a search for an object and
    without inverting. A picture with the network's size is not changed, except that `background` may invert it.
    name: the picture's name in messages. Raises DataError if the picture cannot be read.
    """
    if image_shape[-1] not in (1, 3):
        raise UsageError(f"pictures become grey or colour images, but this network takes {image_shape}")
    size, channels = (image_shape[0], image_shape[1]), image_shape[2]
    as_is = as_is or framing.as_read
    decoded, notes = decode(source, name=name)
    picture, is_opaque = _on_paper(decoded)
    is_light = None if background == "auto" else background == "light"
    if is_opaque and picture.shape[:2] == size:
        made = _unchanged(_in_channels(picture, channels), framing, None if as_is else is_light)
    elif as_is or not framing.stands_out:
        image = _in_channels(_resized(picture, size, whole=framing.stands_out), channels)
        strange = framing.as_read and _is_unlike(likeness.contrast(image), framing)
        warnings = (UNLIKE["picture"],) if strange else ()
        made = Picture(_scaled(image, framing), (), False, ("resized as a whole",), warnings)
    else:
        made = _framed(picture, size, channels, framing, is_light)
    steps = (("decoded", decoded), *made.steps, ("fitted", made.image.squeeze(2) if channels == 1 else made.image))
    return replace(made, steps=steps, notes=(*notes, *made.notes))


def grey(images: np.ndarray) -> np.ndarray:
    """Grey levels (n, h, w, 1) of images in colour, (n, h, w, 3)."""
    return np.concatenate([_in_channels(image, 1)[None] for image in images])


def _on_paper(decoded: np.ndarray) -> tuple[np.ndarray, bool]:
    """RGBA -> RGB (H, W, 3), and whether all is opaque. Transparent parts become white; beside light colours, black."""
    colours, alpha = decoded[..., :3], decoded[..., 3:]
    if alpha.min() == 255:
        return colours, True
    light = alpha.any() and np.average(colours.mean(axis=-1), weights=alpha[..., 0]) > MIDDLE
    weight = alpha / np.float32(255)
    return np.rint(colours * weight + (0 if light else 255) * (1 - weight)).astype(np.uint8), False


def _in_channels(picture: np.ndarray, channels: int) -> np.ndarray:
    """RGB (h, w, 3) unchanged, or as grey levels (h, w, 1)."""
    return picture if channels == 3 else np.asarray(Image.fromarray(picture).convert("L"))[..., None]


def _scaled(image: np.ndarray, framing: Framing) -> np.ndarray:
    """Levels from 0 to 255, scaled to 0 to the brightest level of the training images."""
    return np.rint(image * (framing.white / 255)).astype(np.uint8)


def _unchanged(image: np.ndarray, framing: Framing, is_light: bool | None) -> Picture:
    """A picture of the network's size. It is only inverted, and only if `is_light` differs from the network's."""
    notes, warnings = [f"already {image.shape[1]} x {image.shape[0]} pixels: not changed"], []
    white = framing.white if image.max() <= framing.white else 255
    corners = np.median(image[[0, 0, -1, -1], [0, -1, 0, -1]])
    looks_light = bool(corners > white / 2)
    inverted = is_light is not None and _differs(is_light, framing)
    if inverted:
        image = white - image
        notes = [f"{'light' if is_light else 'dark'} background: inverted"]
    elif framing.stands_out and is_light is None and _differs(looks_light, framing):
        now, then = ("light", "dark") if looks_light else ("dark", "light")
        warnings.append(
            f"the background seems {now}, but that of the training images is {then}; "
            f"set the background to {now} to invert the picture"
        )
    image = image if white == framing.white else _scaled(image, framing)
    return Picture(image, (), inverted, tuple(notes), tuple(warnings))


def _differs(is_light: bool, framing: Framing) -> bool:
    """Whether the training images have the other background."""
    return framing.background == ("dark" if is_light else "light")


def _resized(picture: np.ndarray, size: Size, *, whole: bool) -> np.ndarray:
    """(H, W, 3) resized to `size` with its proportions: padded with the border's colour if `whole`, else cropped.

    Photographs in data sets are usually cropped: their shorter edge fills the frame.
    """
    image = Image.fromarray(picture)
    if not whole:
        return np.asarray(ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BICUBIC))
    border = np.concatenate([picture[[0, -1]].reshape(-1, 3), picture[:, [0, -1]].reshape(-1, 3)])
    colour = tuple(int(level) for level in np.median(border, axis=0))
    return np.asarray(ImageOps.pad(image, (size[1], size[0]), Image.Resampling.BICUBIC, color=colour))


def _framed(picture: np.ndarray, size: Size, channels: int, framing: Framing, is_light: bool | None) -> Picture:
    """The object in (H, W, 3), on the background of the training images."""
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
    """How each pixel of the object differs from a plain background, light or dark: [0, 1] (h, w, c); 0 elsewhere."""
    if channels == 3:  # its colours on white paper, or on black
        colours = found.picture / np.maximum(found.paper, 1) if found.is_light else found.picture / 255
        ink = 1 - colours if light else colours
    else:
        brightest = np.percentile(found.difference[found.mask], BRIGHTEST) if found.mask.any() else 1
        ink = found.difference[..., None] / (max(0.01, float(brightest)) if framing.full_contrast else 1)
    near = scipy.ndimage.binary_dilation(found.mask, iterations=MARGIN)
    return np.where(near[..., None], ink, 0).clip(0, 1)


def _placed(ink: np.ndarray, size: Size, framing: Framing) -> np.ndarray:
    """Ink (h, w, c), resized and placed in a frame of `size` like the objects in the training images."""
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
    """The start, on an axis of `length` pixels, that puts the centre of these weights in the middle."""
    middle = len(weight) / 2
    if centre == "mass" and weight.sum() > 0:
        middle = float(weight @ (np.arange(len(weight)) + 0.5) / weight.sum())
    return min(max(0, round(length / 2 - middle)), length - len(weight))


def _doubts(found: Found, fitted: np.ndarray, framing: Framing) -> list[str]:
    """Why the answer may be wrong. `fitted` is the ink in the network's frame, [0, 1] (h, w, c)."""
    if not found.mask.any():
        return ["nothing stands out from the background, so there is no object to recognise"]
    if found.cut > CUT:
        return ["the object reaches the edge of the picture, so a part of it may be missing; leave a margin around it"]
    return [UNLIKE["object"]] if _is_unlike(fitted.mean(axis=-1), framing) else []


def _is_unlike(ink: np.ndarray, framing: Framing) -> bool:
    """Whether ink, (h, w), is known to be unlike that of the training images."""
    return len(framing.learned) > 0 and likeness.is_unlike(ink, framing.learned)
