"""Every bit of a checkpoint's manifest and header, and 10,000 random bytes of its body, are changed one at a time.
Files are also cut at every 97th byte, or made too long.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import HOME, Child, Row, train_or_resume

from jaxquard.runs import checkpoint
from jaxquard.runs.directory import Run


def measure(short: bool = False) -> list[Row]:
    """10,000 changes in the body and every bit of the rest (short: 100, and one bit of every fifth byte)."""
    root = HOME / "damage"
    assert Child.doing(lambda: train_or_resume(root)).wait() == 0
    before, newest = checkpoint.listed(Run(root / "run").checkpoints)[-2:]
    sound = contents(checkpoint.read(before))
    detected = tried = 0
    for file, data in damaged(newest, 100, 37) if short else damaged(newest, 10_000, 1):
        whole = file.read_bytes()
        file.write_bytes(data)
        arrays, faults = checkpoint.newest(newest.parent)
        detected += len(faults) == 1 and str(file) in faults[0] and contents(arrays) == sound
        tried += 1
        file.write_bytes(whole)
    promise = "A damaged checkpoint is detected and named; the one before it is used"
    return [Row(promise, f"{detected:,} of {tried:,}", "every one", detected == tried)]


def contents(arrays: dict[str, Any]) -> dict[str, bytes]:
    """The arrays' bytes, to be compared."""
    return {name: array.tobytes() for name, array in arrays.items()}


def damaged(folder: Path, flips: int, every: int) -> Iterator[tuple[Path, bytes]]:
    """(file, damaged contents) for each kind of damage."""
    rng = random.Random(11)
    manifest, state = folder / checkpoint.MANIFEST, folder / checkpoint.STATE
    header = 8 + int.from_bytes(state.read_bytes()[:8], "little")
    for file, size in ((manifest, manifest.stat().st_size), (state, header)):
        for bit in range(0, 8 * size, every):
            yield file, flipped(file.read_bytes(), bit // 8, 1 << bit % 8)
    for _ in range(flips):
        data = state.read_bytes()
        yield state, flipped(data, rng.randrange(header, len(data)), rng.randrange(1, 256))
    for file in (manifest, state):
        for keep in range(0, file.stat().st_size, 97):
            yield file, file.read_bytes()[:keep]
        yield file, file.read_bytes() + b"\0"


def flipped(data: bytes, offset: int, mask: int) -> bytes:
    """The data with one byte changed."""
    return data[:offset] + bytes([data[offset] ^ mask]) + data[offset + 1 :]
