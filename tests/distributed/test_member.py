"""Processes that are started one by one, without a launcher."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.check
SETTINGS = ["--hidden", "5", "--batch-size", "40", "--shards", "2", "--learning-rate", "0.01"]


@pytest.fixture
def start(npz, tmp_path, monkeypatch):
    """`start(rank, …)`: a process of two, with more options or another id, data or patience."""
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    started: list[subprocess.Popen[str]] = []

    def start(rank: int, *more: str, data: object = npz, join: int = 120) -> subprocess.Popen[str]:
        own = {"JAXQUARD_COORDINATOR": address, "JAXQUARD_PROCESS_ID": str(rank), "JAXQUARD_PROCESSES": "2"}
        own |= {"JAXQUARD_JOIN_SECONDS": str(join)}
        command = [sys.executable, "-m", "jaxquard", "train", "--dataset", str(data), *SETTINGS, "--name", "x", *more]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env=os.environ | own, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ended(*processes: subprocess.Popen[str]) -> list[tuple[int, str]]:
    """The exit codes, and the errors of the command."""
    said = [process.communicate(timeout=200)[1] for process in processes]
    lines = ["\n".join(line for line in err.splitlines() if line.startswith("jaxquard: ")) for err in said]
    assert not any("Traceback" in err for err in said)
    return [(process.returncode, line) for process, line in zip(processes, lines, strict=True)]


def test_only_rank_0_says_and_writes_anything(start, tmp_path):
    one, zero = start(1, "--epochs", "1"), start(0, "--epochs", "1", "--json")
    (out, _), (nothing, err) = zero.communicate(timeout=200), one.communicate(timeout=200)
    assert (zero.returncode, one.returncode, nothing, err) == (0, 0, "", "")
    assert out.startswith("{")
    assert out.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_whose_peer_never_comes_gives_up(start, rank):
    [(code, line)] = ended(start(rank, join=1))
    assert code == 1
    assert ("rank 1 of 2: never connected" if rank == 0 else "rank 1: the coordinator 127.0.0.1:") in line


@pytest.mark.parametrize("rank", [0, 1])
def test_two_processes_with_one_id_are_refused(start, rank):
    found = ended(*(start(other, "--epochs", "1", join=20) for other in (0, rank, 1)))
    codes, lines = [code for code, _ in found], "".join(line for _, line in found)
    assert codes.count(2) >= 2 or sorted(codes) == [0, 0, 2]  # two may have begun before the third came
    assert f"two processes have the id {rank}" in lines


def test_different_settings_are_refused_by_every_rank(start):
    line = "jaxquard: --seed: rank 1 has 3, rank 0 has 0; all ranks need the same command and versions"
    assert ended(start(0), start(1, "--seed", "3")) == [(2, line), (2, line)]


def test_different_data_are_refused_by_every_rank(start, npz, tmp_path):
    with np.load(npz) as arrays:
        changed = dict(arrays)
    changed["x_train"][0, 0, 0] ^= 1
    np.savez(tmp_path / "other.npz", **changed)
    found = ended(start(0), start(1, data=tmp_path / "other.npz"))
    assert [code for code, _ in found] == [3, 3]
    assert all("rank 1 has other data than rank 0" in line for _, line in found)


@pytest.mark.posix
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_dies_is_named_by_the_other(start, tmp_path, rank):
    processes = [start(0, "--epochs", "100000"), start(1, "--epochs", "100000")]
    for _ in range(6000):
        if (tmp_path / "runs" / "x" / "snapshots" / "epoch-000002.safetensors").exists():
            break
        time.sleep(0.02)
    processes[rank].send_signal(signal.SIGKILL)
    [(code, line)] = ended(processes[1 - rank])
    assert code == 1
    assert re.fullmatch(rf"jaxquard: rank {rank} on \S+: closed its connection at step \d+", line)
