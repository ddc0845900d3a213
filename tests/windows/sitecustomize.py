"""Python as on Windows, as far as Linux can imitate it: `make check-windows`.

conftest.py puts this folder on PYTHONPATH, so that Python imports this file first in every process that a test starts.
Not imitated: drives and backslashes in paths, cmd.exe, folders that ignore case, processes that ignore PYTHONPATH.
"""

import asyncio  # noqa: F401 - imports fcntl
import builtins
import contextlib
import errno
import fcntl
import io
import os
import select
import shutil
import signal
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import filelock

MISSING = {
    os: "fork getpgid getpgrp getsid killpg mkfifo sched_getaffinity setsid O_NOFOLLOW",
    signal: "SIGHUP SIGKILL SIGSTOP SIGUSR1 SIGALRM SIGQUIT pthread_kill setitimer alarm",
}
MODULES = ("fcntl", "grp", "pwd", "resource", "termios")
BREAK, KILL = signal.SIGUSR2, signal.SIGKILL
IN_USE = "The process cannot access the file because it is being used by another process"
refusals: Counter[str] = Counter()


def imitate() -> None:
    """Take away what Windows has not, and let it refuse what it refuses."""
    for module, names in MISSING.items():
        for name in names.split():
            delattr(module, name)
    sys.modules.update(dict.fromkeys(MODULES))  # type: ignore[arg-type] - None: cannot be imported
    locking = lambda descriptor, *_: fcntl.flock(descriptor, fcntl.LOCK_EX)  # noqa: E731
    sys.modules["msvcrt"] = SimpleNamespace(LK_LOCK=1, locking=locking)  # type: ignore[assignment]
    signal.SIGBREAK, signal.CTRL_C_EVENT, signal.CTRL_BREAK_EVENT = BREAK, 0, 1  # type: ignore[attr-defined]
    os.kill, select.select, os.symlink = kill(os.kill), select_sockets(select.select), no_symlink
    filelock.FileLock._release = releasing(filelock.FileLock._release, os.unlink)  # type: ignore[method-assign]
    for name in ("replace", "rename", "unlink", "rmdir"):
        setattr(os, name, refusing(getattr(os, name)))
    os.remove, shutil._use_fd_functions = os.unlink, False  # type: ignore[attr-defined]
    builtins.open = io.open = in_text_of_windows(io.open)
    os.open = without_folders(os.open)
    subprocess.Popen.__init__ = starting(subprocess.Popen.__init__)  # type: ignore[method-assign]
    subprocess.Popen.send_signal = send_signal  # type: ignore[method-assign]
    subprocess.Popen.terminate = subprocess.Popen.kill = lambda self: send_signal(self, signal.SIGTERM)  # type: ignore[method-assign]
    from jaxquard import systems

    systems.WINDOWS, systems.NEW_GROUP, systems.PAUSES = True, 0x200, (0.0,) * len(systems.PAUSES)


def kill(real):
    """Signal 0 is Ctrl-C for the whole console; any other but Ctrl-Break ends the process at once."""

    def killed(pid, number):
        if number == 0:
            real(os.getpid(), signal.SIGINT)
        real(pid, BREAK if number == 1 else KILL)

    return killed


def send_signal(process, number) -> None:
    """As subprocess does it on Windows."""
    if number not in (0, 1, signal.SIGTERM):
        raise ValueError(f"Unsupported signal: {number}")
    if process.poll() is None:
        os.kill(process.pid, number)


def select_sockets(real):
    """`select` for sockets only."""

    def selected(*lists):
        if any(isinstance(one, int) for each in lists[:3] for one in each):
            raise OSError(errno.ENOTSOCK, "An operation was attempted on something that is not a socket")
        return real(*lists)

    return selected


def no_symlink(*_, **__) -> None:
    raise OSError(errno.EPERM, "A required privilege is not held by the client")


def refusing(action):
    """`action`, refused if this process has the file open, and twice for each path of the package's: another program
    has just opened the file.
    """

    def acted(path, *rest, **options):
        if action.__name__ == "rename" and os.path.lexists(rest[0]):
            raise FileExistsError(errno.EEXIST, "Cannot create a file when that file already exists", rest[0])
        caller = calling()
        if not caller.startswith(("tempfile", "filelock")) and any(map(is_open, (path, *rest))):
            raise PermissionError(errno.EACCES, IN_USE, path)
        name = os.path.abspath(os.fsdecode(path))
        if caller.startswith("jaxquard") and os.path.lexists(path) and refusals[name] < 2:
            refusals[name] += 1
            raise PermissionError(errno.EACCES, IN_USE, path)
        del refusals[name]
        return action(path, *rest, **options)

    return acted


def calling() -> str:
    """The module that called, apart from pathlib and shutil."""
    frame = sys._getframe(2)
    while frame and frame.f_globals.get("__name__", "").startswith(("pathlib", "shutil", "contextlib")):
        frame = frame.f_back
    return frame.f_globals.get("__name__", "") if frame else ""


def is_open(path) -> bool:
    """Whether this process has the file, or one in the folder, open."""
    name = os.path.realpath(os.fsdecode(path))
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:  # that of listdir
            continue
        if target == name or target.startswith(f"{name}/"):
            return True
    return False


def in_text_of_windows(real):
    """`open` with cp1252 as the encoding and carriage returns; a folder is refused, and a name that Windows has not."""

    def opened(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, *rest, **options):
        if not options.get("opener"):  # tempfile's gets a folder
            refuse_folder(file)
        if "b" not in mode:
            encoding = "cp1252" if encoding in (None, "locale") else encoding
            newline = "\r\n" if newline is None and "r" not in mode and "+" not in mode else newline
        return real(file, mode, buffering, encoding, errors, newline, *rest, **options)

    return opened


def without_folders(real):
    """`os.open`, which opens no folders."""

    def opened(path, *rest, **options):
        refuse_folder(path)
        return real(path, *rest, **options)

    return opened


def refuse_folder(path) -> None:
    if isinstance(path, int) or os.fsdecode(path).startswith(("/proc/", "/sys/")):  # of libraries
        return
    if set(os.fsdecode(path)) & set('<>:"|?*'):
        raise OSError(errno.EINVAL, "Invalid argument", path)
    if os.path.isdir(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)


def starting(real):
    """Popen, without a shell and with Windows' arguments."""

    def started(self, *arguments, text=None, encoding=None, creationflags=0, start_new_session=False, **options):
        if options.get("shell") or options.get("preexec_fn") or options.get("pass_fds"):
            raise ValueError("not on Windows")
        text = text or options.pop("universal_newlines", None)
        encoding = encoding or ("cp1252" if text or options.get("errors") else None)
        real(self, *arguments, encoding=encoding, start_new_session=bool(creationflags), **options)

    return started


def releasing(release, unlink):
    """On Windows, releasing a lock removes its file."""

    def released(lock) -> None:
        with contextlib.suppress(FileNotFoundError):
            unlink(lock.lock_file)  # while no other process can hold it
        release(lock)

    return released


def recode() -> None:
    """The streams of a program whose output goes into a pipe."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is not None:
            encoding = stream.encoding if "PYTHONIOENCODING" in os.environ else "cp1252"
            stream.reconfigure(encoding=encoding, errors=stream.errors, newline=None if stream is sys.stdin else "\r\n")


if os.environ.get("JAXQUARD_TESTS_AS") == "windows":
    imitate()
    if __name__ == "sitecustomize":  # not from conftest.py
        recode()
