"""The list of runs and the details of one, which must be correct and up to date."""

import json
import shlex
import shutil

import numpy as np
import pytest

from jaxquard.runs import journal, tensors
from jaxquard.runs.directory import Run
from jaxquard.runs.lock import locked
from jaxquard.runs.ranking import ranking, verdict
from jaxquard.studio import runs
from jaxquard.studio.runs import commonest


def test_the_list(get, root):
    found = {one["run"]: one for one in get("/api/runs")["runs"]}
    assert set(found) == {"slow", "fast", "part"}
    slow, part = found["slow"], found["part"]
    assert (slow["status"], slow["epoch"], slow["epochs"], slow["networks"]) == ("finished", 3, 3, 2)
    assert (part["status"], part["epoch"], part["epochs"], part["networks"]) == ("stopped", 1, 3, 1)
    assert slow["parameters"] == part["parameters"] == 36 * 5 + 5 + 5 * 3 + 3
    assert slow["test_accuracy"] == Run(root / "slow").evaluations()[0]["accuracy"]
    assert slow["sweep"] is None
    assert part["test_accuracy"] is None


def test_a_sweep_is_listed_with_its_settings(get, swept):
    found = next(one for one in get("/api/runs")["runs"] if one["run"] == "swept")
    assert (found["networks"], found["sweep"]) == (4, {"learning_rate": [0.01, 0.3]})
    titles = [one["title"] for one in get("/api/models")["models"] if one["model"].startswith("swept")]
    settings = [f"(seed {seed}, learning_rate {rate})" for rate in (0.01, 0.3) for seed in (0, 1)]
    each = [f"swept, network {k} {which}" for k, which in enumerate(settings)]
    assert titles == [*each, "swept, average of 4 networks"]


def test_the_newest_comes_first(get, root):
    for age, name in enumerate(("part", "slow", "fast")):
        file = root / name / "environment.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"started": 1e9 - age}))
    assert [one["run"] for one in get("/api/runs")["runs"]] == ["part", "slow", "fast"]


def test_a_summary_is_read_again_only_after_a_change(get, root, monkeypatch):
    read = []
    known = runs.summarised
    monkeypatch.setattr(runs, "summarised", lambda sight: read.append(sight.run.id) or known(sight))
    get("/api/runs")
    get("/api/runs")
    assert sorted(read) == ["fast", "part", "slow"]
    with locked(root / "part"):
        assert {one["run"]: one["status"] for one in get("/api/runs")["runs"]}["part"] == "running"
        journal.append(Run(root / "part").journal_file, {"epoch": 2, "step": 12, "train_loss": [0.25]})
        part = next(one for one in get("/api/runs")["runs"] if one["run"] == "part")
    assert (part["epoch"], part["train_loss"]) == (2, [0.25])
    assert read[3:] == ["part", "part"]
    (looks := Run(root / "slow")).record_evaluation("somebody", "asked for", accuracy=[0.5, 0.5])
    slow = next(one for one in get("/api/runs")["runs"] if one["run"] == "slow")
    assert slow["evaluations"] == len(looks.evaluations())


@pytest.mark.parametrize("name", ["config.toml", "journal.jsonl", "evaluations.jsonl"])
def test_a_damaged_run_does_not_hide_the_others(get, ask, root, name):
    (root / "slow" / name).write_bytes(b"\xff\n")
    found = {one["run"]: one for one in get("/api/runs")["runs"]}
    assert {run: one["status"] for run, one in found.items()} == {
        "slow": "damaged",
        "fast": "finished",
        "part": "stopped",
    }
    assert name in found["slow"]["error"]
    assert str(root) not in found["slow"]["error"]
    assert "codec" not in found["slow"]["error"]
    assert found["slow"]["sweep"] is found["slow"]["networks"] is None
    answers = [ask("GET", path) for path in ("/api/runs/slow", "/api/compare?run=slow&run=fast")]
    assert {answer.status for answer in answers} <= {200, 409}
    assert answers[0].status == 409 or answers[0].json["status"] == "damaged"


def test_one_run(get, npz):
    found = get("/api/runs/slow")
    assert found["networks"] == [{"seed": 0}, {"seed": 1}]
    assert found["steps_per_epoch"] == 5
    assert [line["epoch"] for line in found["journal"] if "event" not in line] == [1, 2, 3]
    assert found["config"]["learning_rate"] == 0.01
    assert found["command"].startswith(f"jaxquard train --dataset {shlex.quote(str(npz))} --validation 20 ")
    assert found["error"] is None


def test_lines_replaced_by_a_resume_are_not_shown(get, root):
    file = Run(root / "part").journal_file
    journal.append(file, {"epoch": 2, "step": 12, "train_loss": [1.0]})
    journal.append(file, {"event": "resumed", "step": 6})
    journal.append(file, {"epoch": 2, "step": 12, "train_loss": [2.0]})
    lines = get("/api/runs/part")["journal"]
    assert [line["train_loss"] for line in lines if line.get("epoch") == 2] == [[2.0]]


@pytest.mark.parametrize("rest", ["", "/weights"])
@pytest.mark.parametrize("name", ["none", "slow@0", "SLOW", "..", "slow%2f", "."])
def test_a_run_is_found_only_by_its_id(ask, name, rest):
    answer = ask("GET", f"/api/runs/{name}{rest}")
    assert (answer.status, list(answer.json)) == (404, ["error"])


def test_no_runs_yet(get, root):
    shutil.rmtree(root)
    assert get("/api/runs") == {"runs": []}


def test_the_statistics_of_batch_norm_are_not_learned(tmp_path):
    run, weights = Run(tmp_path), [{"w": np.zeros((2, 3, 4), np.float32)}]
    run.snapshots.mkdir()
    run.snapshot(0).write_bytes(tensors.to_bytes((weights, [{"mean": np.zeros((2, 4), np.float32)}])))
    assert runs.parameters(run, 2) == 12


@pytest.mark.parametrize("damage", [b"", b"\xff" * 100, b"\x10" + b"\0" * 7 + b"[]              "])
def test_a_damaged_snapshot_hides_only_the_number_of_parameters(get, root, damage):
    (root / "slow" / "snapshots" / "epoch-000000.safetensors").write_bytes(damage)
    found = {one["run"]: one for one in get("/api/runs")["runs"]}
    assert (found["slow"]["status"], found["slow"]["parameters"]) == ("finished", None)


def test_a_sweeps_ranking_verdict_and_groups_agree_with_train(get, swept):
    found = get("/api/runs/swept")
    rows = ranking([swept], ["learning_rate"])
    listed = [row | {"val_accuracy": list(row["val_accuracy"].values)} for row in rows]
    assert (found["ranking"], found["verdict"]) == (listed, verdict(rows))
    assert found["groups"] == [
        {"label": "learning_rate 0.01", "networks": [0, 1]},
        {"label": "learning_rate 0.3", "networks": [2, 3]},
    ]
    assert (get("/api/runs/fast")["ranking"], get("/api/runs/fast")["groups"]) == ([], [])


def test_a_run_reports_its_divergence_and_its_most_common_confusion(get, root):
    journal = root / "slow" / "journal.jsonl"
    facts = {"event": "diverged", "step": 8, "bad_step": 7, "network": 1, "quantity": "loss"}
    journal.write_text(journal.read_text() + json.dumps(facts) + "\n")
    found = get("/api/runs/slow")
    assert found["diverged"] == [{"network": 1, "step": 7, "quantity": "loss"}]
    own = json.loads((root / "slow" / "evaluations.jsonl").read_text().splitlines()[0])["confusion"]
    assert found["confusion"] == commonest(own)
    assert found["evaluations"] == 1  # reading the evaluation adds none
    assert get("/api/runs/part")["confusion"] is None


def test_the_most_common_confusion_of_several_networks():
    one = {"true": "a", "predicted": "b", "count": 4, "of": 9}
    other = {"true": "b", "predicted": "a", "count": 8, "of": 7}
    assert commonest([other, one, one | {"count": 5}, None]) == one | {"count": 4.5, "networks": 2}
    assert commonest([one]) == one | {"networks": 1}
    assert commonest([None, None]) is commonest(None) is None


@pytest.mark.parametrize("name", ["confusion", "matrix"])
@pytest.mark.parametrize(
    "value", [7, "a", {"true": "a"}, [{"true": 1, "predicted": "b", "count": 1, "of": 1}], [[[1, 2], [3]]], [[[-1]]]]
)
def test_an_invalid_confusion_is_damage(get, root, name, value):
    file = root / "slow" / "evaluations.jsonl"
    file.write_text(json.dumps(json.loads(file.read_text().splitlines()[0]) | {name: value}) + "\n")
    found = get("/api/runs")["runs"]
    assert next(run["status"] for run in found if run["run"] == "slow") == "damaged"
