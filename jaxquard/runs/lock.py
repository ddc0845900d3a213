"""The lock of a run directory, which a dead process no longer holds, and the file that asks its training to stop."""

import contextlib
import errno
import json
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

import filelock

from jaxquard import strict_json
from jaxquard.errors import JaxquardError, RunError
from jaxquard.files import explained, remove, temporary, write_atomically
from jaxquard.systems import patiently

LOOK = 0.5  # seconds for which another process may hold the lock just to check it


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold a run's lock. RunError that names the holder if another process has it.

    `holder.json` exists while the lock is held, or was left by a process that died.
    """
    lock, holder, request = _acquired(run, LOOK), run / "holder.json", stop_file(run)
    try:
        patiently(request.unlink, True)  # a request to a process that died
        write_atomically(holder, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        yield
    finally:
        with contextlib.suppress(OSError):  # the next training replaces these files
            patiently(holder.unlink)
            patiently(request.unlink, True)
        lock.release()


def refuse_if_in_use(run: Path) -> None:
    """RunError that names the holder of a run's lock; no error if files cannot be locked here.

    For an early error; `locked` decides.
    """
    try:
        _acquired(run).release()
    except RunError:
        raise
    except JaxquardError:
        pass


def is_training(run: Path) -> bool:
    """Whether a process on any machine is training the run."""
    if not os.path.exists(run / "holder.json"):
        return False
    try:
        refuse_if_in_use(run)
    except RunError:
        return True
    return False


def stop_file(run: Path) -> Path:
    """The file whose existence asks a run's training to save a checkpoint and stop."""
    return run / "stop"


def ask_to_stop(run: Path) -> None:
    """Ask a run's training to save a checkpoint and stop; it takes at most two seconds."""
    with explained(run, "write"):
        stop_file(run).touch()


def is_asked_to_stop(run: Path) -> bool:
    """Whether `ask_to_stop` was called."""
    return os.path.exists(stop_file(run))


def check_locks(root: Path) -> None:
    """JaxquardError unless files can be locked here; checked before a run is made."""
    scratch = temporary(root / "lock")
    try:
        with explained(root, "write"):
            scratch.mkdir(parents=True)
        try:
            _acquired(scratch).release()
        except JaxquardError as error:
            said = str(error).replace(str(scratch / "lock"), str(root))
            advice = "(a run needs locks; choose a folder on another disk with --runs)"
            raise JaxquardError(f"{said}\n{advice}") from error
    finally:
        with contextlib.suppress(OSError):
            remove(scratch)


def _acquired(run: Path, patience: float = 0.0) -> filelock.BaseFileLock:
    lock = filelock.FileLock(run / "lock")
    with explained(run / "lock", "lock"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without flock, filelock falls back to the file and warns
        try:
            lock.acquire(timeout=patience, poll_interval=0.01)
        except NotImplementedError as error:  # or, in older versions, raises this
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
        except filelock.Timeout as error:
            raise RunError(f"{run}: in use by {_holder(run)}") from error
    return lock


def _holder(run: Path) -> str:
    """The holder of a run's lock, and what to do. On a system without locks the file `lock` may be a leftover."""
    try:
        holder = strict_json.loads((run / "holder.json").read_bytes())
        return f"process {int(holder['pid'])} on {str(holder['host'])[:100]!r}; wait for it or stop it"
    except (OSError, ValueError, KeyError, TypeError):
        return f"another process; wait for it or stop it, or remove {run / 'lock'} if no process trains the run"
