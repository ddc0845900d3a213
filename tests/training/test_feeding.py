"""Data in main memory give the same bits as data on the device."""

from typing import Any

import numpy as np
import pytest

from jaxquard.config import Config
from jaxquard.training import data as training_data
from jaxquard.training import feeding
from jaxquard.training.data import prepare
from jaxquard.training.fit import fit

BASE = Config(hidden=(6,), batch_size=24, epochs=2, learning_rate=0.1, validation=50, class_weight="balanced")


@pytest.mark.parametrize("steps", [1, 4, 100], ids="a part of {} steps".format)
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_bits_are_those_of_data_on_the_device(
    dataset, train, assert_same_bits, monkeypatch, seeds: int, steps: int
):
    config, images = BASE.replace(seeds=seeds), 8 * 8
    monkeypatch.setattr(feeding, "PART", seeds * steps * config.batch_size * images)
    expected = train(config)
    resolved, data = prepare(config, dataset, "host")
    assert isinstance(data.images, np.ndarray)
    state: Any = None
    for event in fit(resolved, data, until=1, checkpoint_every=3):
        state = event.state
        if event.kind == "checkpoint" and event.step == 3:
            break
    records = []
    for event in fit(resolved, data, state):  # from within a part
        state = event.state
        if event.kind == "epoch":
            records.append(event.record)
    assert_same_bits(state, expected.state)
    assert records == expected.records


@pytest.mark.parametrize(("limit", "place"), [(2 * 253 * 64, "device"), (2 * 253 * 64 - 1, "host")])
def test_data_that_do_not_fit_stay_in_main_memory(dataset, monkeypatch, limit: int, place: str):
    monkeypatch.setattr(training_data, "memory", lambda: limit)
    assert isinstance(prepare(BASE, dataset)[1].images, np.ndarray) == (place == "host")
