"""The time of an epoch of the script's network at any size, for the growth curves: extrapolated from some steps."""

import argparse
import json
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np

import mlp_fashion_mnist as script
from benchmarks.measures.original import gflop_an_epoch
from jaxquard.data import load

REPEATS = 5
GFLOP_TIMED = 40  # enough for a stable figure, and fast enough for the largest network


def main() -> None:
    """Print the seconds of an epoch in each repetition, and its GFLOP, as one line of JSON."""
    options = parse()
    data = load(options.data)
    rows = np.arange(options.images) % len(data.train_images)
    images, labels = jnp.asarray(data.train_images[rows]), jnp.asarray(data.train_labels[rows])
    sizes = (784, *options.hidden, 10)
    gflop = gflop_an_epoch(options.images, options.batch_size, sizes)
    steps = options.images // options.batch_size
    timed = max(1, min(steps, int(steps * GFLOP_TIMED / gflop)))
    key, params = script.start(jnp.uint32(0), sizes)
    seconds = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        key, batches = script.create_batches(key, options.images, options.batch_size)
        batches.block_until_ready()
        shuffled = time.perf_counter()
        params, loss = script.train_epoch(params, images, labels, batches[:timed], 0.001, 0.0, 1.0)
        loss.block_until_ready()
        seconds.append(shuffled - start + (time.perf_counter() - shuffled) * steps / timed)
    print(json.dumps({"epoch_seconds": seconds, "gflop": gflop}))


def parse() -> argparse.Namespace:
    """The command line: the original network by default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 64])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--images", type=int, default=60_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
