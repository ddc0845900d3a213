"""What a model is: two pure functions. And what it lets you see: every layer's z and δ, from the same forward pass.

`init(key) -> (params, state)`: a plain pytree to train and one that the layers keep besides (running statistics).
`apply(params, state, x, *, key=None, train=False, watch=unwatched) -> (logits, state)`: uint8 images
(batch, height, width, channels) to logits (batch, classes). Each layer's pre-activation z passes through
`watch(name, z)`, which returns it, recorded or changed: there is no second forward pass written for looking.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jaxquard.nn.losses import Loss

Params = Any
State = Any
Watch = Callable[[str, jax.Array], jax.Array]


class Apply(Protocol):
    """The forward pass; see the module's docstring."""

    def __call__(
        self,
        params: Params,
        state: State,
        x: jax.Array,
        *,
        key: jax.Array | None = None,
        train: bool = False,
        watch: Watch = ...,
    ) -> tuple[jax.Array, State]: ...


class Model(NamedTuple):
    """A network: `init` makes its parameters, `apply` runs it."""

    init: Callable[[jax.Array], tuple[Params, State]]
    apply: Apply


def unwatched(name: str, z: jax.Array) -> jax.Array:
    """Look at nothing."""
    del name
    return z


def pre_activations(model: Model, params: Params, state: State, x: jax.Array) -> dict[str, jax.Array]:
    """Every layer's z, by layer name, in the order the layers run."""
    seen: dict[str, jax.Array] = {}

    def record(name: str, z: jax.Array) -> jax.Array:
        seen[name] = z
        return z

    model.apply(params, state, x, watch=record)
    return seen


def deltas(
    model: Model, loss: Loss, params: Params, state: State, x: jax.Array, targets: jax.Array
) -> dict[str, jax.Array]:
    """δˡ = ∂C/∂zˡ of each example's own loss C, by layer name: the gradient at a zero added to zˡ (Nielsen, eq. 29)."""

    def total_loss(nudges: dict[str, jax.Array]) -> jax.Array:
        logits, _ = model.apply(params, state, x, watch=lambda name, z: z + nudges[name])
        return jnp.sum(loss(logits, targets))

    zs = pre_activations(model, params, state, x)
    return jax.grad(total_loss)({name: jnp.zeros_like(z) for name, z in zs.items()})


def count_parameters(params: Params) -> int:
    """How many numbers the network learns."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
