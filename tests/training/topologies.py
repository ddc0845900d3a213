"""Trains on up to 8 devices and prints the digests as JSON. `test_shards` runs this in a process of its own."""

import functools
import hashlib
import json
import operator
import sys
from typing import Any

import jax
import numpy as np

from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.training import feeding, program, shards
from jaxquard.training.data import Place, prepare
from jaxquard.training.device import share
from jaxquard.training.fit import fit

BASE = Config(hidden=(12,), batch_size=64, epochs=2, validation=30, shards=8)
CASES = {
    "mlp": BASE.replace(dropout=0.2, class_weight="balanced", l2=1e-3, optimizer="muon", learning_rate=0.01),
    "cnn": BASE.replace(model="cnn", widths=(4,), blocks=0, flip=True, shift=1, learning_rate=0.1),
    "networks": BASE.replace(optimizer="adam", mixup=0.2, seeds=2, shards=4),
    "alone": BASE.replace(optimizer="momentum", dropout=0.1, seeds=3, shards=1),
}
WAYS = {  # the devices before and after a stop; the second training of each has its data in main memory
    "mlp": ((1, 1), (4, 1)),
    "cnn": ((1, 1), (2, 8)),
    "networks": ((1, 1), (8, 1)),
    "alone": ((1, 1), (3, 1)),
}


def dataset() -> Dataset:
    rng = np.random.default_rng(7)
    images, labels = rng.integers(0, 256, (300, 8, 8, 1)), rng.integers(0, 4, 300)
    images = (images // 4 + 40 * labels[:, None, None, None]).astype(np.uint8)
    return Dataset("made-up", images[:222], labels[:222], images[222:], labels[222:], tuple("abcd"), {}, "made up")


def trained(config: Config, first: int, then: int, place: Place) -> str:
    """The digest of a training's state and records: four of its six steps on `first` devices, resumed on `then`."""
    config, data = prepare(config, dataset(), place)
    digest, state = hashlib.sha256(), None
    for devices in (first, then):
        groups = share(devices, config.seeds, config.shards)
        for event in fit(config, data, state, checkpoint_every=4, groups=groups):
            state = event.state
            if event.kind == "epoch":
                digest.update(json.dumps(event.record).encode())
            if event.kind == "checkpoint":
                break
    assert state is not None
    for leaf in jax.tree.leaves(state._replace(key=jax.random.key_data(state.key))):
        digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()


def digests(names: list[str]) -> dict[str, Any]:
    feeding.PART = 2 * 64 * 8 * 8  # two steps of one network
    places: tuple[Place, Place] = ("device", "host")
    found: dict[str, Any] = {
        name: [trained(CASES[name], *way, place) for way, place in zip(WAYS[name], places, strict=True)]
        for name in names
    }
    shards._tree_sum = lambda rows: functools.reduce(operator.add, rows)  # now the order depends on the devices
    program._program.cache_clear()
    found["other order"] = [trained(CASES["mlp"], devices, devices, "device") for devices in (1, 2)]
    return found


if __name__ == "__main__":
    json.dump(digests(sys.argv[1:]), sys.stdout)
