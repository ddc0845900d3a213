"""The fully connected network of any depth and width. The original network is 784-128-64-10 with ReLU."""

import math
from itertools import pairwise

import jax

from jaxquard.nn.initializers import Initializer, scaled_normal
from jaxquard.nn.model import Model
from jaxquard.nn.sequential import EPSILON, Plan, sequential


def mlp(
    hidden: tuple[int, ...] = (128, 64),
    *,
    image_shape: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
    activation: str = "relu",
    initializer: Initializer = scaled_normal,
    batch_norm: bool = False,
    dropout_rate: float | jax.Array | None = None,
    mean: float = 0.0,
    std: float = 1.0,
) -> Model:
    """z¹ = xW¹ + b¹, aˡ = σ(zˡ), zˡ⁺¹ = aˡWˡ⁺¹ + bˡ⁺¹; the last z are the logits.

    With `batch_norm`, hidden layers are aˡ = σ(BN(aˡ⁻¹Wˡ)). In training, dropout applies to hidden activations; with
    a `dropout_rate` of None the program has no dropout. `mean` and `std` standardise pixels in [0, 1].
    """
    sizes = (math.prod(image_shape), *hidden, classes)
    plan: Plan = [("standardize", {"mean": mean, "std": std}), ("flatten", {})]
    for number, shape in enumerate(pairwise(sizes[:-1])):
        plan.append(("dense", {"shape": shape}))
        if batch_norm:
            plan.append(("batch_norm", {"epsilon": EPSILON}))
        plan.append(("activation", {"function": activation}))
        if dropout_rate is not None:
            plan.append(("dropout", {"stream": number}))
    plan.append(("dense", {"shape": sizes[-2:]}))
    return sequential(plan, initializer, dropout_rate)
