"""File sizes are limited, or the system reports during writing that the disk is full, the quota is used up, or the file
system is read-only. Then there is space again, and the run is resumed.
"""

import errno
import itertools
import os
import resource

import tomli_w
from common import CONFIG, EVERY, HOME, Row, command, is_clear, kept, made_up_data, never_stopped
from faults import ANY, Points, arm
from kills import count_points

from jaxquard.runs import checkpoint
from jaxquard.runs.directory import Run

REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def measure(short: bool = False) -> list[Row]:
    """24 limits on file size and 99 refused calls (short: 3 and 4)."""
    truth, _ = never_stopped(HOME / "disk" / "truth")
    toml, data = HOME / "config.toml", made_up_data()
    toml.write_text(tomli_w.dumps(CONFIG.replace(dataset=str(data)).to_dict()))
    limits = [int(1.6**k) for k in range(1, 25)][:: 8 if short else 1]
    points, count = count_points(HOME / "disk" / "points")[ANY], 4 if short else 99
    places = zip((1 + k * points // count for k in range(count)), itertools.cycle(REFUSALS))
    ways = [lambda n=n: resource.setrlimit(resource.RLIMIT_FSIZE, (n, n)) for n in limits]
    ways += [lambda at=at, number=number: arm(Points(at, lambda: refuse(number))) for at, number in places]
    right = hit = 0
    for number, way in enumerate(ways):
        root = HOME / "disk" / f"victim-{number}"
        start = ("train", "--config", toml, "--name", "run", "--runs", root, "--checkpoint-every", EVERY, "--quiet")
        code, said = command(*start, first=way)
        if code == 0:  # this limit was large enough
            continue
        hit += 1
        right += code == 1 and is_clear(said) and is_intact(root) and finishes_exactly(root, start, truth)
        if right < hit:
            print(f"at {number}: exit {code}, {said!r}, left {sorted(root.rglob('.tmp-*'))}")
            break
    figure = f"{right} of {hit} refusals"
    promise = (
        "A full or read-only disk gives one clear line and exit code 1; the last checkpoint stays intact, and no "
        "temporary file is left"
    )
    return [Row(promise, figure, "all of ≥ 20", right == hit and hit >= (5 if short else 20))]


def refuse(number: int) -> None:
    """Raise the error of a full or read-only disk."""
    raise OSError(number, os.strerror(number))


def is_intact(root: os.PathLike) -> bool:
    """Whether the newest checkpoint, if any, is sound and no temporary file is left."""
    run = Run(HOME / root / "run")
    if list((HOME / root).rglob(".tmp-*")):
        return False
    return not run.path.exists() or not checkpoint.newest(run.checkpoints)[1]


def finishes_exactly(root: os.PathLike, start: tuple, truth: dict) -> bool:
    """Whether the resumed run ends as the uninterrupted one."""
    run = Run(HOME / root / "run")
    again = ("train", "--resume", "run", "--runs", root, "--checkpoint-every", EVERY, "--quiet")
    code, said = command(*(again if run.path.exists() else start))
    found = kept(run) if code == 0 else {}
    different = [key for key in truth if key != "config" and found.get(key) != truth[key]]
    if different:
        print(f"resumed: exit {code}, {said!r}, different: {different}")
    return not different
