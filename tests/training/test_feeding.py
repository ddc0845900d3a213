"""Data in main memory give the same bits as data on the device."""

import threading
import tracemalloc
from typing import Any

import jax
import numpy as np
import pytest

from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.training import data as training_data
from jaxquard.training import feeding
from jaxquard.training.data import TrainingData, prepare
from jaxquard.training.fit import fit

BASE = Config(hidden=(6,), batch_size=24, epochs=2, learning_rate=0.1, validation=50, class_weight="balanced")


def trained(config: Config, data: TrainingData, state: Any = None, stop: int | None = None) -> tuple[Any, list[Any]]:
    """The state and the records of a training from `state` to the end, or until the step `stop`."""
    records = []
    for event in fit(config, data, state, checkpoint_every=stop):
        state = event.state
        if event.kind == "epoch":
            records.append(event.record)
        if event.kind == "checkpoint":
            break
    return state, records


@pytest.mark.parametrize("steps", [1, 4, 100], ids="a part of {} steps".format)
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_bits_are_those_of_data_on_the_device(dataset, assert_same_bits, monkeypatch, seeds: int, steps: int):
    config, images = BASE.replace(seeds=seeds, teacher="a-model"), 8 * 8
    monkeypatch.setattr(feeding, "PART", seeds * steps * config.batch_size * images)
    (config, on_device), (_, data) = (prepare(config, dataset, place) for place in ("device", "host"))
    assert isinstance(data.images, np.ndarray)
    teacher = jax.random.normal(jax.random.key(9), (len(data.images), 4))
    expected, data = trained(config, on_device._replace(teacher=teacher)), data._replace(teacher=teacher)
    state, _ = trained(config, data, stop=3)
    state, records = trained(config, data, state)  # from within a part
    assert_same_bits(state, expected[0])
    assert records == expected[1]


@pytest.mark.parametrize("partitionable", [False, True])
def test_settings_of_the_calling_thread_apply(dataset, assert_same_bits, partitionable: bool):
    with jax.threefry_partitionable(partitionable):
        runs = [trained(*prepare(BASE, dataset, place)) for place in ("device", "host")]
    assert_same_bits(runs[0][0], runs[1][0])


def test_the_thread_ends_with_the_training(dataset):
    list(fit(*prepare(BASE, dataset, "host")))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("feeding")]


@pytest.mark.parametrize(("limit", "place"), [(2 * 253 * 64, "device"), (2 * 253 * 64 - 1, "host")])
def test_data_that_do_not_fit_stay_in_main_memory(dataset, monkeypatch, limit: int, place: str):
    monkeypatch.setattr(training_data, "memory", lambda: limit)
    assert isinstance(prepare(BASE, dataset)[1].images, np.ndarray) == (place == "host")


@pytest.mark.parametrize(("mode", "shared"), [("r", True), ("r+", False)])
def test_images_of_a_file_that_is_only_read_are_not_copied(tmp_path, mode: str, shared: bool):
    labels = np.arange(8000) % 4
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (8000, 28, 28), np.uint8))
    images = np.load(tmp_path / "images.npy", mmap_mode=mode)
    tracemalloc.start()
    _, data = prepare(Config(), Dataset.from_arrays(images, labels, images[:100], labels[:100]), "host")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.shares_memory(data.images, images) == shared
    assert (peak < images.nbytes / 2) == shared
