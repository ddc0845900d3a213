"""Writing so that a reader, or a run that was killed, finds the old file or the new one, never half of either.

temporary name → write → fsync → rename → fsync of the directory. What a process that died left under a temporary name
is recognised by that name and swept away by the next one.
"""

import contextlib
import errno
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from jaxquard.errors import JaxquardError, UsageError
from jaxquard.systems import patiently, sync

TEMPORARY = ".tmp-"
STALE = 3600.0  # seconds after which no process can still be writing a file
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


def expanded(path: str | os.PathLike[str]) -> str:
    """A path that was given, with ~ as the home folder: no shell expands it in --runs=~/x or in a variable.

    Raises UsageError where there is no home folder, or no user of that name.
    """
    found = os.path.expanduser(path)
    if found[:1] == "~" and found[1:2] in ("", "/", os.sep):
        raise UsageError(f"{found}: this user has no home folder; write the path in full")
    if found.startswith("~") and not os.path.lexists(first := found.partition("/")[0]):
        raise UsageError(f"{found}: there is no user {first[1:]!r}; if {first} is the name of a file, write ./{found}")
    return found


def cache_folder() -> Path:
    """Jaxquard's folder in the platform's cache directory; a private one among the temporary files for a user without
    a home. Raises JaxquardError if somebody else has taken that.
    """
    with contextlib.suppress(RuntimeError):  # platformdirs' word for no home; older ones leave ~ in the path
        if (folder := platformdirs.user_cache_path("jaxquard", appauthor=False)).is_absolute():
            return folder
    owner = getattr(os, "getuid", lambda: 0)()  # Windows says 0 for every file, and has a folder for each user
    folder = Path(tempfile.gettempdir()) / f"jaxquard-{owner}"
    with explained(folder, "write"):
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid != owner or folder.is_symlink():
            raise JaxquardError(f"{folder}: belongs to somebody else; set HOME or XDG_CACHE_HOME")
    return folder


@contextlib.contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn the operating system's refusal into one line that names the path."""
    try:
        yield
    except OSError as error:
        raise JaxquardError(f"{path}: cannot {doing}: {error.strerror or error}") from error


def is_read_only(error: JaxquardError) -> bool:
    """Whether an error that `explained` made says that something may only be read."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in READ_ONLY


def is_writable(folder: Path) -> bool:
    """Whether a file can be made in the folder, or the folder be made. Leaves nothing behind."""
    try:
        with tempfile.TemporaryFile(dir=existing(folder)):
            return True
    except OSError:
        return False


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists; of a drive that is not there, the drive."""
    places = (folder, *folder.parents)
    return next((place for place in places if os.path.exists(place)), places[-1])  # False, too, if not allowed


def temporary(path: Path) -> Path:
    """A name beside `path` that nobody else will choose."""
    return path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}-{path.name}")


def sync_directory(path: Path) -> None:
    """Make renames inside a directory last through a power cut. Not every system can; those that can't need no call."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_synced(path: Path, *parts: bytes | memoryview) -> None:
    """Write a new file, one part after the other, and wait until it is on the disk."""
    with open(path, "xb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        sync(file)


def write_atomically(path: Path, *parts: bytes | memoryview) -> None:
    """Replace `path` by these parts, one after the other: all or nothing."""
    with explained(path, "write"):
        scratch = temporary(path)
        try:
            write_synced(scratch, *parts)
            patiently(os.replace, scratch, path)
        finally:
            patiently(scratch.unlink, True)
        sync_directory(path.parent)


def write_directory(path: Path, files: dict[str, bytes]) -> None:
    """Make the directory `path` with these files in it appear at once, by one rename; it must not exist yet, and the
    one around it must.
    """
    with explained(path, "write"):
        scratch = temporary(path)
        try:
            scratch.mkdir()
            for name, data in files.items():
                target = scratch / name
                target.parent.mkdir(parents=True, exist_ok=True)
                write_synced(target, data)
            for folder in {scratch, *(target.parent for target in scratch.rglob("*"))}:
                sync_directory(folder)
            patiently(os.rename, scratch, path)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        sync_directory(path.parent)


def sweep(directory: Path, older_than: float = STALE) -> None:
    """Remove what processes that died left half-written in a directory. Only who holds its lock may take the young."""
    for leftover in directory.glob(f"{TEMPORARY}{'[0-9a-f]' * 32}-*"):  # others' files may begin with .tmp-, too
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime < older_than:
                continue
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()
