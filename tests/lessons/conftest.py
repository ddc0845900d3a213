"""Clothes that can be told apart, made up: ten patterns under noise, so that no test needs the real ones."""

import numpy as np
import pytest

from jaxquard.data import Dataset


@pytest.fixture(scope="session")
def clothes() -> Dataset:
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 200, (10, 28, 28, 1))

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.integers(0, 10, n).astype(np.int32)
        return np.clip(patterns[labels] + rng.normal(0, 90, (n, 28, 28, 1)), 0, 255).astype(np.uint8), labels

    names = tuple(str(k) for k in range(10))
    return Dataset("clothes", *draw(2_000), *draw(10), class_names=names, sha256={}, source="made up")
