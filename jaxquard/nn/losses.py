"""Losses: each maps (logits, targets) to one number per example; the caller averages.

`targets` are class numbers (batch,), or distributions (batch, classes) if labels are smoothed or mixed.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxquard.nn.activations import log_softmax, sigmoid, softmax

Loss = Callable[[jax.Array, jax.Array], jax.Array]


def one_hot(labels: jax.Array, classes: int) -> jax.Array:
    """(batch,) class numbers -> (batch, classes): 1 at the class, 0 elsewhere."""
    return (labels[..., None] == jnp.arange(classes)).astype(jnp.float32)


def smooth_labels(targets: jax.Array, smoothing: float | jax.Array) -> jax.Array:
    """(1 - ε)·y + ε/classes, ε = `smoothing` (Szegedy et al., 2015, arXiv 1512.00567, section 7)."""
    return (1 - smoothing) * targets + smoothing / targets.shape[-1]


def learn_from(
    teacher: jax.Array, targets: jax.Array, share: float | jax.Array, temperature: float | jax.Array
) -> jax.Array:
    """(1 - share)·y + share·softmax(t/T), t the teacher's logits: (batch, classes) each -> (batch, classes).

    Distillation (Hinton, Vinyals & Dean, 2015, arXiv 1503.02531, section 2). The student's temperature is 1, so that
    every loss can be used; with T > 1 the student becomes less confident than the teacher.
    """
    return (1 - share) * targets + share * softmax(teacher / temperature)


def _distribution(targets: jax.Array, logits: jax.Array) -> jax.Array:
    return one_hot(targets, logits.shape[-1]) if targets.ndim < logits.ndim else targets


def cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """-Σ y·log softmax(z): (batch, classes) -> (batch,). Its gradient is softmax(z) - y, large if z is very wrong."""
    return -jnp.sum(_distribution(targets, logits) * log_softmax(logits), axis=-1)


def squared_error_softmax(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """½‖y - softmax(z)‖²: the quadratic cost of Nielsen's chapter 1, with a softmax output."""
    return 0.5 * jnp.sum((_distribution(targets, logits) - softmax(logits)) ** 2, axis=-1)


def squared_error_sigmoid(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """½‖y - σ(z)‖²: the quadratic cost of Nielsen's chapter 1, with his sigmoid outputs."""
    return 0.5 * jnp.sum((_distribution(targets, logits) - sigmoid(logits)) ** 2, axis=-1)


def cross_entropy_sigmoid(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """-Σ [y log σ(z) + (1 - y) log(1 - σ(z))] (Nielsen, chapter 3, eq. 63), in its stable form log(1 + eᶻ) - y·z."""
    return jnp.sum(jnp.logaddexp(logits, 0) - _distribution(targets, logits) * logits, axis=-1)


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "squared_error_softmax": squared_error_softmax,
    "squared_error_sigmoid": squared_error_sigmoid,
    "cross_entropy_sigmoid": cross_entropy_sigmoid,
}
