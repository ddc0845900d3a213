"""LeNet-5 from our layers, loss and Adam, one compiled program an epoch, under the peers' clock."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers import common
from jaxquard.data import load
from jaxquard.data.statistics import pixel_statistics
from jaxquard.nn.initializers import scaled_normal
from jaxquard.nn.losses import cross_entropy
from jaxquard.nn.sequential import Plan, sequential
from jaxquard.optim.optimizers import optimizer
from jaxquard.optim.transforms import apply_updates

RELU, POOL = ("activation", {"function": "relu"}), ("max_pool", {"window": 2})


def plan(mean: float, std: float) -> Plan:
    """28×28 pixels to 12×12 with 6 channels, 4×4 with 16, then 120, 84 and 10 units."""
    layers: Plan = [("standardize", {"mean": mean, "std": std})]
    for shape in common.LENET_SHAPES[:2]:
        layers += [("conv2d", {"shape": shape, "stride": 1, "padding": "VALID"}), RELU, POOL]
    layers.append(("flatten", {}))
    for shape in common.LENET_SHAPES[2:]:
        layers += [("dense", {"shape": shape}), RELU]
    return layers[:-1]


def prepare(folder: Path) -> common.Peer:
    """The images stay uint8 and are standardised inside the step."""
    data = load(folder)
    images, labels = jnp.asarray(data.train_images), jnp.asarray(data.train_labels)
    model, adam = sequential(plan(*pixel_statistics(data.train_images)), scaled_normal), optimizer("adam", 3e-4)
    start = common.initial_params(np.random.default_rng(common.SEED), common.LENET_SHAPES)
    params = [{"w": jnp.asarray(w), "b": jnp.asarray(b)} for w, b in start]
    key, opt_state, steps = jax.random.key(common.SEED), adam.init(params), len(labels) // common.LENET_BATCH

    def loss_fn(params, x, y):
        return jnp.mean(cross_entropy(model.apply(params, {}, x)[0], y))

    @partial(jax.jit, donate_argnums=(0, 1))
    def run_epoch(params, opt_state, key, images, labels):
        order = jax.random.permutation(key, len(labels))

        def step(number, carry):
            params, opt_state, total = carry
            rows = jax.lax.dynamic_slice(order, (number * common.LENET_BATCH,), (common.LENET_BATCH,))
            loss, grads = jax.value_and_grad(loss_fn)(params, images[rows], labels[rows])
            updates, opt_state = adam.update(grads, opt_state, params)
            return apply_updates(params, updates), opt_state, total + loss

        return jax.lax.fori_loop(0, steps, step, (params, opt_state, jnp.zeros(())))

    def train_epoch() -> float:
        nonlocal params, opt_state, key
        key, epoch_key = jax.random.split(key)
        params, opt_state, total = run_epoch(params, opt_state, epoch_key, images, labels)
        return float(total) / steps

    def evaluate() -> float:
        logits, _ = model.apply(params, {}, jnp.asarray(data.test_images))
        return float(jnp.mean(logits.argmax(1) == data.test_labels))

    return common.Peer(train_epoch, evaluate)


def main() -> None:
    """As a peer's `main`."""
    options = common.parser().parse_args()
    common.report("Jaxquard", ["jax"], prepare(options.data), options.epochs)


if __name__ == "__main__":
    main()
