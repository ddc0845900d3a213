"""A cache on disk of what takes long to compute: a teacher's logits, the images made from pictures.

A file's name is a hash of everything that determines its contents, so a file is never out of date. It begins with the
SHA-256 of the rest; a damaged file is ignored. If the cache cannot be written, the values are computed each time.
"""

import contextlib
import hashlib
import os
from pathlib import Path

from jaxquard.errors import JaxquardError
from jaxquard.files import sweep, write_atomically
from jaxquard.systems import patiently

DIGEST = hashlib.sha256().digest_size


def read(file: Path) -> memoryview | None:
    """The contents of a file of the cache, or None if there is none, or a damaged one."""
    try:
        data = memoryview(file.read_bytes())
    except OSError:
        return None
    if hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
        return None
    with contextlib.suppress(OSError):
        os.utime(file)  # the most recently used file is removed last
    return data[DIGEST:]


def keep(file: Path, data: memoryview, limit: int) -> None:
    """Write a file of the cache, and remove the oldest files of its folder until all have at most `limit` bytes."""
    with contextlib.suppress(OSError, JaxquardError):
        file.parent.mkdir(parents=True, exist_ok=True)
        sweep(file.parent)
        write_atomically(file, hashlib.sha256(data).digest(), data)
        _remove_oldest(file, limit)


def _remove_oldest(newest: Path, limit: int) -> None:
    files = sorted((file.stat().st_mtime_ns, file) for file in newest.parent.iterdir() if file != newest)
    total = sum(file.stat().st_size for file in newest.parent.iterdir())
    for _, file in files:
        if total <= limit:
            return
        total -= file.stat().st_size
        patiently(file.unlink)
