"""SIGINT or SIGTERM at a random moment of a training, every fourth time followed by a second signal; then the run is
resumed, and compared with one that was never stopped.
"""

import os
import random
import signal
import time

from common import HOME, Child, Row, kept, made_up_data

from jaxquard import cli
from jaxquard.runs.directory import Run

SETTINGS = ("--hidden", "7", "--batch-size", "20", "--epochs", "150", "--optimizer", "adam", "--learning-rate", "0.001")


def train(name: str) -> None:
    """Start or resume, as a person would."""
    root = HOME / "signals"
    new = ["--dataset", str(made_up_data()), *SETTINGS, "--name", name]
    words = ["--resume", name] if (root / name).exists() else new
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    cli.main(["train", *words, "--runs", str(root), "--quiet"])


def everything(name: str) -> dict:
    """All that a run wrote down, but for which checkpoints are left: an interrupted run has made one more."""
    return {key: value for key, value in kept(Run(HOME / "signals" / name)).items() if key != "files"}


def measure(short: bool = False) -> list[Row]:
    """60 signals (short: 4), every fourth followed by a second one."""
    signals, rng = 4 if short else 60, random.Random(13)
    seconds = []
    for name in ("compiling", "truth"):
        began = time.monotonic()
        assert Child.doing(lambda name=name: train(name)).wait() == 0
        seconds.append(time.monotonic() - began)
    truth = everything("truth")
    right, took = 0, {"first": [0.0], "second": [0.0]}
    for k in range(signals):
        child = Child.doing(lambda k=k: train(f"victim-{k}"))
        child.wait(rng.uniform(0.4, 1.0) * seconds[-1])
        child.kill(rng.choice((signal.SIGINT, signal.SIGTERM)))
        began, which = time.monotonic(), "second" if k % 4 == 3 else "first"
        if which == "second":
            child.wait(0.05)
            child.kill(signal.SIGINT)
            began = time.monotonic()
        stopped = child.wait() in (130, 0)  # 0: it had just finished
        took[which].append(time.monotonic() - began)
        assert Child.doing(lambda k=k: train(f"victim-{k}")).wait() == 0
        right += stopped and everything(f"victim-{k}") == truth
    first, second = max(took["first"]), max(took["second"])
    figure = f"{right} of {signals} exact; the slowest exit after {first:.2f} s, after a second signal {second:.2f} s"
    promise = "SIGINT and SIGTERM save a checkpoint and exit 130 within 2 s, a second signal at once; resume is exact"
    holds = right == signals and (short or (first <= 2 and second <= 0.5))  # short forms judge no times
    return [Row(promise, figure, "all, 2 s, 0.5 s", holds)]
