"""Pooling: fewer pixels, the same channels. Images are (n, h, w, channels)."""

from collections.abc import Callable
from functools import reduce

import jax
import jax.numpy as jnp


def _reduce_blocks(operation: Callable[[jax.Array, jax.Array], jax.Array], x: jax.Array, window: int) -> jax.Array:
    """`operation` over blocks of window × window, as elementwise operations between strided slices.

    Their gradient is elementwise too, which XLA on a CPU computes many times faster than that of `lax.reduce_window`.
    """
    h, w = (size // window * window for size in x.shape[1:3])  # rows and columns left over are cut
    rows = reduce(operation, [x[:, i:h:window, :w] for i in range(window)])
    return reduce(operation, [rows[:, :, j::window] for j in range(window)])


def max_pool(x: jax.Array, window: int = 2) -> jax.Array:
    """The largest of each window × window block: (n, h, w, c) -> (n, ⌊h/window⌋, ⌊w/window⌋, c).

    Blocks do not overlap. Pixels that share the maximum share its gradient.
    """
    return _reduce_blocks(jnp.maximum, x, window)


def avg_pool(x: jax.Array, window: int = 2) -> jax.Array:
    """The mean of each window × window block: (n, h, w, c) -> (n, ⌊h/window⌋, ⌊w/window⌋, c)."""
    return _reduce_blocks(jnp.add, x, window) / window**2


def global_avg_pool(x: jax.Array) -> jax.Array:
    """The mean over all pixels: (n, h, w, c) -> (n, c) (Lin et al., 2013, arXiv 1312.4400, section 3.2)."""
    return jnp.mean(x, axis=(1, 2))


def global_max_pool(x: jax.Array) -> jax.Array:
    """The largest over all pixels: (n, h, w, c) -> (n, c)."""
    return jnp.max(x, axis=(1, 2))


def space_to_depth(x: jax.Array, block: int = 2) -> jax.Array:
    """Each block × block of pixels becomes one pixel with block²·c channels: all is kept, convolutions get cheap.

    (n, h, w, c) -> (n, h/block, w/block, block²·c). Raises ValueError unless block divides both sizes.
    """
    n, h, w, c = x.shape
    if h % block or w % block:
        raise ValueError(f"space_to_depth: blocks of {block}×{block} do not tile an image of {h}×{w} pixels")
    blocks = x.reshape(n, h // block, block, w // block, block, c)
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(n, h // block, w // block, block * block * c)
