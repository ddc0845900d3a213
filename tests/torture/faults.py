"""Points inside the writing of files at which a process can be killed, or its disk be full: for a child to arm itself.

The package knows nothing of this: the functions that it calls are replaced in the child alone.
"""

import builtins
import os
import signal
from collections.abc import Callable
from typing import Any

from jaxquard.runs import files, journal

CALLS = ("fsync", "replace", "rename", "mkdir", "unlink", "rmdir")


class Points:
    """Counts the points passed, and does something at one of them."""

    def __init__(self, at: int, action: Callable[[], None]) -> None:
        self.at, self.action, self.passed = at, action, 0

    def __call__(self) -> bool:
        """Pass a point; whether it was the one, for actions that come back."""
        self.passed += 1
        if self.passed == self.at:
            self.action()
        return self.passed == self.at


def die() -> None:
    """As the power cut or the out-of-memory killer would have it."""
    os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """A file that passes a point before, in the middle of, and after every write and truncation."""

    def __init__(self, file: Any, points: Points) -> None:
        self.file, self.points = file, points

    def write(self, data: bytes) -> int:
        """Half of the data are in the file when the middle point is passed."""
        self.points()
        half = len(data) // 2
        written = self.file.write(data[:half])
        self.file.flush()
        self.points()
        written += self.file.write(data[half:])
        self.points()
        return written

    def truncate(self, size: int) -> int:
        """Nothing in between: the system does it at once."""
        self.points()
        size = self.file.truncate(size)
        self.points()
        return size

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def arm(points: Points) -> None:
    """From now on, in this process, every step of writing passes a point before and one after."""

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            points()
            result = function(*arguments, **options)
            points()
            return result

        return call

    for name in CALLS:
        setattr(os, name, watched(getattr(os, name)))
    for module in (files, journal):
        module.open = lambda *a, **k: Watched(builtins.open(*a, **k), points)  # noqa: SIM115
