"""The non-linearities σ, elementwise, and softmax. Without them a stack of layers is one linear map."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Activation = Callable[[jax.Array], jax.Array]


def relu(z: jax.Array) -> jax.Array:
    """max(0, z), with slope 0 at z = 0 (jnp.maximum has ½). The test z <= 0 is false for NaN, so NaN stays NaN."""
    return jnp.where(z <= 0, 0, z)


def leaky_relu(z: jax.Array, slope: float = 0.01) -> jax.Array:
    """z where positive, slope·z elsewhere: a unit with z < 0 still learns (Maas et al., 2013)."""
    return jnp.where(z <= 0, slope * z, z)


def sigmoid(z: jax.Array) -> jax.Array:
    """1 / (1 + e⁻ᶻ). XLA's operation is accurate in both tails."""
    return jax.lax.logistic(z)


def tanh(z: jax.Array) -> jax.Array:
    """Hyperbolic tangent: a sigmoid stretched to (-1, 1)."""
    return jnp.tanh(z)


def gelu(z: jax.Array) -> jax.Array:
    """z·Φ(z), Φ the standard normal distribution function (Hendrycks & Gimpel, 2016, arXiv 1606.08415).

    The absolute error is at most 1e-7. Below z = -5, where |gelu(z)| < 2e-6, few digits or none are correct.
    """
    return 0.5 * z * (1 + jax.lax.erf(z * (0.5**0.5)))


def identity(z: jax.Array) -> jax.Array:
    """z itself, which makes a linear network for comparison."""
    return z


def softmax(logits: jax.Array) -> jax.Array:
    """eᶻⁱ / Σⱼ eᶻʲ over the last axis: (..., classes) -> probabilities. Subtracting the maximum prevents overflow."""
    exponentials = jnp.exp(logits - jnp.max(logits, axis=-1, keepdims=True))
    return exponentials / jnp.sum(exponentials, axis=-1, keepdims=True)


def log_softmax(logits: jax.Array) -> jax.Array:
    """log softmax(logits) over the last axis, finite even where the softmax rounds to 0."""
    shifted = logits - jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    return shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=-1, keepdims=True))


ACTIVATIONS: dict[str, Activation] = {
    "relu": relu,
    "leaky_relu": leaky_relu,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "gelu": gelu,
    "identity": identity,
}
