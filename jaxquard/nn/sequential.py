"""A network from a list of layers: the parameters that they need, and the forward pass through them.

The kinds, each with its attributes. Images are (batch, height, width, channels); `a` is what the layer receives.

- standardize: mean, std. uint8 pixels -> (a/255 - mean)/std.
- space_to_depth: block. Each block × block of pixels becomes one pixel with block²·channels channels.
- flatten. (batch, …) -> (batch, units).
- dense: shape (in, out). a·w + b.
- conv2d: shape (rows, columns, in, out), stride, padding ("SAME" or "VALID"). a ∗ w + b.
- batch_norm: epsilon. (a - mean)/√(var + epsilon)·scale + bias for each channel; the layer before has no b.
- add: layer. a + what the layer at that position of the list handed on (a residual connection).
- activation: function, a name in `activations.ACTIVATIONS`.
- max_pool: window. The largest of each window × window block; rows and columns left over are cut.
- global_avg_pool. (batch, height, width, channels) -> (batch, channels).
- dropout: stream, the number of its random numbers, or None if it is the only one. Nothing when predicting.

What a dense or conv2d layer hands on is its z, after any batch_norm and add that follow at once.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxquard.nn.activations import ACTIVATIONS
from jaxquard.nn.convolution import conv2d
from jaxquard.nn.initializers import Initializer
from jaxquard.nn.layers import dense, dropout, standardize
from jaxquard.nn.model import Layer, Model, Params, State, Watch, named_arrays, unwatched
from jaxquard.nn.normalization import batch_norm, init_batch_norm
from jaxquard.nn.pooling import global_avg_pool, max_pool, space_to_depth

Plan = list[tuple[str, dict[str, Any]]]  # kinds and attributes
EPSILON = 1e-5


def sequential(plan: Plan, initializer: Initializer, dropout_rate: float | jax.Array | None = None) -> Model:
    """The model that runs the layers of `plan` in turn. `dropout_rate` is that of every dropout layer.

    `params` is a list with a dict for each dense or conv2d layer: `{"w", "b"}` or, if a batch_norm follows, `{"w",
    "scale", "bias"}`. `state` is a list of running `{"mean", "var"}`, one for each batch_norm ({} if there is none).
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
        watch: Watch = unwatched,
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
    """A layer that neither keeps a state nor draws random numbers. `outputs` are those of the layers before it."""
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
    """Each layer with the paths of its arrays, and the name of the z that it completes, None where it completes none.

    The parameters of a batch_norm lie with the weights before it.
    """
    weighted, norms, waiting = -1, -1, False
    for (kind, attributes), following in zip(plan, [*(kind for kind, _ in plan[1:]), None], strict=True):
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
        yield Layer(kind, arrays, attributes), str(weighted) if complete else None
