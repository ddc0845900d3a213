"""Pooling, which reduces the number of pixels. Images are (n, h, w, channels)."""

from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def max_pool(x: jax.Array, window: int = 2) -> jax.Array:
    """The largest of each window × window block: (n, h, w, c) -> (n, ⌊h/window⌋, ⌊w/window⌋, c).

    Blocks do not overlap. Pixels that share the maximum get equal shares of its gradient. Reverse-mode gradients only
    (`custom_vjp`). Elementwise operations are on a CPU many times faster than the gradient of `lax.reduce_window`.
    """
    h, w = (size // window * window for size in x.shape[1:3])  # surplus rows and columns are cut off
    rows = reduce(jnp.maximum, [x[:, i:h:window, :w] for i in range(window)])
    return reduce(jnp.maximum, [rows[:, :, j::window] for j in range(window)])


def _max_pool_forward(x: jax.Array, window: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    y: Any = max_pool(x, window)
    return y, (x, y)


def _max_pool_backward(window: int, residuals: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array]:
    x, y = residuals
    (n, height, width, c), (_, rows, columns, _) = x.shape, y.shape
    h, w = rows * window, columns * window
    largest = x[:, :h, :w].reshape(n, rows, window, columns, window, c) == y[:, :, None, :, None]
    ones = largest.astype(g.dtype)
    share = g / reduce(jnp.add, [ones[:, :, i, :, j] for i in range(window) for j in range(window)])
    dx = jnp.where(largest, share[:, :, None, :, None], 0).reshape(n, h, w, c)
    return (jnp.pad(dx, ((0, 0), (0, height - h), (0, width - w), (0, 0))),)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)


def avg_pool(x: jax.Array, window: int = 2) -> jax.Array:
    """The mean of each window × window block, cut like `max_pool`: (n, h, w, c) -> (n, ⌊h/window⌋, ⌊w/window⌋, c)."""
    n, h, w, c = x.shape
    rows, columns = h // window, w // window
    blocks = x[:, : rows * window, : columns * window].reshape(n, rows, window, columns, window, c)
    return jnp.mean(blocks, axis=(2, 4), dtype=jnp.float32)


def global_avg_pool(x: jax.Array) -> jax.Array:
    """The mean over all pixels: (n, h, w, c) -> (n, c) (Lin et al., 2013, arXiv 1312.4400, section 3.2)."""
    return jnp.mean(x, axis=(1, 2))


def space_to_depth(x: jax.Array, block: int = 2) -> jax.Array:
    """Each block × block of pixels becomes one pixel with block²·c channels, which makes convolutions cheaper.

    (n, h, w, c) -> (n, ⌈h/block⌉, ⌈w/block⌉, block²·c). Zeros fill incomplete blocks.
    """
    n, h, w, c = x.shape
    rows, columns = -(-h // block), -(-w // block)
    padded = jnp.pad(x, ((0, 0), (0, rows * block - h), (0, columns * block - w), (0, 0)))
    blocks = padded.reshape(n, rows, block, columns, block, c).swapaxes(2, 3)
    return blocks.reshape(n, rows, columns, block * block * c)
