"""One training at a time in a run directory. The operating system drops the lock of a process that dies."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import filelock

from jaxquard.errors import RunError
from jaxquard.runs.files import explained


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold a run's lock, or say at once who does."""
    lock, holder = filelock.FileLock(run / "lock"), run / "holder.json"
    try:
        with explained(run / "lock", "lock"):
            lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise RunError(f"{run}: in use by {_holder(holder)}; wait for it or stop it") from error
    try:
        with explained(holder, "write"):
            holder.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}), encoding="utf-8")
        yield
        holder.unlink(missing_ok=True)
    finally:
        lock.release()


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
