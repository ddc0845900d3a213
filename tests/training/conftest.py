"""Small synthetic data, learnable in a few epochs, and a training that keeps the events of `fit`."""

import functools
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.training.data import TrainingData, prepare
from jaxquard.training.fit import Event, fit
from jaxquard.training.program import Program
from jaxquard.training.state import TrainState

CLASSES, SIDE = 4, 8


def made_up_images(rng: np.random.Generator, patterns: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """One faint pattern for each class, much noise, some wrong labels: (n, 8, 8, 1) uint8 and (n,) int32."""
    labels = rng.integers(0, CLASSES, n).astype(np.int32)
    noisy = 0.4 * patterns[labels] + rng.normal(90, 40, (n, SIDE, SIDE))
    wrong = rng.random(n) < 0.15
    labels[wrong] = rng.integers(0, CLASSES, wrong.sum())
    return np.clip(noisy, 0, 255).astype(np.uint8)[..., None], labels


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """303 training and 101 test images of 4 classes: numbers that no batch or chunk divides."""
    rng = np.random.default_rng(7)
    patterns = rng.integers(0, 256, (CLASSES, SIDE, SIDE))
    train, test = made_up_images(rng, patterns, 303), made_up_images(rng, patterns, 101)
    names = tuple("abcd")
    return Dataset("made-up", *train, *test, names, {"all": hashlib.sha256(train[0]).hexdigest()}, "made up")


class Trained(NamedTuple):
    """Every event of a training with a copy of its state, because `fit` reuses the buffers."""

    config: Config
    data: TrainingData
    events: list[Event]
    states: list[TrainState]

    @property
    def state(self) -> TrainState:
        return self.states[-1]

    def network(self, k: int = 0) -> TrainState:
        """The last state of one network, without the axis of networks."""
        return jax.tree.map(lambda leaf: leaf[k], self.state)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The journal's lines."""
        return [event.record for event in self.events if event.kind == "epoch" and event.record]


@functools.cache
def prepared(config: Config, dataset: Dataset) -> tuple[Config, TrainingData]:
    return prepare(config, dataset)


def copied(tree: Any) -> Any:
    return jax.tree.map(jnp.copy, tree)


@pytest.fixture(scope="session")
def train(dataset: Dataset) -> Callable[..., Trained]:
    """`train(config, state=None, **options)` runs `fit` on the synthetic data."""

    def trained(config: Config, state: TrainState | None = None, **options: Any) -> Trained:
        resolved, data = prepared(config, dataset)
        events, states = [], []
        for event in fit(resolved, data, None if state is None else copied(state), **options):
            events.append(event)
            states.append(copied(event.state))
        return Trained(resolved, data, events, states)

    return trained


@pytest.fixture(scope="session")
def cache_sizes() -> Callable[[Program], list[int]]:
    """How often each function of a Program was compiled. The first is the steps in threads."""

    def sizes(program: Program) -> list[int]:
        ((steps,),) = program.turns.args
        others = [f._cache_size() for f in program if not isinstance(f, functools.partial)]
        return [len(steps.compiled), steps.jitted._cache_size(), *others]

    return sizes


@pytest.fixture(scope="session")
def assert_same_bits() -> Callable[[Any, Any], None]:
    """Asserts that two pytrees have the same structure, types and bytes."""

    def same(a: Any, b: Any) -> None:
        assert jax.tree.structure(a) == jax.tree.structure(b)
        for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(a), jax.tree.leaves(b), strict=True):
            name = jax.tree_util.keystr(path)
            assert x.dtype == y.dtype, name
            if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
                x, y = jax.random.key_data(x), jax.random.key_data(y)
            assert x.shape == y.shape, name
            assert np.asarray(x).tobytes() == np.asarray(y).tobytes(), name

    return same
