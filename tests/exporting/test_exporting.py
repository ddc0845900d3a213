"""Files that are written whole or not at all; tables of journals; the programs of docs/EXPORT.md."""

import base64
import csv
import errno
import hashlib
import json
import os
import re
import runpy
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import onnx
import pytest

import jaxquard
from jaxquard.config import Config
from jaxquard.errors import JaxquardError, RunError, UsageError
from jaxquard.exporting import FORMATS, huggingface, without_places
from jaxquard.files import temporary
from jaxquard.runs import models
from jaxquard.runs.models import load_model

from .networks import made

PAGE = (Path(__file__).parents[2] / "docs" / "EXPORT.md").read_text(encoding="utf-8")
USING_ONNX, CLASSIFY, _ = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of a file, or of all files of a folder, by path."""
    files = [path] if path.is_file() else [file for file in sorted(path.rglob("*")) if file.is_file()]
    return {str(file.relative_to(path).as_posix()): file.read_bytes() for file in files}


@pytest.mark.parametrize("to", FORMATS)
def test_it_is_written_whole_described_and_never_overwritten_unasked(root, to):
    found = jaxquard.export("three@1", to=to, runs=root)
    files = contents(found.file)
    assert (str(found.file), found.format) == (f"three@1{FORMATS[to].suffix}", to)
    assert found.bytes == sum(map(len, files.values()))
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    listed = "".join(f"{one}  {name}\n" for name, one in hashes.items())  # as sha256sum prints them
    assert found.sha256 == hashes.get(".", hashlib.sha256(listed.encode()).hexdigest())
    first = found.file / next(iter(files))
    first.write_bytes(b"mine")
    with pytest.raises(UsageError, match="already there; choose another name with --out or add --overwrite"):
        jaxquard.export("three@1", to=to, runs=root)
    assert first.read_bytes() == b"mine"
    assert jaxquard.export("three@1", to=to, runs=root, overwrite=True) == found
    assert contents(found.file) == files
    assert os.listdir() == [str(found.file)]


@pytest.mark.parametrize("to", [to for to, form in FORMATS.items() if form.folder])
def test_a_folder_with_other_files_is_never_replaced(root, monkeypatch, to):
    folder = jaxquard.export("three@1", to=to, runs=root).file
    (folder / "mine" / "deep").mkdir(parents=True)
    before = contents(folder)
    with pytest.raises(UsageError, match=f"three@1-{to}: holds another file, mine; choose another name with --out"):
        jaxquard.export("three@1", to=to, runs=root, overwrite=True)
    with pytest.raises(UsageError, match=r"net.csv: a folder; give the name of a file, such as "):
        jaxquard.export("three@1", to="csv", runs=root, out=folder.rename("net.csv"))
    assert contents(Path("net.csv")) == before
    Path("file").touch()
    with pytest.raises(UsageError, match=f"file: a file; give the name of a folder, such as three@1-{to}"):
        jaxquard.export("three@1", to=to, runs=root, out="file", overwrite=True)
    monkeypatch.setattr("jaxquard.exporting._other_file", lambda *_: shutil.copytree("net.csv", "late") and None)
    with pytest.raises(UsageError, match="late: already there; choose another name"):  # another process was faster
        jaxquard.export("three@1", to=to, runs=root, out="late")
    for around in (".", ".."):
        with pytest.raises(UsageError, match="the current folder, one around it, or a mount point; choose another"):
            jaxquard.export("three@1", to=to, runs=root, out=around, overwrite=True)


def test_a_file_that_is_replaced_keeps_its_mode_unless_it_is_read_only(root, monkeypatch):
    file = jaxquard.export("three@1", to="csv", runs=root).file
    file.chmod(0o640)
    leftover = temporary(file)
    leftover.touch()
    os.utime(leftover, (0, 0))
    jaxquard.export("three@1", to="csv", runs=root, overwrite=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    monkeypatch.setattr(os, "access", lambda *_: False)  # for root, os.access is always true
    with pytest.raises(JaxquardError, match=r"three@1\.csv: read-only; choose another name with --out"):
        jaxquard.export("three@1", to="csv", runs=root, overwrite=True)
    assert os.listdir() == [str(file)]


@pytest.mark.parametrize("name", ["three@2", "three@all"])
def test_a_safetensors_file_predicts_the_same_bits(root, stripes, name):
    file = jaxquard.export(name, to="safetensors", runs=root).file
    loaded, model = load_model(str(file), root), load_model(name, root)
    assert loaded.networks == model.networks
    assert loaded.logits(stripes.test_images).tobytes() == model.logits(stripes.test_images).tobytes()


def test_no_file_says_where_the_data_and_the_teacher_are(root, npz, tmp_path, monkeypatch):
    home = tmp_path / "anns-home"
    home.mkdir()
    shutil.copy(npz, home / "mnist.npz")
    jaxquard.export("three@1", to="safetensors", runs=root, out=home / "old.safetensors")
    settings = {"dataset": str(home / "mnist.npz"), "teacher": str(home / "old.safetensors"), "batch_size": 20}
    run = jaxquard.train(Config(hidden=(3,), epochs=1, **settings), runs=tmp_path, name="new").run
    facts = json.loads((run.path / "environment.json").read_text())
    facts["dataset"]["notes"] = [f"left out as damaged: 1; the first: {home}/1.png"]
    (run.path / "environment.json").write_text(json.dumps(facts))
    for to in FORMATS:
        for data in contents(jaxquard.export("new", to=to, runs=tmp_path).file).values():
            weights = re.findall(rb'id="weights">(.*?)<', data)
            assert b"anns-home" not in b"".join([data, *map(base64.b64decode, weights)]), to
    config = load_model("new.safetensors", tmp_path).config
    assert (config.dataset, config.teacher) == ("./mnist.npz", "./old.safetensors")
    monkeypatch.chdir(home)
    assert not jaxquard.evaluate(tmp_path / "new.safetensors").on_other_data


@pytest.mark.parametrize(("path", "name"), [("C:\\ann\\mnist", "./mnist"), ("/a/b/", "./b/"), ("mnist", "mnist")])
def test_a_path_becomes_a_path_in_the_current_folder(path, name):
    assert without_places(Config(dataset=path)).dataset == name


def test_a_network_that_diverged_has_a_journal_alone_and_is_no_part_of_an_average(root, stripes, tmp_path):
    shutil.copytree(root / "three", tmp_path / "three")
    with open("three/journal.jsonl", "a", encoding="utf-8") as file:
        file.write('{"event": "diverged", "network": 1, "step": 10}\n')
    for to in ("safetensors", "onnx"):
        with pytest.raises(RunError, match="three@1: diverged, so there is nothing to export"):
            jaxquard.export("three@1", to=to, runs=tmp_path)
    assert jaxquard.export("three@1", to="csv", runs=tmp_path).bytes > 100
    found = jaxquard.export("three@all", to="safetensors", runs=tmp_path)
    file, note = found.file, "three@all is an average without three@1, which diverged"
    assert (found.note or "").startswith(note)
    assert models.unfinished(models.load_models(str(file), tmp_path)) == note.replace("three@1", "1 network")
    assert f"Note: {note}" in huggingface.content(load_model("three@all", tmp_path))["README.md"].decode()
    assert load_model(str(file), tmp_path).networks == 2
    assert load_model(str(file), tmp_path).logits(stripes.test_images).shape == (40, 3)


def test_the_weights_of_an_unfinished_run_come_with_a_note(root, tmp_path):
    shutil.copytree(root / "three", tmp_path / "three")
    journal = tmp_path / "three" / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:1]))
    for to, form in FORMATS.items():
        note = jaxquard.export("three@1", to=to, runs=tmp_path).note or ""
        what = "its journal has 1 of 2 epochs" if form.journal else "these are its weights after step 10"
        assert note.startswith(f"three is unfinished: {what}")
    card = Path("three@1-huggingface", "README.md").read_text(encoding="utf-8")
    assert "Note: three is unfinished: these are its weights after step 10, epoch 2 of 2" in card
    journal.write_bytes(b"")
    for to in ("csv", "tensorboard"):
        with pytest.raises(RunError, match=r"journal\.jsonl: has no epochs$"):
            jaxquard.export("three", to=to, runs=tmp_path)
        with pytest.raises(UsageError, match=r"three@all: an average has no journal; name the run, three$"):
            jaxquard.export("three@all", to=to, runs=tmp_path)


def test_the_table_of_a_journal_is_the_journal(root):
    lines = models.load_models("three", root)[0].run.epochs()

    def table(name: str) -> dict[tuple[str, int, str], float]:
        file = jaxquard.export(name, to="csv", runs=root, overwrite=True).file
        with open(file, newline="", encoding="utf-8") as text:
            rows = list(csv.DictReader(text))
        assert {row["step"] for row in rows} == {"5", "10"}
        return {(row["network"], int(row["epoch"]), row["figure"]): float(row["value"]) for row in rows}

    expected = {}
    for line in lines:
        expected["", line["epoch"], "seconds"] = line["seconds"]
        for name in line.keys() - {"epoch", "step", "seconds"}:
            each = line[name] if isinstance(line[name], dict) else {"": line[name]}
            for layer, values in each.items():
                figure = f"{name}/{layer}" if layer else name
                expected |= {(str(k), line["epoch"], figure): value for k, value in enumerate(values)}
    assert table("three") == expected
    assert table("three@1") == {key: value for key, value in expected.items() if key[0] in ("", "1")}


def test_a_journal_needs_no_weights(root, tmp_path):
    shutil.copytree(root / "three", tmp_path / "three")
    whole = jaxquard.export("three", to="csv", runs=tmp_path, out="whole.csv").sha256
    for weights in Path("three/checkpoints").rglob("*.safetensors"):
        weights.write_bytes(b"damaged")
    with open("three/journal.jsonl", "a", encoding="utf-8") as file:
        file.writelines(f'{{"event": "diverged", "network": {k}, "step": 10}}\n' for k in range(3))
    with pytest.raises(RunError):
        load_model("three@1", tmp_path)
    assert jaxquard.export("three", to="csv", runs=tmp_path).sha256 == whole


@pytest.mark.parametrize("damage", [[1.0], "=1+1", [1, "x", 2], {"0": None}, None])
def test_a_damaged_journal_is_refused(root, tmp_path, damage):
    shutil.copytree(root / "three", tmp_path / "three")
    with open("three/journal.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps({"epoch": 3, "step": 15, "grad_norm": damage}) + "\n")
    with pytest.raises(RunError, match=r"grad_norm.* of epoch 3 is damaged"):
        jaxquard.export("three", to="csv", runs=tmp_path)
    assert os.listdir() == ["three"]


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("to", FORMATS)
def test_what_cannot_be_exported_is_explained_in_a_line_and_leaves_nothing(root, monkeypatch, to):
    form, name = FORMATS[to], "three" if FORMATS[to].journal else "three@1"
    shutil.copytree(root / "three", "damaged")
    for file in Path("damaged").rglob("journal.jsonl" if form.journal else "checkpoints/*/*.safetensors"):
        file.write_bytes(b"damaged\n")
    os.mkdir("folder")
    Path("file").touch()
    faults: list[tuple[int, str, dict[str, Any]]] = [
        (2, f"to: '{to[:-1]}' is not one of: .*; did you mean {to}\\?", {"to": to[:-1]}),
        (2, "folder: a folder; give" if not form.folder else "folder: already there", {"out": "folder"}),
        (
            2,
            f"file: a file; give the name of a folder, such as {name}-" if form.folder else "such a file ends in",
            {"out": "file"},
        ),
        (5, "thre: no such run in .*; did you mean three", {"model": "thre"}),
        (5, "'@0': no such run in ", {"model": "@0"}),
        (2, "model: must be at most 4,096 characters that a path can have", {"model": "x" * 5000}),
        (5, "three@3: three has networks 0 to 2", {"model": "three@3"}),
        (5, "damaged", {"model": name.replace("three", "damaged"), "runs": "."}),
        (1, "missing: no such folder; make it first", {"out": f"missing/net{form.suffix}"}),
    ]
    if form.journal:
        faults.append((5, "mlp: not a run, so it has no journal", {"model": "mlp"}))
        faults.append((5, "net.safetensors: not a run, so it has no journal", {"model": "net.safetensors"}))
    else:
        faults.append((5, "holds 3 networks: name one, .*three@0 to", {"model": f"{root / 'three'}/"}))
    for code, fault, options in faults:
        with pytest.raises(JaxquardError, match=fault) as found:
            jaxquard.export(**{"model": name, "to": to, "runs": root} | options)
        assert (found.value.exit_code, str(found.value).count("\n")) == (code, 0)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JaxquardError, match="cannot write: No space left on device"):
        jaxquard.export(name, to=to, runs=root)
    monkeypatch.setattr("jaxquard.exporting.find_spec", lambda name: None)
    if form.library:
        with pytest.raises(JaxquardError, match=re.escape(f'needs an extra: pip install "jaxquard[{form.extra}]"')):
            jaxquard.export(name, to=to, runs=root)
    assert sorted(os.listdir()) == ["damaged", "file", "folder"]
    assert os.listdir("folder") == []


@pytest.mark.parametrize("value", [np.nan, 3e38])
@pytest.mark.parametrize("to", ["safetensors", "onnx"])
def test_a_network_without_finite_answers_is_not_exported(monkeypatch, value, to):
    model = made(hidden=(5, 5))
    object.__setattr__(model, "weights", jax.tree.map(lambda leaf: np.full_like(leaf, value), model.weights))
    monkeypatch.setattr(models, "load_model", lambda name, root: model)
    with pytest.raises(RunError, match="net: diverged: its outputs are not finite"):
        jaxquard.export("net", to=to)
    assert os.listdir() == []


CASES = {
    "mlp": None,
    "cnn-small": None,
    "several": {"model": "cnn", "widths": (3, 4), "blocks": 1, "stem": 2, "networks": 2, "activation": "sigmoid"},
}


@pytest.mark.parametrize("name", CASES)
def test_the_numpy_program_on_the_page_classifies(tmp_path, monkeypatch, capsys, name):
    model = made(**CASES[name]) if CASES[name] else load_model(name, tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (3, *model.image_shape), dtype=np.uint8)
    np.save("images.npy", images)
    models.save_file(model, Path("net.safetensors"))
    Path("classify.py").write_text(CLASSIFY, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["classify.py", "net.safetensors", "images.npy"])
    runpy.run_path("classify.py")
    lines = [line.split(" ", 1) for line in capsys.readouterr().out.splitlines()]
    assert [label for _, label in lines] == model.predict(images).tolist()
    np.save("images.npy", images[:, 1:])
    with pytest.raises(SystemExit, match=r"^expected images of \["):
        runpy.run_path("classify.py")
    found = [float(probability) for probability, _ in lines]
    np.testing.assert_allclose(found, model.predict_proba(images).max(axis=1), atol=1e-5)


def test_the_onnx_program_on_the_page_runs(tmp_path, capsys):
    file = jaxquard.export("cnn-small", to="onnx").file
    onnx.checker.check_model(onnx.load(file), full_check=True)
    Path("use.py").write_text(USING_ONNX, encoding="utf-8")
    runpy.run_path("use.py")
    blank = load_model("cnn-small", tmp_path).predict(np.zeros((2, 28, 28, 1), np.uint8)).tolist()
    assert capsys.readouterr().out == f"{blank}\n"
