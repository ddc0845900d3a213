"""Signals during training and before it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.posix

COMMAND = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from jaxquard.cli import main
main()
"""


@contextlib.contextmanager
def start(*arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command in its own process, which does not ignore SIGHUP even if the tests run under nohup."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "0"} | environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # no effect if it has ended


LONG = ["--hidden", "5", "--batch-size", "2", "--epochs", "1000000", "--learning-rate", "0.001", "--name", "x"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)])
def test_a_signal_saves_a_checkpoint_and_stops(npz, tmp_path, number):
    with start("train", "--dataset", npz, *LONG) as process:
        assert process.stderr is not None
        wait_for(process, "epoch  ")
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"^jaxquard: interrupted at step \d+; resume with: jaxquard train --resume x$", err, re.MULTILINE)
    step = int(re.findall(r"at step (\d+)", err)[0])
    assert (tmp_path / "runs" / "x" / "checkpoints" / f"step-{step:09d}").is_dir()


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read stderr up to a line with `text`."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"the process ended without {text!r}")


@pytest.mark.parametrize("delay", [0.4, 0.8, 1.2])  # while modules are imported or programs compiled
def test_a_signal_before_the_training_ends_everything_in_one_line(npz, delay):
    with start("train", "--dataset", npz, *LONG) as process:
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGTERM)  # the latter before the command line is loaded
    assert len(re.findall("^jaxquard: ", err, re.MULTILINE)) == (process.returncode == 130)
    assert "Traceback" not in err
