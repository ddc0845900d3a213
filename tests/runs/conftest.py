"""A small training in a run directory."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.runs import keeper, train
from jaxquard.runs.results import TrainResult
from jaxquard.runs.train import Observer
from jaxquard.training.fit import Event


@pytest.fixture(scope="session")
def small() -> Config:
    """Six steps an epoch, three epochs, on the data set `stripes`."""
    return Config(dataset="stripes.npz", hidden=(5,), batch_size=20, epochs=3, learning_rate=0.1)


@pytest.fixture(scope="session")
def trained(small: Config, stripes: Dataset, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A finished run of `small`, to be read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeper, "CHECKPOINT_SECONDS", math.inf)
        return train.train(small, stripes, runs=tmp_path_factory.mktemp("runs"), name="whole")


def stop_at(step: int) -> Observer:
    """An observer that asks to stop at the first event from this step on."""
    seen: list[Event] = []
    return Observer(event=seen.append, should_stop=lambda: seen[-1].step >= step)


@pytest.fixture
def interrupted_at() -> Callable[[int], Observer]:
    """`interrupted_at(step)`: an observer that asks to stop at the first event from this step on."""
    return stop_at


@pytest.fixture(autouse=True)
def _no_floating_point_errors_and_no_checkpoints_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(keeper, "CHECKPOINT_SECONDS", math.inf)
    with np.errstate(all="raise", under="ignore"):
        yield
