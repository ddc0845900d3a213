"""Messages between a process and the hub: JSON objects, one on a line, over TCP; and the limits of patience."""

import contextlib
import json
import os
import select
import socket
import threading
from typing import Any, NamedTuple

from jaxquard import strict_json
from jaxquard.arguments import checked_number, number
from jaxquard.errors import UsageError

PING = 0.5  # seconds between signs of life
MOST = 1 << 22  # bytes of a message


class Limits(NamedTuple):
    """Seconds, from JAXQUARD_JOIN_SECONDS and so on. `join`: for all ranks to come. `silent`: without a sign of life,
    or beyond the longest time for the same work so far. `compile`: for anything that a rank does for the first time.
    """

    join: float = 8.0
    silent: float = 5.0
    compile: float = 600.0

    @classmethod
    def of_environment(cls) -> "Limits":
        """UsageError for a value that is no number."""
        found = {name: os.environ.get(f"JAXQUARD_{name.upper()}_SECONDS") for name in cls._fields}
        try:
            return cls(**{n: checked_number(n, float, number(text), above=0) for n, text in found.items() if text})
        except ValueError as error:
            raise UsageError(f"JAXQUARD_…_SECONDS: must be a number, not {str(error)!r}") from None


class Wire:
    """One end of a connection. `send` may be called from several threads, `receive` from one."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket, self.rest, self.lock = connection, b"", threading.Lock()
        self.owner: Any = None  # what the hub knows of the other end
        connection.settimeout(2.0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, **message: Any) -> None:
        """Send a message; no error if the other end is gone, which `receive` notices."""
        with contextlib.suppress(OSError), self.lock:
            self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, seconds: float = 0.0) -> list[dict[str, Any]] | None:
        """The messages that come within so many seconds; None if the other end is closed or sends something else."""
        try:
            if not select.select([self.socket], [], [], seconds)[0]:
                return []
            data = self.socket.recv(1 << 16)
            *lines, self.rest = (self.rest + data).split(b"\n")
            messages = [strict_json.loads(line) for line in lines]
        except (OSError, ValueError):
            return None
        ended = not data or len(self.rest) > MOST or not all(isinstance(message, dict) for message in messages)
        return None if ended else messages

    def close(self) -> None:
        """Close it."""
        with contextlib.suppress(OSError):
            self.socket.close()
