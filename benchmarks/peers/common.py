"""The peers' shared code: images, clock, memory, report. The other files contain only their library's usual code."""

import argparse
import gzip
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.peers import STARTED

SIZES = (784, 128, 64, 10)
BATCH = 128
LENET_BATCH = 32
LENET_SHAPES = ((5, 5, 1, 6), (5, 5, 6, 16), (256, 120), (120, 84), (84, 10))  # (…, in, out)
LEARNING_RATE = 0.01
SEED = 0


@dataclass(frozen=True)
class Data:
    """Fashion-MNIST: `x` (n, 784) float32 of mean 0 and variance 1 over the training pixels, `y` (n,) int64 in 0..9."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


@dataclass(frozen=True)
class Peer:
    """Ready to train: `train_epoch()` returns the mean loss once the work is done, `evaluate()` the test accuracy."""

    train_epoch: Callable[[], float]
    evaluate: Callable[[], float]


def read_idx(path: Path) -> np.ndarray:
    """A gzip IDX file of bytes: a magic number whose last byte counts the dimensions, the sizes, the data."""
    raw = gzip.decompress(path.read_bytes())
    sizes = np.frombuffer(raw, ">i4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


def load(folder: Path) -> Data:
    """The four raw files in `folder`, decoded and standardised with the training set's mean and standard deviation."""
    train, test = (read_idx(folder / f"{split}-images-idx3-ubyte.gz").reshape(-1, 784) for split in ("train", "t10k"))
    labels = [read_idx(folder / f"{split}-labels-idx1-ubyte.gz").astype(np.int64) for split in ("train", "t10k")]
    mean, std = np.float32(train.mean()), np.float32(train.std())
    return Data((train - mean) / std, labels[0], (test - mean) / std, labels[1])


def initial_params(
    rng: np.random.Generator, shapes: Iterable[tuple[int, ...]] = tuple(pairwise(SIZES))
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(weights, biases) of each layer, weights (…, n_out) ~ N(0, 1/n_in): the same for all peers that accept it."""
    return [
        (
            rng.standard_normal(shape, np.float32) / np.float32(np.sqrt(np.prod(shape[:-1]))),
            np.zeros(shape[-1], np.float32),
        )
        for shape in shapes
    ]


def peak_rss_mb() -> float:
    """The peak memory of this process in MB (Linux counts in kB)."""
    import resource  # Windows has none

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def prediction_rates(logits: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> dict[str, float]:
    """Images per second of `logits` after warm-up, for `pixels`, one image: one by one, and 256 copies at once."""
    return {
        "one_by_one": _rate(logits, pixels),
        "in_batches": _rate(logits, np.repeat(pixels, 256, axis=0)),
    }


def _rate(logits: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> float:
    for _ in range(10):
        logits(images)
    start, calls = time.perf_counter(), 0
    while time.perf_counter() < start + 1.0:
        logits(images)
        calls += 1
    return calls * len(images) / (time.perf_counter() - start)


def parser() -> argparse.ArgumentParser:
    """The options of every contestant."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="directory with the four gzip IDX files")
    parser.add_argument("--epochs", type=int, default=3)
    return parser


def main(name: str, libraries: list[str], prepare: Callable[[Data], Peer]) -> None:
    """A peer's whole program: read the data, train, evaluate, report."""
    options = parser().parse_args()
    report(name, libraries, prepare(load(options.data)), options.epochs)


def report(name: str, libraries: list[str], peer: Peer, epochs: int) -> None:
    """Train for some epochs, evaluate once, and print the figures as one line of JSON."""
    seconds, losses = [], []
    for _ in range(epochs):
        start = time.perf_counter()
        losses.append(peer.train_epoch())
        seconds.append(time.perf_counter() - start)
    accuracy = peer.evaluate()
    figures = {
        "peer": name,
        "versions": {library: version(library) for library in libraries},
        "epoch_seconds": seconds,
        "train_loss": losses,
        "test_accuracy": accuracy,
        "total_seconds": time.perf_counter() - STARTED,
        "peak_rss_mb": peak_rss_mb(),
    }
    print(json.dumps(figures))
