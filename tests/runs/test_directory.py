"""The run directory: its files, its names, and damage."""

import errno
import json
import os
import shutil
import threading
import time
import tomllib
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from jaxquard.config import Config
from jaxquard.errors import JaxquardError, RunError, UsageError
from jaxquard.files import STALE, TEMPORARY
from jaxquard.runs import directory
from jaxquard.runs.directory import Run
from jaxquard.systems import quoted


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of the finished run, to be damaged."""
    return Run(shutil.copytree(trained.run.path, tmp_path / "runs" / "copied"))


def test_a_run_directory_has_these_files(trained, stripes):
    run = trained.run
    assert sorted({path.name for path in run.path.iterdir()} - {"lock"}) == [
        "checkpoints",
        "config.toml",
        "environment.json",
        "evaluations.jsonl",
        "journal.jsonl",
        "snapshots",
    ]
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["step-000000000", "step-000000018"]
    assert {file.name for file in run.checkpoints.glob("*/*")} == {"manifest.json", "state.safetensors"}
    assert sorted(path.stem for path in run.snapshots.iterdir()) == [f"epoch-00000{k}" for k in range(4)]
    config = tomllib.loads((run.path / "config.toml").read_text())
    assert Config.from_dict(config) == run.config
    assert run.config.pixel_mean is not None
    assert (run.config.validation, run.config.validates) == (None, 0)
    assert run.environment["dataset"]["sha256"] == dict(stripes.sha256)
    assert json.loads((run.path / "environment.json").read_text())["dataset"]["class_names"] == ["0", "1", "2"]


def test_names_are_single_portable_path_components(tmp_path):
    names = ("../x", "..", ".", "", "/etc", "a/b", "a\\b", ".hidden", "-x", "é", "a b", "x" * 101, "a\0b", "a\n", "a ")
    for name in (*names, "run.", "x.safetensors", "x.SafeTensors", "nul", "CON", "aux.txt", "com1", "LPT9.a.b"):
        with pytest.raises(UsageError, match="run name"):
            directory.free_path(tmp_path, name)
    for name in ("a", "A-1.b_c", "0", "x" * 100, "null", "com", "auxiliary.txt", "safetensors"):
        assert directory.free_path(tmp_path, name) == tmp_path / name
    for name in (*directory.shipped(), *map(str.upper, directory.shipped())):
        with pytest.raises(UsageError, match="a model that comes with Jaxquard has this name"):
            directory.free_path(tmp_path, name)


def test_the_number_of_a_network_follows_the_at_sign_of_the_last_name():
    assert directory.parted("run") == ("run", "", "")
    assert directory.parted("run@1") == ("run", "@", "1")
    assert directory.parted("/home/me@lab/runs/run") == ("/home/me@lab/runs/run", "", "")
    assert directory.parted("me@lab/run@2") == ("me@lab/run", "@", "2")


def test_new_names_say_what_is_trained():
    assert directory.new_name(Config(recipe="original")).startswith("original-20")
    assert directory.new_name(Config(dataset="/data/my set.npz", model="cnn")).startswith("cnn-myset-20")
    assert directory.new_name(Config(dataset="/data/日本/")).startswith("mlp-data-20")
    for awkward in (Config(dataset=f"/data/{'a' * 200}.npz"), Config(recipe="my idea, " * 20), Config(recipe="日本")):
        assert directory.checked_name(directory.new_name(awkward))
    names = {directory.new_name(Config()) for _ in range(20)}
    assert len(names) == 20
    assert all(directory.checked_name(name) for name in names)


def test_a_taken_name_is_refused_and_its_run_left_alone(trained):
    before = sorted(trained.run.path.rglob("*"))
    with pytest.raises(RunError, match="already there"):
        directory.create(trained.run.path.parent, "whole", Config(), {}, None)
    assert sorted(trained.run.path.rglob("*")) == before


def test_a_name_wanted_by_several_at_once_is_given_to_one(tmp_path, trained, small, stripes):
    from jaxquard.runs.train import make_run, prepare, start

    config, data = prepare(small, stripes)
    task, program = make_run(config, data)
    state = start(program, task, config.networks())
    outcomes = []

    def create() -> None:
        try:
            outcomes.append(directory.create(tmp_path, "wanted", config, trained.run.environment, state))
        except RunError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, Run) for outcome in outcomes) == 1
    assert sum("already there" in outcome for outcome in outcomes if isinstance(outcome, str)) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["wanted"]


def test_found_by_id_by_path_from_inside_and_not_at_all(trained, tmp_path, monkeypatch):
    root = trained.run.path.parent
    assert directory.find("whole", root).path == trained.run.path
    assert directory.find(str(trained.run.path), root / "elsewhere").id == "whole"
    with pytest.raises(RunError, match=r"whale: no such run in .*; did you mean whole"):
        directory.find("whale", root)
    (tmp_path / "whole.npz").touch()
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "model.safetensors").touch()
    for name, hint in {"exported": "holds a network: .*model.safetensors", "whole.npz": "data .* --dataset"}.items():
        with pytest.raises(RunError, match=f"no such run in .*; .*{hint}"):
            directory.find(str(tmp_path / name), root)
    for name in ("", "x" * 300):
        with pytest.raises(RunError, match="no such run"):
            directory.find(name, root)
    monkeypatch.chdir(trained.run.path)
    assert directory.find(".", trained.run.path / "runs").id == "whole"


def test_lists_runs_and_nothing_half_written(copied):
    root = copied.path.parent
    shutil.copytree(copied.path, root / f".tmp-{'0' * 32}-half")
    (root / "a-file").write_bytes(b"")
    (root / "a-folder").mkdir()
    assert [run.id for run in directory.every(root)] == ["copied"]
    assert list(directory.every(root / "none")) == []


def test_a_new_run_removes_only_old_leftovers(tmp_path):
    old, young = (tmp_path / f"{TEMPORARY}{digit * 32}-run" for digit in "01")
    old.mkdir()
    young.mkdir()  # another process is writing it
    os.utime(old, (time.time() - 2 * STALE,) * 2)
    weights = {"w": np.zeros(2, np.float32)}
    directory.create(tmp_path, "new", Config(), {}, namedtuple("State", "current")(weights))
    assert (old.exists(), young.exists()) == (False, True)


def test_runs_directory_is_what_was_given_else_the_variable_else_runs(monkeypatch, tmp_path):
    assert str(directory.runs_directory()) == "runs"
    monkeypatch.setenv("JAXQUARD_RUNS", str(tmp_path))
    assert directory.runs_directory() == tmp_path
    assert directory.runs_directory(tmp_path / "given") == tmp_path / "given"
    (tmp_path / "file").touch()
    for given in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(RunError, match=r"file: a file, not a folder for runs"):
            directory.runs_directory(given)


def test_a_command_can_be_pasted(tmp_path, monkeypatch):
    """With the folder of runs, quoted, unless it is the default."""
    monkeypatch.chdir(tmp_path)
    run = directory.Run(tmp_path / "my runs" / "one")
    assert run.command("evaluate", "one") == f"jaxquard evaluate one {quoted(['--runs', str(tmp_path / 'my runs')])}"
    assert directory.Run(Path("runs/one")).command("evaluate", "one@1") == "jaxquard evaluate one@1"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JAXQUARD_RUNS", "~/my runs")
    assert run.command("evaluate", "one") == "jaxquard evaluate one"
    assert directory.command("train", runs=directory.runs_directory()) == "jaxquard train"


def test_an_evaluation_of_a_read_only_run_is_reported_as_not_recorded(copied, monkeypatch):
    def refuse(number):
        def open_(*_, **__):
            raise OSError(number, os.strerror(number))

        return open_

    for number in (errno.EROFS, errno.EACCES):
        monkeypatch.setattr(os, "open", refuse(number))
        assert "could not be recorded" in copied.note_evaluation("evaluate", "why", n=1)
    monkeypatch.setattr(os, "open", refuse(errno.ENOSPC))
    with pytest.raises(JaxquardError, match="No space left"):
        copied.note_evaluation("evaluate", "why", n=1)
    monkeypatch.undo()
    assert copied.note_evaluation("evaluate", "why", n=1) == ""
    assert copied.evaluations()[-1]["n"] == 1


DAMAGED_TOML = {
    "not UTF-8": b"\xff",
    "not TOML": b"epochs = ",
    "an unknown setting": b"epoch = 3",
    "a nested sweep": b"[sweep]\nlearning_rate = [[0.1]]",
    "deep nesting": b"hidden = " + b"[" * 100_000,
    "too many networks": b"seeds = 1024\n[sweep]\nlearning_rate = [0.1, 0.2]",
}


@pytest.mark.parametrize("data", DAMAGED_TOML.values(), ids=DAMAGED_TOML.keys())
def test_a_damaged_config_is_named(copied, data):
    (copied.path / "config.toml").write_bytes(data)
    with pytest.raises(RunError, match=r"config\.toml: damaged"):
        _ = copied.config


DAMAGED_JSON = [b"", b"[]", b"null", b'{"format": 3}', b"\xff", b"[" * 100_000]
DAMAGED_JSON += [b'{"format": 3, "dataset": 1}', b'{"format": 3, "dataset": {}}']


@pytest.mark.parametrize("data", DAMAGED_JSON)
def test_a_damaged_environment_is_named(copied, data):
    (copied.path / "environment.json").write_bytes(data)
    with pytest.raises(RunError, match=r"environment\.json: damaged"):
        _ = copied.environment


@pytest.mark.parametrize("written", [None, 1, 2, "3"])
def test_a_run_of_another_format_is_refused_before_its_settings_are_read(copied, written):
    facts = copied.environment | {"format": written}
    (copied.path / "environment.json").write_text(json.dumps({k: v for k, v in facts.items() if v is not None}))
    (copied.path / "config.toml").write_text("a_setting_of_that_time = 1")
    with pytest.raises(RunError, match=rf"environment.json: a run of format {written or 1}; this program reads 3$"):
        _ = Run(copied.path).config


def test_missing_files_are_named(copied):
    for name in ("config.toml", "environment.json"):
        (copied.path / name).unlink()
    with pytest.raises(RunError, match=r"config\.toml: cannot be read"):
        _ = copied.config
    with pytest.raises(RunError, match=r"environment\.json: cannot be read"):
        _ = copied.environment


def test_a_fork_knows_its_parent_and_is_still_readable(copied):
    with (copied.path / "config.toml").open("a") as file:
        file.write('\n[parent]\nrun = "whole"\nstep = 12\n')
    assert copied.config.epochs == 3
