"""The convolutional network: 3×3 convolutions with batch normalisation, plain or residual, of any width and depth."""

from itertools import pairwise

import jax

from jaxquard.nn.activations import Activation, relu
from jaxquard.nn.convolution import conv2d, init_conv2d
from jaxquard.nn.initializers import Initializer, he_normal
from jaxquard.nn.layers import dense, dropout, init_dense, standardize
from jaxquard.nn.model import Model, Params, State, Watch, unwatched
from jaxquard.nn.normalization import batch_norm, init_batch_norm
from jaxquard.nn.pooling import global_avg_pool, max_pool, space_to_depth


def cnn(
    widths: tuple[int, ...] = (16, 32, 64),
    blocks: int = 1,
    *,
    stem: int = 1,
    image_shape: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
    activation: Activation = relu,
    initializer: Initializer = he_normal,
    dropout_rate: float | jax.Array | None = None,
    mean: float = 0.0,
    std: float = 1.0,
) -> Model:
    """One stage for each of `widths`, 2×2 max pooling between stages, global average pooling, a dense layer.

    A stage is two layers a ← σ(BN(w ∗ a)); or, with `blocks` > 0, one such layer and that many residual blocks
    a ← σ(a + BN(w′ ∗ σ(BN(w ∗ a)))) (He et al., 2015, arXiv 1512.03385). `stem` × `stem` pixels become one with
    stem² channels before the first layer, which makes all of them that much cheaper (1: every pixel by itself).
    Dropout is on the pooled features. `params` is a list, each layer's `{"w", "scale", "bias"}`, the dense one's
    `{"w", "b"}` last; `state` the layers' running `{"mean", "var"}`. ValueError if the image has too few pixels.
    """
    height, width, channels = image_shape
    height, width = (-(-size // stem) for size in (height, width))
    if min(height, width) < 2 ** (len(widths) - 1):
        raise ValueError(f"widths: {len(widths)} stages halve {height}×{width} pixels to nothing; take fewer")
    depth = 1 + 2 * blocks if blocks else 2
    sizes = [stem**2 * channels] + [size for size in widths for _ in range(depth)]

    def init(key: jax.Array) -> tuple[Params, State]:
        *keys, last = jax.random.split(key, len(sizes))
        params, state = [], []
        for layer_key, (n_in, n_out) in zip(keys, pairwise(sizes), strict=True):
            norm, kept = init_batch_norm(n_out)
            params.append(init_conv2d(layer_key, 3, n_in, n_out, initializer, bias=False) | norm)
            state.append(kept)
        return [*params, init_dense(last, sizes[-1], classes, initializer)], state

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

        def layer(a: jax.Array, shortcut: jax.Array | float = 0.0) -> jax.Array:
            number = len(new_state)
            z, kept = batch_norm(params[number], state[number], conv2d(params[number], a), train=train)
            new_state.append(kept)
            return activation(watch(str(number), z + shortcut))

        a = space_to_depth(standardize(x, mean, std), stem)
        for stage in range(len(widths)):
            a = layer(max_pool(a) if stage else a)
            a = a if blocks else layer(a)
            for _ in range(blocks):
                a = layer(layer(a), shortcut=a)
        a = global_avg_pool(a)
        if train and dropout_rate is not None:
            if key is None:
                raise ValueError("training with dropout needs a key")
            a = dropout(key, a, dropout_rate)
        return watch(str(len(new_state)), dense(params[-1], a)), new_state

    return Model(init, apply)
