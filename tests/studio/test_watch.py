"""The statuses of runs, from holder and lock, without blocking a training."""

import shutil
import subprocess
import sys
import threading

import pytest

from jaxquard.runs.directory import Run
from jaxquard.runs.lock import is_training, locked
from jaxquard.studio import watch
from jaxquard.studio.watch import Watch, status_of

from ..runs.test_lock import HOLD


def hold(run):
    run.joinpath("holder.json").write_text("{}")


def status(root, name):
    return status_of(Watch(root).look()[name])


def test_the_status_of_a_run(root):
    assert {name: status(root, name) for name in ("slow", "part")} == {"slow": "finished", "part": "stopped"}
    with locked(root / "part"):
        assert Watch(root).look()["part"].training
        assert status(root, "part") == "running"
    assert status(root, "part") == "stopped"
    hold(root / "part")
    assert status(root, "part") == "interrupted"
    (root / "part" / "holder.json").unlink()
    (root / "part" / "lock").unlink(missing_ok=True)  # Windows has none
    assert status(root, "part") == "stopped"
    (root / "part" / "journal.jsonl").write_bytes(b"")
    for checkpoint in (root / "part" / "checkpoints").iterdir():
        shutil.rmtree(checkpoint)
    assert status(root, "part") == "new"


def test_an_invalid_holder_file_still_counts_as_training(root):
    with locked(root / "part"):
        (root / "part" / "holder.json").write_text("{")
        assert Watch(root).look()["part"].training


@pytest.mark.posix  # on Windows, two threads that look without a pause hold holder.json open for too long
def test_looking_never_blocks_a_training(root):
    stop = threading.Event()

    def look():
        while not stop.is_set():
            is_training(root / "part")

    hold(root / "part")
    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(20):
            with locked(root / "part"):
                pass
            hold(root / "part")
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


def test_a_killed_training_is_interrupted(root):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    watcher = Watch(root)
    with subprocess.Popen([sys.executable, "-c", HOLD, root / "part"], **pipes) as process:
        assert process.stdout.readline().strip() == b"held"
        assert watcher.look()["part"].training
        process.kill()
        process.wait()
        sight = watcher.look()["part"]
        assert (sight.training, sight.dropped) == (False, True)


def test_renamed_runs_are_seen(root, tmp_path):
    watcher = Watch(root)
    assert list(watcher.look()) == ["fast", "part", "slow"]
    (root / "fast").rename(root / "quick")
    assert list(watcher.look()) == ["part", "quick", "slow"]
    assert Watch(tmp_path / "none").look() == {}


def test_between_two_rounds_only_training_runs_are_looked_at(root, monkeypatch):
    monkeypatch.setattr(watch, "ROUND", 1e9)
    watcher = Watch(root)
    with locked(root / "part"):
        watcher.look()
        sizes = {name: sight.size for name, sight in watcher.look().items()}
        for name in ("part", "slow"):
            with open(Run(root / name).journal_file, "ab") as file:
                file.write(b"{}\n")
        now = watcher.look()
    assert now["part"].size == sizes["part"] + 3
    assert now["slow"].size == sizes["slow"]
    assert watcher.look(force=True)["slow"].size == sizes["slow"] + 3
