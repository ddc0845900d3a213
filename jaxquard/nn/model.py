"""What a model is: two pure functions, and a list of its layers. And what it lets you see: every layer's z and δ.

`init(key) -> (params, state)`: a plain pytree to train and one that the layers keep besides (running statistics).
`apply(params, state, x, *, key=None, train=False, watch=unwatched) -> (logits, state)`: uint8 images
(batch, height, width, channels) to logits (batch, classes). Each layer's pre-activation z passes through
`watch(name, z)`, which returns it, recorded or changed: there is no second forward pass written for looking.

`layers` lists the operations of `apply` in their order, as data for exporters, pictures and other languages; the kinds
are in `sequential.py`.
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


class Layer(NamedTuple):
    """One operation: its kind, where its arrays lie, and whatever else it depends on, as plain data.

    `arrays` has paths into `(params, state)`, as model files have them: "0/2/w" is `params[2]["w"]`, "1/2/mean" is
    `state[2]["mean"]`.
    """

    kind: str
    arrays: dict[str, str]
    attributes: dict[str, Any]


class Model(NamedTuple):
    """A network: `init` makes its parameters, `apply` runs it, `layers` says what `apply` does."""

    init: Callable[[jax.Array], tuple[Params, State]]
    apply: Apply
    layers: tuple[Layer, ...]

    @property
    def weighted(self) -> tuple[Layer, ...]:
        """The layers that have weights: number k is the one whose z is called `str(k)`."""
        return tuple(layer for layer in self.layers if "w" in layer.arrays)

    @property
    def activations(self) -> tuple[str, ...]:
        """The name of the function that is applied to each z, "identity" where none is."""
        found: list[str] = []
        for layer in self.layers:
            if "w" in layer.arrays:
                found.append("identity")
            elif layer.kind == "activation":
                found[-1] = layer.attributes["function"]
        return tuple(found)

    @property
    def convolutional(self) -> bool:
        """Whether it has a convolution, which takes much longer than a matrix product."""
        return any(layer.kind == "conv2d" for layer in self.layers)


def named_arrays(params: Params, state: State) -> dict[str, jax.Array]:
    """Every array of a model by its path, as `Layer.arrays` has it."""
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path((params, state))}


def path_name(path: tuple[Any, ...]) -> str:
    """The path of a leaf as text: `0/2/w`, `params/0/w`, `opt_state/1/mean/0/w`, …"""
    return jax.tree_util.keystr(path, simple=True, separator="/")


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
