"""One training at a time in a run directory, and how to ask it to stop. The lock of a process that dies is free."""

import contextlib
import errno
import json
import os
import shutil
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

import filelock

from jaxquard import strict_json
from jaxquard.errors import JaxquardError, RunError
from jaxquard.files import explained, temporary, write_atomically
from jaxquard.systems import patiently

LOOK = 0.5  # seconds for which a lock may be taken because somebody looks whether it is


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold a run's lock. RunError naming the holder if another process has it.

    `holder.json` exists while the lock is held; one without a lock is from a process that died.
    """
    lock, holder, request = _acquired(run, LOOK), run / "holder.json", stop_file(run)
    try:
        patiently(request.unlink, True)  # it was for a process that died
        write_atomically(holder, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        yield
    finally:
        with contextlib.suppress(OSError):  # the next training replaces them
            patiently(holder.unlink)
            patiently(request.unlink, True)
        lock.release()


def refuse_if_in_use(run: Path) -> None:
    """RunError naming the holder of a run's lock; nothing if there is none, or if no lock can be had here.

    For a quick answer: `locked` decides.
    """
    try:
        _acquired(run).release()
    except RunError:
        raise
    except JaxquardError:
        pass


def is_training(run: Path) -> bool:
    """Whether a process of any machine trains the run at this moment."""
    if not os.path.exists(run / "holder.json"):
        return False
    try:
        refuse_if_in_use(run)
    except RunError:
        return True
    return False


def stop_file(run: Path) -> Path:
    """The file whose existence asks the training of a run to save a checkpoint and stop, on every system."""
    return run / "stop"


def ask_to_stop(run: Path) -> None:
    """Have the training of a run save a checkpoint and stop, which takes two seconds at most."""
    with explained(run, "write"):
        stop_file(run).touch()


def is_asked_to_stop(run: Path) -> bool:
    """Whether somebody called `ask_to_stop`."""
    return os.path.exists(stop_file(run))


def check_locks(root: Path) -> None:
    """JaxquardError unless files can be locked here: better before there is a run than after."""
    scratch = temporary(root / "lock")
    with explained(root, "write"):
        scratch.mkdir(parents=True)
    try:
        _acquired(scratch).release()
    except JaxquardError as error:
        said = str(error).replace(str(scratch / "lock"), str(root))
        raise JaxquardError(f"{said}\n(a run needs locks; choose a folder on another disk with --runs)") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _acquired(run: Path, patience: float = 0.0) -> filelock.BaseFileLock:
    lock = filelock.FileLock(run / "lock")
    with explained(run / "lock", "lock"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the system has no flock, filelock makes do with the file, and warns
        try:
            lock.acquire(timeout=patience, poll_interval=0.01)
        except NotImplementedError as error:  # or, in older versions, does not
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
        except filelock.Timeout as error:
            raise RunError(f"{run}: in use by {_holder(run)}") from error
    return lock


def _holder(run: Path) -> str:
    """Who holds a run's lock, and what to do. Where the system has no locks, the file `lock` may be one left behind."""
    try:
        holder = strict_json.loads((run / "holder.json").read_bytes())
        return f"process {int(holder['pid'])} on {str(holder['host'])[:100]!r}; wait for it or stop it"
    except (OSError, ValueError, KeyError, TypeError):
        return f"another process; wait for it or stop it, or remove {run / 'lock'} if no process trains the run"
