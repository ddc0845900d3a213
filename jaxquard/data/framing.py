"""How training images show their objects: the background, the size, the position. Pictures are framed in the same way.

Fashion-MNIST's clothes fill the frame. MNIST's digits fill 20 of 28 pixels, with the centre of mass in the middle.
CIFAR has photographs, where nothing stands out from a background. A network trained on one of these answers badly on
the others, so the framing is measured once, on the training images.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from jaxquard.data import likeness, oddities

Background = Literal["light", "dark", "both"]
Centre = Literal["box", "mass"]
MEASURED = 2000  # images
ENOUGH = 200  # images with an object, to learn how objects look; or whole images
DIFFERENT = 0.1  # of white: a pixel that differs from the background by more is object
PLAIN = 0.6  # least share of an image's border that is background, if objects stand out
FEW = 0.02  # share of images that may be exceptions
FULL = 0.8  # of white: if objects differ from the background by this much, they have full contrast


@dataclass(frozen=True)
class Framing:
    """How a network's training images show their objects. The defaults are Fashion-MNIST's."""

    background: Background = "dark"  # "both": some images light, others dark
    fill: float = 1.0  # the object's longer edge as a share of the frame's, (0, 1]
    centre: Centre = "box"  # in the middle of the frame: the object's bounding box, or its centre of mass
    stands_out: bool = True  # False: photographs, which are resized without a search for an object
    full_contrast: bool = True  # every object reaches white (or black); False: objects differ in contrast
    white: int = 255  # the brightest pixel of all: 1 in images of zeros and ones
    learned: tuple[float, ...] = ()  # from `likeness.learn`; empty: not known
    as_read: bool = False  # the training images were pictures, resized as a whole: so is every picture

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, facts: Any) -> "Framing":
        """The inverse of `to_dict`, with defaults for missing values. ValueError for impossible ones."""
        known = isinstance(facts, dict) and set(facts) <= set(cls.__annotations__)
        found = cls(**facts) if known else None
        sound = (
            found
            and isinstance(found.learned, list | tuple)
            and len(found.learned) in (0, likeness.NUMBERS)
            and all(type(number) in (int, float) and np.isfinite(number) for number in found.learned)
            and found.background in get_args(Background)
            and found.centre in get_args(Centre)
            and all(isinstance(value, bool) for value in (found.stands_out, found.full_contrast, found.as_read))
            and type(found.fill) in (int, float)
            and 0 < found.fill <= 1
            and type(found.white) is int
            and 0 < found.white <= 255
        )
        if not found or not sound:
            raise ValueError("invalid framing")
        return dataclasses.replace(found, learned=tuple(found.learned))


USUAL = Framing()
AS_READ = Framing("both", as_read=True)


def measure(images: np.ndarray) -> Framing:
    """The framing of images (n, h, w, c), from at most MEASURED of them."""
    images = oddities.as_bytes(images[:: -(-len(images) // MEASURED)])
    white = max(1, int(images.max()))
    grey = images.mean(axis=-1, dtype=np.float32) / white
    paper: np.ndarray = np.median(grey[:, [0, 0, -1, -1], [0, -1, 0, -1]], axis=1)
    light = np.count_nonzero(paper > 0.5) / len(paper)
    background: Background = "both" if FEW < light < 1 - FEW else "light" if light > 0.5 else "dark"
    difference = np.abs(grey - paper[:, None, None])
    mask: np.ndarray = difference > DIFFERENT
    plain = 1 - np.concatenate([mask[:, [0, -1]], mask[:, :, [0, -1]].swapaxes(1, 2)], axis=2).mean(axis=(1, 2))
    seen = mask.any(axis=(1, 2))
    if np.median(plain) < PLAIN or not seen.any():
        return Framing(background, stands_out=False, white=white)
    full = bool(np.percentile(difference.max(axis=(1, 2)), 100 * FEW) >= FULL)
    fill, centre = _placed(mask[seen], difference[seen])
    learned = likeness.learn(difference[seen]) if seen.sum() >= ENOUGH else ()
    return Framing(background, fill, centre, full_contrast=full, white=white, learned=learned)


def measure_whole(images: np.ndarray) -> Framing:
    """The framing of images (n, h, w, c) that were pictures, resized as a whole; from at most MEASURED of them."""
    images = images[:: -(-len(images) // MEASURED)]
    learned = likeness.learn(likeness.contrast(images)) if len(images) >= ENOUGH else ()
    return dataclasses.replace(AS_READ, learned=learned)


def _placed(mask: np.ndarray, difference: np.ndarray) -> tuple[float, Centre]:
    """The `fill` and `centre` of objects, from their masks and differences from the background, (n, h, w)."""
    edges, boxes, masses = [], [], []
    for axis in (1, 2):
        length = mask.shape[axis]
        along: np.ndarray = np.any(mask, axis=3 - axis)
        first, last = along.argmax(axis=1), length - along[:, ::-1].argmax(axis=1)
        edges.append((last - first) / length)
        boxes.append((first + last) / 2 / length)
        weight = difference.sum(axis=3 - axis)
        masses.append((weight @ (np.arange(length) + 0.5)) / weight.sum(axis=1) / length)
    spread_of_boxes, spread_of_masses = (np.std(places, axis=1).sum() for places in (boxes, masses))
    fill = round(float(np.median(np.max(edges, axis=0))), 3)
    return fill, "mass" if spread_of_masses < spread_of_boxes else "box"
