"""The launcher, with real processes."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from jaxquard import Config, launch, train
from jaxquard.distributed.launching import Ended, _Launch, environment
from jaxquard.errors import UsageError
from jaxquard.runs.directory import Run
from jaxquard.runs.interrupts import INTERRUPTED
from jaxquard.runs.lock import ask_to_stop

EPOCHS = 150
SETTINGS = ["--hidden", "5", "--batch-size", "40", "--epochs", str(EPOCHS), "--learning-rate", "0.1", "--shards", "8"]


@pytest.fixture(autouse=True)
def _patient_and_quick(tmp_path, monkeypatch, tmp_path_factory):
    """In an own folder; compile a program once for all tests; wait long, because tests run on busy machines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "programs"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    monkeypatch.setenv("JAXQUARD_JOIN_SECONDS", "120")


@pytest.fixture
def children(monkeypatch):
    """The processes that the launcher has started."""
    started: list[subprocess.Popen] = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    changed = SimpleNamespace(**vars(subprocess) | {"Popen": Recorded})
    monkeypatch.setattr("jaxquard.distributed.launching.subprocess", changed)
    yield started
    for child in started:
        assert child.returncode is not None
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(child.pid, 0)
                raise AssertionError("a process is left")


def start(npz, **options):
    """The launcher of two ranks in a thread, and a wait for its exception, None if it succeeded."""
    pool = ThreadPoolExecutor(1)
    command = ["train", "--dataset", str(npz), *SETTINGS, "--name", "x"]
    future = pool.submit(launch, command, processes=2, devices_per_process=2, **options)
    pool.shutdown(wait=False)
    return lambda: future.exception(timeout=300)


def until(done):
    """Wait for something."""
    for _ in range(6000):
        if found := done():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def epochs(path) -> int:
    with contextlib.suppress(OSError):
        return (path / "runs" / "x" / "journal.jsonl").read_bytes().count(b'"train_loss"')
    return 0


@pytest.fixture(scope="module")
def whole(npz, tmp_path_factory):
    """The same run by one process on one device."""
    config = Config(dataset=str(npz), hidden=(5,), batch_size=40, epochs=EPOCHS, learning_rate=0.1, shards=8)
    return train(config, runs=tmp_path_factory.mktemp("whole"), name="x").run


@pytest.mark.check
@pytest.mark.posix
@pytest.mark.parametrize(
    ("rank", "number", "what"),
    [
        (0, getattr(signal, "SIGKILL", None), r"killed by signal 9 at step \d+"),
        (1, getattr(signal, "SIGSTOP", None), r"silent for \d+ s at step \d+"),
        (1, signal.SIGTERM, None),
    ],
    ids=["KILL", "STOP", "TERM"],
)
def test_a_rank_that_is_hit_is_named_and_the_run_resumes_to_the_same_bits(
    npz, tmp_path, children, whole, assert_same_run, rank, number, what
):
    ended = start(npz)
    until(lambda: epochs(tmp_path) > 1)
    children[rank].send_signal(number)
    error = ended()
    assert isinstance(error, Ended)
    if what:
        assert error.exit_code == 1
        assert re.match(rf"rank {rank} on \S+: {what}; resume with: jaxquard launch ", str(error))
    else:
        assert error.exit_code == INTERRUPTED
    assert 1 < epochs(tmp_path) < EPOCHS
    train(resume="x")
    assert_same_run(Run(tmp_path / "runs" / "x"), whole)


@pytest.mark.check
@pytest.mark.posix
@pytest.mark.parametrize(
    ("rank", "number", "after"),
    [(1, getattr(signal, "SIGKILL", None), 0.3), *((0, signal.SIGTERM, after) for after in (0.3, 0.9, 2.0))],
)
def test_a_rank_that_is_hit_at_its_start_is_named(npz, children, capfd, rank, number, after):
    ended = start(npz)
    until(lambda: len(children) == 2)
    time.sleep(after)
    children[rank].send_signal(number)
    error = ended()
    if number == signal.SIGTERM:
        assert error.exit_code == INTERRUPTED
        assert "interrupted" in str(error) + capfd.readouterr().err
    else:
        assert re.match(rf"rank {rank} on \S+: killed by signal 9 ", str(error))


@pytest.mark.check
@pytest.mark.posix
def test_with_restarts_the_run_resumes_by_itself(npz, tmp_path, children, whole, assert_same_run, capfd):
    ended = start(npz, restarts=1)
    until(lambda: epochs(tmp_path) > 1)
    children[1].kill()
    assert ended() is None
    assert re.search(r"jaxquard: rank 1 on \S+: killed by signal 9 at step \d+; starting again", capfd.readouterr().err)
    assert_same_run(Run(tmp_path / "runs" / "x"), whole)


@pytest.mark.check
def test_a_request_to_stop_in_the_run_directory_stops_all_ranks(npz, tmp_path, children, capfd):
    ended = start(npz)
    until(lambda: epochs(tmp_path) > 1)
    ask_to_stop(tmp_path / "runs" / "x")
    assert ended().exit_code == INTERRUPTED
    assert re.search(r"^jaxquard: interrupted at step \d+; resume with: ", capfd.readouterr().err, re.MULTILINE)


@pytest.mark.check
@pytest.mark.posix
@pytest.mark.parametrize("number", [signal.SIGTERM, getattr(signal, "SIGKILL", None)], ids=["TERM", "KILL"])
def test_no_process_outlives_a_launcher_that_is_hit(npz, tmp_path, number):
    command = [sys.executable, "-m", "jaxquard", "launch", "--processes", "2", "--devices-per-process", "2", "--"]
    command += ["train", "--dataset", str(npz), *SETTINGS, "--name", "x"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as launcher:
        until(lambda: epochs(tmp_path) > 1)
        launcher.send_signal(number)
        err = launcher.communicate(timeout=120)[1]  # ends when the last process that writes to it does
    assert launcher.returncode == (INTERRUPTED if number == signal.SIGTERM else -number)
    assert ("interrupted at step" in err) == (number == signal.SIGTERM)


@pytest.mark.parametrize(
    ("more", "code", "words"), [(["--nothing"], 2, "unknown option"), (["--dataset", "nothing.npz"], 3, "nothing.npz")]
)
def test_errors_of_all_ranks_are_said_once_with_their_exit_code(children, capfd, more, code, words):
    with pytest.raises(Ended) as error:
        launch(["train", *more], processes=2)
    assert error.value.exit_code == code
    assert (str(error.value) + capfd.readouterr().err).count(words) == 1


def test_the_launcher_waits_for_what_rank_0_says_of_an_error():
    launch = _Launch([], 2, None, "")
    launch.hub = SimpleNamespace(ranks={})
    assert launch._early([None, 2]) is None
    assert launch._early([2, 2]) == (2, "", None)
    launch.hub.ranks[0] = "connected"
    assert launch._early([None, 3])[::2] == (3, 1)


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        ([], {"processes": 2}, "needs a train command"),
        (["evaluate", "x"], {"processes": 2}, "needs a train command"),
        (["train"], {"processes": 0}, "processes: must be at least 1"),
        (["train"], {"processes": 2, "devices_per_process": 0}, "devices_per_process: must be at least 1"),
        (["train"], {"processes": 2, "restarts": -1}, "restarts: must be at least 0"),
    ],
)
def test_wrong_arguments_are_refused(command, options, words):
    with pytest.raises(UsageError, match=words):
        launch(command, **options)


def test_processes_get_the_variables_they_need_and_no_secrets():
    passed = {"PATH": "/bin", "JAX_PLATFORMS": "cpu", "HTTPS_PROXY": "http://proxy:1", "JAXQUARD_RUNS": "r"}
    kept = {"AWS_SECRET_ACCESS_KEY": "x", "GITHUB_TOKEN": "x", "JAX_API_KEY": "x", "https_proxy": "http://me:pw@proxy"}
    assert environment(passed | kept | {"EDITOR": "vi"}) == passed
