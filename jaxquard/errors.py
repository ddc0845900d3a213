"""All errors that a user can meet, with their exit codes.

A message has one or two lines: what is wrong, and what to do. The command line prints only this message.
"""

from typing import Any


class JaxquardError(Exception):
    """An error that is none of those below: disk full, no permission, an extra not installed."""

    exit_code = 1


class UsageError(JaxquardError):
    """A wrong setting, name or combination of them."""

    exit_code = 2


class DataError(JaxquardError):
    """A data set or a picture that is missing or damaged."""

    exit_code = 3


class DivergedError(JaxquardError):
    """The loss is no longer finite (with several networks: in all of them). `result`: the run so far."""

    exit_code = 4

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class RunError(JaxquardError):
    """A run directory that is missing, in use, already there, or damaged."""

    exit_code = 5
