"""Shared by the stress scripts: a small training, everything that it writes, and child processes that can be killed.

Children are forked from a process that has imported JAX but not used it, and share compiled programs: a child takes
half a second, a new process five.
"""

import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

HOME = Path(tempfile.mkdtemp(prefix="jaxquard-stress-"))
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(HOME / "programs")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402

from jaxquard import cli  # noqa: E402
from jaxquard.config import Config  # noqa: E402
from jaxquard.data import load  # noqa: E402
from jaxquard.runs import checkpoint, train  # noqa: E402
from jaxquard.runs.directory import Run  # noqa: E402

HOLDER = "holder.json"  # a killed process may leave it; without the lock it has no meaning
EVERY = 2  # steps between checkpoints
CONFIG = Config(
    hidden=(7,),
    batch_size=20,
    epochs=5,
    seeds=2,
    optimizer="adam",
    learning_rate=0.3,  # so large that one network's best epoch is the first, the other's the third
    patience=3,
    batch_norm=True,
    dropout=0.2,
    ema=0.9,
    schedule="cosine",
    validation=20,
)


class Row(NamedTuple):
    """One line of docs/RELIABILITY.md."""

    promise: str
    figure: str
    goal: str
    holds: bool


def made_up_data(path: Path = HOME / "stripes.npz") -> Path:
    """140 training and 40 test images of 6×6 pixels in a file: three classes, easily learned."""
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    labels = np.arange(180) % 3
    images = rng.integers(0, 60, (180, 6, 6)).astype(np.uint8)
    for k in range(3):
        images[labels == k, :, 2 * k : 2 * k + 2] += 120
    np.savez(path, x_train=images[:140], y_train=labels[:140], x_test=images[140:], y_test=labels[140:])
    return path


def clear() -> None:
    """Remove everything the stress tests wrote."""
    shutil.rmtree(HOME, ignore_errors=True)


def train_or_resume(root: Path, name: str = "run") -> None:
    """Resume the run if it exists, else start it."""
    run, dataset = Run(root / name), load(made_up_data())
    if run.path.exists():
        train.resume(run, dataset, checkpoint_every=EVERY)
    else:
        train.train(CONFIG, dataset, runs=root, name=name, checkpoint_every=EVERY)


@dataclass
class Child:
    """A forked process for one action. Exit code 0: done; 1: an exception; negative: the signal that ended it."""

    pid: int
    code: int | None = None

    @classmethod
    def doing(cls, action: Callable[[], Any]) -> "Child":
        """Start a child with this action."""
        pid = os.fork()
        if pid:
            return cls(pid)
        code = 1
        try:
            action()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def kill(self, number: int) -> None:
        """Send a signal, unless the child has ended."""
        if self.code is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float = 300.0) -> int | None:
        """The exit code, or None if the child has not ended within so many seconds."""
        end = time.monotonic() + seconds
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                break
            else:
                time.sleep(0.002)
        return self.code


def in_child(action: Callable[[], Any], seconds: float = 3600.0) -> Any:
    """The result of an action in a child, passed as JSON."""
    noted = HOME / "noted.json"
    if Child.doing(lambda: noted.write_text(json.dumps(action()), encoding="utf-8")).wait(seconds) != 0:
        raise RuntimeError("a child failed: see above")
    return json.loads(noted.read_text(encoding="utf-8"))


def command(*arguments: object, first: Callable[[], Any] = lambda: None) -> tuple[int | None, str]:
    """`jaxquard ARGUMENTS` in a child, after `first`: its exit code and stderr."""
    ours, childs = os.pipe()

    def run() -> None:
        os.dup2(childs, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        first()
        cli.main([str(argument) for argument in arguments])

    code = Child.doing(run).wait()
    os.close(childs)
    with open(ours, encoding="utf-8", errors="replace") as pipe:
        return code, pipe.read()


def is_clear(said: str) -> bool:
    """Whether an error is one or two lines, without a traceback."""
    return said.startswith("jaxquard: ") and said.count("\n") <= 2 and "Traceback" not in said


def kept(run: Run) -> dict[str, Any]:
    """Everything that a run wrote, except times, as plain values."""
    lines = [line for line in run.journal() if line.get("event") != "resumed"]
    arrays, faults = checkpoint.newest(run.checkpoints)
    return {
        "state": {name: (str(array.dtype), array.shape, array.tobytes()) for name, array in arrays.items()},
        "faults": faults,
        "snapshots": {file.name: file.read_bytes() for file in run.snapshots.iterdir()},
        "journal": [{key: value for key, value in line.items() if key not in ("time", "seconds")} for line in lines],
        "test": {(line["step"], str(line["accuracy"]), str(line["loss"])) for line in run.evaluations()},
        "config": (run.path / "config.toml").read_bytes(),
        "files": sorted({path.name for path in run.path.rglob("*")} - {HOLDER}),
    }


def never_stopped(root: Path) -> tuple[dict[str, Any], float]:
    """Everything an uninterrupted run writes, and its seconds with compiled programs."""
    for name in ("compiling", "run"):
        began = time.monotonic()
        if Child.doing(lambda name=name: train_or_resume(root, name)).wait() != 0:
            raise RuntimeError("the uninterrupted training failed")
    return kept(Run(root / "run")), time.monotonic() - began
