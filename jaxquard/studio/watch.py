"""What goes on in a directory of runs, looked at often and cheaply: which are under way, and what they just wrote.

Nobody tells the studio about a training: it may have been started in a terminal, or by a studio that has since been
killed. All is read from the run directories, ten times a second where something happens.
"""

import contextlib
import os
import socket
import threading
import time
from pathlib import Path
from typing import NamedTuple

from jaxquard.errors import JaxquardError, RunError
from jaxquard.runs import strict_json
from jaxquard.runs.directory import Run, every
from jaxquard.runs.lock import refuse_if_in_use

TICK = 0.1  # seconds between two looks at what is under way
ROUND = 1.0  # seconds between two looks at everything
ELSEWHERE = 0  # the process id of whoever trains on another machine


class Sight(NamedTuple):
    """A run as it looked a moment ago.

    `pid`: the process that trains it (None: nobody; 0: one on another machine). `dropped`: one that died has left
    its name behind. `size`, `written`: bytes in the journal, and when it was last written (seconds since the epoch).
    """

    run: Run
    pid: int | None
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
        self._held: dict[str, tuple[float, int]] = {}

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
            active = {name: self._sight(sight.run) for name, sight in self._sights.items() if sight.pid is not None}
            self._sights = self._sights | active
        self._looked = time.monotonic()

    def _sight(self, run: Run) -> Sight:
        pid, dropped = self._holder(run)  # before the journal: who is gone by now has written all there is
        with contextlib.suppress(OSError):
            journal = os.stat(run.journal_file)
            return Sight(run, pid, dropped, journal.st_size, journal.st_mtime)
        return Sight(run, pid, dropped, 0, 0.0)

    def _holder(self, run: Run) -> tuple[int | None, bool]:
        """Who trains a run, and whether somebody did who died.

        The lock decides, but asking for it means to hold it for a moment, in which a training would find it taken. So
        it is asked for once for each holder, who has it by then or is dead.
        """
        file = run.path / "holder.json"
        written = modified(file)
        try:
            holder = strict_json.loads(file.read_bytes())
            pid = int(holder["pid"]) if holder["host"] == socket.gethostname() else ELSEWHERE
        except (OSError, ValueError, KeyError, TypeError):  # nobody, or this very moment somebody
            return None, 0 < written < time.time() - ROUND
        known = pid != ELSEWHERE and self._held.get(run.id) == (written, pid)
        alive = is_alive(pid) and (known or is_locked(run))
        if alive:
            self._held[run.id] = (written, pid)
        else:
            self._held.pop(run.id, None)  # its number may be another process's one day
        return (pid, False) if alive else (None, True)


def modified(path: Path) -> float:
    """When a file was last written, 0 where there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def is_alive(pid: int) -> bool:
    """Whether a process of this machine lives. Of one elsewhere only the lock can tell."""
    if pid == ELSEWHERE:
        return True
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 1  # less than that is no process, but many


def is_locked(run: Run) -> bool:
    """Whether somebody holds a run's lock."""
    try:
        refuse_if_in_use(run.path)
    except RunError:
        return True
    except JaxquardError:  # nobody can be at work where no lock can be taken
        return False
    return False


def status_of(sight: Sight) -> str:
    """`running`, `finished`, `diverged`, `stopped` (with a checkpoint), `interrupted` (died), `new`; RunError."""
    if sight.pid is not None:
        return "running"
    said = sight.run.status()
    if said != "unfinished":
        return said
    if sight.dropped:
        return "interrupted"
    return "stopped" if (sight.run.path / "lock").exists() else "new"
