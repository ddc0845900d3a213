"""The plain layers: pure functions of parameters and input."""

import jax
import jax.numpy as jnp

from jaxquard.nn.initializers import Initializer, scaled_normal


def init_dense(key: jax.Array, n_in: int, n_out: int, initializer: Initializer = scaled_normal) -> dict[str, jax.Array]:
    """Parameters of an affine layer, `{"w": (n_in, n_out), "b": (n_out,)}`. The biases are zero."""
    return {"w": initializer(key, (n_in, n_out)), "b": jnp.zeros(n_out)}


def dense(params: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """z = xW + b: (batch, in) -> (batch, out). Nielsen's Wa + b with examples as rows. b is optional."""
    z = x @ params["w"]
    return z + params["b"] if "b" in params else z


def dropout(key: jax.Array, x: jax.Array, rate: float | jax.Array) -> jax.Array:
    """Zero each entry with probability `rate` and divide the others by 1 - rate, which keeps the mean.

    "Inverted" dropout: predictions need no rescaling (Srivastava et al., 2014; Nielsen, chapter 3).
    """
    keep = jax.random.uniform(key, x.shape) >= rate
    return jnp.where(keep, x / (1 - rate), 0)


def grey_levels(images: jax.Array) -> jax.Array:
    """Pixels with 255 for white: integers unchanged, 255·x for floats x with 1 for white."""
    return 255 * images if jnp.issubdtype(images.dtype, jnp.floating) else images


def standardize(pixels: jax.Array, mean: float, std: float) -> jax.Array:
    """Pixels with 255 for white -> float32 (x/255 - mean)/std. The initialisers assume inputs of unit variance."""
    return pixels.astype(jnp.float32) * (1 / (255 * std)) - mean / std
