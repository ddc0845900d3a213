"""A cache on disk of a teacher's logits for its students' training images.

A file's name is a hash of everything that determines the logits, so a file is never out of date. It begins with the
SHA-256 of the rest; a damaged file is ignored. If the cache cannot be written, the logits are computed each time.
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

KEPT = 256 << 20  # bytes of all files together; 60,000 images of ten classes need 2.4 million
DIGEST = hashlib.sha256().digest_size


def folder() -> Path:
    """The folder of the cache, beside the data sets."""
    return platformdirs.user_cache_path("jaxquard", appauthor=False) / "answers"


def read(key: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """The logits of this key, float32, or None if there are none of this shape."""
    try:
        path = folder() / key
        data = path.read_bytes()
    except (OSError, RuntimeError):
        return None
    if len(data) != DIGEST + 4 * math.prod(shape) or hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the most recently used file is removed last
    return np.frombuffer(data, "<f4", offset=DIGEST).reshape(shape)


def keep(key: str, answers: np.ndarray) -> None:
    """Write logits, and remove the oldest files above the limit."""
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
