"""Atomic writes: readers always see the old file or the new one, even if the writer was killed.

Temporary name → write → fsync → rename → fsync of the directory. Signals wait until then. The name of a temporary file
marks it, so that a later process can remove what a killed one left.
"""

import contextlib
import errno
import glob
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from jaxquard.errors import JaxquardError, UsageError
from jaxquard.systems import patiently, signals_deferred, sync

TEMPORARY = ".tmp-"
STALE = 3600.0  # seconds after which no process can still be writing a file
KEPT = 50  # characters of a name in a temporary one: a name has at most 255 bytes
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


def expanded(path: str | os.PathLike[str]) -> str:
    """The path with ~ replaced by the home folder: no shell does it in --runs=~/x or in a variable.

    Raises UsageError if there is no home folder, or no user of that name.
    """
    found = os.path.expanduser(path)
    if found[:1] == "~" and found[1:2] in ("", "/", os.sep):
        raise UsageError(f"{found}: this user has no home folder; write the path in full")
    if found.startswith("~") and not os.path.lexists(first := found.partition("/")[0]):
        raise UsageError(f"{found}: there is no user {first[1:]!r}; if {first} is the name of a file, write ./{found}")
    return found


def cache_folder() -> Path:
    """Jaxquard's folder in the platform's cache directory; for a user without a home folder, a private temporary one.
    Raises JaxquardError if another user owns that.
    """
    # without a home folder, platformdirs raises RuntimeError; older ones leave ~ in the path
    with contextlib.suppress(RuntimeError):
        if (folder := platformdirs.user_cache_path("jaxquard", appauthor=False)).is_absolute():
            return folder
    owner = getattr(os, "getuid", lambda: 0)()  # on Windows st_uid is 0, and each user has a temporary folder
    folder = Path(tempfile.gettempdir()) / f"jaxquard-{owner}"
    with explained(folder, "write"):
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid != owner or folder.is_symlink():
            raise JaxquardError(f"{folder}: belongs to another user; set HOME or XDG_CACHE_HOME")
    return folder


@contextlib.contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn an OSError into a JaxquardError of one line with the path."""
    try:
        yield
    except OSError as error:
        raise JaxquardError(f"{path}: cannot {doing}: {error.strerror or error}") from error


def is_read_only(error: JaxquardError) -> bool:
    """Whether an error of `explained` means that the file or folder is read-only."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in READ_ONLY


def is_writable(folder: Path) -> bool:
    """Whether the folder can be created, or a file in it. Leaves no file behind."""
    try:
        with tempfile.TemporaryFile(dir=existing(folder)):
            return True
    except OSError:
        return False


def existing(folder: Path) -> Path:
    """The folder or its nearest parent that exists; the drive if none does."""
    places = (folder, *folder.parents)
    return next((place for place in places if os.path.exists(place)), places[-1])  # os.path: no error if not allowed


def temporary(path: Path) -> Path:
    """A unique temporary name in the same folder."""
    return path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}-{path.name[:KEPT]}")


def sync_directory(path: Path) -> None:
    """Make renames in a directory survive a power cut, on systems that support it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_synced(path: Path, *parts: bytes | memoryview) -> None:
    """Write the parts to a new file, and wait until it is on the disk."""
    with open(path, "xb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        sync(file)


@signals_deferred()
def write_atomically(path: Path, *parts: bytes | memoryview) -> None:
    """Write the parts to `path`, which is replaced at once or not at all. A file that is replaced keeps its mode."""
    with explained(path, "write"):
        scratch = temporary(path)
        try:
            write_synced(scratch, *parts)
            with contextlib.suppress(OSError):  # no such file, or a file system without modes
                shutil.copymode(path, scratch)
            patiently(os.replace, scratch, path)
        finally:
            patiently(scratch.unlink, True)
        sync_directory(path.parent)


@signals_deferred()
def write_directory(path: Path, files: dict[str, bytes], overwrite: bool = False) -> None:
    """Create the directory `path` with these files in it, by one rename. Its parent must exist; it must not, unless
    `overwrite`: then it is removed with all that is in it once the new one is written.
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
            if overwrite and os.path.lexists(path):
                _put_in_place_of(path, scratch)
            else:
                patiently(os.rename, scratch, path)
        finally:
            with contextlib.suppress(OSError):
                remove(scratch)
        sync_directory(path.parent)


def _put_in_place_of(path: Path, new: Path) -> None:
    """Rename the directory `new` to `path`, and remove what was there; after an error, that is there as before."""
    old = temporary(path)
    patiently(os.rename, path, old)
    try:
        patiently(os.rename, new, path)
    except BaseException:
        patiently(os.rename, old, path)
        raise
    with contextlib.suppress(OSError):
        remove(old)


def remove(path: Path) -> None:
    """Remove a file, or a folder with its contents, if there is one. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_symlink() or not path.is_dir():
            return patiently(path.unlink)
        for inside in path.iterdir():
            remove(inside)
        patiently(path.rmdir)


def sweep(directory: Path, older_than: float = STALE, name: str | None = None) -> None:
    """Remove old temporary files of killed processes: all, or those for the file or folder `name`. Only a caller that
    has locked the directory may set `older_than` to less.
    """
    ending = "*" if name is None else glob.escape(name[:KEPT])
    ours = f"{TEMPORARY}{'[0-9a-f]' * 32}-{ending}"  # other programs' files begin with .tmp-, too
    for leftover in directory.glob(ours):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime < older_than:
                continue
            remove(leftover)
