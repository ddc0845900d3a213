"""Sound files of every kind are changed at random: bytes are flipped, cut, repeated, or replaced by numbers and tokens
that have harmed other programs. Each file must be read or refused.
"""

import random
import struct
import warnings
from collections.abc import Iterator

import readers
from common import Row, in_child

TOKENS = [*rb'-1 1e999 NaN null [] {} " \ ../../x'.split(), b"\0", b"\xff", b"9" * 400, b"[" * 999]
TOKENS += [struct.pack("<Q", 2**63), struct.pack(">I", 2**32 - 1), struct.pack("<I", 2**31)]


def measure(short: bool = False) -> list[Row]:
    """220,000 mutants (short: 2,200)."""
    found = readers.report(in_child(lambda: attack(220 if short else 22_000)))
    promise = "A malformed file of any kind is read, or refused with an error that names the file; nothing else happens"
    figure = f"{found.tried:,} mutants, {found.refused:,} refused, {found.figure()}"
    return [Row(promise, figure, "≥ 200,000, no fault, 1 s, 64 MB", found.holds(short))]


def attack(count: int) -> readers.Found:
    """`count` mutants of each kind of file, in this process."""
    warnings.simplefilter("error")
    every = readers.prepare()
    return readers.attack(every, mutants(every, count), all_refused=False)


def mutants(every: dict[str, readers.Reader], count: int) -> Iterator[tuple[str, str, bytes]]:
    """The same ones each time."""
    rng = random.Random(17)
    for kind, reader in every.items():
        for number in range(count):
            yield kind, f"mutant {number}", mutated(reader.sound, rng)


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
