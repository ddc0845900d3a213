"""The original training, epoch by epoch: the functions of `mlp_fashion_mnist.py` under the peers' clock."""

from pathlib import Path

import jax.numpy as jnp

import mlp_fashion_mnist as script
from benchmarks.peers import common
from jaxquard.data import load
from jaxquard.data.statistics import pixel_statistics


def prepare(folder: Path, batch_size: int) -> common.Peer:
    """The work of the script's `main` around its loop. Images stay uint8 and are standardised inside the step."""
    data = load(folder)
    images, labels = jnp.asarray(data.train_images), jnp.asarray(data.train_labels)
    mean, std = pixel_statistics(data.train_images)
    key, params = script.start(jnp.uint32(common.SEED), common.SIZES)

    def train_epoch() -> float:
        nonlocal key, params
        key, batches = script.create_batches(key, len(images), batch_size)
        params, loss = script.train_epoch(params, images, labels, batches, common.LEARNING_RATE, mean, std)
        return float(loss)

    def evaluate() -> float:
        test = jnp.asarray(data.test_images), jnp.asarray(data.test_labels)
        return float(script.accuracy(params, *test, mean, std))

    return common.Peer(train_epoch, evaluate)


def main() -> None:
    """As a peer's `main`, with an option for the batch size."""
    parser = common.parser()
    parser.add_argument("--batch-size", type=int, default=common.BATCH)
    options = parser.parse_args()
    common.report("Jaxquard", ["jax"], prepare(options.data, options.batch_size), options.epochs)


if __name__ == "__main__":
    main()
