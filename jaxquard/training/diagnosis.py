"""Figures from inside a training: norms of gradients and updates, and the share of dead units."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxquard.nn.activations import ACTIVATIONS, Activation
from jaxquard.nn.layers import grey_levels
from jaxquard.nn.losses import LOSSES
from jaxquard.nn.model import Params, path_name, pre_activations
from jaxquard.optim.transforms import Tree, as_float
from jaxquard.training.state import TrainState
from jaxquard.training.task import Task, make_model, make_optimizer, make_schedule

DIAGNOSED = 256


class Diagnosis(NamedTuple):
    """η of the last update; by layer name, the norm of the gradient, the norm of its update with that η, and the share
    of dead hidden units. The gradient is that of the plain loss on whole images: without penalty, weights, smoothing,
    teacher and dropout; batch normalisation uses its running statistics.
    """

    learning_rate: jax.Array
    grad_norm: dict[str, jax.Array]
    update_norm: dict[str, jax.Array]
    dead: dict[str, jax.Array]


def diagnose(task: Task, ts: TrainState, images: jax.Array, labels: jax.Array) -> Diagnosis:
    """The Diagnosis of the network being trained (not its average) on the first images, DIAGNOSED or fewer."""
    model, optimizer = make_model(task.model), make_optimizer(task, ts.hyper)
    loss, images, labels = LOSSES[task.config.loss], grey_levels(images[:DIAGNOSED]), labels[:DIAGNOSED]

    def loss_fn(params: Params) -> jax.Array:
        return jnp.mean(loss(model.apply(params, ts.state, images)[0], labels))

    grads = jax.grad(loss_fn)(ts.params)
    *memory, step = ts.opt_state  # every optimiser ends with its schedule, whose state is the step
    updates, _ = optimizer.update(grads, (*memory, step - 1), ts.params)
    *zs, _ = pre_activations(model, ts.params, ts.state, images).items()
    return Diagnosis(
        learning_rate=jnp.float32(make_schedule(task, ts.hyper)(as_float(ts.step - 1))),
        grad_norm=layer_norms(grads),
        update_norm=layer_norms(updates),
        dead={name: dead_share(ACTIVATIONS[used], z) for (name, z), used in zip(zs, model.activations, strict=False)},
    )


def layer_norms(tree: Tree) -> dict[str, jax.Array]:
    """√Σ‖leaf‖² of each layer. The leaves of a layer have the same path except for its last part."""
    squares: dict[str, jax.Array] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = path_name(path[:-1])
        squares[name] = squares.get(name, 0.0) + jnp.sum(leaf**2)
    return {name: jnp.sqrt(square) for name, square in squares.items()}


def dead_share(activation: Activation, z: jax.Array, slope: float = 1e-3) -> jax.Array:
    """Share of units (channels) whose |σ′(z)| is below `slope` for every example, so that they cannot learn."""
    slopes = jax.grad(lambda z: jnp.sum(activation(z)))(z)
    return jnp.mean(jnp.all(jnp.abs(slopes) < slope, axis=tuple(range(z.ndim - 1))), dtype=jnp.float32)
