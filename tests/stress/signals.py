"""SIGINT or SIGTERM at a random moment of a training of one network, three networks, or three CNNs; every fourth time a
second signal follows. Then the run is resumed and compared with one that was never stopped.
"""

import itertools
import os
import random
import signal
import time
from functools import partial

from common import HOME, Child, Row, kept, made_up_data

from jaxquard import cli
from jaxquard.runs.directory import Run
from jaxquard.runs.interrupts import INTERRUPTED

MLP = "--hidden 7 --batch-size 20 --epochs 150 --optimizer adam --learning-rate 0.001"
CNN = "--model cnn --widths 128 --widths 256 --batch-size 140 --epochs 6 --optimizer adam"
KINDS = {"one": MLP, "three": f"{MLP} --seeds 3", "CNNs": f"{CNN} --seeds 3"}


def train(kind: str, name: str) -> None:
    """Start or resume a training."""
    root = HOME / "signals"
    new = ["--dataset", str(made_up_data()), *KINDS[kind].split(), "--name", name]
    words = ["--resume", name] if (root / name).exists() else new
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    cli.main(["train", *words, "--runs", str(root), "--quiet"])


def everything(name: str) -> dict:
    """Everything that a run wrote, except which checkpoints are left: an interrupted run has one more."""
    return {key: value for key, value in kept(Run(HOME / "signals" / name)).items() if key != "files"}


def measure(short: bool = False) -> list[Row]:
    """60 trainings stopped (short: 4 without CNNs), every fourth by two signals; those that end before do not count."""
    signals, kinds = (4, [*KINDS][:2]) if short else (60, [*KINDS])
    seconds, rng = dict[str, float](), random.Random(13)
    for kind in kinds:
        for name in (f"compiling-{kind}", f"truth-{kind}"):
            began = time.monotonic()
            assert Child.doing(partial(train, kind, name)).wait() == 0
            seconds[kind] = time.monotonic() - began
    exact, took, tries = 0, {1: [0.0], 2: [0.0]}, itertools.count()
    while sum(map(len, took.values())) - 2 < signals:
        name, kind = f"victim-{(number := next(tries))}", kinds[number % len(kinds)]
        began, child = time.monotonic(), Child.doing(partial(train, kind, name))
        if child.wait(rng.uniform(0.4, 1.0) * seconds[kind]) is not None:  # the machine is faster now
            seconds[kind] = time.monotonic() - began
        sent, stopped = stop(child, rng, twice=number % 4 == 2)
        assert Child.doing(partial(train, kind, name)).wait() == 0
        if child.code == INTERRUPTED:
            took[sent].append(stopped)
            exact += everything(name) == everything(f"truth-{kind}")
    first, second = max(took[1]), max(took[2])
    figure = f"{exact} of {signals} stopped and exact; the slowest exit after {first:.2f} s, "
    figure += f"of {len(took[2]) - 1} after a second signal {second:.2f} s"
    promise = "SIGINT and SIGTERM save a checkpoint and exit 130 within 2 s; a second exits at once; resume is exact"
    holds = exact == signals and (short or (first <= 2 and second <= 0.5))  # short forms ignore times
    return [Row(promise, figure, "all, 2 s, 0.5 s", holds)]


def stop(child: Child, rng: random.Random, *, twice: bool) -> tuple[int, float]:
    """The number of signals, and the seconds from the last one to the exit. The second follows at once."""
    sent = 0
    for number in (rng.choice((signal.SIGINT, signal.SIGTERM)), *([signal.SIGINT] if twice else [])):
        if child.wait(0.005) is not None:
            break
        child.kill(number)
        sent, began = sent + 1, time.monotonic()
    child.wait()
    assert child.code in (INTERRUPTED, 0), child.code  # 0: the training had just finished
    return sent, time.monotonic() - began if sent else 0.0
