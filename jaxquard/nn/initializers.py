"""Where the weights start: each initialiser is a pure function `(key, shape) -> array`.

A weight of shape (..., in, out) feeds each output from n_in = prod(shape[:-1]) inputs. If the weights are independent
with mean 0 and variance 1/n_in, then Var(z) = n_in · (1/n_in) · E[x²] = E[x²]: the signal neither explodes nor dies in
a linear layer (Nielsen, chapter 3, "Weight initialization"). What a ReLU takes away, `he_normal` makes good.
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
    """N(0, 1/√n_in), its second argument a standard deviation: keeps Var(z) ≈ 1 through linear layers."""
    return jax.random.normal(key, shape) / math.sqrt(fans(shape)[0])


def standard_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """N(0, 1): Nielsen's chapter 1 start. Var(z) grows to n_in, which saturates what follows."""
    return jax.random.normal(key, shape)


def he_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """N(0, √(2/n_in)): makes good the half of the variance that a ReLU removes (He et al., 2015, arXiv 1502.01852)."""
    return jax.random.normal(key, shape) * math.sqrt(2 / fans(shape)[0])


def glorot_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """N(0, √(2/(n_in + n_out))): a compromise between the forward and the backward pass (Glorot & Bengio, 2010)."""
    return jax.random.normal(key, shape) * math.sqrt(2 / sum(fans(shape)))


def zeros(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """All zero: every hidden neuron then computes, and learns, the same thing. Here to show why not."""
    del key
    return jnp.zeros(shape)


INITIALIZERS: dict[str, Initializer] = {
    "scaled_normal": scaled_normal,
    "standard_normal": standard_normal,
    "he_normal": he_normal,
    "glorot_normal": glorot_normal,
    "zeros": zeros,
}
