"""The number of devices changes how long a training takes, and no bit."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from jaxquard.config import Config
from jaxquard.errors import UsageError
from jaxquard.training import device


@pytest.mark.parametrize("names", ["mlp cnn", pytest.param("networks alone", marks=pytest.mark.check)])
def test_the_bits_do_not_depend_on_the_devices(names: str):
    command = [sys.executable, str(Path(__file__).with_name("topologies.py")), *names.split()]
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "8"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    different = {name: len(set(digests)) for name, digests in found.items()}
    assert different == dict.fromkeys(found, 1) | {"other order": 2}


@pytest.mark.parametrize(
    "changes",
    [
        {"shards": 2, "optimizer": "nesterov", "ema": 0.9, "label_smoothing": 0.1},
        {"shards": 4, "l2": 0.01, "class_weight": "balanced", "optimizer": "momentum"},
        {"shards": 8, "optimizer": "adamw", "epsilon": 1e-3, "learning_rate": 0.01, "weight_decay": 0.1},
        {"shards": 8, "optimizer": "muon", "epsilon": 1e-3, "learning_rate": 0.01, "weight_decay": 0.1},
    ],
    ids=str,
)
def test_shards_learn_what_the_whole_batch_does(train: Any, changes: dict[str, Any]):
    common = {"hidden": (6, 5), "batch_size": 48, "epochs": 2, "learning_rate": 0.1, "validation": 50}
    config = Config(**common | changes)
    whole, parts = train(config.replace(shards=1), diagnostics=False), train(config, diagnostics=False)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
        whole.state._replace(key=0),
        parts.state._replace(key=0),
    )
    assert np.asarray(whole.state.totals.correct) == np.asarray(parts.state.totals.correct)
    assert any(
        np.asarray(a).tobytes() != np.asarray(b).tobytes()
        for a, b in zip(jax.tree.leaves(whole.state.params), jax.tree.leaves(parts.state.params), strict=True)
    )


@pytest.mark.parametrize("changes", [{"dropout": 0.5}, {"flip": True}, {"mixup": 0.5}], ids=str)
def test_each_shard_has_random_numbers_of_its_own(train: Any, changes: dict[str, Any]):
    """Two shards of the same images would otherwise have equal losses, and so the losses of one shard."""
    config = Config(hidden=(40,), batch_size=32, epochs=1, validation=50, **changes)
    losses = [train(config.replace(shards=n), diagnostics=False).records[0]["train_loss"] for n in (1, 2, 4)]
    assert len(set(map(tuple, losses))) == 3


def shared(monkeypatch: pytest.MonkeyPatch, backend: str, here: Any, asked: Any, networks: int, shards: int) -> Any:
    """How many devices each group has, if JAX shows `here` devices, or so many in each process."""
    counts = here if isinstance(here, list) else [here]
    fake = SimpleNamespace(
        default_backend=lambda: backend,
        process_count=lambda: len(counts),
        local_devices=lambda process_index: list(range(counts[process_index])),
    )
    monkeypatch.setattr(device, "jax", fake)
    monkeypatch.setattr(device, "check_jax", lambda: None)
    return [len(group) for group in device.share(asked, networks, shards)]


@pytest.mark.parametrize(
    ("backend", "here", "asked", "networks", "shards", "groups"),
    [
        ("cpu", 8, None, 1, 8, []),
        ("cpu", 8, 1, 1, 1, []),
        ("cpu", 8, "all", 1, 8, [8]),
        ("cpu", 8, 4, 1, 16, [4]),
        ("cpu", 8, 4, 4, 1, [1, 1, 1, 1]),
        ("cpu", 8, 3, 5, 1, [1, 1, 1]),
        ("cpu", 8, 8, 4, 2, [2, 2, 2, 2]),
        ("cpu", 8, 4, 3, 2, [2, 2]),
        ("gpu", 8, None, 1, 1, []),
        ("gpu", 6, None, 1, 4, [4]),
        ("gpu", 8, None, 3, 1, [1, 1, 1]),
        ("gpu", 1, "all", 1, 1, []),
    ],
)
def test_networks_are_spread_first(monkeypatch, backend, here, asked, networks, shards, groups):
    assert shared(monkeypatch, backend, here, asked, networks, shards) == groups


@pytest.mark.parametrize(
    ("here", "asked", "networks", "shards", "message"),
    [
        (2, 4, 1, 4, "devices: JAX has 2 here, not 4 (JAX_NUM_CPU_DEVICES=4 makes 4 of a CPU)"),
        (8, 8, 1, 1, "devices: 8 cannot evenly share a batch of 1 shard; give --shards 8"),
        (8, "all", 1, 4, "devices: 8 cannot evenly share a batch of 4 shards; give --shards 8"),
        (8, 3, 1, 8, "devices: 3 cannot evenly share a batch of 8 shards; take a power of two, with as many --shards"),
        ([2, 1], "all", 1, 8, "devices: some processes have 1, others 2; give --devices 1"),
        ([2, 1], 2, 1, 8, "devices: JAX has 1 here, not 2 (JAX_NUM_CPU_DEVICES=2 makes 2 of a CPU)"),
        (8, 8, 4, 1, "devices: 8 cannot evenly share 4 networks with batches of 1 shard; give --shards 8"),
    ],
)
def test_no_device_is_idle_unsaid(monkeypatch, here, asked, networks, shards, message):
    with pytest.raises(UsageError) as error:
        shared(monkeypatch, "cpu", here, asked, networks, shards)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shards": 3}, "shards: must be a power of two, not 3"),
        ({"shards": 8, "batch_size": 100}, "shards: 8 do not divide a batch of 100 (batch_size) evenly"),
    ],
)
def test_shards_that_cannot_be_are_refused(settings, message):
    with pytest.raises(UsageError) as error:
        Config(**settings)
    assert str(error.value) == message
