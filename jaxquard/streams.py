"""Standard streams as they may come: closed, full, with nobody at the other end. Losing the audience costs no work."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any


def make_usable() -> None:
    """What was closed becomes the null device, lest a file of ours get its number; what stdout's encoding has no sign
    for is printed as its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - stays open
    with contextlib.suppress(AttributeError):  # a stand-in
        sys.stdout.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]


def silence(stream: Any) -> None:
    """From now on what is written to `stream` goes nowhere, and does not fail, not even when the process ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Around whatever is told on stderr: if nobody can be told, be silent from then on."""
    try:
        yield
    except OSError:
        silence(sys.stderr)


def say(line: str) -> None:
    """One line on stderr."""
    with telling():
        print(line, file=sys.stderr, flush=True)
