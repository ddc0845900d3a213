"""Differences between operating systems: signals, open files, syncing, locks, quoting, processors."""

import contextlib
import functools
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

Result = TypeVar("Result")

WINDOWS = sys.platform == "win32"
PAUSES = (0.01, 0.05, 0.1, 0.2, 0.4, 0.8)  # seconds
NEW_GROUP = 0x200 if WINDOWS else 0  # for Popen: Ctrl-C in the parent's terminal does not reach the child
SAFE = re.compile(r"[\w./\\:=+-][\w./\\:=+@-]*", re.ASCII)  # needs no quotes in cmd.exe and PowerShell
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # SIGBREAK: Ctrl-Break on Windows, which has no SIGHUP
SIGNALS = tuple(
    number
    for number in (getattr(signal, name, None) for name in NAMES)
    if number and (number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN)  # ignored under nohup
)
LOCKED_BYTE = 1 << 40  # beyond the end of any file: on Windows, locked bytes cannot be read


def patiently(action: Callable[..., Result], *arguments: Any) -> Result:
    """`action(*arguments)`, repeated for 1.5 seconds on Windows, which refuses to rename or remove a file while a
    virus scanner, an indexer or a reader has it open.
    """
    for pause in PAUSES if WINDOWS else ():
        try:
            return action(*arguments)
        except PermissionError:
            time.sleep(pause)
    return action(*arguments)


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """Delay SIGNALS until the body has ended. Outside the main thread nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    usual = {number: signal.signal(number, lambda number, _: came.append(number)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
        for number in came:
            if callable(handler := usual[signal.Signals(number)]):
                handler(number, None)  # not raise_signal: a wakeup descriptor would get the signal twice
            elif handler is signal.SIG_DFL:
                signal.raise_signal(number)


def sync(file: IO[bytes]) -> None:
    """Wait until a file is on the disk. On a Mac, fsync alone leaves it in the drive's cache."""
    try:
        import fcntl

        fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # pyright: ignore[reportAttributeAccessIssue]
    except (ImportError, AttributeError, OSError):  # another system, or a disk without F_FULLFSYNC
        os.fsync(file.fileno())


def await_other_writers(file: IO[bytes]) -> None:
    """Lock a file exclusively: wait for other processes that did so. Closing the file unlocks it. Changes the file's
    position. Does nothing on a file system without locks.
    """
    with contextlib.suppress(OSError):
        if WINDOWS:
            import msvcrt

            file.seek(LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # pyright: ignore[reportAttributeAccessIssue]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)


def quoted(words: Iterable[str]) -> str:
    """A command line, quoted for this system's shell."""
    if not WINDOWS:
        return shlex.join(words)
    return " ".join(word if SAFE.fullmatch(word) else _in_double_quotes(word) for word in words)


def _in_double_quotes(word: str) -> str:
    written = subprocess.list2cmdline([word])
    return written if written.startswith('"') else f'"{written}"'


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def processor() -> tuple[str, list[str]]:
    """The processor's name and, on Linux, its features."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _brand() or platform.processor() or platform.machine(), []
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    facts = {name.strip(): value.strip() for name, _, value in pairs}
    on_arm = [facts[name] for name in ("CPU implementer", "CPU part") if name in facts]
    name = facts.get("model name") or " ".join([platform.machine(), *on_arm])
    return name, (facts.get("flags") or facts.get("Features", "")).split()


def _brand() -> str:
    """The processor's name on a Mac."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, check=True, timeout=5, encoding="utf-8").stdout.strip()
    return ""


def last_separator(path: str) -> int:
    """The index of the last separator in a path, or -1."""
    return max(path.rfind(separator) for separator in ("/\\" if WINDOWS else "/"))
