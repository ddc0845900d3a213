"""Standard streams may be closed, full, or a pipe without a reader. None of this stops the work."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from jaxquard.naming import printable


def make_usable() -> None:
    """Replace a closed stream by the null device, so that no file of ours gets its descriptor. Escape characters that
    stdout's encoding lacks.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - stays open
    with contextlib.suppress(AttributeError):  # not a TextIOWrapper, as under pytest
        sys.stdout.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]


def silence(stream: Any) -> None:
    """Discard everything that is written to `stream` from now on, without an error even at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def writing_to_stderr() -> Iterator[None]:
    """Around writes to stderr: if one fails, discard the later ones."""
    try:
        yield
    except OSError:
        silence(sys.stderr)


def say(line: str) -> None:
    """One line on stderr."""
    with writing_to_stderr():
        print(printable(line), file=sys.stderr, flush=True)
