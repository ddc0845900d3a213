"""The one family of errors a user can meet; each knows the exit code it ends a command with.

A message is one or two lines: what is wrong, then what to do. The command line prints it and nothing else.
"""

from typing import Any


class JaxquardError(Exception):
    """Anything that stops the work and is not named below: disk full, no permission, an extra not installed."""

    exit_code = 1


class UsageError(JaxquardError):
    """A setting, a name or a combination of them that makes no sense."""

    exit_code = 2


class DataError(JaxquardError):
    """A data set or a picture that is missing or damaged."""

    exit_code = 3


class DivergedError(JaxquardError):
    """The loss stopped being finite (with several networks: in all of them). `result`: how far a run came."""

    exit_code = 4

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class RunError(JaxquardError):
    """A run directory that is missing, in use, already there, or damaged."""

    exit_code = 5
