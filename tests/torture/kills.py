"""Killed at random: SIGKILL at any moment, and at every step of writing; each resume must be exact, by itself."""

import json
import random
import shutil
import signal
import time
from pathlib import Path

from common import HOME, Child, Row, kept, never_stopped, train_or_resume
from faults import Points, arm, die

from jaxquard.runs.directory import Run


def measure(short: bool = False) -> list[Row]:
    """240 kills (short: 20), half of them at random moments, half at random points of writing."""
    kills, rng = 20 if short else 240, random.Random(7)
    root = HOME / "kills"
    truth, seconds = never_stopped(root / "truth")
    points = count_points(root / "points")
    exact = survived = 0
    while survived < kills:
        shutil.rmtree(root / "victim", ignore_errors=True)
        murders = kill_until_done(root / "victim", rng, seconds, points, most=min(3, kills - survived))
        survived += murders
        exact += murders if is_exact(root / "victim", truth) else 0
    promise = "A training killed at any moment, or at any step of writing, resumes exactly, with no cleaning up"
    figure = f"{exact} of {survived} kills, over {points} points of writing and at random moments"
    return [Row(promise, figure, f"all of ≥ {min(kills, 200)}", exact == survived >= kills, "make torture")]


def count_points(root: Path) -> int:
    """How many points of writing a whole training passes."""
    noted = HOME / "points.json"

    def count() -> None:
        points = Points(-1, die)
        arm(points)
        train_or_resume(root)
        noted.write_text(json.dumps(points.passed))

    assert Child.doing(count).wait() == 0
    return json.loads(noted.read_text())


def kill_until_done(root: Path, rng: random.Random, seconds: float, points: int, most: int) -> int:
    """One training, killed up to `most` times on its way, then left alone to finish: how often it was killed."""
    killed = 0
    for attempt in range(2 * most):
        if attempt % 2:
            child, patience = Child.doing(lambda: train_or_resume(root)), rng.uniform(0, seconds)
        else:
            at = rng.randint(1, points)
            child, patience = Child.doing(lambda at=at: (arm(Points(at, die)), train_or_resume(root))), 60.0
        child.wait(patience)
        child.kill(signal.SIGKILL)
        killed += child.wait() == -signal.SIGKILL
        if child.code not in (0, -signal.SIGKILL):
            raise RuntimeError(f"a resumed training failed: {root}")
        if killed == most:
            break
    assert Child.doing(lambda: train_or_resume(root)).wait() == 0, root
    return killed


def is_exact(root: Path, truth: dict) -> bool:
    """Whether the run wrote down what it would have written if nothing had happened to it."""
    found = kept(Run(root / "run"))
    different = [key for key in truth if found[key] != truth[key]]
    if different:
        print(f"not exact: {', '.join(different)} of {shutil.copytree(root, Path(f'{root}-{time.time_ns()}'))}")
    return not different
