"""The optimisers by name, each a chain of transformations ending in -η."""

from jaxquard.optim.schedules import Scalar, Schedule
from jaxquard.optim.transforms import (
    GradientTransformation,
    add_decayed_weights,
    chain,
    scale_by_adam,
    scale_by_learning_rate,
    trace,
)


def sgd(learning_rate: Scalar | Schedule) -> GradientTransformation:
    """θ ← θ - η∇L: the mission's (Nielsen, eq. 20 and 21)."""
    return scale_by_learning_rate(learning_rate)


def momentum(
    learning_rate: Scalar | Schedule, decay: Scalar = 0.9, *, nesterov: bool = False
) -> GradientTransformation:
    """v ← decay·v + ∇L; θ ← θ - ηv (Nielsen, chapter 3, with 1 - friction = decay)."""
    return chain(trace(decay, nesterov), scale_by_learning_rate(learning_rate))


def adam(
    learning_rate: Scalar | Schedule, beta1: Scalar = 0.9, beta2: Scalar = 0.999, epsilon: Scalar = 1e-8
) -> GradientTransformation:
    """Adam: momentum, each parameter's step divided by its gradient's running size."""
    return chain(scale_by_adam(beta1, beta2, epsilon), scale_by_learning_rate(learning_rate))


def adamw(
    learning_rate: Scalar | Schedule,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-8,
    weight_decay: Scalar = 0.01,
) -> GradientTransformation:
    """Adam with decoupled weight decay on every parameter; chain the parts yourself to mask some."""
    return chain(
        scale_by_adam(beta1, beta2, epsilon), add_decayed_weights(weight_decay), scale_by_learning_rate(learning_rate)
    )
