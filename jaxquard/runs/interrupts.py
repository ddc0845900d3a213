"""What Ctrl-C and SIGTERM do to a training: it saves a checkpoint and stops, within two seconds whatever it is doing.

Python runs a signal's handler only between two of its own instructions, and a training spends its time in long calls
into compiled code. So a thread watches too: if the training has not stopped of itself in time, or a second signal
comes, it ends the process there and then. Nothing is lost by that but the way from the last checkpoint.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 1.5  # seconds
INTERRUPTED = 130  # the exit code
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Whether a stop was asked for. Until `training` is set there is nothing to save, and a signal stops at once."""

    def __init__(self) -> None:
        self.training = self.asked = False

    def handle(self, *_: object) -> None:
        """The signals' handler."""
        self.asked = True
        if not self.training:
            raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Watch for SIGINT and SIGTERM while the body runs. For the main thread only."""
    interrupts = Interrupts()
    ours, systems = socket.socketpair()
    systems.setblocking(False)
    handlers = {number: signal.signal(number, interrupts.handle) for number in SIGNALS}
    descriptor = signal.set_wakeup_fd(systems.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(ours,), daemon=True)
    watcher.start()
    try:
        yield interrupts
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        systems.close()
        watcher.join()
        ours.close()


def _watch(ours: socket.socket) -> None:
    """The system sends a byte for each signal; an empty answer means that the training has ended by itself."""
    if not ours.recv(1):
        return
    ours.settimeout(PATIENCE)
    try:
        more = ours.recv(1)
    except TimeoutError:
        more = b"too late"
    if more:
        cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""  # a progress bar hides it
        os.write(2, f"{cursor}jaxquard: stopped at once; the newest checkpoint is from before\n".encode())
        os._exit(INTERRUPTED)
