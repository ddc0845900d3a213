"""Optimisers in optax's protocol, from scratch.

`init(params)` returns opt_state. `update(grads, opt_state, params)` returns (updates, opt_state). The new parameters
are params + updates.

An optimiser is a chain of small transformations: clip, precondition, decay, scale by -η. A transformation of optax can
be part of the chain. Hyperparameters may be traced values.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxquard.optim.schedules import Scalar, Schedule, constant

Tree = Any


class GradientTransformation(NamedTuple):
    """Two pure functions with optax's names and meaning."""

    init: Callable[[Tree], Tree]
    update: Callable[..., tuple[Tree, Tree]]


def as_float(step: jax.Array) -> jax.Array:
    """A step count as a float. The conversion is explicit because strict type promotion requires it."""
    return step.astype(jnp.result_type(float))


def chain(*transforms: GradientTransformation) -> GradientTransformation:
    """The transformations in order; the state is the tuple of their states."""

    def init(params: Tree) -> tuple[Tree, ...]:
        return tuple(transform.init(params) for transform in transforms)

    def update(grads: Tree, opt_state: tuple[Tree, ...], params: Tree = None) -> tuple[Tree, tuple[Tree, ...]]:
        new_states = []
        for transform, state in zip(transforms, opt_state, strict=True):
            grads, new_state = transform.update(grads, state, params)
            new_states.append(new_state)
        return grads, tuple(new_states)

    return GradientTransformation(init, update)


def stateless(transform: Callable[[Tree, Tree], Tree]) -> GradientTransformation:
    """A transformation of (grads, params) without state."""
    return GradientTransformation(
        lambda params: (), lambda grads, opt_state, params=None: (transform(grads, params), ())
    )


def global_norm(tree: Tree) -> jax.Array:
    """√Σ‖leaf‖² over all leaves of a pytree."""
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))


def clip_by_global_norm(limit: Scalar) -> GradientTransformation:
    """Scale the whole gradient down to a norm of at most `limit` (Pascanu et al., 2012, arXiv 1211.5063)."""

    def clip(grads: Tree, params: Tree) -> Tree:
        norm = global_norm(grads)
        scale = jnp.where(norm <= limit, 1.0, limit / norm)  # a NaN makes every leaf NaN, so that it is noticed
        return jax.tree.map(lambda g: g * scale, grads)

    return stateless(clip)


def add_decayed_weights(rate: Scalar, mask: Callable[[Tree], Tree] | None = None) -> GradientTransformation:
    """g + rate·θ, after preconditioning: decoupled weight decay (Loshchilov & Hutter, 2017, arXiv 1711.05101).

    `mask(params)` is a tree of booleans, true for the leaves that decay (None: all decay).
    """

    def decay(grads: Tree, params: Tree) -> Tree:
        decays = jax.tree.map(lambda p: True, params) if mask is None else mask(params)
        return jax.tree.map(lambda g, p, yes: g + rate * p if yes else g, grads, params, decays)

    return stateless(decay)


def trace(decay: Scalar, nesterov: bool = False) -> GradientTransformation:
    """Momentum: v ← decay·v + g. The update is v, or with `nesterov` decay·v + g with the new v (Sutskever et al.,
    2013)."""

    def update(grads: Tree, velocity: Tree, params: Tree = None) -> tuple[Tree, Tree]:
        velocity = jax.tree.map(lambda g, v: g + decay * v, grads, velocity)
        updates = jax.tree.map(lambda g, v: g + decay * v, grads, velocity) if nesterov else velocity
        return updates, velocity

    return GradientTransformation(lambda params: jax.tree.map(jnp.zeros_like, params), update)


class AdamState(NamedTuple):
    """The number of steps, and the running means of the gradient and of its square."""

    step: jax.Array
    mean: Tree
    square: Tree


def scale_by_adam(beta1: Scalar = 0.9, beta2: Scalar = 0.999, epsilon: Scalar = 1e-8) -> GradientTransformation:
    """m̂ / (√v̂ + ε): m and v are running means of g and g², m̂ and v̂ these divided by 1 - βᵗ.

    Kingma & Ba, 2014, arXiv 1412.6980.
    """

    def init(params: Tree) -> AdamState:
        zeros = [jax.tree.map(jnp.zeros_like, params) for _ in range(2)]  # each donated leaf needs a buffer of its own
        return AdamState(jnp.zeros((), jnp.int32), *zeros)

    def update(grads: Tree, opt_state: AdamState, params: Tree = None) -> tuple[Tree, AdamState]:
        step = opt_state.step + 1
        mean = jax.tree.map(lambda g, m: beta1 * m + (1 - beta1) * g, grads, opt_state.mean)
        square = jax.tree.map(lambda g, v: beta2 * v + (1 - beta2) * g**2, grads, opt_state.square)
        count = as_float(step)
        bias1, bias2 = 1 - beta1**count, 1 - beta2**count
        updates = jax.tree.map(lambda m, v: (m / bias1) / (jnp.sqrt(v / bias2) + epsilon), mean, square)
        return updates, AdamState(step, mean, square)

    return GradientTransformation(init, update)


def partition(
    choose: Callable[[Tree], Tree], chosen: GradientTransformation, others: GradientTransformation
) -> GradientTransformation:
    """`chosen` for the leaves that `choose(tree)`, a tree of booleans, marks; `others` for the rest."""

    def split(tree: Tree) -> tuple[Tree, Tree]:
        marks = choose(tree)
        mine = jax.tree.map(lambda yes, leaf: leaf if yes else None, marks, tree)
        return mine, jax.tree.map(lambda yes, leaf: None if yes else leaf, marks, tree)

    def init(params: Tree) -> tuple[Tree, Tree]:
        mine, rest = split(params)
        return chosen.init(mine), others.init(rest)

    def update(grads: Tree, opt_state: tuple[Tree, Tree], params: Tree = None) -> tuple[Tree, tuple[Tree, Tree]]:
        (my_grads, rest_grads), (mine, rest) = split(grads), (None, None) if params is None else split(params)
        updates, my_state = chosen.update(my_grads, opt_state[0], mine)
        rest_updates, rest_state = others.update(rest_grads, opt_state[1], rest)
        joined = jax.tree.map(lambda yes, a, b: a if yes else b, choose(grads), updates, rest_updates)
        return joined, (my_state, rest_state)

    return GradientTransformation(init, update)


def is_matrix(tree: Tree) -> Tree:
    """True for weights of dense and convolutional layers, False for biases and normalisation."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, tree)


def orthogonalize() -> GradientTransformation:
    """Replace every matrix UΣVᵀ by about 0.2·√(longer side)·UVᵀ. A kernel (…, in, out) is a matrix of …·in rows.

    Five Newton-Schulz steps take the singular values to 0.7…1.2 (Jordan et al., 2024,
    kellerjordan.github.io/posts/muon). With the factor, entries are about as large as Adam's, so that both can use the
    same η (Liu et al., 2025, arXiv 2502.16982, eq. 4).
    """
    a, b, c = 3.4445, -4.775, 2.0315

    def matrix(g: jax.Array) -> jax.Array:
        x = g.reshape(-1, g.shape[-1])
        rows, columns = x.shape
        x = x if rows >= columns else x.T
        x = x / (jnp.linalg.norm(x) + 1e-8)
        for _ in range(5):
            gram = x.T @ x
            x = a * x + x @ (b * gram + c * gram @ gram)
        x = 0.2 * max(rows, columns) ** 0.5 * x
        return (x if rows >= columns else x.T).reshape(g.shape)

    return stateless(lambda grads, params: jax.tree.map(matrix, grads))


def scale_by_learning_rate(learning_rate: Scalar | Schedule) -> GradientTransformation:
    """-η(step)·g. The state is the step count."""
    schedule = learning_rate if callable(learning_rate) else constant(learning_rate)

    def update(grads: Tree, step: jax.Array, params: Tree = None) -> tuple[Tree, jax.Array]:
        rate = schedule(as_float(step))
        return jax.tree.map(lambda g: -rate * g, grads), step + 1

    return GradientTransformation(lambda params: jnp.zeros((), jnp.int32), update)


def apply_updates(params: Tree, updates: Tree) -> Tree:
    """θ + Δθ, leaf by leaf."""
    return jax.tree.map(jnp.add, params, updates)
