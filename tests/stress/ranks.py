"""Six kinds of network are trained by each number of processes and devices, then resumed within an epoch with the
images in main memory. All are compared with one device. SIGKILL, SIGSTOP or SIGTERM hits a random rank of two at a
random moment, start-up included.

A moment after the end of the training does not count. The run is resumed by one process on one device.
"""

import contextlib
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

from common import HOME, Child, Row, kept, made_up_data

from jaxquard import api
from jaxquard.distributed import launching
from jaxquard.distributed.launching import Ended
from jaxquard.runs.directory import Run
from jaxquard.runs.interrupts import INTERRUPTED

SCRIPT = Path(__file__).parents[1] / "distributed" / "matrix.py"
TOPOLOGIES = [(1, 1), (1, 2), (1, 4), (1, 8), (2, 1), (2, 2), (2, 4), (4, 2)]  # processes, devices of each
NAMES = [f"{kind}-{optimizer}" for kind in ("mlp", "dropout", "cnn") for optimizer in ("sgd", "muon")]
FEW = (["dropout-muon", "cnn-sgd"], [(1, 1), (1, 8), (2, 1), (4, 2)])
FAULT: list[str] = []  # an option for SCRIPT
SETTINGS = "--hidden 7 --batch-size 40 --epochs 200 --learning-rate 0.01 --shards 8 --dropout 0.2 --validation 20"
SAID = {
    signal.SIGKILL: r"killed by signal 9",
    signal.SIGSTOP: r"(silent for \d+ s|never connected)",
}
ALL = 60
WITHIN = {signal.SIGKILL: 5, signal.SIGSTOP: 12, signal.SIGTERM: 3}  # seconds; those of SIGSTOP are for the start-up


def measure(short: bool = False) -> list[Row]:
    """Every kind and number, and 60 signals (short: two kinds, four numbers, 3 signals)."""
    return [matrix(*FEW) if short else matrix(NAMES, TOPOLOGIES), signals(3 if short else ALL)]


def everything(path: Path) -> dict:
    """What a run wrote, except which checkpoints are left: an interrupted run has one more."""
    return {key: value for key, value in kept(Run(path)).items() if key != "files"}


def matrix(names: list[str], topologies: list[tuple[int, int]]) -> Row:
    """Train these by one device, the first of the topologies, and by the others."""
    root, same, total = HOME / "matrix", 0, 0
    for processes, devices in topologies:
        runs = root / f"{processes}x{devices}"
        train(runs, root / "1x1", names, processes, devices)
        for name, part in itertools.product(names, ("whole", "half") if runs != root / "1x1" else ()):
            total += 1
            same += everything(runs / f"{name}-{part}") == everything(root / "1x1" / f"{name}-whole")
    promise = "The number of processes and devices changes no bit of a run with the same shards, also if it is resumed"
    ways = f"in {len(topologies) - 1} combinations of processes and devices"
    figure = f"{same} of {total} trainings, {ways}, half of them resumed"
    return Row(promise, figure, "all", same == total)


def train(runs: Path, halves: Path, names: list[str], processes: int, devices: int) -> None:
    """Run SCRIPT by so many processes."""
    children, port = [], random.randrange(20_000, 30_000)
    for number in range(processes):
        own = {"JAX_NUM_CPU_DEVICES": str(devices), "JAXQUARD_JOIN_SECONDS": "60", "JAXQUARD_SILENT_SECONDS": "30"}
        if processes > 1:
            own |= {"JAXQUARD_COORDINATOR": f"127.0.0.1:{port}", "JAXQUARD_PROCESS_ID": str(number)}
            own |= {"JAXQUARD_PROCESSES": str(processes)}
        command = [sys.executable, str(SCRIPT), str(made_up_data()), str(runs), str(halves), ",".join(names), *FAULT]
        children.append(subprocess.Popen(command, env=os.environ | own, stdout=subprocess.DEVNULL))
    assert {child.wait(1200) for child in children} == {0}, runs


def signals(hits: int) -> Row:
    """Hit so many trainings; times count only for all 60."""
    rng, root = random.Random(23), HOME / "ranks"
    for name in ("compiling", "truth"):
        began = time.monotonic()
        assert not isinstance(start(root, name)[1].exception(), Exception)
        seconds = time.monotonic() - began
    truth, counted, right, exact, slowest = everything(root / "truth"), 0, 0, 0, dict.fromkeys(WITHIN, 0.0)
    for number in itertools.count():
        if counted == hits:
            break
        what, rank, name = list(WITHIN)[number % 3], rng.randrange(2), f"victim-{number}"
        took, error = hit(root, name, rank, what, rng.uniform(0.05, 0.9) * seconds)
        if error is None:
            continue
        counted += 1
        slowest[what] = max(slowest[what], took)
        right += is_right(error, rank, what)
        resumed = Child.doing(lambda name=name: api.train(resume=name, runs=root)) if (root / name).exists() else None
        exact += resumed is None or (resumed.wait() == 0 and everything(root / name) == truth)
    promise = "A rank that is killed, stuck or interrupted is named in time, no process is left, and resume is exact"
    times = ", ".join(f"{what.name} {took:.1f} s" for what, took in slowest.items())
    figure = f"{right} of {hits} named, {exact} exact; the slowest end after {times}"
    in_time = hits < ALL or all(slowest[what] <= WITHIN[what] for what in WITHIN)
    return Row(promise, figure, "all; 5 s, 12 s, 3 s", right == exact == hits and in_time)


def start(root: Path, name: str) -> tuple[list[subprocess.Popen], Future]:
    """The processes of a training, a list that fills, and its future."""
    children: list[subprocess.Popen] = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options) -> None:
            super().__init__(*arguments, **options | {"stdout": subprocess.DEVNULL})
            children.append(self)

    vars(launching)["subprocess"] = SimpleNamespace(**vars(subprocess) | {"Popen": Recorded})
    command = ["train", "--dataset", str(made_up_data()), *SETTINGS.split(), "--name", name, "--runs", str(root)]
    pool = ThreadPoolExecutor(1)
    future = pool.submit(launching.launch, [*command, "--quiet"], processes=2, devices_per_process=2)
    pool.shutdown(wait=False)
    return children, future


def hit(root: Path, name: str, rank: int, what: signal.Signals, after: float) -> tuple[float, Exception | None]:
    """Seconds from a signal to the end, and the error; None if the training had ended before. Checks what is left."""
    children, future = start(root, name)
    time.sleep(after)
    while len(children) < 2:
        time.sleep(0.01)
    began, code = time.monotonic(), children[rank].poll()
    children[rank].send_signal(what)
    error = future.exception(120)
    took = time.monotonic() - began
    for child in children:
        assert child.returncode is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, 0)
            raise AssertionError(f"a process of {name} is left")
    return took, error if code is None else None


def is_right(error: Exception, rank: int, what: signal.Signals) -> bool:
    """Whether the error has the right exit code, and names the rank and what happened to it."""
    if what == signal.SIGTERM:
        return isinstance(error, Ended) and error.exit_code == INTERRUPTED
    found = re.match(rf"rank {rank} (on \S+|of 2): {SAID[what]}", str(error))
    if not found:
        print(f"not named: rank {rank}, {what.name}: {error}")
    return bool(found) and isinstance(error, Ended) and error.exit_code == 1
