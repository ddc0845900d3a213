"""What goes on in a directory of runs, looked at often and cheaply: which are under way, and what they just wrote.

Nobody tells the studio about a training: it may have been started in a terminal, or by a studio that has since been
killed. All is read from the run directories, ten times a second where something happens.
"""

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

from jaxquard.runs.directory import Run, every
from jaxquard.runs.lock import is_training

TICK = 0.1  # seconds between two looks at what is under way
ROUND = 1.0  # seconds between two looks at everything


class Sight(NamedTuple):
    """A run as it looked a moment ago.

    `training`: a process trains it. `dropped`: a process that trained it died. `size`, `written`: bytes in the
    journal, and when it was last written (seconds since 1970).
    """

    run: Run
    training: bool
    dropped: bool
    size: int
    written: float


class Watch:
    """Looks at the runs under `root`, once for all who ask at about the same time; safe to share by threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._sights: dict[str, Sight] = {}
        self._looked = self._went_round = -ROUND
        self._changed = 0.0

    def look(self, *, afresh: bool = False) -> dict[str, Sight]:
        """Every run by its id, oldest name first."""
        with self._lock:
            now = time.monotonic()
            if afresh or now - self._looked >= TICK / 5:
                self._look(now, afresh)
            return self._sights

    def _look(self, now: float, afresh: bool) -> None:
        changed = modified(self.root)
        if afresh or changed != self._changed or now - self._went_round >= ROUND:
            self._sights = {run.id: self._sight(run) for run in every(self.root)}
            self._changed, self._went_round = changed, now
        else:
            active = {name: self._sight(sight.run) for name, sight in self._sights.items() if sight.training}
            self._sights = self._sights | active
        self._looked = time.monotonic()

    def _sight(self, run: Run) -> Sight:
        training = is_training(run.path)  # before the journal: a process that is gone has written everything
        dropped = not training and (run.path / "holder.json").exists()
        with contextlib.suppress(OSError):
            journal = os.stat(run.journal_file)
            return Sight(run, training, dropped, journal.st_size, journal.st_mtime)
        return Sight(run, training, dropped, 0, 0.0)


def modified(path: Path) -> float:
    """When a file was last written, 0 where there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def status_of(sight: Sight) -> str:
    """`running`, `finished`, `diverged`, `stopped` (with a checkpoint), `interrupted` (died), `new`; RunError."""
    if sight.training:
        return "running"
    said = sight.run.status()
    if said != "unfinished":
        return said
    if sight.dropped:
        return "interrupted"
    return "stopped" if sight.size or any(sight.run.checkpoints.glob("step-*[1-9]*")) else "new"
