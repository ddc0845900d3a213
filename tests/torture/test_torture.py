"""The short forms of `make torture`: the same scripts, a few of each, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.check
@pytest.mark.parametrize(
    "name", ["kills", "damage", "cost", "signals", "contenders", "disk", "handwritten", "hostile", "downloads"]
)
def test_the_promise_holds_in_short(name):
    script = [sys.executable, str(Path(__file__).parent), name, "--short"]
    done = subprocess.run(script, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "BROKEN" not in done.stdout
