"""The same bits for every number of processes and devices. `make stress` tries every kind of network with each."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jaxquard.runs.directory import Run

SCRIPT = Path(__file__).with_name("matrix.py")
TOPOLOGIES = [(1, 2), (1, 4), (1, 8), (2, 1), (2, 2), (2, 4), (4, 2)]  # processes, devices of each
KINDS, OPTIMIZERS = ("mlp", "dropout", "cnn"), ("sgd", "muon")
NAMES = [f"{kind}-{optimizer}" for kind in KINDS for optimizer in OPTIMIZERS]


def train(npz: Path, runs: Path, halves: Path, names: list[str], processes: int, devices: int) -> None:
    """Train these kinds of networks, with so many processes and devices of each."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    started = []
    for number in range(processes):
        own = {"JAX_NUM_CPU_DEVICES": str(devices), "JAXQUARD_JOIN_SECONDS": "120", "JAXQUARD_SILENT_SECONDS": "60"}
        own |= {"JAX_COMPILATION_CACHE_DIR": str(runs.parent / "programs"), "TF_CPP_MIN_LOG_LEVEL": "3"}
        own |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        if processes > 1:
            own |= {"JAXQUARD_COORDINATOR": f"127.0.0.1:{port}", "JAXQUARD_PROCESS_ID": str(number)}
            own |= {"JAXQUARD_PROCESSES": str(processes)}
        command = [sys.executable, str(SCRIPT), str(npz), str(runs), str(halves), ",".join(names)]
        started.append(subprocess.Popen(command, env=os.environ | own, stderr=subprocess.PIPE, text=True))
    said = [process.communicate(timeout=600)[1] for process in started]
    assert [process.returncode for process in started] == [0] * processes, said


@pytest.fixture(scope="module")
def alone(npz, tmp_path_factory):
    """The runs of one process with one device, whole and of one epoch."""
    runs = tmp_path_factory.mktemp("matrix") / "alone"
    train(npz, runs, runs, NAMES, 1, 1)
    return runs


@pytest.mark.check
@pytest.mark.parametrize("number", range(len(TOPOLOGIES)), ids=["x".join(map(str, pair)) for pair in TOPOLOGIES])
def test_bits_do_not_depend_on_processes_and_devices(npz, tmp_path, alone, assert_same_run, number):
    """Each with all kinds, and with both optimisers in turn."""
    names = [f"{kind}-{OPTIMIZERS[(number + k) % 2]}" for k, kind in enumerate(KINDS)]
    runs = alone.with_name(tmp_path.name)
    train(npz, runs, alone, names, *TOPOLOGIES[number])
    for name in names:
        for part in ("whole", "half"):
            assert_same_run(Run(runs / f"{name}-{part}"), Run(alone / f"{name}-whole"))
