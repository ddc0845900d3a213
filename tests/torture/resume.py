"""Exact resume: every kind of small training, interrupted at every one of its steps, against one that ran through."""

import re
import subprocess
import sys
from pathlib import Path

from common import Row

FILE = Path(__file__).parents[1] / "runs" / "test_train.py"
COMMAND = ("-m", "pytest", str(FILE), "-k", "never_stopped or alike_wherever", "-m", "check or not check", "-q")


def measure(short: bool = False) -> list[Row]:
    """The tests of it (short: those of `make test`)."""
    command = [*COMMAND[:-2], "not check", "-q"] if short else [*COMMAND]
    said = subprocess.run([sys.executable, *command], capture_output=True, text=True).stdout
    passed, failed = (int((re.findall(rf"(\d+) {word}", said) or [0])[0]) for word in ("passed", "failed"))
    promise = "A training stopped at any step and resumed is, bit for bit, the one that was never stopped"
    figure = f"{passed} of {passed + failed} kinds of training, each stopped at every one of its steps"
    repeat = "python -m pytest tests/runs/test_train.py -k never_stopped -m 'check or not check'"
    return [Row(promise, figure, "every kind", failed == 0 < passed, repeat)]
