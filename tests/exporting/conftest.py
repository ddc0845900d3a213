"""A run to export."""

import pytest

import jaxquard
from jaxquard.config import Config


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Tests export into the current folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def root(npz, tmp_path_factory):
    """A folder of runs with `three`, a run of three networks. Tests that change it copy it first."""
    root = tmp_path_factory.mktemp("runs")
    config = Config(dataset=str(npz), hidden=(5, 4), batch_size=20, epochs=2, seeds=3, validation=20)
    jaxquard.train(config, runs=root, name="three")
    return root
