"""The verbs except `train`: their tables and their JSON."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from jaxquard.errors import DataError
from jaxquard.runs.directory import Run


def test_evaluate(jaxquard, root):
    said = jaxquard("evaluate", "one", "--runs", root)
    assert said.code == 0
    assert said.out.splitlines()[0] == "one on stripes, test set, 40 images, after step 12, epoch 2"
    document = jaxquard("evaluate", "one", "--runs", root, "--json").document
    assert list(document)[:6] == ["model", "dataset", "split", "n", "accuracy", "loss"]
    assert (document["model"], document["dataset"], document["split"], document["n"]) == ("one", "stripes", "test", 40)
    assert np.sum(document["confusion"]) == 40
    assert [one["class"] for one in document["per_class"]] == ["0", "1", "2"]
    assert (document["step"], document["epoch"]) == (12, 2)


def test_several_networks_begin_with_their_mean(jaxquard, npz, quick):
    jaxquard("train", "--dataset", npz, *quick, "--seeds", 3, "--name", "three", "--quiet")
    jaxquard(
        "train", "--dataset", npz, *quick, "--sweep", "learning_rate=0.1,0.3", "--validation", 20, "--name", "swept"
    )
    said = jaxquard("evaluate", "three").out.splitlines()
    assert said[0] == "three (3 networks) on stripes, test set, 40 images, after step 12, epoch 2"
    assert re.match(
        r"accuracy [\d.]+ ± [\d.]+ %   loss [\d.]+ ± [\d.]+   calibration error [\d.]+ ± [\d.]+ %$", said[1]
    )
    assert re.match(r"balanced accuracy [\d.]+ ± [\d.]+ %   macro-F1 [\d.]+ ± [\d.]+ %$", said[2])
    assert [line.split()[:2] for line in said[5:8]] == [["three@0", "2"], ["three@1", "2"], ["three@2", "2"]]
    assert len(said) == 10
    documents = jaxquard("evaluate", "three", "--json").document
    assert [document["model"] for document in documents] == ["three@0", "three@1", "three@2"]
    assert " … " in jaxquard("evaluate", "swept").out.splitlines()[1]  # no mean over a sweep


def test_a_note_names_the_weights_of_an_unfinished_run(jaxquard, npz, quick, picture):
    jaxquard("train", "--dataset", npz, *quick, "--name", "part", "--until", 1, "--quiet")
    note = "note: part is unfinished: these are its weights after step 6, epoch 1 of 2\n"
    for verb in (["evaluate", "part"], ["predict", "part", picture]):
        assert note in jaxquard(*verb).err
        said = jaxquard(*verb, "--json", "--quiet")
        [document] = said.document if verb[0] == "predict" else [said.document]
        assert (document["step"], document["epoch"], said.err) == (6, 1, "")


def test_evaluating_on_other_data_says_so_first(jaxquard, root):
    images = np.random.default_rng(0).integers(0, 255, (24, 6, 6)).astype(np.uint8)
    np.savez("other.npz", images=images, labels=np.arange(24) % 3)
    said = jaxquard("evaluate", "one", "--runs", root, "--dataset", "other.npz")
    assert said.err == "note: one was trained on other data, stripes\n"
    assert jaxquard("evaluate", "one", "--runs", root, "--dataset", "other.npz", "--quiet", "--json").err == ""


def test_predict(jaxquard, root, picture):
    said = jaxquard("predict", "one", picture, picture, "--runs", root)
    assert said.code == 0
    assert said.out.count(picture.name) == 2
    shares = [float(share) for share in re.findall(r"([\d.]+) %", said.out.splitlines()[-1])]
    assert len(shares) == 3
    assert shares == sorted(shares, reverse=True)
    assert "resized as a whole" in said.err
    said = jaxquard("predict", "one", picture, "--runs", root, "--json", "--quiet")
    assert said.err == ""
    (document,) = said.document
    answers = ["file", "label", "class_index", "probability", "probabilities"]
    assert list(document) == [*answers, "steps", "notes", "warnings", "step", "epoch"]
    assert document["file"] == str(picture)
    assert document["label"] == str(document["class_index"])
    assert document["probability"] == max(document["probabilities"].values())
    assert sum(document["probabilities"].values()) == pytest.approx(1)
    assert document["steps"] == ["decoded", "fitted"]
    assert document["notes"] == ["resized as a whole"]


def test_predict_prints_the_processing_of_pictures_once(jaxquard, picture):
    said = jaxquard("predict", "mlp", picture, picture, "--json")
    assert [one["notes"] for one in said.document] == [["light background: inverted"]] * 2
    assert f"{picture} and 1 more: light background: inverted\n" in said.err
    for option in (["--background", "dark"], ["--as-is"]):
        (document,) = jaxquard("predict", "mlp", picture, "--json", *option).document
        assert "inverted" not in document["steps"]


def test_predict_predicts_readable_pictures_and_names_the_others(jaxquard, root, picture):
    Path("notes.png").write_text("no picture", encoding="utf-8")
    said = jaxquard("predict", "one", "none.png", picture, "notes.png", "--runs", root, "--json", "--quiet")
    assert said.code == 3
    none, good, notes = said.document
    assert none == {"file": "none.png", "error": "none.png: no such file"}
    assert good["label"] in ("0", "1", "2")
    assert said.err.splitlines() == [
        "jaxquard: none.png: no such file",
        f"jaxquard: {notes['error']}",
        "jaxquard: 2 of 3 pictures could not be read",
    ]
    said = jaxquard("predict", "one", "none.png", picture, "--runs", root)
    assert (said.code, said.out.count(".png")) == (3, 1)


def test_predict_writes_a_table_of_a_folder(jaxquard, root, picture):
    Path("notes.txt").touch()
    table = jaxquard("predict", "one", ".", "--runs", root, "--csv", "-", "--quiet")
    assert (table.code, table.err) == (0, "")
    assert table.out.splitlines()[0] == "file,label,probability,0,1,2"
    assert table.out.splitlines()[1].startswith("picture.png,")
    said = jaxquard("predict", "one", ".", "--runs", root, "--csv", "p.csv")
    assert "note: .: left out 1 of 2 entries: folders, hidden files or other files than pictures" in said.err
    assert said.out == "written: p.csv\n"
    assert Path("p.csv").read_text(encoding="utf-8") == table.out
    again = ["predict", "one", ".", "--runs", root, "--csv", "p.csv"]
    assert (jaxquard(*again).code, jaxquard(*again, "--overwrite").code) == (2, 0)
    Path("empty").mkdir()
    said = jaxquard("predict", "one", "empty", "--runs", root)
    assert (said.code, said.err) == (3, "jaxquard: empty: a folder without pictures\n")


def test_runs(jaxquard, root, npz, quick):
    jaxquard(
        "train", "--dataset", npz, *quick, "--seeds", 2, "--name", "a-newer", "--until", 1, "--runs", root, "--quiet"
    )
    [first, _, third, fourth] = jaxquard("runs", "--runs", root).out.splitlines()
    assert re.fullmatch(r"a-newer +unfinished +val +– *", first)
    assert re.fullmatch(r"one +finished +val +– *", third)
    assert re.fullmatch(r"  \d{4}-\d\d-\d\d  stripes.npz +2 epochs +test +\d+\.\d\d % *", fourth)
    newer, older = jaxquard("runs", "--runs", root, "--json").document
    assert (newer["run"], newer["status"], newer["networks"], newer["dataset"]) == (
        "a-newer",
        "unfinished",
        2,
        str(npz),
    )
    assert (older["run"], older["status"], older["epochs"], older["recipe"]) == ("one", "finished", 2, None)
    assert datetime.fromisoformat(newer["started"]) >= datetime.fromisoformat(older["started"])
    shutil.rmtree(root / "a-newer")
    assert jaxquard("runs", "--json").document == []
    assert "no runs in runs yet" in jaxquard("runs").out


def test_a_run_has_its_start_time_though_its_files_are_newer(root, tmp_path):
    run = Run(shutil.copytree(root / "one", tmp_path / "copy", copy_function=shutil.copyfile))
    assert run.started == Run(root / "one").started
    environment = json.loads((run.path / "environment.json").read_text())
    for wrong in ({}, {"started": "soon"}, {"started": 1e300}, {"started": -1}):
        (run.path / "environment.json").write_text(json.dumps(environment | {"started": None} | wrong))
        assert Run(run.path).started == (run.path / "config.toml").stat().st_mtime


@pytest.mark.parametrize("name", ["config.toml", "journal.jsonl", "evaluations.jsonl"])
def test_runs_lists_a_damaged_run_as_damaged(jaxquard, root, name):
    shutil.copytree(root / "one", "runs/bad")
    shutil.copytree(root / "one", "runs/good")
    Path("runs/bad", name).write_bytes(b"\xff\n")
    found = {document["run"]: document["status"] for document in jaxquard("runs", "--json").document}
    assert found == {"bad": "damaged", "good": "finished"}
    assert jaxquard("runs").code == 0


def test_compare(jaxquard, root, npz, quick):
    jaxquard("train", "--dataset", npz, *quick, "--seed", 1, "--name", "two", "--runs", root, "--quiet")
    said = jaxquard("compare", "one", "two", "--runs", root, "--chart", "chart.svg")
    lines = [line.split() for line in said.out.splitlines()]
    assert [line[:3] for line in lines[1:3]] == [["1", "one", "2"], ["2", "two", "2"]]
    assert lines[5] == ["seed", "0", "(1)", "1", "(2)"]
    assert lines[7] == ["They", "differ", "by", "chance", "alone:", "only", "the", "seeds", "differ."]
    again = ["compare", "one", "two", "--runs", root, "--chart", "chart.svg"]
    assert (jaxquard(*again).code, jaxquard(*again, "--overwrite").code) == (2, 0)
    assert Path("chart.svg").read_text(encoding="utf-8").startswith("<svg")
    documents = jaxquard("compare", "one", "two", "--runs", root, "--json").document
    assert [document["settings"] for document in documents] == [{"seed": 0}, {"seed": 1}]
    paths = [root / "one", shutil.copytree(root / "two", Path("elsewhere/one"))]
    assert jaxquard("compare", *paths, "--chart", "paths.svg").code == 0  # of the same name, outside ./runs
    assert "elsewhere/one: training" in Path("paths.svg").read_text(encoding="utf-8")
    config = paths[1] / "config.toml"
    config.write_text(re.sub(r"(learning_rate = 0\.\d+)", r"\g<1>000000001", config.read_text()))
    assert "learning_rate" not in jaxquard("compare", root / "one", paths[1]).out  # equal to six digits


def test_ten_runs_side_by_side_fit_a_terminal(jaxquard, root, monkeypatch):
    for k in range(10):
        copy = shutil.copytree(root / "one", Path(f"runs/mlp-fashion-mnist-20261129-17185{k}-66f4"))
        config = (copy / "config.toml").read_text()
        (copy / "config.toml").write_text(config.replace("learning_rate = 0.3", f"learning_rate = 0.12345{k}"))
    monkeypatch.setattr("jaxquard.cli.display.stdout", lambda: Console(width=80, highlight=False))
    assert max(map(len, jaxquard("runs").out.splitlines())) <= 80
    assert [line.split()[0] for line in jaxquard("runs").out.splitlines()[::2]] == sorted(os.listdir("runs"))
    said = jaxquard("compare", *sorted(Path("runs").iterdir()))
    *lines, verdict = said.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert verdict.startswith("mlp-fashion-mnist")
    assert [line.split()[1:3] for line in lines[1:11]] == [[path.name, "2"] for path in sorted(Path("runs").iterdir())]
    assert "0.123450 (1)" in said.out.replace("0.12345 ", "0.123450 ")


def test_recipes(jaxquard):
    assert re.search(r"^original .* 109,386 ", jaxquard("recipes").out, re.MULTILINE)
    found = {document["name"]: document for document in jaxquard("recipes", "--json").document}
    assert found["original"]["config"]["hidden"] == [128, 64]
    assert set(found["original"]) == {"name", "purpose", "config", "result"}


def test_data(jaxquard, npz, tmp_path):
    said = jaxquard("data", "--json", "--data-dir", tmp_path)
    assert {row["name"]: row["state"] for row in said.document}["fashion-mnist"] == "absent"
    facts = jaxquard("data", npz, "--json").document
    assert (facts["train"], facts["test"], facts["image_shape"]) == (120, 40, [6, 6, 1])
    assert sum(facts["counts"]) == 120
    assert facts["licence"] is None
    assert re.search("^licence +CC-BY-4.0 *$", jaxquard("data", "digits").out, re.MULTILINE)
    for name, begin in {"sheet.svg": b"<svg", "sheet.html": b"<!doctype html>", "sheet.png": b"\x89PNG"}.items():
        said = jaxquard("data", npz, "--sheet", name)
        assert "training images" in said.out
        assert said.err == f"written: {name}\n"
        assert (tmp_path / name).read_bytes().startswith(begin)
    assert (tmp_path / "sheet.svg").read_text().count("<image") == 3
    assert jaxquard("data", npz, "--sheet", "sheet.svg").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--hidden", "5"),
        ("train", "--resume", "part"),
        ("data", "fashion-mnist"),
        ("evaluate", "part"),
        ("lesson", "baselines", "--no-predict"),
    ],
    ids=" ".join,
)
def test_the_options_of_data_reach_the_loader(jaxquard, npz, quick, tmp_path, monkeypatch, arguments):
    jaxquard("train", "--dataset", npz, *quick, "--until", 1, "--name", "part", "--quiet")
    passed = []

    def load(name: str, **options: object) -> None:
        passed.append((options["data_dir"], options["offline"]))
        raise DataError("nowhere")

    monkeypatch.setattr("jaxquard.data.load", load)
    said = jaxquard(*arguments, "--offline", "--data-dir", tmp_path / "data")
    assert (said.code, said.err) == (3, "jaxquard: nowhere\n")
    assert jaxquard(*arguments).code == 3
    assert passed == [(tmp_path / "data", True), (None, None)]  # None: from the environment


def test_doctor(jaxquard, tmp_path):
    document = jaxquard("doctor", "--json", "--data-dir", tmp_path).document
    assert isinstance(document["healthy"], bool)
    assert all(set(check) == {"name", "ok", "detail", "remedy"} for check in document["checks"])
    assert re.search(r"^ok +Python", jaxquard("doctor", "--data-dir", tmp_path).out, re.MULTILINE)


WITHOUT_JAX = """
import sys
from pathlib import Path
import jaxquard
from jaxquard import cli
from jaxquard.runs.lock import locked

root, data = Path(sys.argv[1]), sys.argv[2]
with locked(root / "part"):
    for line in (["runs"], ["compare", "one", "one"], ["recipes"], ["lessons"], ["data", data],
                 ["train", "--name", "one", "--dataset", data], ["train", "--resume", "part"]):
        try:
            cli.main([*line, "--runs", str(root), "--json"])
        except SystemExit as end:
            assert end.code == 5, line
        else:
            assert line[0] != "train"
jaxquard.compare([jaxquard.Run(root / "one"), "one"], runs=root), jaxquard.TrainResult
assert "jax" not in sys.modules
"""


def test_what_needs_no_jax_does_not_load_it_nor_does_a_refusal(jaxquard, root, npz, quick):
    shutil.copytree(root, "runs")
    jaxquard("train", "--dataset", npz, *quick, "--name", "part", "--until", 1, "--quiet")
    done = subprocess.run([sys.executable, "-c", WITHOUT_JAX, "runs", npz], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_export(jaxquard, root):
    found = jaxquard("export", "one", "--to", "csv", "--runs", root, "--json").document
    assert list(found) == ["file", "format", "bytes", "sha256", "note"]
    assert (found["file"], found["bytes"]) == ("one.csv", Path("one.csv").stat().st_size)
    said = jaxquard("export", "one", "--to", "csv", "--runs", root, "--overwrite")
    assert said.out == f"written: one.csv, {found['bytes']:,} bytes, SHA-256 {found['sha256']}\n"
    for code, *arguments in ((2, "one", "--to", "svc"), (2, "one"), (5, "none", "--to", "csv")):
        assert jaxquard("export", *arguments, "--runs", root).code == code
    assert jaxquard("export", "one").err == "jaxquard: --to is missing, or its value; see jaxquard export --help\n"
    assert jaxquard("export", "one", "two", "--to", "csv").err == "jaxquard: not expected: two\n"
    said = jaxquard("export", "mlp", "--to", "safetensors", "--out", "missing/net.safetensors")
    assert (said.code, said.err.count("\n")) == (1, 1)
