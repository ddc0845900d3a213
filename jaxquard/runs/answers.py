"""A teacher's answers on disk, so that the next student of the same teacher, or a run resumed, need not wait for them.

A file's name is a hash of all that the answers follow from, so it is never out of date. A file begins with the SHA-256
of the rest: one that is damaged is as good as none. Where nothing can be written the teacher is asked each time.
"""

import contextlib
import hashlib
import math
import os
from pathlib import Path

import numpy as np
import platformdirs

from jaxquard.errors import JaxquardError
from jaxquard.files import sweep, write_atomically
from jaxquard.systems import patiently

KEPT = 256 << 20  # bytes of all files together; those of 60,000 images of ten classes are 2.4 million
DIGEST = hashlib.sha256().digest_size


def folder() -> Path:
    """Where answers are kept: beside the data sets in the platform's cache."""
    return platformdirs.user_cache_path("jaxquard", appauthor=False) / "answers"


def read(key: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """The answers of this key, float32, or None where there are none of this shape."""
    try:
        path = folder() / key
        data = path.read_bytes()
    except (OSError, RuntimeError):
        return None
    if len(data) != DIGEST + 4 * math.prod(shape) or hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used last, removed last
    return np.frombuffer(data, "<f4", offset=DIGEST).reshape(shape)


def keep(key: str, answers: np.ndarray) -> None:
    """Write answers for next time, and remove the oldest where there are too many."""
    data = np.ascontiguousarray(answers, "<f4").tobytes()
    with contextlib.suppress(OSError, RuntimeError, JaxquardError):
        place = folder()
        place.mkdir(parents=True, exist_ok=True)
        sweep(place)
        write_atomically(place / key, hashlib.sha256(data).digest() + data)
        _remove_oldest(place, newest=key)


def _remove_oldest(place: Path, newest: str) -> None:
    files = sorted((file.stat().st_mtime_ns, file) for file in place.iterdir() if file.name != newest)
    total = sum(file.stat().st_size for file in place.iterdir())
    for _, file in files:
        if total <= KEPT:
            return
        total -= file.stat().st_size
        patiently(file.unlink)
