"""Augmentation: random changes to training images, made inside the compiled step.

Each function is pure, `(key, x) -> x`, on images (n, h, w, channels) with pixels 0…255, uint8 or float. Each image
has random numbers of its own.
"""

from typing import Any

import jax
import jax.numpy as jnp

Side = int | jax.Array  # the same for all images, or (n,): one for each


def random_flip(key: jax.Array, x: jax.Array) -> jax.Array:
    """Mirror each image left to right with probability ½ (Krizhevsky et al., 2012, section 4.1)."""
    mirrored = jax.random.bernoulli(key, 0.5, (len(x), 1, 1, 1))
    return jnp.where(mirrored, x[:, :, ::-1], x)


def random_shift(key: jax.Array, x: jax.Array, pixels: int) -> jax.Array:
    """Move each image by up to `pixels` (static) in each direction and fill the border with black.

    The same as padding and random cropping (He et al., 2015, arXiv 1512.03385, section 4.2).
    """
    padded = jnp.pad(x, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    corners = jax.random.randint(key, (len(x), 2), 0, 2 * pixels + 1)
    return jax.vmap(lambda image, at: jax.lax.dynamic_slice(image, (at[0], at[1], 0), x.shape[1:]))(padded, corners)


def _inside(x: jax.Array, top: jax.Array, left: jax.Array, height: Side, width: Side) -> jax.Array:
    """True for the pixels in each image's rectangle, (n, h, w, 1). Rectangles may extend past the border."""

    def between(low, length, size):
        position = jnp.arange(size)
        return (position >= low[:, None]) & (position < (low + length)[:, None])

    rows, columns = between(top, height, x.shape[1]), between(left, width, x.shape[2])
    return rows[:, :, None, None] & columns[:, None, :, None]


def cutout(key: jax.Array, x: jax.Array, size: Side) -> jax.Array:
    """Black out a square of side `size` centred on a random pixel. Part of the square may lie past the border.

    The network cannot rely on a single detail (DeVries & Taylor, 2017, arXiv 1708.04552).
    """
    n, h, w, _ = x.shape
    centre = jax.random.randint(key, (2, n), 0, jnp.array([[h], [w]]))
    top, left = centre - size // 2
    return jnp.where(_inside(x, top, left, size, size), jnp.zeros((), x.dtype), x)


def random_erasing(
    key: jax.Array,
    x: jax.Array,
    probability: float | jax.Array = 0.5,
    area: tuple[float, float] = (0.02, 0.4),
    aspect: float = 0.3,
) -> jax.Array:
    """With `probability`, fill a rectangle with noise (Zhong et al., 2017, arXiv 1708.04896, algorithm 1).

    `area` is the smallest and largest share of the image, `aspect` the smallest ratio of the sides. The paper draws
    again until the rectangle fits; here its sides are clipped to the image's.
    """
    n, h, w, _ = x.shape
    keys = jax.random.split(key, 5)
    pixels = h * w * jax.random.uniform(keys[0], (n,), minval=area[0], maxval=area[1])
    ratio = jax.random.uniform(keys[1], (n,), minval=aspect, maxval=1 / aspect)
    sides = jnp.round(jnp.sqrt(jnp.stack([pixels * ratio, pixels / ratio])))
    height, width = jnp.minimum(sides, jnp.array([[h], [w]], sides.dtype)).astype(int)
    corner = jax.random.uniform(keys[2], (2, n))
    places = jnp.array([[h], [w]]) + 1 - jnp.stack([height, width])
    top, left = (corner * places.astype(corner.dtype)).astype(int)
    erased = jax.random.bernoulli(keys[3], probability, (n, 1, 1, 1)) & _inside(x, top, left, height, width)
    return jnp.where(erased, jax.random.bits(keys[4], x.shape, "uint8").astype(x.dtype), x)


def mixup(key: jax.Array, x: jax.Array, targets: Any, alpha: float | jax.Array) -> tuple[jax.Array, Any]:
    """λ·(xᵢ, yᵢ) + (1 - λ)·(xᵢ₋₁, yᵢ₋₁), λ ~ Beta(alpha, alpha) (Zhang et al., 2017, arXiv 1710.09412).

    `targets` are distributions (n, classes), or a pytree of these and other arrays (n, …) to blend. The batch is in
    random order, so the previous image is a random one.
    Blended pixels are float32. With alpha = 0, which the sampler does not allow, nothing is blended: the limit of Beta.
    """
    share = jnp.where(alpha > jnp.finfo(jnp.float32).tiny, jax.random.beta(key, alpha, alpha, (len(x),)), 1.0)

    def blend(a: jax.Array) -> jax.Array:
        weight, a = share.reshape(-1, *[1] * (a.ndim - 1)), a.astype(share.dtype)
        return weight * a + (1 - weight) * jnp.roll(a, 1, axis=0)

    return blend(x), jax.tree.map(blend, targets)
