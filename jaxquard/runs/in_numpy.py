"""The forward pass of a network of dense layers in NumPy.

For a few images, calling a compiled program takes longer than the arithmetic.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxquard.nn.model import Layer

FEW = 256  # images for which NumPy takes less time than a compiled program: a third for one, three quarters for 256


class Dense(NamedTuple):
    """A dense layer: weights (in, out), biases (out,), whether ReLU follows, and what is subtracted from its input."""

    w: np.ndarray
    b: np.ndarray
    relu: bool = False
    less: float = 0.0


@np.errstate(all="ignore")  # of a network that diverged
def dense_layers(layers: Sequence[Layer], arrays: dict[str, np.ndarray]) -> list[Dense]:
    """A network of dense layers and ReLU; [] for any other. The first layer standardises the pixels, too."""
    found, scale, less = list[Dense](), 1.0, 0.0
    for layer in layers:
        match layer.kind, layer.attributes:
            case "standardize", {"mean": mean, "std": std}:
                scale, less = 1 / (255 * std), 255 * mean
            case "dense", _ if "b" in layer.arrays:
                w, b = (np.asarray(arrays[layer.arrays[name]], np.float32) for name in ("w", "b"))
                found.append(Dense(np.float32(scale) * w, b, less=less))
                scale, less = 1.0, 0.0
            case "activation", {"function": "relu"}:
                found[-1] = found[-1]._replace(relu=True)
            case "flatten", _:
                pass
            case _:
                return []
    return found


@np.errstate(all="ignore")
def logits_in_numpy(network: list[Dense], images: np.ndarray) -> np.ndarray:
    """Logits (n, classes) of images (n, h, w, c), uint8 or float32. In place: new arrays take longer than the sums."""
    a = images.reshape(len(images), math.prod(images.shape[1:]))
    if a.dtype != np.uint8:  # floats have 1 for white
        a = a * np.float32(255)
    a = np.subtract(a, np.float32(network[0].less), dtype=np.float32)
    for w, b, relu, _ in network:
        a = a @ w
        a += b
        if relu:
            np.maximum(a, 0, out=a)
    return a
