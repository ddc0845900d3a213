"""The accuracy of simple methods that are not networks, in the same table as the recipes.

    python -m benchmarks.baselines          # all without results; the SVM takes ten minutes
    python -m benchmarks.baselines svm      # this one again

Guessing, average darkness and the nearest class mean are from chapter 1 of Nielsen's book; SVM and nearest neighbours
are scikit-learn's. Their settings are usual ones, fixed beforehand: none was chosen on the test set.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from cyclopts import App

from benchmarks.recipes import ROOT, spread, write_results, write_tables
from jaxquard import recipes
from jaxquard.data import Dataset, load
from jaxquard.errors import UsageError
from jaxquard.lessons import simple
from jaxquard.runs.environment import machine

app = App(help=__doc__)


def flat(images: np.ndarray) -> np.ndarray:
    """Images as rows of pixels in [0, 1]."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


def guess(data: Dataset, seed: int) -> np.ndarray:
    """At random."""
    return simple.guess(np.random.default_rng(seed), len(data.test_labels), data.classes)


def average_darkness(data: Dataset, seed: int) -> np.ndarray:
    """By the mean pixel."""
    return simple.average_darkness(data.train_images, data.train_labels, data.test_images)


def nearest_mean(data: Dataset, seed: int) -> np.ndarray:
    """By the nearest class mean."""
    return simple.nearest_mean(data.train_images, data.train_labels, data.test_images)


def k_nearest_neighbours(data: Dataset, seed: int) -> np.ndarray:
    """By the 5 nearest training images, weighted by the inverse of the distance."""
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(n_neighbors=5, weights="distance", algorithm="brute")
    return model.fit(flat(data.train_images), data.train_labels).predict(flat(data.test_images))


def svm(data: Dataset, seed: int) -> np.ndarray:
    """By a support vector machine with a Gaussian kernel, C = 10."""
    from sklearn.svm import SVC

    model = SVC(C=10, cache_size=4000)
    return model.fit(flat(data.train_images), data.train_labels).predict(flat(data.test_images))


# name -> description, method, number of seeds (1: the method is not random)
BASELINES: dict[str, tuple[str, Callable[[Dataset, int], np.ndarray], int]] = {
    "guess": ("throwing dice", guess, 10),
    "average-darkness": ("the class of the most similar mean pixel", average_darkness, 1),
    "nearest-mean": ("the class whose mean image is nearest", nearest_mean, 1),
    "k-nearest-neighbours": ("the 5 nearest training images", k_nearest_neighbours, 1),
    "svm": ("a support vector machine, Gaussian kernel, C = 10", svm, 1),
}


@app.default
def main(*names: str) -> None:
    """Measure the baselines, and write the tables."""
    if unknown := set(names) - BASELINES.keys():
        raise UsageError(f"{sorted(unknown)[0]}: none of {', '.join(BASELINES)}")
    done = recipes.results()
    data = load("fashion-mnist", report=lambda line: print(line, file=sys.stderr))
    for name in names or [name for name in BASELINES if name not in done]:
        print(name, file=sys.stderr, flush=True)
        write_results(name, measure(name, data), ROOT)
    write_tables(recipes.results(), ROOT)


def measure(name: str, data: Dataset) -> dict[str, Any]:
    """The entry of a baseline in the results: mean and standard deviation over its seeds."""
    what, predict, seeds = BASELINES[name]
    began = time.perf_counter()
    values = [float(np.mean(predict(data, seed) == data.test_labels)) for seed in range(seeds)]
    seconds = (time.perf_counter() - began) / seeds
    return {
        "test_accuracy": spread(values),
        "tta": None,
        "n": seeds,
        "seeds": list(range(seeds)),
        "parameters": None,
        "seconds": round(seconds, 2),
        "device": machine()["processor"],
        "goal": None,
        "met": None,
        "beats": None,
        "class": what,
        "command": f"python -m benchmarks.baselines {name}",
    }


if __name__ == "__main__":
    app()
