"""Pooling, which reduces the number of pixels. Images are (n, h, w, channels)."""

from functools import reduce

import jax
import jax.numpy as jnp


def max_pool(x: jax.Array, window: int = 2) -> jax.Array:
    """The largest of each window × window block: (n, h, w, c) -> (n, ⌊h/window⌋, ⌊w/window⌋, c).

    Blocks do not overlap. Pixels that share the maximum share its gradient. Elementwise operations between strided
    slices have elementwise gradients, which on a CPU are many times faster than those of `lax.reduce_window`.
    """
    h, w = (size // window * window for size in x.shape[1:3])  # surplus rows and columns are cut off
    rows = reduce(jnp.maximum, [x[:, i:h:window, :w] for i in range(window)])
    return reduce(jnp.maximum, [rows[:, :, j::window] for j in range(window)])


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
