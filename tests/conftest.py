"""Shared fixtures. No test leaves a file behind or reads this machine's settings."""

import atexit
import itertools
import os
import runpy
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import numpy as np
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from jaxquard.data import Dataset, load
from jaxquard.runs.directory import Run

# hypothesis stores constants of the code in ./.hypothesis, even without a database. Workers inherit this folder; the
# process that made it removes it.
if "HYPOTHESIS_STORAGE_DIRECTORY" not in os.environ:
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = tempfile.mkdtemp(prefix="hypothesis-")
    atexit.register(shutil.rmtree, os.environ["HYPOTHESIS_STORAGE_DIRECTORY"], ignore_errors=True)
# As in jaxquard/compilation.py: after a test has turned the compilation cache on in this process, XLA of JAX 0.10
# writes to stderr when a later test loads a program from it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

if os.environ.get("JAXQUARD_TESTS_AS") == "windows" and hasattr(os, "fork"):  # make check-windows
    folder = str(Path(__file__).with_name("windows"))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    runpy.run_path(f"{folder}/sitecustomize.py")

hypothesis.settings.register_profile("patient", deadline=None)  # for busy machines
hypothesis.settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset the environment variables of Jaxquard, and rich's for colours."""
    for name in ("JAXQUARD_RUNS", "JAXQUARD_OFFLINE", "JAXQUARD_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, one for each module: a longer Playwright loop would disturb the loops of other tests."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("these tests drive a real browser: apt-get install chromium", pytrace=False)
    expect.set_options(timeout=30_000)  # ms; a busy machine takes seconds
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[*arguments, "--disable-sync", "--no-first-run"]
        )
        yield browser
        browser.close()


@pytest.fixture
def every_turn_takes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`every_turn_takes(seconds)`: every measurement of `fit` gives this time. `cores` networks run at once."""

    def clock(seconds: float, cores: int = 1) -> None:
        monkeypatch.setattr("jaxquard.training.program.cores", lambda: cores)
        counter = itertools.count(0.0, seconds)
        monkeypatch.setattr("jaxquard.training.fit.time", SimpleNamespace(perf_counter=counter.__next__))

    return clock


@pytest.fixture(scope="session")
def npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic data set in a file: 120 training and 40 test images of 6×6 pixels, in three classes that are easy."""
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 3
    images = rng.integers(0, 60, (160, 6, 6)).astype(np.uint8)
    for k in range(3):
        images[labels == k, :, 2 * k : 2 * k + 2] += 120
    path = tmp_path_factory.mktemp("data") / "stripes.npz"
    np.savez(path, x_train=images[:120], y_train=labels[:120], x_test=images[120:], y_test=labels[120:])
    return path


@pytest.fixture(scope="session")
def stripes(npz: Path) -> Dataset:
    """The data set of `npz`."""
    return load(npz)


@pytest.fixture(scope="session")
def clothes() -> Dataset:
    """A synthetic replacement for Fashion-MNIST, with its size and ten classes, which a network can learn."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 200, (10, 28, 28, 1))

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.integers(0, 10, n).astype(np.int32)
        return np.clip(patterns[labels] + rng.normal(0, 90, (n, 28, 28, 1)), 0, 255).astype(np.uint8), labels

    names = tuple(str(k) for k in range(10))
    return Dataset("clothes", *draw(2_000), *draw(10), class_names=names, sha256={}, source="made up")


def kept(run: Run) -> dict[str, Any]:
    """Everything that a run wrote, except times: the newest checkpoint, snapshots, lines, evaluations."""
    from jaxquard.runs import checkpoint

    lines = [line for line in run.journal() if line.get("event") != "resumed"]
    arrays, faults = checkpoint.newest(run.checkpoints)
    assert faults == []
    return {
        "state": {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()},
        "snapshots": {file.name: file.read_bytes() for file in run.snapshots.iterdir()},
        "journal": [{key: value for key, value in line.items() if key not in ("time", "seconds")} for line in lines],
        "tests": [(line["step"], line["accuracy"], line["loss"]) for line in run.evaluations()],
        "config": (run.path / "config.toml").read_bytes(),
        "files": sorted(path.name for path in run.path.iterdir()),
    }


@pytest.fixture(scope="session")
def assert_same_run() -> Callable[[Run, Run], None]:
    """Assert that two runs wrote the same, bit for bit."""

    def same(one: Run, other: Run) -> None:
        a, b = kept(one), kept(other)
        assert a.keys() == b.keys()
        for key in a:
            assert a[key] == b[key], key

    return same
