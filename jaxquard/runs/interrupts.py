"""What Ctrl-C, SIGTERM and a terminal that closes do: a training saves a checkpoint and stops, within two seconds
whatever it is doing.

Python runs a signal's handler only between two of its own instructions, and a training spends its time in long calls
into compiled code. Nor may a handler raise KeyboardInterrupt: where JAX is being imported, traces or compiles, that is
swallowed, or ends in a segmentation fault. So a thread watches. It asks a training to stop, and if that takes too long,
or a second signal comes, it ends the process there and then, which loses no more than the way from the last checkpoint.
While nothing is being trained there is nothing to lose at all.
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

PATIENCE = 1.75  # seconds
LOOK = 0.2  # seconds between two looks for the file that asks a training to stop
INTERRUPTED = 130  # the exit code
AT_ONCE = "stopped at once; the newest checkpoint is from before"
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # Windows has no SIGHUP, and SIGBREAK for Ctrl-Break
SIGNALS = tuple(
    number
    for number in (getattr(signal, name, None) for name in NAMES)
    if number and (number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN)  # ignored under nohup
)


class Interrupted(JaxquardError):
    """Training was asked to stop, and did, after saving a checkpoint."""

    exit_code = INTERRUPTED


@dataclass
class Interrupts:
    """Whether a training is running and the file that may ask it to stop, both from its owner; whether it was asked."""

    training: bool = False
    stop_file: Path | None = None
    asked: bool = False


def leave(*_: object, message: str = "interrupted") -> None:
    """End the process at once, whether or not anybody can be told; also a signal handler, where nothing needs to be
    saved.
    """
    with contextlib.suppress(Exception):
        cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""  # a progress bar hides it
        if systems.WINDOWS or select.select([], [2], [], 0)[1]:  # else a full pipe, which would block
            os.write(2, f"{cursor}jaxquard: {message}\n".encode())
    os._exit(INTERRUPTED)


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Watch for SIGNALS while the body runs. For the main thread only."""
    interrupts = Interrupts()
    ours, systems = socket.socketpair()
    systems.setblocking(False)
    # a handler there must be, or the system would not tell us; the thread does its work
    handlers = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    descriptor = signal.set_wakeup_fd(systems.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(ours, interrupts), daemon=True)
    watcher.start()
    try:
        yield interrupts
    finally:
        for number, handler in handlers.items():  # before the thread goes deaf: at every moment somebody must listen
            signal.signal(number, handler)
        signal.set_wakeup_fd(descriptor)
        systems.close()
        watcher.join()
        ours.close()


@contextmanager
def saving_first() -> Iterator[Interrupts]:
    """In a program of somebody's own: the first Ctrl-C asks the training to stop, which then saves a checkpoint.

    A second one raises KeyboardInterrupt at once, and so does one before the training. Where Ctrl-C is handled in
    another way, or outside the main thread, nothing changes.
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
    """Wait for a signal, for which the system sends a byte, or the file; False if the body ends first."""
    ours.settimeout(LOOK)
    while True:
        try:
            return bool(ours.recv(1))
        except TimeoutError:
            if interrupts.stop_file and interrupts.stop_file.exists():
                return True
