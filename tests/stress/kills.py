"""SIGKILL, half the time at a random moment, half the time at a step of writing: before, halfway through and after each
write, fsync and rename in turn. Then the same command again, and nothing else.
"""

import itertools
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from common import HOME, Child, Row, in_child, kept, never_stopped, train_or_resume
from faults import ANY, Points, arm, die

from jaxquard.runs.directory import Run

Point = tuple[str, int]  # a kind of step, and which of that kind


def measure(short: bool = False) -> list[Row]:
    """204 kills (short: 12)."""
    kills, rng = 12 if short else 204, random.Random(7)
    root = HOME / "kills"
    truth, seconds = never_stopped(root / "truth")
    points = count_points(root / "points")
    places, killed, exact = in_turn(points, rng), Counter(), 0
    while killed.total() < kills:
        before = killed.total()
        shutil.rmtree(root / "victim", ignore_errors=True)
        kill_until_done(root / "victim", rng, seconds, places, killed, most=min(3, kills - before))
        exact += (killed.total() - before) * is_exact(root / "victim", truth)
    kinds = [kind for kind in +killed if kind != ANY]
    promise = "A training killed at any moment, or at any step of writing, resumes exactly, without any clean-up"
    figure = f"{exact} of {killed.total()} kills: {killed[ANY]} at random moments, {killed.total() - killed[ANY]} at "
    figure += f"{len(kinds)} of {len(points) - 1} kinds of step"
    complete = short or len(kinds) == len(points) - 1
    return [Row(promise, figure, f"all of ≥ {min(kills, 200)}", exact == killed.total() and complete)]


def count_points(root: Path) -> dict[str, int]:
    """How many points of writing of each kind a whole training passes."""

    def count() -> Counter[str]:
        points = Points(-1, die)
        arm(points)
        train_or_resume(root)
        return points.passed

    return in_child(count)


def in_turn(points: dict[str, int], rng: random.Random) -> Iterator[Point]:
    """Every kind of step in turn, at a random place in the first half of its kind: later ones may not be reached."""
    for kind in itertools.cycle(kind for kind in points if kind != ANY):
        yield kind, rng.randint(1, max(1, points[kind] // 2))


def kill_until_done(
    root: Path, rng: random.Random, seconds: float, places: Iterator[Point], killed: Counter[str], most: int
) -> None:
    """One training, killed up to `most` times, then run to its end. Kills are counted by kind of point."""
    enough = killed.total() + most
    for _ in range(2 * most):
        kind, patience, action = ANY, rng.uniform(0, seconds), partial(train_or_resume, root)
        if 2 * killed[ANY] > killed.total():
            (kind, at), patience = next(places), 60.0
            action = partial(armed, Points(at, die, kind), root)
        child = Child.doing(action)
        child.wait(patience)
        child.kill(signal.SIGKILL)
        killed[kind] += child.wait() == -signal.SIGKILL
        if child.code not in (0, -signal.SIGKILL):
            raise RuntimeError(f"a resumed training failed: {root}")
        if killed.total() == enough:
            break
    assert Child.doing(partial(train_or_resume, root)).wait() == 0, root


def armed(points: Points, root: Path) -> None:
    """Train until the point is reached."""
    arm(points)
    train_or_resume(root)


def is_exact(root: Path, truth: dict) -> bool:
    """Whether the run wrote the same as the uninterrupted one."""
    found = kept(Run(root / "run"))
    different = [key for key in truth if found[key] != truth[key]]
    if different:
        files = set(found["files"]) ^ set(truth["files"])
        print(f"not exact: {', '.join(different)} {files} of {shutil.copytree(root, Path(f'{root}-{time.time_ns()}'))}")
    return not different
