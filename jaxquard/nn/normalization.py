"""Batch normalisation: scale and bias are in `params`, the running statistics in `state`."""

import jax
import jax.numpy as jnp

Arrays = dict[str, jax.Array]


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
    (Ioffe & Szegedy, 2015, arXiv 1502.03167, algorithms 1 and 2).
    """
    if not train:
        return _normalize(params, x - state["mean"], state["var"], epsilon), state
    axes = tuple(range(x.ndim - 1))
    n = x.size // x.shape[-1]
    mean = jnp.mean(x, axes)
    centred = x - mean
    # In two passes, because E[x²] - E[x]² loses all digits if the mean is much larger than the deviation.
    var = jnp.mean(centred**2, axes)
    batch = {"mean": mean, "var": var * (n / max(n - 1, 1))}
    new_state = jax.tree.map(lambda old, new: momentum * old + (1 - momentum) * new, state, batch)
    return _normalize(params, centred, var, epsilon), new_state


def _normalize(params: Arrays, centred: jax.Array, var: jax.Array, epsilon: float) -> jax.Array:
    return centred * (params["scale"] * jax.lax.rsqrt(var + epsilon)) + params["bias"]
