"""The non-linearities σ, elementwise, and softmax. Without them a stack of layers is one linear map."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Activation = Callable[[jax.Array], jax.Array]


def relu(z: jax.Array) -> jax.Array:
    """max(0, z), with slope 0 at z = 0 (jnp.maximum has ½). Asked as z <= 0, not z > 0, a NaN goes through."""
    return jnp.where(z <= 0, 0, z)


def leaky_relu(z: jax.Array, slope: float = 0.01) -> jax.Array:
    """z where positive, slope·z elsewhere: a unit that is off still learns (Maas et al., 2013)."""
    return jnp.where(z <= 0, slope * z, z)


def sigmoid(z: jax.Array) -> jax.Array:
    """1 / (1 + e⁻ᶻ), by XLA's own operation, which is exact in both tails."""
    return jax.lax.logistic(z)


def tanh(z: jax.Array) -> jax.Array:
    """Hyperbolic tangent: a sigmoid stretched to (-1, 1)."""
    return jnp.tanh(z)


def gelu(z: jax.Array) -> jax.Array:
    """z·Φ(z), Φ the standard normal distribution function (Hendrycks & Gimpel, 2016, arXiv 1606.08415).

    Right to 1e-7; below z = -5, where it is smaller than 2e-6 itself, to a digit or none.
    """
    return 0.5 * z * (1 + jax.lax.erf(z * (0.5**0.5)))


def identity(z: jax.Array) -> jax.Array:
    """z itself: a linear network, to compare with."""
    return z


def softmax(logits: jax.Array) -> jax.Array:
    """eᶻⁱ / Σⱼ eᶻʲ over the last axis: (..., classes) -> probabilities. Shifting by the maximum changes nothing
    but keeps every exponent ≤ 0."""
    exponentials = jnp.exp(logits - jnp.max(logits, axis=-1, keepdims=True))
    return exponentials / jnp.sum(exponentials, axis=-1, keepdims=True)


def log_softmax(logits: jax.Array) -> jax.Array:
    """log softmax(logits) without ever taking the log of a probability that has rounded to 0."""
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
