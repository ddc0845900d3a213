"""A model: two pure functions and a list of its layers. With them, each layer's pre-activations z and errors δ."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxquard.nn.losses import Loss

Params = Any
State = Any
Watch = Callable[[str, jax.Array], jax.Array]


class Layer(NamedTuple):
    """One operation as plain data: its kind, the paths of its arrays, and its other settings.

    `arrays` has paths into `(params, state)`, as in model files: "0/2/w" is `params[2]["w"]`, "1/2/mean" is
    `state[2]["mean"]`.
    """

    kind: str
    arrays: dict[str, str]
    attributes: dict[str, Any]


class Model(NamedTuple):
    """A network.

    - `init(key) -> (params, state)`: the pytree to train, and the running statistics.
    - `apply(params, state, x, *, key=None, train=False, watch=…) -> (logits, state)`: images
      (batch, height, width, channels), uint8 or floats with 255 for white, to logits (batch, classes). Each layer's
      pre-activation z passes through `watch(name, z)`, which records or changes it and returns it.
    - `layers`: the operations of `apply` in order, as data for every reader. `sequential.py` describes the kinds.
    """

    init: Callable[[jax.Array], tuple[Params, State]]
    apply: Callable[..., tuple[jax.Array, State]]
    layers: tuple[Layer, ...]

    @property
    def weighted(self) -> tuple[Layer, ...]:
        """The layers that have weights. `watch` calls the z of layer k `str(k)`."""
        return tuple(layer for layer in self.layers if "w" in layer.arrays)

    @property
    def activations(self) -> tuple[str, ...]:
        """The name of each z's activation function, "identity" if it has none."""
        found: list[str] = []
        for layer in self.layers:
            if "w" in layer.arrays:
                found.append("identity")
            elif layer.kind == "activation":
                found[-1] = layer.attributes["function"]
        return tuple(found)

    @property
    def convolutional(self) -> bool:
        """Whether it has a convolution, which takes longer than a matrix product."""
        return any(layer.kind == "conv2d" for layer in self.layers)


def named_arrays(params: Params, state: State) -> dict[str, jax.Array]:
    """Every array of a model by its path, as in `Layer.arrays`."""
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path((params, state))}


def path_name(path: tuple[Any, ...]) -> str:
    """The path of a leaf as text: `0/2/w`, `params/0/w`, `opt_state/1/mean/0/w`, …"""
    return jax.tree_util.keystr(path, simple=True, separator="/")


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
    """δˡ = ∂C/∂zˡ by layer name, C each example's own loss (Nielsen, eq. 29): the gradient at a zero added to zˡ."""

    def total_loss(nudges: dict[str, jax.Array]) -> jax.Array:
        logits, _ = model.apply(params, state, x, watch=lambda name, z: z + nudges[name])
        return jnp.sum(loss(logits, targets))

    zs = pre_activations(model, params, state, x)
    return jax.grad(total_loss)({name: jnp.zeros_like(z) for name, z in zs.items()})


def count_parameters(params: Params) -> int:
    """The number of trained parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
