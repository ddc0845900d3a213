"""While a training runs, `jaxquard train --resume` of the same run is started in another process. Then the first is
killed, and the run is resumed.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

from common import HOME, Child, Row, made_up_data

from jaxquard import cli

LONG = ("--hidden", "7", "--batch-size", "2", "--epochs", "100000", "--name", "run", "--quiet")


def measure(short: bool = False) -> list[Row]:
    """20 second trainings (short: 2)."""
    root, times, right, slowest = HOME / "contenders", 2 if short else 20, 0, 0.0
    begin = ["train", "--dataset", str(made_up_data()), *LONG, "--runs", str(root)]
    resume = ["train", "--resume", "run", "--runs", str(root), "--quiet"]
    for _ in range(times):
        first = Child.doing(lambda: cli.main(resume if (root / "run").exists() else begin))
        await_holder(root / "run" / "holder.json", first)
        began = time.monotonic()
        second = subprocess.run(
            [sys.executable, "-c", "from jaxquard.cli import main; main()", *resume], capture_output=True, text=True
        )
        slowest = max(slowest, time.monotonic() - began)
        right += second.returncode == 5 and f"in use by process {first.pid} on " in second.stderr
        first.kill(signal.SIGKILL)
        first.wait()
    promise = (
        "A second training in a run directory is refused within a second, and the first named; a killed one frees it"
    )
    figure = f"{right} of {times} refused, the slowest after {slowest:.2f} s, start of the process included"
    return [Row(promise, figure, "all, within 1 s", right == times and (short or slowest <= 1))]


def await_holder(file: Path, child: Child) -> None:
    """Wait until the first training holds the lock."""
    while not (file.exists() and f'"pid": {child.pid},' in file.read_text(encoding="utf-8")):
        assert child.wait(0.01) is None, "the first training ended"
