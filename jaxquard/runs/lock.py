"""One training at a time in a run directory. The operating system drops the lock of a process that dies."""

import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from jaxquard.errors import JaxquardError, RunError
from jaxquard.files import explained, temporary, write_atomically
from jaxquard.runs import strict_json
from jaxquard.systems import patiently


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold a run's lock, or say at once who does."""
    lock, holder = _acquired(run), run / "holder.json"
    try:
        write_atomically(holder, json.dumps(_myself()).encode())
        yield
    finally:
        with contextlib.suppress(OSError):  # whoever comes next will write it anew
            patiently(holder.unlink)
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


def handles_sigterm(run: Path) -> bool:
    """Whether the holder of a run's lock would outlive SIGTERM, and so could save what it has before it ends."""
    try:
        return strict_json.loads((run / "holder.json").read_bytes())["handles_sigterm"] is True
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _myself() -> dict[str, Any]:
    handled = callable(signal.getsignal(signal.SIGTERM))
    return {"pid": os.getpid(), "host": socket.gethostname(), "handles_sigterm": handled}


def _acquired(run: Path) -> filelock.BaseFileLock:
    lock = filelock.FileLock(run / "lock")
    with explained(run / "lock", "lock"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the system has no flock, filelock makes do with the file, and warns
        try:
            lock.acquire(timeout=0)
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
