"""Batch normalisation: scale and bias are in `params`, the running statistics in `state`."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Arrays = dict[str, jax.Array]
GROUP = 8  # images


def init_batch_norm(channels: int) -> tuple[Arrays, Arrays]:
    """The initial `params` {"scale", "bias"} and `state` {"mean", "var"}, arrays of shape (channels,).

    With them, `batch_norm` outside training returns x, apart from ε.
    """
    params = {"scale": jnp.ones(channels), "bias": jnp.zeros(channels)}
    return params, {"mean": jnp.zeros(channels), "var": jnp.ones(channels)}


def batch_norm(
    params: Arrays,
    state: Arrays,
    x: jax.Array,
    *,
    train: bool,
    momentum: float | jax.Array = 0.9,
    epsilon: float = 1e-5,
) -> tuple[jax.Array, Arrays]:
    """y = γ·(x - μ)/√(σ² + ε) + β for each channel: (..., channels) -> (the same shape, new state).

    Training: μ and σ² (divided by n) are those of this batch, over all axes but the last; the new state is
    momentum·state + (1 - momentum)·(μ, σ²·n/(n-1)). Otherwise μ and σ² are the state's, and the state does not change
    (Ioffe & Szegedy, 2015, arXiv 1502.03167, algorithms 1 and 2). Reverse-mode gradients only (`custom_vjp`).
    """
    x = x.astype(jnp.promote_types(x.dtype, params["scale"].dtype))
    mean, var, new_state = state["mean"], state["var"], state
    if train:
        mean, var = _moments(x)
        n = x.size // x.shape[-1]
        batch = {"mean": mean, "var": var * (n / max(n - 1, 1))}
        new_state = jax.tree.map(lambda old, new: momentum * old + (1 - momentum) * new, state, batch)
    affine = (mean, params["scale"] * lax.rsqrt(var + epsilon), params["bias"])
    return _affine(x, *(jnp.broadcast_to(each, x.shape[-1:]) for each in affine)), new_state


@jax.custom_vjp
def _moments(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean and the variance of each channel."""
    n = x.size // x.shape[-1]
    mean = _channel_sums(lambda a: a, x) / n
    # In two passes, because E[x²] - E[x]² loses all digits if the mean is much larger than the deviation.
    return mean, _channel_sums(lambda a: (a - mean) ** 2, x) / n


def _moments_backward(residuals: tuple[jax.Array, jax.Array], g: tuple[jax.Array, jax.Array]) -> tuple[jax.Array]:
    x, mean = residuals
    n = x.size // x.shape[-1]
    return (g[0] / n + (2 / max(n, 1)) * g[1] * (x - mean),)


def _moments_forward(x: jax.Array) -> tuple[Any, tuple[jax.Array, jax.Array]]:
    moments = _moments(x)
    return moments, (x, moments[0])


_moments.defvjp(_moments_forward, _moments_backward)


@jax.custom_vjp
def _affine(x: jax.Array, mean: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
    return (x - mean) * scale + bias


def _affine_backward(residuals: tuple[jax.Array, ...], g: jax.Array) -> tuple[jax.Array, ...]:
    x, mean, scale = residuals
    of_bias, of_scale = _channel_sums(lambda g, x: (g, g * (x - mean)), g, x)
    return g * scale, -scale * of_bias, of_scale, of_bias


_affine.defvjp(lambda x, mean, scale, bias: (_affine(x, mean, scale, bias), (x, mean, scale)), _affine_backward)


def _channel_sums(terms: Callable[..., Any], *arrays: jax.Array) -> Any:
    """The sums of each array of `terms(*arrays)`, which works elementwise, over all axes but the last.

    On a CPU, groups of GROUP images are added up first and their pixels last: XLA's loop over all axes at once takes
    several times as long.
    """

    def at_once(*arrays: jax.Array) -> Any:
        return _sums(terms(*arrays))

    def group_by_group(*arrays: jax.Array) -> Any:
        groups = [a.reshape(-1, math.gcd(len(a), GROUP), *a.shape[1:]) for a in arrays]
        zero = jax.tree.map(jnp.zeros_like, terms(*(a[0] for a in groups)))
        return _sums(lax.scan(lambda total, some: (jax.tree.map(jnp.add, total, terms(*some)), None), zero, groups)[0])

    if arrays[0].ndim < 4 or not arrays[0].size:
        return at_once(*arrays)
    return lax.platform_dependent(*arrays, cpu=group_by_group, default=at_once)


def _sums(tree: Any) -> Any:
    return jax.tree.map(lambda a: jnp.sum(a, tuple(range(a.ndim - 1))), tree)
