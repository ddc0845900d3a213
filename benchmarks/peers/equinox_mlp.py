"""Equinox with optax: a module that is a pytree, and a `filter_jit`-ed step, as in its MNIST example."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.peers import common


class MLP(eqx.Module):
    """The network, with the start that all peers share."""

    layers: list[eqx.nn.Linear]

    def __init__(self, key: jax.Array):
        sizes = pairwise(common.SIZES)
        layers = [eqx.nn.Linear(n, m, key=key) for n, m in sizes]
        start = common.initial_params(np.random.default_rng(common.SEED))
        self.layers = [
            eqx.tree_at(lambda at: (at.weight, at.bias), layer, (jnp.asarray(w.T), jnp.asarray(b)))
            for layer, (w, b) in zip(layers, start, strict=True)
        ]

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers[:-1]:
            x = jax.nn.relu(layer(x))
        return self.layers[-1](x)


def loss_fn(model: MLP, x: jax.Array, y: jax.Array) -> jax.Array:
    """Mean cross-entropy of a batch: the model sees one image, `vmap` gives it the batch."""
    return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(model)(x), y).mean()


def prepare(data: common.Data) -> common.Peer:
    """A Python loop over the jitted step; batches are gathered by NumPy, the losses summed at the epoch's end."""
    model = MLP(jax.random.key(common.SEED))
    optimizer = optax.sgd(common.LEARNING_RATE)
    opt_state = optimizer.init(eqx.filter(model, eqx.is_array))
    rng = np.random.default_rng(common.SEED)

    @eqx.filter_jit
    def train_step(model, opt_state, x, y):
        loss, grads = eqx.filter_value_and_grad(loss_fn)(model, x, y)
        updates, opt_state = optimizer.update(grads, opt_state, model)
        return eqx.apply_updates(model, updates), opt_state, loss

    def train_epoch() -> float:
        nonlocal model, opt_state
        steps = len(data.x_train) // common.BATCH
        losses = []
        for batch in rng.permutation(len(data.x_train))[: steps * common.BATCH].reshape(steps, common.BATCH):
            model, opt_state, loss = train_step(model, opt_state, data.x_train[batch], data.y_train[batch])
            losses.append(loss)
        return float(jnp.stack(losses).mean())

    def evaluate() -> float:
        return float((jax.vmap(model)(data.x_test).argmax(1) == data.y_test).mean())

    return common.Peer(train_epoch, evaluate)


if __name__ == "__main__":
    common.main("Equinox", ["equinox", "optax", "jax"], prepare)
