"""JaxquardClassifier beside scikit-learn's MLPClassifier with the same settings: accuracy, and seconds per epoch.

    python -m benchmarks.estimator digits fashion-mnist    # the machine must be quiet

Both standardise each feature, and train the same network with Adam for the same epochs and seeds. They differ in the
initial weights, and Jaxquard leaves out the last batch of an epoch if it is not full. The results go to
benchmarks/results/estimator.json.
"""

import json
import time
from collections.abc import Callable
from typing import Any, Literal

from cyclopts import App
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.recipes import ROOT, spread
from jaxquard.data import load
from jaxquard.files import write_atomically
from jaxquard.runs.environment import machine
from jaxquard.sklearn import JaxquardClassifier

RESULTS = ROOT / "benchmarks" / "results" / "estimator.json"
HIDDEN, BATCH, RATE = (128, 64), 128, 0.001
EPOCHS = {"digits": 50, "fashion-mnist": 10}
SEEDS = {"digits": range(10), "fashion-mnist": range(3)}

app = App(help=__doc__)


def rows_of(name: str) -> Any:
    """X_train, X_test, y_train, y_test."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        return train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    data = load(name)
    X_train, X_test = (images.reshape(len(images), -1) for images in (data.train_images, data.test_images))
    return [X_train, X_test, data.train_labels, data.test_labels]


def jaxquard(epochs: int, seed: int) -> Any:
    """Ours."""
    return JaxquardClassifier(hidden=HIDDEN, batch_size=BATCH, learning_rate=RATE, epochs=epochs, random_state=seed)


def scikit_learn(epochs: int, seed: int) -> Any:
    """MLPClassifier without a penalty, which trains for all epochs."""
    training: dict[str, Any] = {
        "batch_size": BATCH,
        "max_iter": epochs,
        "tol": 0.0,
        "n_iter_no_change": epochs,
        "alpha": 0.0,
    }
    network = MLPClassifier(HIDDEN, learning_rate_init=RATE, random_state=seed, **training)
    return make_pipeline(StandardScaler(), network)


def measure(make: Callable[[int, int], Any], name: str) -> dict[str, Any]:
    """Accuracies, and the seconds of an epoch: the least of all trainings; the first also compiles."""
    X_train, X_test, y_train, y_test = rows_of(name)
    accuracies, seconds = [], []
    for seed in SEEDS[name]:
        began = time.perf_counter()
        network = make(EPOCHS[name], seed).fit(X_train, y_train)
        seconds.append((time.perf_counter() - began) / EPOCHS[name])
        accuracies.append(float(network.score(X_test, y_test)))
    return {"accuracy": spread(accuracies), "seconds_per_epoch": min(seconds)}


@app.default
def main(*names: Literal["digits", "fashion-mnist"]) -> None:
    """Measure these data sets; the results of the others stay."""
    import warnings

    warnings.filterwarnings("ignore", message="Stochastic Optimizer")  # it trains for every epoch on purpose
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in names or ("digits",):
        figures = {make.__name__: measure(make, name) for make in (jaxquard, scikit_learn)}
        results[name] = {"machine": machine(), "epochs": EPOCHS[name], "seeds": len(SEEDS[name]), **figures}
        print(json.dumps(results[name], indent=2))
        write_atomically(RESULTS, (json.dumps(results, indent=2) + "\n").encode())


if __name__ == "__main__":
    app()
