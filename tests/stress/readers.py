"""A sound file and a reader for every kind of file, and the check of how a reader refuses wrong files."""

import gzip
import io
import resource
import shutil
import struct
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import HOME, Child, train_or_resume

from jaxquard.config import read_toml
from jaxquard.data import load
from jaxquard.data.idx import read_idx
from jaxquard.data.npz import load_npz
from jaxquard.data.pictures import read_picture
from jaxquard.errors import JaxquardError
from jaxquard.runs import checkpoint, journal, tensors
from jaxquard.runs.directory import Run

LIMIT_SECONDS, LIMIT_MEGABYTES = 1.0, 64


class Reader(NamedTuple):
    """A sound file, a function that reads other bytes in its place, and the name of the file in errors."""

    sound: bytes
    read: Callable[[bytes], object]
    named: str


def prepare() -> dict[str, Reader]:
    """A reader for each kind of file; the files of a run are those of a small training."""
    root = HOME / "hostile"
    shutil.rmtree(root, ignore_errors=True)
    assert Child.doing(lambda: train_or_resume(root)).wait() == 0
    run, newest = Run(root / "run"), checkpoint.listed(root / "run" / "checkpoints")[-1]
    idx = struct.pack(">IIII", 2051, 5, 4, 4) + bytes(80)
    labels = np.arange(12) % 3
    np.savez(HOME / "sound.npz", images=np.arange(12 * 16, dtype=np.uint8).reshape(12, 4, 4), labels=labels)
    return {
        "IDX": at(HOME / "images", lambda path: read_idx(path, ndim=3), idx),
        "gzip": at(HOME / "images.gz", lambda path: read_idx(path, ndim=3), gzip.compress(idx, mtime=0)),
        "npz": at(HOME / "small.npz", load_npz, (HOME / "sound.npz").read_bytes()),
        "CSV": at(
            HOME / "small.csv", load, b"label,a,b,c,d\n" + b"".join(b"%d,1,2,3,4\n" % (k % 3) for k in range(12))
        ),
        "Parquet": at(HOME / "small.parquet", lambda path: load(path, data_dir="/dev/null/no cache"), rows()),
        "safetensors": Reader((newest / checkpoint.STATE).read_bytes(), read_tensors, "weights"),
        "manifest": at(newest / checkpoint.MANIFEST, lambda path: checkpoint.read_manifest(path.parent)),
        "TOML": at(run.path / "config.toml", read_toml),
        "environment": at(run.path / "environment.json", lambda path: Run(path.parent).environment),
        "journal": at(run.journal_file, journal.epochs),
        "PNG": Reader(picture("PNG"), lambda data: read_picture(data, name="picture"), "picture"),
        "JPEG": Reader(picture("JPEG"), lambda data: read_picture(data, name="picture"), "picture"),
    }


def at(path: Path, read: Callable[[Path], object], sound: bytes | None = None) -> Reader:
    """A reader of the file at a path."""

    def reading(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return Reader(path.read_bytes() if sound is None else sound, reading, str(path))


def read_tensors(data: bytes) -> object:
    """Arrays and metadata of a weights file."""
    return tensors.from_bytes(data, "weights"), tensors.metadata(data)


def rows() -> bytes:
    """Pictures and labels, as the Hugging Face Hub stores them."""
    import pyarrow
    from pyarrow import parquet

    cells = [{"bytes": picture("PNG"), "path": "x.png"}] * 12
    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"image": cells, "label": list(range(3)) * 4}), file)
    return file.getvalue()


def picture(form: str) -> bytes:
    """A small picture."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(file, form)
    return file.getvalue()


class Found(NamedTuple):
    """The results of reading hostile files."""

    tried: int
    refused: int
    faults: list[str]
    slowest: float
    grown: int

    def holds(self, short: bool) -> bool:
        """Whether there was no fault; short forms ignore times."""
        return not self.faults and self.grown < LIMIT_MEGABYTES and (short or self.slowest < LIMIT_SECONDS)

    def figure(self) -> str:
        """The result as text."""
        return f"{len(self.faults)} faults; the slowest {self.slowest:.2f} s; memory grew by {self.grown} MB"


def attack(readers: dict[str, Reader], files: Iterable[tuple[str, str, bytes]], *, all_refused: bool) -> Found:
    """Read files, given as (kind, description, bytes). A fault is neither a sound reading nor a clear refusal."""
    for reader in readers.values():
        reader.read(reader.sound)
    before, faults, slowest, tried, refused = megabytes(), set(), 0.0, 0, 0
    for kind, description, data in files:
        reader, tried, began = readers[kind], tried + 1, time.monotonic()
        error = outcome(reader, data)
        slowest = max(slowest, time.monotonic() - began)
        refused += isinstance(error, JaxquardError)
        if error is None and all_refused:
            faults.add(f"{kind}, {description}: accepted")
        elif error is not None and (fault := unclear(error, reader.named)):
            faults.add(f"{kind}, {description}: {fault}")
    return Found(tried, refused, sorted(faults), slowest, megabytes() - before)


def outcome(reader: Reader, data: bytes) -> BaseException | None:
    """The error of a reading, or None."""
    try:
        reader.read(data)
    except BaseException as error:
        return error
    return None


def unclear(error: BaseException, named: str) -> str:
    """What is wrong with an error: another class, too long, or no file named."""
    if not isinstance(error, JaxquardError):
        return f"{type(error).__name__}: {error}"[:200]
    if not str(error).startswith(named):
        return f"names no file: {error}"[:200]
    return f"too long: {error}"[:200] if str(error).count("\n") > 1 or len(str(error)) > 600 else ""


def megabytes() -> int:
    """The peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def report(found: Any) -> Found:
    """The child's result, after printing its faults."""
    found = Found(*found)
    for fault in found.faults[:40]:
        print(fault)
    return found
