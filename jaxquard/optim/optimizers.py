"""The optimisers by name. Each is a chain of transformations that ends with -η."""

from collections.abc import Callable

from jaxquard.optim.schedules import Scalar, Schedule
from jaxquard.optim.transforms import (
    GradientTransformation,
    Tree,
    add_decayed_weights,
    chain,
    clip_by_global_norm,
    is_matrix,
    orthogonalize,
    partition,
    scale_by_adam,
    scale_by_learning_rate,
    trace,
)


def optimizer(
    name: str,
    learning_rate: Scalar | Schedule,
    *,
    momentum: Scalar = 0.9,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-8,
    weight_decay: Scalar | None = None,
    decayed: Callable[[Tree], Tree] | None = None,
    clip_norm: Scalar | None = None,
) -> GradientTransformation:
    """Clip, precondition, decay, then scale by -η.

    - `sgd`: θ ← θ - η∇L (Nielsen, eq. 20 and 21)
    - `momentum`: v ← momentum·v + ∇L; θ ← θ - ηv (Nielsen, chapter 3: friction is 1 - momentum); `nesterov` looks ahead
    - `adam`: momentum divided by the root of the gradient's mean square, for each parameter; with decay it is `adamw`
    - `muon`: Nesterov's momentum made orthogonal for matrices, Adam for the rest

    With `weight_decay`, weights also shrink by η·weight_decay·θ: those that `decayed(params)` marks (None: all). With
    `clip_norm`, a longer gradient is scaled down to that norm. ValueError for another name.
    """
    parts = [] if clip_norm is None else [clip_by_global_norm(clip_norm)]
    match name:
        case "sgd":
            pass
        case "momentum" | "nesterov":
            parts.append(trace(momentum, nesterov=name == "nesterov"))
        case "adam" | "adamw":
            parts.append(scale_by_adam(beta1, beta2, epsilon))
        case "muon":
            velocity = trace(momentum, nesterov=True)
            parts.append(partition(is_matrix, chain(velocity, orthogonalize()), scale_by_adam(beta1, beta2, epsilon)))
        case _:
            raise ValueError(f"no optimiser {name!r}")
    if weight_decay is not None:
        parts.append(add_decayed_weights(weight_decay, decayed))
    return chain(*parts, scale_by_learning_rate(learning_rate))
