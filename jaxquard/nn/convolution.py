"""Convolution with gradients that are fast inside a compiled loop.

A layer with few weights for each output, such as a first one, is one matrix product. Both gradients of a convolution
are convolutions. Inside `scan` or `fori_loop` on a CPU, XLA has no fast kernel for the layouts that autodiff gives
them: they are up to 20× slower (jax-ml/jax#12868). On a CPU, this module writes the input's gradient in the layout that
is fast, and the weights' as matrix products. Elsewhere it uses autodiff.
"""

import math
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax

Padding = Literal["SAME", "VALID"]
Pads = tuple[tuple[int, int], ...]  # zeros added before and after, for rows and for columns

# With at most this many weights for each output, a convolution is computed as a matrix product.
FEW = 32

# Pixels of g, at most, per partial sum of the weight gradient, but two images at least: their copies must fit into
# the cache.
PIXELS = 1600


def conv2d(params: dict[str, jax.Array], x: jax.Array, *, stride: int = 1, padding: Padding = "SAME") -> jax.Array:
    """z[n,p,q,o] = b[o] + Σ x[n, s·p+i, s·q+j, c] · w[i,j,c,o] over i, j, c: (n, h, w, in) -> (n, h', w', out).

    "SAME" pads with zeros so that h' = ⌈h/s⌉; "VALID" does not pad. b is optional. Reverse-mode gradients only
    (`custom_vjp`).
    """
    w = params["w"]
    pads = tuple(lax.padtype_to_pads(x.shape[1:3], w.shape[:2], (stride, stride), padding))
    few = w.shape[:2] == (1, 1) or math.prod(w.shape[:3]) <= FEW
    z = _product(x, w, stride, pads) if few else _convolve(x, w, stride, pads)
    return z + params["b"] if "b" in params else z


def _product(x: jax.Array, w: jax.Array, stride: int, pads: Pads) -> jax.Array:
    """The convolution as one matrix product. Its left matrix has a row for each pixel of z: the x below the filter."""
    kh, kw, n_in, n_out = w.shape
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    height, width = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    shifted = [x[:, i : i + height : stride, j : j + width : stride] for i in range(kh) for j in range(kw)]
    rows = jnp.concatenate(shifted, axis=-1)
    return (rows.reshape(-1, kh * kw * n_in) @ w.reshape(-1, n_out)).reshape(*rows.shape[:3], n_out)


def _conv(x: jax.Array, w: jax.Array, pads: Sequence[tuple[int, int]], stride: int = 1, spread: int = 1) -> jax.Array:
    """XLA's convolution in its fast layout: x (n, h, w, in), w (kh, kw, in, out). `spread` - 1 zeros part pixels."""
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, w, (stride, stride), pads, (spread, spread), dimension_numbers=layout)


def _backward(stride: int, pads: Pads, residuals: tuple[jax.Array, jax.Array], g: jax.Array):
    """∂C/∂z = g (n, h', w', out) -> (∂C/∂x, ∂C/∂w), by the method that is fast on the program's device."""

    def spelt_out(x, w, g):
        return _input_gradient(x, w, g, stride, pads), _weight_gradient(x, w, g, stride, pads)

    def autodiff(x, w, g):
        return jax.vjp(lambda x, w: _conv(x, w, pads, stride), x, w)[1](g)

    return lax.platform_dependent(*residuals, g, cpu=spelt_out, default=autodiff)


_convolve = jax.custom_vjp(lambda x, w, stride, pads: _conv(x, w, pads, stride), nondiff_argnums=(2, 3))
_convolve.defvjp(lambda x, w, stride, pads: (_conv(x, w, pads, stride), (x, w)), _backward)


def _input_gradient(x: jax.Array, w: jax.Array, g: jax.Array, stride: int, pads: Pads) -> jax.Array:
    """∂C/∂x = g, spread by the stride, convolved with w rotated by 180° and its channel axes swapped."""
    sizes = zip(x.shape[1:3], w.shape[:2], g.shape[1:3], pads, strict=True)
    full = [(k - 1 - low, n - 1 - (m - 1) * stride + low) for n, k, m, (low, _) in sizes]
    return _conv(g, jnp.flip(w, (0, 1)).swapaxes(2, 3), full, spread=stride)


def _weight_gradient(x: jax.Array, w: jax.Array, g: jax.Array, stride: int, pads: Pads) -> jax.Array:
    """∂C/∂w[i,j,c,o] = Σ x[n, s·p+i, s·q+j, c] · g[n,p,q,o] over n, p, q: one matrix product for all i and j.

    The left matrix holds x shifted by each j, kw·in columns. The right one holds g shifted by each i, kh·out columns,
    which equals shifting x the other way. Each chunk is two products, one for each half of its images, because XLA
    divides products between cores; if the batch is odd, a chunk is one image.
    """
    kh, kw, n_in, n_out = w.shape
    (top, _), sides = pads
    height, zero = x.shape[1], jnp.zeros((), g.dtype)
    rows, columns = ((m - 1) * stride + 1 for m in g.shape[1:3])

    def partial_sum(total, chunk):
        x, g = chunk
        x = jnp.pad(x, ((0, 0), (0, 0), sides, (0, 0)))
        wide = jnp.concatenate([x[:, :, j : j + columns : stride] for j in range(kw)], axis=-1)
        moves = [(i - top, height - rows - (i - top), stride - 1) for i in range(kh)]
        deep = jnp.concatenate([lax.pad(g, zero, ((0, 0, 0), move, (0, 0, 0), (0, 0, 0))) for move in moves], axis=-1)
        wide, deep = (a.reshape(halves, -1, a.shape[-1]) for a in (wide, deep))
        return total + jnp.einsum("npc,npo->nco", wide, deep), None

    most = max(2, PIXELS // math.prod(g.shape[1:3]))
    size = math.gcd(len(x), 2 ** int(math.log2(most)))
    halves = math.gcd(size, 2)
    chunks = tuple(a.reshape(-1, size, *a.shape[1:]) for a in (x, g))
    total = lax.scan(partial_sum, jnp.zeros((halves, kw * n_in, kh * n_out), w.dtype), chunks)[0].sum(axis=0)
    return total.reshape(kw, n_in, kh, n_out).transpose(2, 0, 1, 3)
