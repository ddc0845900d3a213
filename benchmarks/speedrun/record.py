"""One run: trains a network on Fashion-MNIST from its raw files, and prints its test accuracy.

    python -m benchmarks.speedrun.record 94.0 --seed 0 --data FOLDER

Everything that was chosen for a track is in this file; docs/SPEEDRUN.md has the rules. Layers, losses and optimisers
are the package's. Orders and initial weights come from NumPy, so that nothing is compiled for them.
"""

import argparse
import json
import math
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxquard.nn.activations import gelu
from jaxquard.nn.augmentation import random_flip
from jaxquard.nn.convolution import conv2d
from jaxquard.nn.initializers import he_normal
from jaxquard.nn.layers import standardize
from jaxquard.nn.losses import cross_entropy, one_hot, smooth_labels
from jaxquard.nn.mlp import mlp
from jaxquard.nn.model import Model
from jaxquard.nn.sequential import EPSILON, Plan, sequential
from jaxquard.optim.optimizers import optimizer
from jaxquard.optim.transforms import GradientTransformation, apply_updates, is_matrix

CLASSES, MEAN, STD = 10, 0.2860, 0.3530  # mean and standard deviation of all training pixels, 1 being white
HELD_OUT = 5000
FILES = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
RISE = 0.3  # the share of the steps in which the learning rate rises
WHITE = 16  # channels of the whitening layer
PARTS = 10  # the test images are classified in as many parts


class Track(NamedTuple):
    """The accuracy to reach, the seconds that are the goal (None: no goal), and all that was chosen to get there.

    `optimizer`: arguments of `optim.optimizer`; the rate is the peak of one cycle. white: images first pass a whitening
    layer. flip: they are mirrored by chance.
    """

    accuracy: float
    seconds: float | None
    network: Model
    optimizer: dict[str, Any]
    epochs: int
    batch: int = 128
    smoothing: float = 0.0
    white: bool = False
    flip: bool = False


def residual_network(widths: tuple[int, ...]) -> Model:
    """Convolutions of whitened images. For each width: one, pooled before it is normalised, and a residual one.

    The order of layers is that of airbench94 (Jordan, 2024, arXiv 2404.00498). Pooling first makes normalisation and
    activation four times cheaper.
    """
    plan: Plan = []

    def convolution(n_in: int, n_out: int, *following: tuple[str, dict[str, Any]]) -> None:
        plan.append(("conv2d", {"shape": (3, 3, n_in, n_out), "stride": 1, "padding": "SAME"}))
        plan.extend(following)

    norm, sigma = ("batch_norm", {"epsilon": EPSILON}), ("activation", {"function": "gelu"})
    for n_in, n_out in pairwise((WHITE, *widths)):
        convolution(n_in, n_out, ("max_pool", {"window": 2}), norm, sigma)
        convolution(n_out, n_out, norm, ("add", {"layer": len(plan) - 1}), sigma)
    return sequential([*plan, ("global_avg_pool", {}), ("dense", {"shape": (widths[-1], CLASSES)})], he_normal)


ORIGINAL = mlp((128, 64), mean=MEAN, std=STD)
TRACKS = {
    "85.9": Track(
        accuracy=0.859,
        seconds=None,
        network=ORIGINAL,
        optimizer={"name": "nesterov", "learning_rate": 0.1},
        epochs=1,
    ),
    "88.87": Track(
        accuracy=0.8887,
        seconds=None,
        network=ORIGINAL,
        optimizer={"name": "nesterov", "learning_rate": 0.2},
        epochs=9,
        batch=256,
        smoothing=0.1,
    ),
    "94.0": Track(
        accuracy=0.94,
        seconds=300.0,
        network=residual_network((32, 64, 128)),
        optimizer={"name": "muon", "learning_rate": 0.025, "momentum": 0.95, "weight_decay": 0.05},
        epochs=6,
        smoothing=0.1,
        white=True,
        flip=True,
    ),
}

Training = tuple[Any, Any, Any]  # params, state, opt_state
Compiled = Callable[..., Any]


class Data(NamedTuple):
    """Images (n, 28, 28, 1) uint8 and labels (n,), to train on and to judge by."""

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def read(folder: Path, held_out: bool) -> Data:
    """The four files; or, with `held_out`, the training files alone: the last images take the place of the test's."""

    def part(name: str) -> tuple[np.ndarray, np.ndarray]:
        images = np.fromfile(folder / f"{name}-images-idx3-ubyte", np.uint8, offset=16)
        labels = np.fromfile(folder / f"{name}-labels-idx1-ubyte", np.uint8, offset=8)
        return images.reshape(-1, 28, 28, 1), labels.astype(np.int32)

    images, labels = part("train")
    if held_out:
        return Data(images[:-HELD_OUT], labels[:-HELD_OUT], images[-HELD_OUT:], labels[-HELD_OUT:])
    return Data(images, labels, *part("t10k"))


def initialize(rng: np.random.Generator, model: Model) -> tuple[Any, Any]:
    """`model.init` by NumPy: normal weights of variance 2/n_in (He et al., 2015, arXiv 1502.01852)."""
    params, state = [], []
    for layer in model.layers:
        if "w" in layer.arrays:
            shape = layer.attributes["shape"]
            params.append({"w": rng.normal(0, math.sqrt(2 / math.prod(shape[:-1])), shape).astype(np.float32)})
        size = params[-1]["w"].shape[-1] if params else 0
        zeros, ones = np.zeros(size, np.float32), np.ones(size, np.float32)
        if "b" in layer.arrays:
            params[-1]["b"] = zeros
        if layer.kind == "batch_norm":
            params[-1] |= {"scale": ones, "bias": zeros}
            state.append({"mean": zeros, "var": ones})
    return params, state or {}


def whitening(images: np.ndarray) -> np.ndarray:
    """Filters (3, 3, 1, WHITE) that make patches of standardised images uncorrelated, each beside its negative.

    They are the first eigenvectors of the patches' covariance, divided by the roots of the eigenvalues. The layer is
    not trained (Page, 2019, "How to train your ResNet", part 8; Jordan, 2024, arXiv 2404.00498, section 3.2).
    """
    pixels = (images[:1000, ..., 0] / 255 - MEAN) / STD
    patches = np.lib.stride_tricks.sliding_window_view(pixels, (3, 3), axis=(1, 2)).reshape(-1, 9)
    values, vectors = np.linalg.eigh(patches.T @ patches / len(patches))
    largest = (vectors / np.sqrt(values + 5e-4))[:, ::-1][:, : WHITE // 2]
    return np.hstack([largest, -largest]).reshape(3, 3, 1, WHITE).astype(np.float32)


def cycle(peak: float, total: int) -> np.ndarray:
    """The learning rate of each step, (total,): up in a straight line, then down to 0 (Smith & Topin, 2017, arXiv
    1708.07120)."""
    return np.interp(np.arange(total) / total, [0, RISE, 1], [0.04 * peak, peak, 0]).astype(np.float32)


def make_turns(rng: np.random.Generator, batch: int, examples: int, rates: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the steps of an epoch get: the rows of their examples (steps, batch), a random seed each, their `rates`."""
    order = rng.permutation(examples)[: len(rates) * batch].astype(np.int32)
    return order.reshape(-1, batch), rng.integers(2**32, size=len(rates), dtype=np.uint32), rates


def make_features(filters: np.ndarray | None) -> Callable[[jax.Array], jax.Array]:
    """A function of images (n, 28, 28, 1) -> what the network gets: the images, or these whitened by `filters`."""
    if filters is None:
        return lambda x: x
    return lambda x: gelu(conv2d({"w": jnp.asarray(filters)}, standardize(x, MEAN, STD)))


def make_optimizer(track: Track, rate: Any) -> GradientTransformation:
    """The track's optimiser at this learning rate; decay applies to weights only."""
    return optimizer(**track.optimizer | {"learning_rate": rate, "decayed": is_matrix})


def make_epoch(track: Track, filters: np.ndarray | None) -> Callable[..., Any]:
    """A function (training, images, labels, orders, seeds, rates) -> (training, mean loss). All images are given."""
    features = make_features(filters)

    def step(images: jax.Array, labels: jax.Array, training: Training, turn: Any) -> tuple[Training, jax.Array]:
        (params, state, opt_state), (rows, seed, rate) = training, turn
        x = features(random_flip(jax.random.key(seed), images[rows]) if track.flip else images[rows])
        targets = smooth_labels(one_hot(labels[rows], CLASSES), track.smoothing) if track.smoothing else labels[rows]

        def loss_fn(params: Any) -> tuple[jax.Array, Any]:
            logits, new_state = track.network.apply(params, state, x, train=True)
            return jnp.mean(cross_entropy(logits, targets)), new_state

        (loss, state), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
        updates, opt_state = make_optimizer(track, rate).update(grads, opt_state, params)
        return (apply_updates(params, updates), state, opt_state), loss

    def epoch(training: Training, images: jax.Array, labels: jax.Array, *turns: jax.Array) -> Any:
        training, losses = jax.lax.scan(partial(step, images, labels), training, turns)
        return training, jnp.mean(losses)

    return epoch


def make_predict(track: Track, filters: np.ndarray | None) -> Callable[..., Any]:
    """A function (params, state, images (parts, n, 28, 28, 1)) -> classes (parts, n): one forward pass an image."""
    features = make_features(filters)

    def predict(params: Any, state: Any, images: jax.Array) -> jax.Array:
        return jax.lax.map(lambda x: jnp.argmax(track.network.apply(params, state, features(x))[0], axis=-1), images)

    return predict


def compile_both(track: Track, training: Training, data: Data, turns: tuple[np.ndarray, ...]) -> list[Compiled]:
    """An epoch and the predictions, compiled side by side."""
    filters = whitening(data.images) if track.white else None
    epoch, predict = jax.jit(make_epoch(track, filters)), jax.jit(make_predict(track, filters))
    with ThreadPoolExecutor() as pool:
        jobs = [
            pool.submit(lambda: epoch.lower(training, data.images, data.labels, *turns).compile()),
            pool.submit(lambda: predict.lower(*training[:2], in_parts(data.test_images)).compile()),
        ]
    return [job.result() for job in jobs]


def in_parts(images: np.ndarray) -> np.ndarray:
    """(n, …) -> (PARTS, n/PARTS, …)"""
    return images.reshape(PARTS, -1, *images.shape[1:])


def run(track: Track, seed: int, data: Data) -> float:
    """Train a network and return its test accuracy."""
    rng, examples = np.random.default_rng(seed), len(data.labels)
    params, state = initialize(rng, track.network)
    shapes = jax.eval_shape(make_optimizer(track, 0.0).init, params)
    training = (params, state, jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes))
    rates = cycle(track.optimizer["learning_rate"], track.epochs * (examples // track.batch))
    turns = [make_turns(rng, track.batch, examples, some) for some in np.split(rates, track.epochs)]
    epoch, predict = compile_both(track, training, data, turns[0])
    images, labels = jax.device_put((data.images, data.labels))
    for number, each in enumerate(turns):
        training, loss = epoch(training, images, labels, *each)
        print(f"epoch {number + 1}: loss {loss:.4f}", file=sys.stderr)
    classes = predict(*training[:2], in_parts(data.test_images))
    return float(np.mean(np.ravel(classes) == data.test_labels))


def main() -> None:
    """Print the accuracy as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("track", choices=TRACKS)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the four IDX files")
    parser.add_argument("--held-out", action="store_true", help="judge by the last 5,000 training images, to choose")
    options = parser.parse_args()
    if missing := [name for name in FILES if not (options.data / name).is_file()]:
        parser.error(f"{options.data} has no file {missing[0]}")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python would not notice Ctrl-C before the end of an epoch
    jax.config.update("jax_enable_compilation_cache", False)
    accuracy = run(TRACKS[options.track], options.seed, read(options.data, options.held_out))
    print(json.dumps({"accuracy": accuracy}))


if __name__ == "__main__":
    main()
