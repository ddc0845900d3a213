"""Who trains what: by holder and lock, without ever standing in a training's way."""

import json
import os
import socket
import subprocess
import sys

import pytest

from jaxquard.runs.directory import Run
from jaxquard.runs.lock import locked
from jaxquard.studio import watch
from jaxquard.studio.watch import ELSEWHERE, Watch, is_alive, status_of


def hold(run, pid, host=None):
    run.joinpath("holder.json").write_text(json.dumps({"pid": pid, "host": host or socket.gethostname()}))


def status(root, name):
    return status_of(Watch(root).look()[name])


def test_how_a_run_stands(root):
    assert {name: status(root, name) for name in ("slow", "part")} == {"slow": "finished", "part": "stopped"}
    with locked(root / "part"):
        assert Watch(root).look()["part"].pid == os.getpid()
        assert status(root, "part") == "running"
    assert status(root, "part") == "stopped"
    hold(root / "part", 2**22 + 1)
    assert status(root, "part") == "interrupted"
    (root / "part" / "holder.json").unlink()
    (root / "part" / "lock").unlink()
    assert status(root, "part") == "new"


def test_a_live_process_that_does_not_hold_the_lock_is_somebody_else(root):
    hold(root / "part", os.getppid())
    assert Watch(root).look()["part"].pid is None
    assert status(root, "part") == "interrupted"


def test_a_process_on_another_machine_is_told_by_the_lock_alone(root):
    with locked(root / "part"):
        hold(root / "part", 1, "elsewhere")
        assert Watch(root).look()["part"].pid == ELSEWHERE
    hold(root / "part", 1, "elsewhere")
    assert Watch(root).look()["part"].pid is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "host": "HOST"}', '{"pid": -1, "host": "HOST"}']
)
def test_a_holder_that_makes_no_sense_is_nobody(root, text):
    with locked(root / "part"):
        (root / "part" / "holder.json").write_text(text.replace("HOST", socket.gethostname()))
        assert Watch(root).look()["part"].pid is None


def test_what_is_not_one_process_is_not_alive():
    assert is_alive(os.getpid())
    for pid in (-1, -os.getpgrp(), 1, 2**63, 2**22 + 1):
        assert not is_alive(pid), pid


def test_the_lock_is_asked_for_once_for_each_holder(root, monkeypatch):
    asked = []
    monkeypatch.setattr(watch, "is_locked", lambda run: asked.append(run.id) or True)
    eyes = Watch(root)
    with locked(root / "part"):
        for _ in range(5):
            assert eyes.look()["part"].pid == os.getpid()
    assert asked == ["part"]
    assert eyes.look()["part"].pid is None


def test_a_holder_that_dies_is_seen(root, monkeypatch):
    code = "import sys; from pathlib import Path; from jaxquard.runs.lock import locked\n"
    code += "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    eyes = Watch(root)
    with subprocess.Popen([sys.executable, "-c", code, root / "part"], **pipes) as process:
        assert process.stdout.readline() == b"held\n"
        assert eyes.look()["part"].pid == process.pid
        process.kill()
        process.wait()
        sight = eyes.look()["part"]
        assert (sight.pid, sight.dropped) == (None, True)
    with monkeypatch.context() as later:  # another process has got its number
        later.setattr(watch, "is_alive", lambda pid: True)
        assert eyes.look()["part"].pid is None


def test_runs_come_and_go(root, tmp_path):
    eyes = Watch(root)
    assert list(eyes.look()) == ["fast", "part", "slow"]
    (root / "fast").rename(root / "quick")
    assert list(eyes.look()) == ["part", "quick", "slow"]
    assert Watch(tmp_path / "none").look() == {}


def test_between_two_rounds_only_what_is_under_way_is_looked_at(root, monkeypatch):
    monkeypatch.setattr(watch, "ROUND", 1e9)
    eyes = Watch(root)
    with locked(root / "part"):
        eyes.look()
        sizes = {name: sight.size for name, sight in eyes.look().items()}
        for name in ("part", "slow"):
            with open(Run(root / name).journal_file, "a") as file:
                file.write("{}\n")
        now = eyes.look()
    assert now["part"].size == sizes["part"] + 3
    assert now["slow"].size == sizes["slow"]
    assert eyes.look(afresh=True)["slow"].size == sizes["slow"] + 3
