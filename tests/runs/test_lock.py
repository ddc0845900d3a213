"""One training at a time; an error names the first; a dead process holds no lock."""

import contextlib
import errno
import os
import subprocess
import sys
from typing import Any

import pytest

from jaxquard.errors import JaxquardError, RunError
from jaxquard.runs.lock import ask_to_stop, check_locks, is_asked_to_stop, locked, refuse_if_in_use

HOLD = "import sys; from pathlib import Path; from jaxquard.runs.lock import locked\n"
HOLD += "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"


def test_a_lock_is_held_by_one_and_then_free(tmp_path):
    with locked(tmp_path):
        with pytest.raises(RunError, match=f"in use by process {os.getpid()} on "), locked(tmp_path):
            pass
        with pytest.raises(RunError, match="in use"):
            refuse_if_in_use(tmp_path)
    refuse_if_in_use(tmp_path)
    with locked(tmp_path):
        pass
    assert not (tmp_path / "holder.json").exists()


@pytest.mark.posix
def test_a_holder_that_is_a_link_is_replaced_not_followed(tmp_path):
    other = tmp_path / "other"
    other.write_text("precious")
    (tmp_path / "holder.json").symlink_to(other)
    with locked(tmp_path):
        assert not (tmp_path / "holder.json").is_symlink()
    assert other.read_text() == "precious"


def test_an_error_inside_frees_the_lock(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    refuse_if_in_use(tmp_path)
    assert not (tmp_path / "holder.json").exists()


def test_another_process_is_named_and_its_lock_is_free_once_it_is_killed(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=f"in use by process {holder.pid} on "), locked(tmp_path):
            pass
        holder.kill()
    with locked(tmp_path):
        pass


def test_the_stop_file_is_removed_by_the_training(tmp_path):
    with locked(tmp_path):
        assert not is_asked_to_stop(tmp_path)
        ask_to_stop(tmp_path)
        assert is_asked_to_stop(tmp_path)
    assert not is_asked_to_stop(tmp_path)
    ask_to_stop(tmp_path)  # of a training that died
    with locked(tmp_path):
        assert not is_asked_to_stop(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "host": ""}'])
def test_a_damaged_holder_is_another_process(tmp_path, text):
    with locked(tmp_path):
        (tmp_path / "holder.json").write_text(text)
        with pytest.raises(
            RunError, match=r"in use by another process; wait .* or remove .*/lock if no process trains"
        ):
            refuse_if_in_use(tmp_path)


def test_without_a_folder_to_lock_the_error_names_the_path(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JaxquardError, match="file"), locked(tmp_path / "file"):
        pass


@pytest.mark.posix
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_without_locks_an_error_says_so_and_nothing_is_left(tmp_path, monkeypatch, number):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(JaxquardError, match=rf"/runs: cannot lock: {os.strerror(number)}\n.*--runs"):
        check_locks(tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_disk_that_fills_while_locks_are_checked_leaves_nothing(tmp_path, monkeypatch):
    make = os.mkdir

    def fill(*arguments: Any) -> None:
        make(*arguments)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.mkdir", fill)
    with pytest.raises(JaxquardError, match="cannot write: No space"):
        check_locks(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.posix
def test_without_flock_there_is_no_warning(tmp_path, monkeypatch):
    """Warnings are errors in tests."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", refuse)
    with contextlib.suppress(JaxquardError), locked(tmp_path):  # an older filelock raises
        pass


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOLCK, errno.ENOTSUP])
def test_a_run_that_cannot_be_locked_is_not_in_use(tmp_path, monkeypatch, number):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    refuse_if_in_use(tmp_path)
    with pytest.raises(JaxquardError, match="cannot lock"), locked(tmp_path):
        pass
