"""The size of an experiment, and its figures: an arm for each kind of network, with a row for each seed. No jax."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from jaxquard.config import Config
from jaxquard.strict_json import plain

ScaleName = Literal["quick", "default", "full"]
Arm = dict[str, Any]
CURVES = {
    "accuracy": "val_accuracy",
    "loss": "val_loss",
    "train_accuracy": "train_accuracy",
    "train_loss": "train_loss",
}
DIGITS = 6


@dataclass(frozen=True)
class Scale:
    """Training images, held-out images, epochs, and networks of each kind."""

    train: int
    validation: int
    epochs: int
    seeds: int


def scales(
    epochs: int,
    *,
    quick: int = 20,
    full: int | None = None,
    images: int = 50_000,
    seeds: tuple[int, int, int] = (5, 5, 10),
) -> dict[ScaleName, Scale]:
    """The usual three: seconds on few images, at most two minutes on more, and `images` in full. `seeds` of each."""
    return {
        "quick": Scale(train=1_000, validation=1_000, epochs=quick, seeds=seeds[0]),
        "default": Scale(train=10_000, validation=5_000, epochs=epochs, seeds=seeds[1]),
        "full": Scale(train=images, validation=10_000, epochs=full or epochs, seeds=seeds[2]),
    }


def by_activation(scale: Scale, activations: Iterable[str], depths: Iterable[int]) -> dict[str, Config]:
    """Networks of hidden layers of 64 units, at four learning rates or, with sigmoids, at six.

    The slope of a sigmoid is at most a quarter, so it tolerates larger rates.
    """
    shared = Config(seeds=scale.seeds, epochs=scale.epochs)
    found = {}
    for activation, depth in itertools.product(activations, depths):
        rates = (0.03, 0.1, 0.3, 1.0) + ((3.0, 10.0) if activation == "sigmoid" else ())
        network = shared.replace(activation=activation, hidden=(64,) * depth, sweep=(("learning_rate", rates),))
        found[f"{activation} {depth}"] = network
    return found


def make_arms(label: str, config: Config, records: list[dict[str, Any]], diverged: list[bool]) -> dict[str, Arm]:
    """Journal lines, which list every network, divided into one arm for each swept combination."""
    networks, seeds = len(diverged), config.seeds
    curves = {name: _curves([record.get(key) for record in records], networks) for name, key in CURVES.items()}
    layers = {key: _by_layer(records, key, networks) for key in ("dead", "grad_norm") if key in (records or [{}])[0]}
    seconds = [record["seconds"] / networks for record in records if "seconds" in record]
    arms = {}
    for number, name in enumerate(arm_names(label, config)):
        own = slice(number * seeds, (number + 1) * seeds)
        arm: Arm = {key: values[own] for key, values in curves.items()}
        arm |= {key: {layer: values[own] for layer, values in found.items()} for key, found in layers.items()}
        arms[name] = arm | {"diverged": diverged[own], "seconds": seconds}
    return arms


def arm_names(label: str, config: Config) -> list[str]:
    """The names of arms: the label alone, or `label learning_rate=0.1` for each swept combination."""
    names = [label]
    for setting, values in config.sweep:
        names = [f"{name} {setting}={value:g}".strip() for name in names for value in values]
    return names


def _curves(records: list[Any], networks: int) -> list[list[float | None]]:
    """(epochs, networks) -> (networks, epochs)."""
    return [[None if row is None else row[k] for row in records] for k in range(networks)]


def _by_layer(records: list[dict[str, Any]], key: str, networks: int) -> dict[str, Any]:
    return {layer: _curves([record[key][layer] for record in records], networks) for layer in records[0][key]}


def as_data(value: Any) -> Any:
    """Anything measured, as plain data for JSON: six significant digits; None for what is not finite."""
    return plain(value, DIGITS)


def final(arm: Arm, epoch: int = -1) -> np.ndarray:
    """Held-out accuracy in % at an epoch (counted from 0; the last), by seed. A diverged network gets 0."""
    rows = [row or [0.0] for row in arm["accuracy"]]
    kept = [0.0 if gone and epoch == -1 else row[epoch] or 0.0 for row, gone in zip(rows, arm["diverged"], strict=True)]
    return 100 * np.array(kept)


def finals(measured: dict[str, Any], label: str) -> np.ndarray:
    """`final` of every arm of one label, in the order of its sweep: (settings, seeds)."""
    return np.stack([final(arm) for name, arm in measured.items() if f"{name} ".startswith(f"{label} ")])
