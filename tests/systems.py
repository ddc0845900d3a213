"""The main functions on any operating system: `python tests/systems.py`. The workflow runs it on each of them.

A training is stopped by its stop file and by a signal, resumed and evaluated; a picture is classified; the studio
answers a request.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image

from jaxquard.data import load
from jaxquard.runs.lock import ask_to_stop
from jaxquard.systems import NEW_GROUP, WINDOWS

JAXQUARD = [sys.executable, "-c", "from jaxquard.cli import main; main()"]
BREAK = signal.CTRL_BREAK_EVENT if WINDOWS else signal.SIGINT  # pyright: ignore[reportAttributeAccessIssue]


def main() -> None:
    """Run everything in a temporary folder."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["JAXQUARD_RUNS"] = folder
        run = Path(folder) / "run"
        stopped(["train", "--name", "run", "--epochs", "1000"], run, lambda process: ask_to_stop(run))
        stopped(["train", "--resume", "run"], run, lambda process: process.send_signal(BREAK))
        epoch = json.loads(said("train", "--resume", "run", "--until", "5", "--json"))["epochs"]
        assert epoch >= 5, epoch
        assert json.loads(said("evaluate", "run", "--json"))["accuracy"] > 0.75
        recognised(Path(folder) / "picture.png")
        served()
    print("everything works")


def said(*words: str) -> str:
    """The stdout of a command. CalledProcessError if it fails."""
    return subprocess.run([*JAXQUARD, *words], stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout


def stopped(words: list[str], run: Path, stop) -> None:
    """Start a training, stop it after an epoch or more, and wait for its end."""
    before = epochs(run)
    with subprocess.Popen([*JAXQUARD, *words, "--quiet"], creationflags=NEW_GROUP) as process:
        while epochs(run) <= before:
            assert process.poll() is None, process.returncode
            time.sleep(0.05)
        stop(process)
        assert process.wait(60) == 130, process.returncode
    assert not (run / "holder.json").exists()


def epochs(run: Path) -> int:
    """The number of epochs in the run's journal, which also has a line for each time the run was resumed."""
    journal = run / "journal.jsonl"
    return journal.read_bytes().count(b'"train_loss"') if journal.exists() else 0


def recognised(picture: Path) -> None:
    """A network of the package classifies a test image, saved as a picture."""
    data = load("fashion-mnist")
    Image.fromarray(data.test_images[0, :, :, 0]).save(picture)
    (answer,) = json.loads(said("predict", "cnn-small", str(picture), "--json"))
    assert answer["label"] == data.class_names[data.test_labels[0]], answer


def served() -> None:
    """The studio answers a request."""
    command = [*JAXQUARD, "studio", "--no-open", "--json", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as studio:
        assert studio.stdout
        url = json.loads(studio.stdout.readline())["url"]
        with urllib.request.urlopen(f"{url}api/runs") as answer:
            assert [run["run"] for run in json.load(answer)["runs"]] == ["run"]
        studio.terminate()


if __name__ == "__main__":
    main()
