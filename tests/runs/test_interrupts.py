"""A training that is asked to stop stops by itself or is ended; a second signal ends it at once."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from jaxquard.systems import NEW_GROUP, WINDOWS

STOPS = [signal.CTRL_BREAK_EVENT] if WINDOWS else [signal.SIGTERM, signal.SIGINT]  # pyright: ignore[reportAttributeAccessIssue]
BEGIN = """
import time
from jaxquard.runs.interrupts import interruptible

with interruptible() as interrupts:
    interrupts.training = True
    print("ready", flush=True)
"""
CHECKING = BEGIN + "    while not interrupts.asked: time.sleep(0.01)\nprint('saved')"
IGNORING = BEGIN + "    end = time.monotonic() + 300\n    while time.monotonic() < end: time.sleep(300)"
SLOW = "import jaxquard.runs.interrupts as module; module.PATIENCE = 299" + IGNORING
NOT_YET = BEGIN.replace("= True", "= False") + "    time.sleep(300)"


@contextlib.contextmanager
def start(script: str, *arguments: str, stderr: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", script, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=stderr, encoding="utf-8", creationflags=NEW_GROUP
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()  # no effect if it has ended


@pytest.mark.parametrize("number", STOPS)
def test_a_training_that_checks_stops_by_itself(number):
    with start(CHECKING) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "saved\n", "")


def test_a_stop_file_asks_as_a_signal_does(tmp_path):
    script = f"import pathlib, time\nfile = pathlib.Path({str(tmp_path / 'stop')!r})\n"
    script += CHECKING.replace("    print", "    interrupts.stop_file = file\n    print")
    with start(script) as process:
        (tmp_path / "stop").touch()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "saved\n", "")


def test_a_training_that_does_not_check_is_ended():
    with start(IGNORING) as process:
        process.send_signal(STOPS[0])
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "jaxquard: stopped at once, without saving another checkpoint\n"


@pytest.mark.posix  # on Windows, a full pipe blocks
def test_it_is_ended_though_stderr_is_full():
    full = IGNORING.replace("    end", "    import os; os.write(2, b' ' * 65536)\n    end")
    reader, writer = os.pipe()
    with start(full, stderr=writer) as process:
        os.close(writer)
        time.sleep(0.2)
        process.send_signal(STOPS[0])
        assert process.wait(timeout=60) == 130
    os.close(reader)


def test_it_is_ended_though_the_reader_of_stderr_ended():
    reader, writer = os.pipe()
    with start(IGNORING, stderr=writer) as process:
        os.close(writer)
        os.close(reader)
        process.send_signal(STOPS[0])
        assert process.wait(timeout=60) == 130


@pytest.mark.posix
def test_under_nohup_a_hangup_stays_ignored():
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    code += "from jaxquard.runs.interrupts import SIGNALS; print(signal.SIGHUP in SIGNALS)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_second_signal_ends_at_once():
    with start(SLOW) as process:
        process.send_signal(STOPS[0])
        time.sleep(0.2)
        process.send_signal(STOPS[0])
        process.communicate(timeout=60)
    assert process.returncode == 130


def test_before_the_training_a_signal_ends_the_process_at_once():
    with start(NOT_YET) as process:
        process.send_signal(STOPS[0])
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "jaxquard: interrupted\n")


def test_signal_handlers_are_restored():
    from jaxquard.runs.interrupts import SIGNALS, interruptible

    before = [signal.getsignal(number) for number in SIGNALS]
    with interruptible() as interrupts:
        assert not interrupts.asked
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert signal.set_wakeup_fd(-1) == -1


SCRIPT = """
import pathlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run with SIGINT ignored
import jaxquard
from jaxquard.runs.train import Observer

config = jaxquard.Config(dataset=sys.argv[1], hidden=(5,), batch_size=2, epochs=10**6, learning_rate=0.001)
observer = Observer(event=lambda event: event.kind == "epoch" and signal.raise_signal(signal.SIGINT))
try:
    jaxquard.train(config, runs=sys.argv[2], name="x", observer=observer)
except KeyboardInterrupt as interrupt:
    print(interrupt)
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_ctrl_c_in_a_python_program_saves_a_checkpoint(npz, tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(npz), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=True)
    said, restored = done.stdout.splitlines()
    found = re.fullmatch(r"interrupted at step (\d+); resume with: jaxquard train .*--resume x.*", said)
    assert found
    step = int(found[1])
    assert restored == "True"
    assert (tmp_path / "x" / "checkpoints" / f"step-{step:09d}").is_dir()


def test_a_second_ctrl_c_and_one_before_the_training_end_at_once():
    from jaxquard.runs.interrupts import saving_first

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), saving_first():
            signal.raise_signal(signal.SIGINT)
        with saving_first() as interrupts:
            interrupts.training = True
            signal.raise_signal(signal.SIGINT)
            assert interrupts.asked
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with saving_first() as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert not interrupts.asked
    finally:
        signal.signal(signal.SIGINT, before)
