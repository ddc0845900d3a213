"""Flax NNX with optax: a module, an optimiser and a jitted step, called as its performance guide advises."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from benchmarks.peers import common


class MLP(nnx.Module):
    """The network, with the start that all peers share."""

    def __init__(self, rngs: nnx.Rngs):
        sizes = pairwise(common.SIZES)
        self.layers = nnx.List([nnx.Linear(n, m, rngs=rngs) for n, m in sizes])
        for layer, (w, b) in zip(self.layers, common.initial_params(np.random.default_rng(common.SEED)), strict=True):
            layer.kernel[...], layer.bias[...] = jnp.asarray(w), jnp.asarray(b)

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers[:-1]:
            x = nnx.relu(layer(x))
        return self.layers[-1](x)


def loss_fn(model: MLP, x: jax.Array, y: jax.Array) -> jax.Array:
    """Mean cross-entropy of a batch."""
    return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()


@nnx.jit
def train_step(model: MLP, optimizer: nnx.Optimizer, x: jax.Array, y: jax.Array) -> jax.Array:
    """One update in place; returns the batch's loss."""
    loss, grads = nnx.value_and_grad(loss_fn)(model, x, y)
    optimizer.update(model, grads)
    return loss


def prepare(data: common.Data) -> common.Peer:
    """A Python loop over the jitted step; batches are gathered by NumPy, the losses summed at the epoch's end."""
    model = MLP(nnx.Rngs(common.SEED))
    optimizer = nnx.Optimizer(model, optax.sgd(common.LEARNING_RATE), wrt=nnx.Param)
    step = nnx.cached_partial(train_step, model, optimizer)  # without it, every call traverses both
    rng = np.random.default_rng(common.SEED)

    def train_epoch() -> float:
        steps = len(data.x_train) // common.BATCH
        batches = rng.permutation(len(data.x_train))[: steps * common.BATCH].reshape(steps, common.BATCH)
        losses = [step(data.x_train[batch], data.y_train[batch]) for batch in batches]
        return float(jnp.stack(losses).mean())

    def evaluate() -> float:
        return float((model(jnp.asarray(data.x_test)).argmax(1) == data.y_test).mean())

    return common.Peer(train_epoch, evaluate)


if __name__ == "__main__":
    common.main("Flax NNX", ["flax", "optax", "jax"], prepare)
