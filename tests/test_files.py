"""Atomic writes: the files that a failed write or a killed writer leaves behind."""

import contextlib
import os
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from jaxquard import files
from jaxquard.errors import JaxquardError, UsageError
from jaxquard.files import cache_folder, expanded, sweep, temporary, write_atomically, write_directory


class DiskError(OSError):
    """The error that the tests simulate."""


def full(*_: object) -> None:
    raise DiskError(28, "No space left on device")


def test_a_file_is_replaced_at_once(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.posix
def test_a_file_is_synced_before_it_takes_the_name_and_its_folder_after(tmp_path, monkeypatch):
    done = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("rename"), real_replace(a, b)))
    write_atomically(tmp_path / "file", b"1")
    assert done == ["file", "rename", "folder"]


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_file_that_cannot_be_replaced_stays(tmp_path, monkeypatch, fails):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, fails, full)
    with pytest.raises(JaxquardError, match=r"file: cannot write: No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_tilde_is_the_home_folder_if_there_is_one(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [expanded(path) for path in ("~/x", "~", "./~", "a~")] == [f"{tmp_path}/x", str(tmp_path), "./~", "a~"]
    assert expanded(Path("~/x")) == f"{tmp_path}/x"
    monkeypatch.chdir(tmp_path)
    Path("~mine").mkdir()
    assert expanded("~mine/x") == "~mine/x"
    with pytest.raises(UsageError, match=r"there is no user 'nobody-here'.*\./~nobody-here/x"):
        expanded("~nobody-here/x")
    monkeypatch.setattr(
        os.path, "expanduser", lambda path: os.fspath(path)
    )  # no HOME, and no entry in the list of users
    with pytest.raises(UsageError, match="~/x: this user has no home folder"):
        expanded("~/x")


@pytest.mark.posix
def test_a_user_without_a_home_has_a_cache_of_their_own(monkeypatch, tmp_path):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: Path("~/.cache/jaxquard"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = cache_folder()
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert cache_folder() == folder
    folder.rename(tmp_path / "other")
    folder.symlink_to(tmp_path / "other")
    with pytest.raises(JaxquardError, match="belongs to another user"):
        cache_folder()


def test_a_directory_appears_at_once(tmp_path):
    path = tmp_path / "new" / "run"
    with pytest.raises(
        JaxquardError, match="cannot write: No such file"
    ):  # of a run that was removed nothing comes back
        write_directory(path, {"a": b"1"})
    assert list(tmp_path.iterdir()) == []
    path.parent.mkdir()
    write_directory(path, {"a": b"1", "deep/down/b": b"2"})
    assert (path / "a").read_bytes() == b"1"
    assert (path / "deep" / "down" / "b").read_bytes() == b"2"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("fails", ["fsync", "rename"])
def test_a_directory_that_cannot_be_written_does_not_appear(tmp_path, monkeypatch, fails):
    monkeypatch.setattr(os, fails, full)
    with pytest.raises(JaxquardError, match="No space left"):
        write_directory(tmp_path / "run", {"a": b"1", "b/c": b"2"})
    assert list(tmp_path.iterdir()) == []


def test_a_directory_never_replaces_another(tmp_path):
    write_directory(tmp_path / "run", {"a": b"1"})
    with pytest.raises(JaxquardError, match="cannot write"):
        write_directory(tmp_path / "run", {"a": b"2"})
    assert (tmp_path / "run" / "a").read_bytes() == b"1"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_directory_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch, failing):
    write_directory(tmp_path / "out", {"a": b"1", "b/c": b"1"}, overwrite=True)
    real, calls = os.rename, []

    def rename(*paths: Path) -> None:
        calls.append(paths)
        full() if len(calls) == failing else real(*paths)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(JaxquardError, match="No space left") if failing else contextlib.nullcontext():
        write_directory(tmp_path / "out", {"a": b"2"}, overwrite=True)
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")}
    assert files == ({"a", "b", "b/c"} if failing else {"a"})
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("handler", ["ours", signal.default_int_handler])
@pytest.mark.parametrize("name", ["fsync", "rename", "replace", "unlink"])
def test_a_signal_waits_until_all_is_written(tmp_path, monkeypatch, name, handler):
    long = tmp_path / ("é" * 120)
    real, came = getattr(os, name), []
    usual = signal.signal(
        signal.SIGINT, (lambda *_: came.append(os.listdir(tmp_path))) if handler == "ours" else handler
    )

    def interrupted(*args: Any, **options: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        real(*args, **options)

    monkeypatch.setattr(os, name, interrupted)
    for write in (
        lambda: write_directory(long, {"a": b"1"}, overwrite=True),
        lambda: write_atomically(long / "a", b"2"),
    ):
        with contextlib.nullcontext() if handler == "ours" else contextlib.suppress(KeyboardInterrupt):
            write()
    monkeypatch.undo()
    signal.signal(signal.SIGINT, usual)
    assert (os.listdir(tmp_path), os.listdir(long), (long / "a").read_bytes()) == ([long.name], ["a"], b"2")
    assert all(seen == [long.name] for seen in came)


@pytest.mark.posix
def test_everything_is_synced_before_it_appears(tmp_path, monkeypatch):
    done = []
    real_fsync, real_rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append("fsync"), real_fsync(fd)))
    monkeypatch.setattr(os, "rename", lambda a, b: (done.append("rename"), real_rename(a, b)))
    write_directory(tmp_path / "run", {"a": b"1", "b/c": b"2"})
    assert done == ["fsync"] * 4 + ["rename", "fsync"]  # two files and their two folders; then the folder around them


def test_sweep_removes_only_temporary_files(tmp_path):
    for name in ("kept", ".tmp-others", ".tmp-1-others"):
        (tmp_path / name).write_bytes(b"")
    temporary(tmp_path / "file").write_bytes(b"half")
    (temporary(tmp_path / "folder") / "deep").mkdir(parents=True)
    sweep(tmp_path, older_than=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tmp-1-others", ".tmp-others", "kept"]


def test_sweep_keeps_new_temporary_files(tmp_path):
    young, old = temporary(tmp_path / "young"), temporary(tmp_path / "old")
    for path in (young, old):
        path.mkdir()
    os.utime(old, (0, time.time() - 4000))
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [young]


def test_temporary_names_are_recognised_and_unique(tmp_path):
    names = {temporary(tmp_path / "x").name for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith(files.TEMPORARY) for name in names)
