"""Hostile files: what is no file of ours is refused with one of our errors, fast, in little memory, whatever it is.

Sound files of every kind that is read are mutated at random: bytes flipped, cut, repeated, exchanged for numbers and
tokens that have hurt other programs.
"""

import gzip
import io
import json
import random
import resource
import struct
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import HOME, Child, Row, train_or_resume

from jaxquard.config import read_toml
from jaxquard.data.idx import read_idx
from jaxquard.data.npz import load_npz
from jaxquard.data.pictures import read_picture
from jaxquard.errors import JaxquardError
from jaxquard.runs import checkpoint, journal
from jaxquard.runs.directory import Run

TOKENS = [
    b"\0",
    b"\xff",
    b"-1",
    b"1e999",
    b"NaN",
    b"null",
    b"[]",
    b"{}",
    b'"',
    b"\\",
    b"../../x",
    b"9" * 400,
    b"[" * 999,
]
TOKENS += [struct.pack("<Q", 2**63), struct.pack(">I", 2**32 - 1), struct.pack("<I", 2**31)]
LIMIT_SECONDS, LIMIT_MEGABYTES = 1.0, 64


def measure(short: bool = False) -> list[Row]:
    """210,000 mutants (short: 2,100)."""
    noted = HOME / "hostile.json"
    count = 300 if short else 30_000
    assert Child.doing(lambda: noted.write_text(json.dumps(attack(count)))).wait(3600) == 0
    found = json.loads(noted.read_text())
    for fault in found["faults"]:
        print(fault)
    promise = "A malformed file of any kind is refused in our own words, in under a second and in under 64 MB"
    figure = f"{found['tried']:,} mutants, {len(found['faults'])} faults, {found['slowest']:.2f} s, {found['grown']} MB"
    holds = not found["faults"] and found["grown"] < LIMIT_MEGABYTES and (short or found["slowest"] < LIMIT_SECONDS)
    return [Row(promise, figure, "≥ 200,000, no fault" if not short else "no fault", holds, "make torture")]


def attack(count: int) -> dict:
    """`count` mutants of each kind of file, in this process."""
    warnings.simplefilter("error")
    rng, faults, slowest, tried = random.Random(17), Counter(), 0.0, 0
    readers = prepare()
    for _, sound, read in readers.values():
        read(sound)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for kind, (path, sound, read) in readers.items():
        for _ in range(count):
            mutant, began = mutated(sound, rng), time.monotonic()
            try:
                read(mutant)
            except JaxquardError as error:
                if "\n" in str(error).strip("\n") and str(error).count("\n") > 1:
                    faults[f"{kind}: {error!r}"] += 1
            except BaseException as error:
                faults[f"{kind} at {path}: {type(error).__name__}: {error}"[:200]] += 1
            slowest, tried = max(slowest, time.monotonic() - began), tried + 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    return {"faults": list(faults), "slowest": slowest, "tried": tried, "grown": grown}


def prepare() -> dict[str, tuple[Path, bytes, Callable[[bytes], object]]]:
    """For each kind of file: where a mutant goes, a sound one, and what reads it."""
    assert not (HOME / "hostile").exists()
    root = HOME / "hostile"
    assert Child.doing(lambda: train_or_resume(root)).wait() == 0
    run, newest = Run(root / "run"), checkpoint.listed(root / "run" / "checkpoints")[-1]

    def written(path: Path, read: Callable[[], object]) -> tuple[Path, bytes, Callable[[bytes], object]]:
        sound = path.read_bytes()

        def reading(data: bytes) -> object:
            path.write_bytes(data)
            return read()

        return path, sound, reading

    from jaxquard.runs import tensors

    state = (newest / checkpoint.STATE).read_bytes()
    return {
        "safetensors": (newest, state, lambda data: (tensors.from_bytes(data, "file"), tensors.metadata(data))),
        "manifest": written(newest / checkpoint.MANIFEST, lambda: checkpoint.read_manifest(newest)),
        "TOML": written(run.path / "config.toml", lambda: read_toml(run.path / "config.toml")),
        "environment": written(run.path / "environment.json", lambda: Run(run.path).environment),
        "journal": written(run.journal_file, lambda: journal.epochs(run.journal_file)),
        "npz": written(made_up_npz(), lambda: load_npz(HOME / "small.npz")),
        "IDX": written(made_up_idx(), lambda: read_idx(HOME / "images.gz", ndim=3)),
        "picture": (HOME, made_up_picture(), read_picture),
    }


def made_up_npz() -> Path:
    """A small one."""
    labels = np.arange(12) % 3
    np.savez(HOME / "small.npz", images=np.arange(12 * 16, dtype=np.uint8).reshape(12, 4, 4), labels=labels)
    return HOME / "small.npz"


def made_up_idx() -> Path:
    """Gzipped images."""
    data = struct.pack(">IIII", 2051, 5, 4, 4) + bytes(80)
    (HOME / "images.gz").write_bytes(gzip.compress(data, mtime=0))
    return HOME / "images.gz"


def made_up_picture() -> bytes:
    """A small PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(file, "PNG")
    return file.getvalue()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One to four changes, mostly near the beginning, where headers are."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = min(int(rng.expovariate(4 / (len(changed) + 1))), len(changed))
        match rng.randrange(6):
            case 0 | 1 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 2:
                del changed[at:]
            case 3:
                del changed[at : at + rng.randrange(1, 20)]
            case 4:
                changed[at:at] = changed[at : at + rng.randrange(1, 40)]
            case _:
                token = rng.choice(TOKENS)
                changed[at : at + rng.choice((0, len(token)))] = token
    return bytes(changed)
