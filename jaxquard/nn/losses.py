"""How wrong an answer is: every loss maps (logits, targets) to one number per example; the caller averages.

`targets` are class numbers (batch,) or, where labels are smoothed or mixed, distributions (batch, classes).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxquard.nn.activations import log_softmax, sigmoid, softmax

Loss = Callable[[jax.Array, jax.Array], jax.Array]


def one_hot(labels: jax.Array, classes: int) -> jax.Array:
    """(batch,) class numbers -> (batch, classes) of zeros and a one."""
    return (labels[..., None] == jnp.arange(classes)).astype(jnp.float32)


def smooth_labels(targets: jax.Array, smoothing: float | jax.Array) -> jax.Array:
    """(1 - ε)·y + ε/classes: asks for less than certainty (Szegedy et al., 2015, arXiv 1512.00567, section 7)."""
    return (1 - smoothing) * targets + smoothing / targets.shape[-1]


def learn_from(
    teacher: jax.Array, targets: jax.Array, share: float | jax.Array, temperature: float | jax.Array
) -> jax.Array:
    """(1 - share)·y + share·softmax(t/T): what a teacher's logits t say of the other classes, beside the truth.

    Distillation (Hinton, Vinyals & Dean, 2015, arXiv 1503.02531, section 2), with the student at a temperature of 1, so
    that it composes with every loss; a T above 1 therefore makes it less sure of its answers than the teacher is.
    (batch, classes), (batch, classes) -> (batch, classes).
    """
    return (1 - share) * targets + share * softmax(teacher / temperature)


def _distribution(targets: jax.Array, logits: jax.Array) -> jax.Array:
    return one_hot(targets, logits.shape[-1]) if targets.ndim < logits.ndim else targets


def cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """-Σ y·log softmax(z): (batch, classes) -> (batch,). Its gradient is softmax(z) - y: no slowdown when wrong."""
    return -jnp.sum(_distribution(targets, logits) * log_softmax(logits), axis=-1)


def squared_error_softmax(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """½‖y - softmax(z)‖²: the quadratic cost of Nielsen's chapter 1 on a softmax output."""
    return 0.5 * jnp.sum((_distribution(targets, logits) - softmax(logits)) ** 2, axis=-1)


def squared_error_sigmoid(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """½‖y - σ(z)‖²: the quadratic cost of Nielsen's chapter 1, as he has it."""
    return 0.5 * jnp.sum((_distribution(targets, logits) - sigmoid(logits)) ** 2, axis=-1)


def cross_entropy_sigmoid(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """-Σ [y log σ(z) + (1 - y) log(1 - σ(z))], Nielsen's chapter 3 (eq. 63), as log(1 + eᶻ) - y·z, which is stable."""
    return jnp.sum(jnp.logaddexp(logits, 0) - _distribution(targets, logits) * logits, axis=-1)


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "squared_error_softmax": squared_error_softmax,
    "squared_error_sigmoid": squared_error_sigmoid,
    "cross_entropy_sigmoid": cross_entropy_sigmoid,
}
