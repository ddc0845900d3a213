"""Runs and times contestants, each in its own process, one at a time."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# The environment may pin OpenBLAS's kernel and cache size, which would slow current NumPy down.
PINNED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


class ChildFailed(Exception):
    """A measured process failed."""


@dataclass(frozen=True)
class Outcome:
    """A finished process: its seconds from start to exit, its peak memory, the JSON on its last line ({}: none)."""

    seconds: float
    peak_mb: float
    report: dict[str, Any]


Contestant = Callable[[int], Outcome]  # gets the number of the round


def environment(cache: Path) -> dict[str, str]:
    """This process's environment, with all caches of a contestant inside `cache`."""
    kept = {
        name: value for name, value in os.environ.items() if name not in PINNED and not name.startswith("JAXQUARD_")
    }
    caches = {"XDG_CACHE_HOME": cache, "TORCHINDUCTOR_CACHE_DIR": cache / "torch", "KERAS_HOME": cache / "keras"}
    return kept | {name: str(folder) for name, folder in caches.items()}


def run(
    command: Sequence[str | Path], cache: Path, python: str | Path = sys.executable, limit: float = 3600.0
) -> Outcome:
    """Run `python *command` in the repository's root, at most `limit` seconds. Raises ChildFailed with the end of its
    stderr."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        began = time.perf_counter()
        argv = [str(python), *map(str, command)]
        child = subprocess.Popen(argv, stdout=out, stderr=err, cwd=ROOT, env=environment(cache))
        stopper = threading.Timer(limit, child.kill)
        stopper.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)  # unlike Popen.wait, it returns the peak memory
        finally:  # also after Ctrl-C
            stopper.cancel()
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if child.returncode:
            said = "".join(err.readlines()[-5:])
            how = f"ended with {child.returncode}" if seconds < limit else f"was stopped after {limit:g} s"
            raise ChildFailed(f"{' '.join(map(str, command))} {how}:\n{said}")
        return Outcome(seconds, usage.ru_maxrss / 1024, _last_json(out.read()))


def _last_json(text: str) -> dict[str, Any]:
    """The JSON object on the last line, or {}."""
    last = text.rstrip().rpartition("\n")[2]
    return json.loads(last) if last.startswith("{") else {}


def interleave(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, list[Outcome]]:
    """Run all contestants in turns, A B C A B C, so that a slow minute of the machine affects all of them."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in contestants}
    for k in range(rounds):
        for name, contestant in contestants.items():
            print(f"  round {k + 1} of {rounds}: {name}", file=sys.stderr)
            outcomes[name].append(contestant(k))
    return outcomes
