"""The studio and a training as real processes."""

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest

from jaxquard.runs.directory import Run

pytestmark = pytest.mark.check
MAIN = [sys.executable, "-c", "from jaxquard.cli import main; main()"]


def test_ctrl_c_ends_the_studio_and_not_the_training(root, npz, wait_until):
    settings = {"dataset": str(npz), "hidden": [5], "batch_size": 20, "epochs": 10**6, "learning_rate": 0.001}
    run, holder = Run(root / "long"), root / "long" / "holder.json"
    words = ["studio", "--no-open", "--json", "--offline", "--port", "0", "--runs", str(root)]
    with subprocess.Popen([*MAIN, *words], stdout=subprocess.PIPE, text=True) as server:
        try:
            url = json.loads(server.stdout.readline())["url"]
            job = json.dumps({"settings": settings, "name": "long"}).encode()
            headers = {"Content-Type": "application/json"}
            urllib.request.urlopen(urllib.request.Request(f"{url}api/jobs", job, headers)).close()
            wait_until(lambda: len(run.epochs()) > 5)
            server.send_signal(signal.SIGINT)
            assert server.wait(30) == 130
            epochs = len(run.epochs())
            wait_until(lambda: len(run.epochs()) > epochs)
            os.kill(json.loads(holder.read_text())["pid"], signal.SIGTERM)
            wait_until(lambda: not holder.exists())
        finally:
            server.kill()
            if holder.exists():
                os.kill(json.loads(holder.read_text())["pid"], signal.SIGKILL)
