"""Where a known data set can come from, in order, and the one rule for all: what is not verified is not used.

A failure of any kind, a wrong hash included, moves on to the next source; only the files still missing are asked for.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.request import OpenerDirector

import numpy as np

from jaxquard.data import debian, folder, idx
from jaxquard.data.cache import Cached, Progress, Report
from jaxquard.data.catalogue import Entry, File
from jaxquard.data.download import Stalled, download, https_only, unreachable
from jaxquard.errors import DataError

Fetch = Callable[[File], bytes | Path]


@dataclass(frozen=True)
class Source:
    """A place that may have the files. Opening it gives a function from a file to its bytes or its path.

    Both may raise DataError: from opening, the whole source is of no use; from fetching, that one file.
    `unusable` says why the source need not even be tried, if so.
    """

    label: str
    open: Callable[[], AbstractContextManager[Fetch]]
    unusable: str = ""


def chain(
    entry: Entry, folders: Iterable[Path], *, offline: bool, report: Report, progress: Progress
) -> Iterator[Source]:
    """Every source of a data set, nearest first: folders, other programs' copies, mirrors, Debian's package.

    Lazy, so that the network is not touched before everything nearer has failed, and never when `offline`.
    """
    for path in folders:
        yield in_folder(path)
    if entry.mirrors and not offline:
        report(f"asking which mirrors of {entry.title} answer")
        silent, opener = unreachable(entry.mirrors), https_only()
        for mirror in entry.mirrors:
            yield at_mirror(mirror, progress, opener, silent.get(mirror, ""))
    if entry.debian_package and not offline:
        yield in_debian(entry.debian_package)


def in_folder(path: Path) -> Source:
    """Files lying in a folder under their own names, gzipped or not."""

    def fetch(file: File) -> Path:
        found = folder.find(path, file.name)
        if found is None:
            raise DataError(f"{file.name} is not there")
        return found

    return Source(str(path), lambda: nullcontext(fetch), "" if os.path.isdir(path) else "no such folder")


def at_mirror(address: str, progress: Progress, opener: OpenerDirector, unusable: str = "") -> Source:
    """Gzipped files below an address."""

    def fetch(file: File) -> bytes:
        name = f"{file.name}.gz"
        try:
            return download(address + name, opener=opener, progress=lambda done, total: progress(name, done, total))
        except DataError as fault:
            raise type(fault)(f"{name}: {fault}") from None

    return Source(address, lambda: nullcontext(fetch), unusable)


def in_debian(package: str) -> Source:
    """Gzipped files of a Debian package, which has them somewhere below /usr/share/datasets."""

    @contextmanager
    def opened() -> Iterator[Fetch]:
        with debian.unpacked(package) as root:

            def fetch(file: File) -> Path:
                found = next((root / "usr/share/datasets").rglob(f"{file.name}.gz"), None)
                if found is None:
                    raise DataError(f"{file.name} is not in the package")
                return found

            yield fetch

    return Source(f"Debian's package {package}", opened)


def gather(entry: Entry, sources: Iterable[Source], report: Report) -> Cached:
    """Take each file from the first source that has it as it should be. Raises DataError telling how all failed."""
    found: dict[str, tuple[np.ndarray, str]] = {}
    used, failed = [], []
    for source in sources:
        if source.unusable:
            failed.append(f"  {source.label}: {source.unusable}")
            continue
        report(f"trying {source.label}")
        taken, faults = _take(source, [file for file in entry.files if file.name not in found])
        found |= taken
        used += [source.label] if taken else []
        failed += [f"  {source.label}: {fault}" for fault in faults[:1]]
        if len(found) == len(entry.files):
            arrays = {name: values for name, (values, _) in found.items()}
            return Cached(arrays, {name: digest for name, (_, digest) in found.items()}, ", ".join(used))
    raise DataError("\n".join([f"{entry.title} could not be had from any source:", *failed]))


def _take(source: Source, files: list[File]) -> tuple[dict[str, tuple[np.ndarray, str]], list[str]]:
    """Those of the files that this source has as they should be, and what was wrong with the others."""
    taken, faults = {}, []
    try:
        with source.open() as fetch:
            for file in files:
                try:
                    taken[file.name] = verified(file, fetch(file))
                except Stalled:
                    raise  # on to the next source: each further file would stall as well
                except (DataError, OSError) as fault:
                    faults.append(str(fault))
    except (DataError, OSError) as fault:
        faults.append(str(fault))
    return taken, faults


def verified(file: File, origin: bytes | Path) -> tuple[np.ndarray, str]:
    """Decode a file: (values, SHA-256 of the decoded bytes). Raises DataError if it is not the one in the catalogue."""
    name = str(origin) if isinstance(origin, Path) else f"{file.name}.gz"
    values = idx.read_idx(origin, ndim=file.ndim, name=name)
    digest = idx.sha256(values)
    if file.sha256 and digest != file.sha256:
        raise DataError(f"{name}: not the file expected (wrong SHA-256)")
    if file.served_sha256 and _served_sha256(origin) != file.served_sha256:
        raise DataError(f"{name}: not the gzip file its authors serve (wrong SHA-256)")
    if len(values) != file.count:
        raise DataError(f"{name}: {len(values)} examples, expected {file.count}")
    return values, digest


def _served_sha256(origin: bytes | Path) -> str:
    data = origin.read_bytes() if isinstance(origin, Path) else origin
    return hashlib.sha256(data).hexdigest()
