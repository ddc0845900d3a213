"""The fully connected network, of any depth and width; the original network is 784-128-64-10 with ReLU."""

import math
from itertools import pairwise

import jax

from jaxquard.nn import normalization
from jaxquard.nn.activations import Activation, relu
from jaxquard.nn.initializers import Initializer, scaled_normal
from jaxquard.nn.layers import dense, dropout, init_dense, standardize
from jaxquard.nn.model import Model, Params, State, Watch, unwatched


def mlp(
    hidden: tuple[int, ...] = (128, 64),
    *,
    image_shape: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
    activation: Activation = relu,
    initializer: Initializer = scaled_normal,
    batch_norm: bool = False,
    dropout_rate: float | jax.Array | None = None,
    mean: float = 0.0,
    std: float = 1.0,
) -> Model:
    """z¹ = xW¹ + b¹, aˡ = σ(zˡ), zˡ⁺¹ = aˡWˡ⁺¹ + bˡ⁺¹; the last z are the logits.

    Parameters are a list of `{"w": (in, out), "b": (out,)}`, first layer first. `dropout_rate` applies to each
    hidden layer's activations while training (None: no dropout in the program at all). `mean` and `std`
    standardise pixels in [0, 1]. With `batch_norm` each hidden layer is aˡ = σ(BN(aˡ⁻¹Wˡ)): its parameters are
    `{"w", "scale", "bias"}`, and `state` is a list of running `{"mean", "var"}`; otherwise `{}`.
    """
    sizes = (math.prod(image_shape), *hidden, classes)

    def init(key: jax.Array) -> tuple[Params, State]:
        keys = jax.random.split(key, len(sizes) - 1)
        layers = zip(keys, pairwise(sizes), strict=True)
        params = [init_dense(k, n_in, n_out, initializer) for k, (n_in, n_out) in layers]
        if not batch_norm:
            return params, {}
        norms = [normalization.init_batch_norm(size) for size in hidden]
        layers = [{"w": layer["w"]} | norm for layer, (norm, _) in zip(params, norms, strict=False)]
        return [*layers, params[-1]], [kept for _, kept in norms]

    def apply(
        params: Params,
        state: State,
        x: jax.Array,
        *,
        key: jax.Array | None = None,
        train: bool = False,
        watch: Watch = unwatched,
    ) -> tuple[jax.Array, State]:
        new_state = []

        def affine(number: int, layer: dict[str, jax.Array], a: jax.Array) -> jax.Array:
            if not batch_norm:
                return dense(layer, a)
            z, kept = normalization.batch_norm(layer, state[number], a @ layer["w"], train=train)
            new_state.append(kept)
            return z

        a = standardize(x, mean, std).reshape(x.shape[0], -1)
        for number, layer in enumerate(params[:-1]):
            a = activation(watch(str(number), affine(number, layer, a)))
            if train and dropout_rate is not None:
                if key is None:
                    raise ValueError("training with dropout needs a key")
                a = dropout(jax.random.fold_in(key, number), a, dropout_rate)
        return watch(str(len(params) - 1), dense(params[-1], a)), new_state if batch_norm else state

    return Model(init, apply)
