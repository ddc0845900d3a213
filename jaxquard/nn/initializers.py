"""Initial weights: each initialiser is a pure function `(key, shape) -> array`.

With a weight of shape (..., in, out), each output has n_in = prod(shape[:-1]) inputs. If the weights are independent
with mean 0 and variance 1/n_in, then Var(z) = n_in · (1/n_in) · E[x²] = E[x²]: in a linear layer the signal keeps its
size (Nielsen, chapter 3, "Weight initialization"). `he_normal` compensates for a ReLU.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

Initializer = Callable[[jax.Array, tuple[int, ...]], jax.Array]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(n_in, n_out) of a dense (in, out) or convolution (kh, kw, in, out) weight."""
    receptive_field = math.prod(shape[:-2])
    return receptive_field * shape[-2], receptive_field * shape[-1]


def scaled_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """N(0, 1/√n_in), the second argument a standard deviation: keeps Var(z) ≈ 1 through linear layers."""
    return jax.random.normal(key, shape) / math.sqrt(fans(shape)[0])


def standard_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """N(0, 1), as in Nielsen's chapter 1. Var(z) is about n_in, which saturates sigmoid and softmax."""
    return jax.random.normal(key, shape)


def he_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """N(0, √(2/n_in)): compensates for the half of E[z²] that a ReLU removes (He et al., 2015, arXiv 1502.01852)."""
    return jax.random.normal(key, shape) * math.sqrt(2 / fans(shape)[0])


def glorot_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """N(0, √(2/(n_in + n_out))): a compromise between the forward and the backward pass (Glorot & Bengio, 2010)."""
    return jax.random.normal(key, shape) * math.sqrt(2 / sum(fans(shape)))


def zeros(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """All zero, as a bad example: every hidden neuron computes and learns the same."""
    del key
    return jnp.zeros(shape)


INITIALIZERS: dict[str, Initializer] = {
    "scaled_normal": scaled_normal,
    "standard_normal": standard_normal,
    "he_normal": he_normal,
    "glorot_normal": glorot_normal,
    "zeros": zeros,
}
