"""A network from a list of layers: its parameters and its forward pass.

The kinds of layers with their attributes follow. Images are (batch, height, width, channels); `a` is the layer's input.

- standardize: mean, std. uint8 pixels -> (a/255 - mean)/std.
- space_to_depth: block. Each block × block of pixels becomes one pixel with block²·channels channels.
- flatten. (batch, …) -> (batch, units).
- dense: shape (in, out). a·w + b.
- conv2d: shape (rows, columns, in, out), stride (default: 1), padding ("SAME", the default, or "VALID"). a ∗ w + b.
- batch_norm: epsilon (default: 1e-5). (a - mean)/√(var + epsilon)·scale + bias for each channel. The layer before has
  no b.
- add: layer. a + the output of the layer at that position of the list (a residual connection).
- activation: function, a name in `activations.ACTIVATIONS`.
- max_pool: window. The largest of each window × window block; surplus rows and columns are cut off.
- global_avg_pool. (batch, height, width, channels) -> (batch, channels).
- dropout: stream, a number folded into the random key (default: None, the key as it is). Predictions have no dropout.

The z of a dense or conv2d layer is its output after the batch_norm and add layers that follow it directly.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxquard.nn.activations import ACTIVATIONS
from jaxquard.nn.convolution import conv2d
from jaxquard.nn.initializers import Initializer
from jaxquard.nn.layers import dense, dropout, standardize
from jaxquard.nn.model import Layer, Model, Params, State, Watch, named_arrays
from jaxquard.nn.normalization import batch_norm, init_batch_norm
from jaxquard.nn.pooling import global_avg_pool, max_pool, space_to_depth

Plan = list[tuple[str, dict[str, Any]]]  # kinds and attributes
EPSILON = 1e-5
KINDS: dict[str, dict[str, Any]] = {  # each with the attributes that a plan may leave out
    "standardize": {},
    "space_to_depth": {},
    "flatten": {},
    "dense": {},
    "conv2d": {"stride": 1, "padding": "SAME"},
    "batch_norm": {"epsilon": EPSILON},
    "add": {},
    "activation": {},
    "max_pool": {},
    "global_avg_pool": {},
    "dropout": {"stream": None},
}


def sequential(plan: Plan, initializer: Initializer, dropout_rate: float | jax.Array | None = None) -> Model:
    """The model with the layers of `plan`. All dropout layers have the rate `dropout_rate`.

    `params` has a dict for each dense or conv2d layer: `{"w", "b"}` or, if a batch_norm follows, `{"w", "scale",
    "bias"}`. `state` has the running `{"mean", "var"}` of each batch_norm ({} if there is none). ValueError for a kind
    that is not in KINDS.
    """
    listed = list(_listed(plan))
    layers = tuple(layer for layer, _ in listed)

    def init(key: jax.Array) -> tuple[Params, State]:
        params, state = [], []
        keys = iter(jax.random.split(key, sum("w" in layer.arrays for layer in layers)))
        for layer in layers:
            if "w" in layer.arrays:
                params.append({"w": initializer(next(keys), layer.attributes["shape"])})
            if "b" in layer.arrays:
                params[-1]["b"] = jnp.zeros(layer.attributes["shape"][-1])
            if layer.kind == "batch_norm":
                norm, kept = init_batch_norm(params[-1]["w"].shape[-1])
                params[-1] |= norm
                state.append(kept)
        return params, state or {}

    def apply(
        params: Params,
        state: State,
        x: jax.Array,
        *,
        key: jax.Array | None = None,
        train: bool = False,
        watch: Watch = lambda name, z: z,
    ) -> tuple[jax.Array, State]:
        arrays, a, outputs, new_state = named_arrays(params, state), x, [], []
        for layer, z_name in listed:
            own = {name: arrays[path] for name, path in layer.arrays.items()}
            if layer.kind == "batch_norm":
                running = {"mean": own["mean"], "var": own["var"]}
                a, kept = batch_norm(own, running, a, train=train, **layer.attributes)
                new_state.append(kept)
            elif layer.kind == "dropout":
                a = _drop(a, key, dropout_rate, **layer.attributes) if train and dropout_rate is not None else a
            else:
                a = _run(layer, own, a, outputs)
            a = a if z_name is None else watch(z_name, a)
            outputs.append(a)
        return a, new_state or state

    return Model(init, apply, layers)


def _run(layer: Layer, own: dict[str, jax.Array], a: jax.Array, outputs: Sequence[jax.Array]) -> jax.Array:
    """The output of a layer without state and random numbers. `outputs` are those of the layers before it."""
    about = layer.attributes
    match layer.kind:
        case "standardize":
            return standardize(a, **about)
        case "space_to_depth":
            return space_to_depth(a, **about)
        case "flatten":
            return a.reshape(len(a), -1)
        case "dense":
            return dense(own, a)
        case "conv2d":
            return conv2d(own, a, stride=about["stride"], padding=about["padding"])
        case "add":
            return a + outputs[about["layer"]]
        case "activation":
            return ACTIVATIONS[about["function"]](a)
        case "max_pool":
            return max_pool(a, **about)
        case "global_avg_pool":
            return global_avg_pool(a)
    raise ValueError(f"no kind of layer is called {layer.kind}")


def _drop(a: jax.Array, key: jax.Array | None, rate: float | jax.Array, stream: int | None) -> jax.Array:
    if key is None:
        raise ValueError("training with dropout needs a key")
    return dropout(key if stream is None else jax.random.fold_in(key, stream), a, rate)


def _listed(plan: Plan) -> Iterator[tuple[Layer, str | None]]:
    """Each layer with the paths of its arrays, and the name of the z that it completes (None: it completes none).

    The parameters of a batch_norm are in the dict of the weights before it.
    """
    weighted, norms, waiting = -1, -1, False
    for (kind, attributes), following in zip(plan, [*(kind for kind, _ in plan[1:]), None], strict=True):
        if kind not in KINDS:
            raise ValueError(f"no kind of layer is called {kind}; the kinds are {', '.join(KINDS)}")
        arrays = {}
        if kind in ("dense", "conv2d"):
            weighted, waiting = weighted + 1, True
            arrays = {name: f"0/{weighted}/{name}" for name in (("w",) if following == "batch_norm" else ("w", "b"))}
        elif kind == "batch_norm":
            norms += 1
            arrays = {name: f"0/{weighted}/{name}" for name in ("scale", "bias")}
            arrays |= {name: f"1/{norms}/{name}" for name in ("mean", "var")}
        complete = waiting and following not in ("batch_norm", "add")
        waiting = waiting and not complete
        attributes = attributes | KINDS[kind] | attributes  # the plan's come first, and win
        yield Layer(kind, arrays, attributes), str(weighted) if complete else None
