"""Points in the writing of files at which a child can be killed, or find a full disk.

The child replaces the functions that the package calls; the package is unchanged.
"""

import builtins
import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

from jaxquard import files
from jaxquard.runs import journal

CALLS = ("fsync", "replace", "rename", "mkdir", "unlink", "rmdir")
ANY = ""


class Points:
    """Counts the points passed by kind, such as "before fsync"; at the `at`th of a kind (or any) it calls `action`."""

    def __init__(self, at: int, action: Callable[[], None], kind: str = ANY) -> None:
        self.at, self.action, self.kind, self.passed = at, action, kind, Counter()

    def __call__(self, kind: str) -> None:
        """Pass a point."""
        self.passed.update((kind, ANY))
        if self.kind in (kind, ANY) and self.passed[self.kind] == self.at:
            self.action()


def die() -> None:
    """End the process as the out-of-memory killer does."""
    os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """A file that passes a point before, in the middle of, and after every write and truncation."""

    def __init__(self, file: Any, points: Points) -> None:
        self.file, self.points = file, points

    def write(self, data: bytes | memoryview) -> int:
        """Write; at the middle point half of the data are in the file."""
        data = memoryview(data).cast("B")
        self.points("before write")
        half = len(data) // 2
        written = self.file.write(data[:half])
        self.file.flush()
        self.points("halfway through write")
        written += self.file.write(data[half:])
        self.points("after write")
        return written

    def truncate(self, size: int) -> int:
        """Truncate, which has no middle point."""
        self.points("before truncate")
        size = self.file.truncate(size)
        self.points("after truncate")
        return size

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def arm(points: Points) -> None:
    """From now on in this process, every step of writing passes a point before and one after it."""

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            points(f"before {name}")
            result = function(*arguments, **options)
            points(f"after {name}")
            return result

        return call

    for name in CALLS:
        setattr(os, name, watched(name, getattr(os, name)))
    for module in (files, journal):
        module.open = lambda *a, **k: Watched(builtins.open(*a, **k), points)  # noqa: SIM115
