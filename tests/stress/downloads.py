"""A server on this machine truncates, stalls, sends pages, parts, redirections or other files, and changes a file
halfway. Many processes fetch a data set from it at once, with and without locks; some are killed.
"""

import errno
import fcntl
import gzip
import hashlib
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from common import HOME, Child, Row, in_child
from disk import refuse
from faults import ANY, Points, arm, die

from jaxquard.data import catalogue, idx, load, sources
from jaxquard.data import download as downloading
from jaxquard.data.catalogue import Entry, File
from jaxquard.data.dataset import NDIM

sys.path.append(str(Path(__file__).parents[1] / "data"))
from mirror import BAD, serving

ROOT = HOME / "downloads"
TEMPORARY = ROOT / "temporary"  # must stay empty
SHAPES = dict(zip(NDIM, ((400, 28, 28), (400,), (100, 28, 28), (100,)), strict=True))
TRUTH = {
    role: np.random.default_rng(17).integers(0, 256 if len(shape) > 1 else 10, shape).astype(np.uint8)
    for role, shape in SHAPES.items()
}
PLAIN = {role: idx.header(values.shape) + values.tobytes() for role, values in TRUTH.items()}
FILES = tuple(File(role, role, len(TRUTH[role]), hashlib.sha256(data).hexdigest()) for role, data in PLAIN.items())
SERVED = {f"{role}.gz": gzip.compress(data, mtime=0) for role, data in PLAIN.items()}
WHOLE = {"manifest.json", *PLAIN}


def measure(short: bool = False) -> list[Row]:
    """16 processes, 30 rounds, 50 kills at bytes and 50 at steps, 200 damaged files (short: 4, 2, 4, 4, 10)."""
    TEMPORARY.mkdir(parents=True)
    processes, rounds, kills, damages = (4, 2, 4, 10) if short else (16, 30, 50, 200)
    with mirrors() as address:
        return [
            passed_on(address),
            at_once(address, processes, rounds),
            killed(address, kills),
            damaged(address, damages),
            unwritable(address, 6 if short else 40),
        ]


@contextmanager
def mirrors() -> Iterator[str]:
    """The address of a server in a process of its own."""
    ours, childs = os.pipe()

    def serve() -> None:
        with serving(SERVED) as server:
            os.write(childs, f"{server.address}\n".encode())
            signal.pause()

    child = Child.doing(serve)
    os.close(childs)
    with open(ours, encoding="ascii") as pipe:
        address = pipe.readline().strip()
    try:
        yield address
    finally:
        child.kill(signal.SIGKILL)
        child.wait()


def fetch(folder: Path, address: str, manners: tuple[str, ...], progress: Callable | None = None) -> list[str]:
    """Load the data set in this process, check it, and return the reported lines."""
    entry = Entry("stress", "Stress", tuple("0123456789"), FILES, mirrors=tuple(f"{address}/{m}/" for m in manners))
    catalogue.CATALOGUE["stress"] = entry
    sources.https_only = lambda: urllib.request.build_opener(urllib.request.ProxyHandler({}))
    downloading.STALL_SECONDS, downloading._CHUNK = 0.5, 1 << 10
    os.environ.update(HOME=str(TEMPORARY), XDG_CACHE_HOME=str(TEMPORARY), TMPDIR=str(TEMPORARY))
    tempfile.tempdir = None
    said: list[str] = []
    dataset = load("stress", data_dir=folder, offline=False, report=said.append, progress=progress)
    for role, values in TRUTH.items():
        found = getattr(dataset, role)
        assert np.array_equal(found[..., 0] if found.ndim == 4 else found, values), role
    return said


def is_whole(folder: Path) -> bool:
    """Whether the data set's folder has its sound files and no others, and no temporary file is left."""
    if not (folder / "stress").exists():
        return False
    present = {path.name for path in (folder / "stress").iterdir()}
    sound = all((folder / "stress" / role).read_bytes() == data for role, data in PLAIN.items())
    return present == WHOLE and sound and not any(TEMPORARY.iterdir())


def passed_on(address: str) -> Row:
    """Each kind of misbehaviour, a wrong hash among them, and then a good mirror."""
    right = 0
    for manner in (*BAD, "moved", "half"):
        folder = ROOT / manner
        fetched = Child.doing(partial(fetch, folder, address, (manner, "good"))).wait() == 0
        right += fetched and is_whole(folder)
    total = len(BAD) + 2
    promise = "After a mirror that sends a wrong file or misbehaves in any other way, the next mirror is used"
    return Row(promise, f"{right} of {total} kinds of misbehaviour", "every kind", right == total)


def at_once(address: str, processes: int, rounds: int) -> Row:
    """Each process has two bad mirrors before two good ones; once with locks and once without."""
    valid = {True: 0, False: 0}
    whole = 0
    for locks, number in itertools.product(valid, range(rounds)):
        folder, start = ROOT / f"round-{number}-{locks}", time.monotonic() + 0.1 + 0.02 * processes
        one = partial(contend, folder, address, number, start, locks)
        children = [Child.doing(partial(one, k)) for k in range(processes)]
        valid[locks] += sum(child.wait() == 0 for child in children)
        whole += is_whole(folder)
        shutil.rmtree(folder)
    expected = processes * rounds
    promise = f"{processes} processes that fetch a data set at once all get it, and leave no other files"
    figure = f"{valid[True]} of {expected} in {rounds} rounds, {valid[False]} of {expected} with locking patched to "
    figure += f"nothing; {whole} of {2 * rounds} caches whole, without leftovers"
    return Row(promise, figure, "all", valid == {True: expected, False: expected} and whole == 2 * rounds)


def contend(folder: Path, address: str, number: int, start: float, locks: bool, k: int) -> None:
    """One of many that start at the same time."""
    if not locks:
        fcntl.flock = fcntl.lockf = lambda *_: None  # type: ignore[assignment]
    bad = BAD[(number + k) % len(BAD)], BAD[(3 * number + 5 * k + 1) % len(BAD)]
    time.sleep(max(0.0, start - time.monotonic()))
    fetch(folder, address, (*bad, "good", "good"))


def killed(address: str, kills: int) -> Row:
    """Kill at random bytes of the download and at steps of writing; old leftovers must be removed."""
    rng, size = random.Random(5), sum(map(len, SERVED.values()))
    points = in_child(partial(passed_points, address))
    places = [partial(Fuse, rng.randrange(size)) for _ in range(kills)]
    places += [partial(arm, Points(1 + k * points // kills, die)) for k in range(kills)]
    right = 0
    for number, place in enumerate(places):
        folder = ROOT / f"killed-{number}"
        good = partial(fetch, folder, address, ("good",))
        died = Child.doing(partial(dying, good, place)).wait() == -signal.SIGKILL
        again = Child.doing(good).wait() == 0
        for leftover in (folder / "stress").glob(".tmp-*"):
            os.utime(leftover, (0, 0))
        later = Child.doing(partial(fetch, folder, address, ())).wait() == 0
        right += died and again and later and is_whole(folder)
        shutil.rmtree(folder)
    promise = "A download killed at any byte or step of writing is completed by the next, and its leftovers are removed"
    return Row(promise, f"{right} of {len(places)} kills", f"all of ≥ {2 * kills}", right == len(places))


def dying(action: Callable, place: Callable) -> None:
    """Do the action with a place at which it is killed."""
    action(place())


def passed_points(address: str) -> int:
    """How many points of writing a fetch passes."""
    shutil.rmtree(ROOT / "points", ignore_errors=True)
    points = Points(-1, die)
    arm(points)
    fetch(ROOT / "points", address, ("good",))
    return points.passed[ANY]


class Fuse:
    """A progress callback that kills the process after so many bytes of all files."""

    def __init__(self, at: int) -> None:
        self.at, self.done = at, {}

    def __call__(self, name: str, done: int, total: int | None) -> None:
        self.done[name] = done
        if sum(self.done.values()) >= self.at:
            die()


def damaged(address: str, count: int) -> Row:
    """Bytes flipped, cut and added in the cache's files, and files exchanged: must be reported and repaired."""
    folder = ROOT / "damaged"
    right = in_child(lambda: sum(is_mended(folder, address, random.Random(number)) for number in range(count)))
    promise = "The cache is verified on every load: damage is reported, and the file fetched again"
    return Row(promise, f"{right} of {count} kinds of damage", "all", right == count)


def is_mended(folder: Path, address: str, rng: random.Random) -> bool:
    """Damage one file and load."""
    fetch(folder, address, ("good",))
    file = folder / "stress" / rng.choice(sorted(WHOLE))
    data, at = file.read_bytes(), rng.randrange(file.stat().st_size)
    flipped = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    file.write_bytes(rng.choice((flipped, data[:at], data + data[:1], PLAIN["test_labels"][::-1], b"")))
    said = fetch(folder, address, ("good",))
    reported = any(line.startswith(f"{file}: ") for line in said)
    return is_whole(folder) and (reported or file.name == "manifest.json")  # its source is not checked


def unwritable(address: str, count: int) -> Row:
    """A file in place of the folder, or a disk that is full, over quota or read-only at some point of the writing."""
    points, right = in_child(partial(passed_points, address)), 0
    for number in range(count):
        folder, refusal = ROOT / f"unwritable-{number}", (errno.ENOSPC, errno.EDQUOT, errno.EROFS)[number % 3]
        place = Points(1 + number * points // count, partial(refuse, refusal))
        said = in_child(partial(refused, place, folder, address))
        said_so = any(line.startswith(f"not stored in the cache: {folder}") for line in said)
        leftovers = [*folder.rglob(".tmp-*"), *TEMPORARY.iterdir()]
        right += (said_so or is_whole(folder)) and not leftovers
    blocked = ROOT / "a file"
    blocked.touch()
    said = in_child(partial(fetch, blocked / "folder", address, ("good",)))
    right += said[-1].startswith(f"not stored in the cache: {blocked}") and not any(TEMPORARY.iterdir())
    promise = "An unwritable cache is reported; no other place is used, and nothing is left behind"
    return Row(promise, f"{right} of {count + 1} refusals", "all", right == count + 1)


def refused(place: Points, folder: Path, address: str) -> list[str]:
    """The lines reported if the system refuses a step of writing; the data must load all the same."""
    arm(place)
    return fetch(folder, address, ("good",))
