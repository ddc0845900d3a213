"""The sources of a known data set, in order. Every file is verified before use.

After any failure, such as a wrong hash, the next source is tried, for the missing files only.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.request import OpenerDirector

import numpy as np

from jaxquard.data import cifar, debian, folder, idx
from jaxquard.data.cache import Cached, Progress, Report
from jaxquard.data.catalogue import Archive, Entry, File
from jaxquard.data.download import Stalled, download, https_only, unreachable
from jaxquard.errors import DataError

Fetch = Callable[[File | Archive], bytes | Path]


@dataclass(frozen=True)
class Source:
    """A place that may have the files. `open` gives a function that returns the bytes or the path of a file.

    `open` raises DataError if the source is unusable, the function if one file is.
    `unusable`: the reason why the source is not even tried, if any.
    """

    label: str
    open: Callable[[], AbstractContextManager[Fetch]]
    unusable: str = ""


def chain(
    entry: Entry, folders: Iterable[Path], *, offline: bool, report: Report, progress: Progress
) -> Iterator[Source]:
    """All sources of a data set: folders, other programs' copies, mirrors, Debian's package.

    Lazy, so that the network is used only after all folders failed, and never if `offline`.
    """
    for path in folders:
        yield in_folder(path)
    if entry.mirrors and not offline:
        report(f"testing which mirrors of {entry.title} answer")
        silent, opener = unreachable(entry.mirrors), https_only()
        for mirror in entry.mirrors:
            yield at_mirror(mirror, progress, opener, silent.get(mirror, ""))
    if entry.debian_package and not offline:
        yield in_debian(entry.debian_package)


def in_folder(path: Path) -> Source:
    """Files in a folder, under their own names, gzipped or not."""

    def fetch(file: File | Archive) -> Path:
        found = folder.find(path, file.name)
        if found is None:
            raise DataError(f"{file.name} is not there")
        return found

    return Source(str(path), lambda: nullcontext(fetch), "" if os.path.isdir(path) else "no such folder")


def at_mirror(address: str, progress: Progress, opener: OpenerDirector, unusable: str = "") -> Source:
    """Gzipped files on a mirror."""

    def fetch(file: File | Archive) -> bytes:
        name = f"{file.name}.gz"
        try:
            return download(address + name, opener=opener, progress=lambda done, total: progress(name, done, total))
        except DataError as fault:
            raise type(fault)(f"{name}: {fault}") from None

    return Source(address, lambda: nullcontext(fetch), unusable)


def in_debian(package: str) -> Source:
    """Gzipped files of a Debian package, anywhere below /usr/share/datasets."""

    @contextmanager
    def opened() -> Iterator[Fetch]:
        with debian.unpacked(package) as root:

            def fetch(file: File | Archive) -> Path:
                found = next((root / "usr/share/datasets").rglob(f"{file.name}.gz"), None)
                if found is None:
                    raise DataError(f"{file.name} is not in the package")
                return found

            yield fetch

    return Source(f"Debian's package {package}", opened)


def gather(entry: Entry, sources: Iterable[Source], report: Report) -> Cached:
    """Each file from the first source with a correct one. The DataError lists why each source failed."""
    found: dict[str, tuple[np.ndarray, str]] = {}
    used, failed = [], []
    for source in sources:
        if source.unusable:
            failed.append(f"  {source.label}: {source.unusable}")
            continue
        report(f"trying {source.label}")
        taken, faults = _take(source, [file for file in entry.files if file.name not in found], entry.archive)
        found |= taken
        used += [source.label] if taken else []
        failed += [f"  {source.label}: {fault}" for fault in faults[:1]]
        if len(found) == len(entry.files):
            arrays = {name: values for name, (values, _) in found.items()}
            return Cached(arrays, {name: digest for name, (_, digest) in found.items()}, ", ".join(used))
    raise DataError("\n".join([f"{entry.title} is not available from any source:", *failed]))


def _take(
    source: Source, files: list[File], archive: Archive | None
) -> tuple[dict[str, tuple[np.ndarray, str]], list[str]]:
    """The correct files of this source, and what is wrong with the others."""
    taken, faults = {}, []
    try:
        with source.open() as fetch:
            unpacked = cifar.unpacked(archive, fetch(archive)) if archive else {}
            for file in files:
                try:
                    taken[file.name] = verified(file, unpacked.get(file.role) or fetch(file))
                except Stalled:
                    raise  # the next source: the other files would stall, too
                except (DataError, OSError) as fault:
                    faults.append(str(fault))
    except (DataError, OSError) as fault:
        faults.append(str(fault))
    return taken, faults


def verified(file: File, origin: bytes | Path) -> tuple[np.ndarray, str]:
    """Decode a file: (values, SHA-256 of the decoded bytes). Raises DataError if it differs from the catalogue's."""
    name = str(origin) if isinstance(origin, Path) else f"{file.name}.gz"
    values = idx.read_idx(origin, ndim=file.ndim, name=name)
    digest = idx.sha256(values)
    if file.sha256 and digest != file.sha256:
        raise DataError(f"{name}: not the expected file (wrong SHA-256)")
    if file.served_sha256 and _served_sha256(origin) != file.served_sha256:
        raise DataError(f"{name}: not the gzip file of its authors (wrong SHA-256)")
    if len(values) != file.count:
        raise DataError(f"{name}: {len(values)} examples, expected {file.count}")
    return values, digest


def _served_sha256(origin: bytes | Path) -> str:
    data = origin.read_bytes() if isinstance(origin, Path) else origin
    return hashlib.sha256(data).hexdigest()
