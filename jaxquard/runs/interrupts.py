"""Ctrl-C, SIGTERM or a closed terminal: training saves a checkpoint and stops within two seconds.

Python runs a signal handler only between two of its own instructions, and training spends its time in long calls into
compiled code. A handler must not raise KeyboardInterrupt either: while JAX is imported, traces or compiles, the
exception is swallowed or causes a segmentation fault. So a thread waits for signals and asks the training to stop. If
that takes too long, or a second signal comes, the thread ends the process; the steps since the last checkpoint are
lost. If no training is running, it ends the process at once.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jaxquard import systems
from jaxquard.errors import JaxquardError
from jaxquard.systems import SIGNALS

PATIENCE = 1.75  # seconds
LOOK = 0.2  # seconds between two checks for the stop file
INTERRUPTED = 130  # the exit code
AT_ONCE = "stopped at once, without saving another checkpoint"


class Interrupted(JaxquardError):
    """Training was asked to stop, saved a checkpoint and stopped."""

    exit_code = INTERRUPTED


@dataclass
class Interrupts:
    """Whether training is running and its stop file, both set by the caller; whether it was asked to stop."""

    training: bool = False
    stop_file: Path | None = None
    asked: bool = False


def leave(*_: object, message: str = "interrupted") -> None:
    """End the process at once, with a message if stderr accepts it. Also a signal handler if nothing needs saving."""
    with contextlib.suppress(Exception):
        cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""  # a progress bar hides the cursor
        if systems.WINDOWS or select.select([], [2], [], 0)[1]:  # a full pipe would block
            os.write(2, f"{cursor}jaxquard: {message}\n".encode())
    os._exit(INTERRUPTED)


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Watch for SIGNALS while the body runs. For the main thread only."""
    interrupts = Interrupts()
    ours, systems = socket.socketpair()
    systems.setblocking(False)
    # without a Python handler nothing is written to the wakeup descriptor; the thread does the work
    handlers = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    descriptor = signal.set_wakeup_fd(systems.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(ours, interrupts), daemon=True)
    watcher.start()
    try:
        yield interrupts
    finally:
        for number, handler in handlers.items():  # before the thread ends, so that no signal is missed
            signal.signal(number, handler)
        signal.set_wakeup_fd(descriptor)
        systems.close()
        watcher.join()
        ours.close()


@contextmanager
def saving_first() -> Iterator[Interrupts]:
    """For calls from Python: the first Ctrl-C asks the training to save a checkpoint and stop.

    A second Ctrl-C raises KeyboardInterrupt at once, as does one before the training. If the program has its own SIGINT
    handler, or outside the main thread, nothing changes.
    """
    interrupts, usual = Interrupts(), signal.default_int_handler
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not usual:
        yield interrupts
        return

    def ask(*_: object) -> None:
        if interrupts.asked or not interrupts.training:
            raise KeyboardInterrupt
        interrupts.asked = True

    signal.signal(signal.SIGINT, ask)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, usual)


def _watch(ours: socket.socket, interrupts: Interrupts) -> None:
    if not _is_asked(ours, interrupts):
        return
    if not interrupts.training:
        leave()
    interrupts.asked = True
    ours.settimeout(PATIENCE)
    try:
        more = ours.recv(1)
    except TimeoutError:
        more = b"too late"
    if more:
        leave(message=AT_ONCE)


def _is_asked(ours: socket.socket, interrupts: Interrupts) -> bool:
    """Wait for a byte, which the system sends for a signal, or for the stop file. False if the body ends first."""
    ours.settimeout(LOOK)
    while True:
        try:
            return bool(ours.recv(1))
        except TimeoutError:
            if interrupts.stop_file and interrupts.stop_file.exists():
                return True
