"""Watches a directory of runs: which runs are training, and the sizes of their journals.

A training may have been started in a terminal, or by an earlier studio. So the studio reads everything from the run
directories: training runs ten times a second, the others once a second.
"""

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

from jaxquard.runs.directory import Run, every
from jaxquard.runs.lock import is_training

TICK = 0.1  # seconds between two looks at the training runs
ROUND = 1.0  # seconds between two looks at all runs


class Sight(NamedTuple):
    """The state of a run at the last look.

    `training`: a process trains it. `dropped`: the process that trained it died. `size`, `written`: bytes of the
    journal, and the time of its last change (seconds since 1970).
    """

    run: Run
    training: bool
    dropped: bool
    size: int
    written: float


class Watch:
    """Looks at the runs under `root`; calls at about the same time share one look. Thread-safe."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._sights: dict[str, Sight] = {}
        self._looked = self._went_round = -ROUND
        self._changed = 0.0

    def look(self, *, force: bool = False) -> dict[str, Sight]:
        """Every run by its id, oldest name first. `force`: look at all runs now."""
        with self._lock:
            now = time.monotonic()
            if force or now - self._looked >= TICK / 5:
                self._look(now, force)
            return self._sights

    def find(self, name: str) -> Sight | None:
        """The run of that id, also if it was copied here since the last look. None if there is none."""
        return self.look().get(name) or self.look(force=True).get(name)

    def _look(self, now: float, force: bool) -> None:
        changed = modified(self.root)
        if force or changed != self._changed or now - self._went_round >= ROUND:
            self._sights = {run.id: self._sight(run) for run in every(self.root)}
            self._changed, self._went_round = changed, now
        else:
            active = {name: self._sight(sight.run) for name, sight in self._sights.items() if sight.training}
            self._sights = self._sights | active
        self._looked = time.monotonic()

    def _sight(self, run: Run) -> Sight:
        training = is_training(run.path)  # before the journal: an ended process has written everything
        dropped = not training and (run.path / "holder.json").exists()
        with contextlib.suppress(OSError):
            journal = os.stat(run.journal_file)
            return Sight(run, training, dropped, journal.st_size, journal.st_mtime)
        return Sight(run, training, dropped, 0, 0.0)


def modified(path: Path) -> float:
    """When a file was last written; 0 if there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def status_of(sight: Sight) -> str:
    """`running`, `finished`, `diverged`, `stopped` (has a checkpoint), `interrupted` (died) or `new`. RunError."""
    if sight.training:
        return "running"
    said = sight.run.status()
    if said != "unfinished":
        return said
    if sight.dropped:
        return "interrupted"
    return "stopped" if sight.run.has_begun() else "new"
