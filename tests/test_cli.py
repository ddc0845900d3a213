"""The command line: results on stdout, all else on stderr, each mistake in one line or two with its exit code."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from jaxquard import api, cli
from jaxquard.display import TrainingDisplay
from jaxquard.runs.directory import Run
from jaxquard.runs.interrupts import Interrupts
from jaxquard.runs.lock import locked

QUICK = ["--hidden", "5", "--batch-size", "20", "--epochs", "2", "--learning-rate", "0.3"]


class Said(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """stdout as the one JSON document, on one line, that it must be."""
        assert self.out.count("\n") == 1
        assert self.out.endswith("\n")
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Each test in a directory of its own, with nothing kept outside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "keep_compiled_programs", lambda: None)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def jaxquard(capsys):
    """`jaxquard("train", …)`, in this process."""

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        code = 0
        try:
            cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code or 0
        said = Said(int(code), *capsys.readouterr())
        assert "Traceback" not in said.err
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", said.err + said.out)  # no control characters but the newline
        return said

    return run


@pytest.fixture(scope="module")
def root(npz, tmp_path_factory):
    """A runs directory with `one` in it."""
    root = tmp_path_factory.mktemp("runs")
    cli.main(["train", "--dataset", str(npz), *QUICK, "--name", "one", "--runs", str(root), "--quiet", "--json"])
    return root


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    pixels = np.full((30, 40), 240, np.uint8)
    pixels[5:25, 10:20] = 30
    Image.fromarray(pixels).save(path)
    return path


MISTAKES = [
    (2, "epochs: must be at least 1", "train --epochs -3"),
    (2, "learning_rate: must be a finite number", "train --learning-rate nan"),
    (2, "batch_size: must be at least 1", "train --batch-size 0"),
    (2, "batch_size: 70000 is more than the 120 training images", "train --batch-size 70000 --dataset DATA"),
    (2, "hidden: must be at least 1", "train --hidden 0"),
    (2, "none of the recipes", "train --recipe nope"),
    (2, "unknown data set 'nope'", "train --dataset nope"),
    (2, "run name", "train --name ../x --dataset DATA"),
    (2, "give one of the two", "train --recipe seed --config x.toml"),
    (2, "cannot be read", "train --config none.toml"),
    (2, "--sweep", "train --sweep learning_rate"),
    (2, "--sweep depth: no such setting", "train --sweep depth=1,2"),
    (2, "until: must be at least 1", "train --until 0 --dataset DATA"),
    (2, "checkpoint_every: must be at least 1", "train --checkpoint-every 0 --dataset DATA"),
    (2, "no other setting", "train --resume one --learning-rate 0.1 --runs ROOT"),
    (2, "no other setting", "train --resume one --recipe seed --runs ROOT"),
    (2, "--epochs", "train --epochs three"),
    (2, "--epochs", "train --epochs"),
    (2, '"frob"', "frob"),
    (2, "--frob", "train --frob"),
    (2, "which picture", "predict one --runs ROOT"),
    (2, "two runs or more", "compare one --runs ROOT"),
    (2, "split", "evaluate one --split moon --runs ROOT"),
    (2, "already there", "compare one one --chart PICTURE --runs ROOT"),
    (2, "held out no validation", "evaluate one --split validation --runs ROOT"),
    (3, "no such folder", "train --dataset none/at/all"),
    (3, "no such file", "predict one none.png --runs ROOT"),
    (3, "not a picture", "predict one DATA --runs ROOT"),
    (5, "no such run", "train --resume nope --runs ROOT"),
    (5, "no such run", "evaluate nope --runs ROOT"),
    (5, "no such run", "predict nope PICTURE --runs ROOT"),
    (5, "no such run", "compare one nope --runs ROOT"),
    (5, "has networks 0 to 0", "evaluate one@1 --runs ROOT"),
    (5, "cannot be read", "predict none.safetensors PICTURE"),
    (5, "already there", "train --name one --runs ROOT --dataset DATA --batch-size 20"),
    (1, "Not a directory", "train --batch-size 20 --dataset DATA --runs PICTURE/runs"),
]


@pytest.mark.parametrize(("code", "fault", "line"), MISTAKES, ids=[line for _, _, line in MISTAKES])
def test_a_mistake_is_one_line_or_two_an_exit_code_and_nothing_written(jaxquard, root, npz, picture, code, fault, line):
    places = {"ROOT": root, "DATA": npz, "PICTURE": picture}
    before = sorted(root.rglob("*"))
    words = [re.sub("|".join(places), lambda found: str(places[found[0]]), word) for word in line.split()]
    said = jaxquard(*words)
    assert said.code == code
    assert fault in said.err
    assert said.err.startswith("jaxquard: ")
    assert 1 <= said.err.count("\n") <= 2
    assert said.out == ""
    assert sorted(root.rglob("*")) == before
    assert sorted(path.name for path in Path().iterdir()) == ["picture.png"]


def test_train_says_an_epoch_a_line_and_ends_with_a_table(jaxquard, npz):
    said = jaxquard("train", "--dataset", npz, *QUICK, "--name", "x")
    assert said.code == 0
    lines = said.err.splitlines()
    assert lines[0] == "run x: 203 parameters"
    assert [line[:11] for line in lines[1:]] == ["epoch 1/2  ", "epoch 2/2  "]
    assert all(re.search(r"loss \d\.\d{4}   accuracy +\d+\.\d\d %   \d+\.\d\d s$", line) for line in lines[1:])
    assert re.search(r"^test accuracy +\d+\.\d\d %$", said.out, re.MULTILINE)
    assert "runs/x" in said.out
    assert "jaxquard evaluate x" in said.out


def test_train_json(jaxquard, npz):
    said = jaxquard("train", "--dataset", npz, *QUICK, "--name", "x", "--json", "--quiet")
    assert (said.code, said.err) == (0, "")
    document = said.document
    assert list(document) == [
        *("run", "recipe", "dataset", "parameters", "epochs", "seed"),
        *("train_loss", "test_loss", "test_accuracy", "tta", "seconds", "diverged"),
    ]
    assert (document["run"], document["recipe"], document["parameters"], document["epochs"]) == ("x", None, 203, 2)
    assert 0 <= document["test_accuracy"] <= 1
    assert document["diverged"] is False
    assert document["tta"] is None
    assert list(document["seconds"]) == ["total", "data", "compile", "train", "evaluate"]
    again = jaxquard("train", "--resume", "x", "--json", "--quiet").document
    assert {**again, "seconds": 0} == {**document, "seconds": 0}


def test_train_json_with_several_networks(jaxquard, npz):
    arguments = ["--dataset", npz, *QUICK, "--seeds", 2, "--seed", 3, "--sweep", "learning_rate=0.1,1e30"]
    with np.errstate(all="ignore"):
        said = jaxquard("train", *arguments, "--validation", 20, "--json", "--quiet")
    document = said.document
    assert said.code == 0
    assert document["seeds"] == [3, 4, 3, 4]
    assert document["sweep"] == {"learning_rate": [0.1, 1e30]}
    assert document["diverged"] == [2, 3]
    for name in ("train_loss", "test_loss", "test_accuracy"):
        figure = document[name]
        assert figure["values"][2:] == [None, None]
        assert figure["mean"] == pytest.approx(np.mean(figure["values"][:2]), rel=1e-12)
        assert figure["std"] == pytest.approx(np.std(figure["values"][:2], ddof=1), rel=1e-9, abs=1e-15)


def test_a_sweep_of_scalars_is_one_run_and_ends_in_a_ranking(jaxquard, npz):
    arguments = ["--dataset", npz, *QUICK, "--seeds", 2, "--sweep", "learning_rate=0.001,0.3", "--validation", 20]
    document = jaxquard("train", *arguments, "--name", "x", "--json", "--quiet").document
    ranked = document["ranking"]
    assert [row["settings"]["learning_rate"] for row in ranked] == [0.3, 0.001]
    assert [row["networks"] for row in ranked] == [["x@2", "x@3"], ["x@0", "x@1"]]
    assert ranked[0]["val_accuracy"]["mean"] >= ranked[1]["val_accuracy"]["mean"]
    assert "over 2 seeds" in document["verdict"]
    shown = jaxquard("train", *arguments, "--quiet")
    assert document["verdict"] in shown.out
    assert "test accuracy" not in shown.out  # a mean over different learning rates would say nothing


def test_a_sweep_of_shapes_is_a_run_each(jaxquard, npz, monkeypatch):
    clock = iter((3.0, 7.0, 12.0, 18.0))
    monkeypatch.setattr(cli, "_since_start", lambda: next(clock))
    arguments = ["--dataset", npz, *QUICK[:2], "--epochs", 1, "--validation", 20]
    swept = ["--batch-size", 20, "--sweep", "hidden=3,4-2", "--sweep", "optimizer=sgd,adam"]
    document = jaxquard("train", *arguments, *swept, "--json", "--quiet").document
    made = [Run(Path("runs") / one["run"]).config for one in document["runs"]]
    assert [(config.hidden, config.optimizer) for config in made] == [
        ((3,), "sgd"),
        ((3,), "adam"),
        ((4, 2), "sgd"),
        ((4, 2), "adam"),
    ]
    assert len(document["ranking"]) == 4
    assert [one["seconds"]["total"] for one in document["runs"]] == [3.0, 4.0, 5.0, 6.0]  # each run's own
    assert "one seed cannot tell" in document["verdict"]


def test_a_sweep_in_a_file_is_told_apart_in_the_ranking_of_shapes(jaxquard, npz):
    Path("sweep.toml").write_text("epochs = 1\nbatch_size = 20\n[sweep]\nlearning_rate = [0.001, 0.3]\n")
    arguments = ["--config", "sweep.toml", "--dataset", npz, "--validation", 20, "--sweep", "hidden=3,4"]
    ranked = jaxquard("train", *arguments, "--json", "--quiet").document["ranking"]
    assert sorted((row["settings"]["hidden"], row["settings"]["learning_rate"]) for row in ranked) == [
        ([3], 0.001), ([3], 0.3), ([4], 0.001), ([4], 0.3),
    ]  # fmt: skip


def test_what_a_sweep_found_is_told_though_one_of_its_settings_is_impossible(jaxquard, npz):
    swept = ["--epochs", 1, "--validation", 20, "--sweep", "batch_size=20,40,5000"]
    said = jaxquard("train", "--dataset", npz, *swept, "--json", "--quiet")
    assert said.code == 2
    assert "batch_size: 5000 is more than" in said.err
    assert [len(said.document[key]) for key in ("runs", "ranking")] == [2, 2]


def test_a_setting_without_effect_is_said_to_have_none(jaxquard, npz):
    said = jaxquard("train", "--dataset", npz, *QUICK, "--momentum", 0.5, "--stem", 2)
    notes = [line for line in said.err.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: stem has no effect here: it needs model to be cnn",
        "note: momentum has no effect here: it needs optimizer to be momentum or nesterov or muon",
    ]
    assert "note: " not in jaxquard("train", "--dataset", npz, *QUICK, "--optimizer", "momentum").err


@pytest.mark.parametrize("place", ["in the training", "after it"])
def test_a_signal_that_finds_a_run_at_its_end_ends_the_sweep(jaxquard, npz, monkeypatch, place):
    asked = Interrupts()
    owner, name = (api, "train") if place == "in the training" else (TrainingDisplay, "__exit__")
    real = getattr(owner, name)

    def at_its_end(*arguments, **options):
        result = real(*arguments, **options)
        asked.asked = True
        return result

    monkeypatch.setattr(cli, "interruptible", lambda: nullcontext(asked))
    monkeypatch.setattr(owner, name, at_its_end)
    said = jaxquard("train", "--dataset", npz, *QUICK, "--validation", 20, "--sweep", "activation=relu,tanh", "--quiet")
    (run,) = Path("runs").iterdir()
    assert said.code == 130
    assert f"kept in        runs/{run.name}" in said.out
    assert said.err == f"jaxquard: interrupted after {run.name}; the rest of the sweep was not begun\n"
    assert Run(run).status() == "finished"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sweep", "batch_siz=10,20"], "batch_siz: no such setting; did you mean batch_size?"),
        (["--sweep", "batch_size"], "write it as setting=value,value"),
        (["--sweep", "batch_size=10,"], "write it as setting=value,value"),
        (["--sweep", "batch_size=10,ten"], "batch_size: must be a whole number"),
        (["--sweep", "learning_rate=0.1,fast"], "learning_rate: must be a finite number"),
        (["--sweep", "batch_size=10,20", "--name", "x"], "leave it out"),
        (["--sweep", "batch_size=10,20", "--validation", 0], "validation: a sweep chooses by validation data"),
        (["--sweep", "hidden=8-4,8-x"], "write layers as 128-64, not 8-x"),
        (["--sweep", "learning_rate=0.1", "--sweep", "learning-rate=0.2"], "a setting appears twice"),
        (["--sweep", "learning_rate=0.1,0.10", "--validation", 20], "has a value twice"),
        (["--sweep", "hidden=8-4,9,8-4"], "has a value twice"),
        (["--sweep", "seed=1,2"], "seeds are not compared"),
        (["--sweep", "momentum=0.5,0.9"], "it needs optimizer to be momentum or nesterov or muon"),
        (["--sweep", "temperature=1,2"], "it needs a teacher"),
        (["--sweep", "validation=20,0"], "validation: a sweep chooses by validation data"),
    ],
)
def test_a_sweep_that_makes_no_sense(jaxquard, npz, arguments, says):
    said = jaxquard("train", "--dataset", npz, *arguments)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert said.err.count("\n") == 1
    assert not Path("runs").exists()


def test_a_sweep_of_shapes_says_which_runs_diverged(jaxquard, npz):
    arguments = ["--dataset", npz, "--batch-size", 20, "--learning-rate", 1e30, "--validation", 20]
    with np.errstate(all="ignore"):
        said = jaxquard("train", *arguments, "--sweep", "activation=relu,leaky_relu", "--json")
    assert said.code == 4
    assert [one["diverged"] for one in said.document["runs"]] == [True, True]
    assert said.err.count("diverged: loss not finite") == 3  # each of the two, and the error


def test_another_data_set_is_not_standardised_by_the_first_ones_pixels(jaxquard, npz, tmp_path):
    jaxquard("train", "--dataset", npz, *QUICK, "--name", "first", "--quiet")
    with np.load(npz) as arrays:
        np.savez(tmp_path / "dark.npz", **{name: a // 2 if a.ndim == 3 else a for name, a in arrays.items()})
    config = ["--config", "runs/first/config.toml", "--patience", 1, "--validation", 20]
    jaxquard("train", *config, "--dataset", tmp_path / "dark.npz", "--name", "second", "--quiet")
    first, second = (Run(Path("runs") / name).config for name in ("first", "second"))
    assert second.pixel_mean == pytest.approx(first.pixel_mean / 2, abs=0.005)


def test_divergence_is_exit_4_with_its_document(jaxquard, npz):
    diverging = ["--dataset", npz, "--batch-size", 20, "--learning-rate", 1e30, "--name", "x"]
    with np.errstate(all="ignore"):
        said = jaxquard("train", *diverging, "--json", "--quiet")
    assert said.code == 4
    assert said.document["diverged"] is True
    assert said.document["test_accuracy"] is None
    assert re.match(r"jaxquard: diverged: loss not finite at step \d+; try a smaller learning rate\n", said.err)
    assert said.err.count("\n") == 2


def test_until_then_resume(jaxquard, npz):
    part = jaxquard("train", "--dataset", npz, *QUICK, "--name", "x", "--until", 1)
    assert part.code == 0
    assert "jaxquard train --resume x" in part.out
    rest = jaxquard("train", "--resume", "x", "--json")
    assert rest.document["epochs"] == 2
    assert rest.err.splitlines()[0] == "run x: 203 parameters, from step 6"


def test_a_recipe_changed_is_no_longer_that_recipe(jaxquard, npz):
    first = ["train", "--until", 1, "--quiet", "--json", "--epochs", 2, "--batch-size", 20, "--dataset", npz]
    assert jaxquard(*first, "--name", "x").document["recipe"] is None
    assert jaxquard(*first, "--name", "y", "--recipe", "seed").document["recipe"] == "seed"


def test_a_runs_own_config_is_where_another_can_start(jaxquard, root):
    said = jaxquard("train", "--config", root / "one" / "config.toml", "--seed", 1, "--name", "x", "--json", "--quiet")
    config = Run(Path("runs/x")).config
    assert said.code == 0
    assert config == Run(root / "one").config.replace(seed=1)


def test_evaluate(jaxquard, root):
    said = jaxquard("evaluate", "one", "--runs", root)
    assert said.code == 0
    assert said.out.splitlines()[0] == "one on stripes, test set, 40 images"
    document = jaxquard("evaluate", "one", "--runs", root, "--json").document
    assert list(document)[:6] == ["model", "dataset", "split", "n", "accuracy", "loss"]
    assert (document["model"], document["dataset"], document["split"], document["n"]) == ("one", "stripes", "test", 40)
    assert np.sum(document["confusion"]) == 40
    assert [one["class"] for one in document["per_class"]] == ["0", "1", "2"]


def test_evaluating_on_other_data_says_so_first(jaxquard, root):
    images = np.random.default_rng(0).integers(0, 255, (24, 6, 6)).astype(np.uint8)
    np.savez("other.npz", images=images, labels=np.arange(24) % 3)
    said = jaxquard("evaluate", "one", "--runs", root, "--dataset", "other.npz")
    assert said.err == "note: one was trained on stripes, which this is not\n"
    assert jaxquard("evaluate", "one", "--runs", root, "--dataset", "other.npz", "--quiet", "--json").err == ""


def test_predict(jaxquard, root, picture):
    said = jaxquard("predict", "one", picture, picture, "--runs", root)
    assert said.code == 0
    assert said.out.count(picture.name) == 2
    assert "light background: inverted" in said.err
    said = jaxquard("predict", "one", picture, "--runs", root, "--json", "--quiet")
    assert said.err == ""
    (document,) = said.document
    assert list(document) == ["file", "label", "class_index", "probability", "probabilities"]
    assert document["file"] == str(picture)
    assert document["label"] == str(document["class_index"])
    assert document["probability"] == max(document["probabilities"].values())
    assert sum(document["probabilities"].values()) == pytest.approx(1)


def test_runs(jaxquard, root):
    said = jaxquard("runs", "--runs", root)
    assert re.search(r"^one +finished +2 ", said.out, re.MULTILINE)
    (document,) = jaxquard("runs", "--runs", root, "--json").document
    assert (document["run"], document["status"], document["epochs"]) == ("one", "finished", 2)
    assert jaxquard("runs", "--json").document == []
    assert "no runs in runs yet" in jaxquard("runs").out


@pytest.mark.parametrize("name", ["config.toml", "journal.jsonl", "evaluations.jsonl"])
def test_runs_lists_a_damaged_run_as_damaged(jaxquard, root, name):
    shutil.copytree(root / "one", "runs/bad")
    shutil.copytree(root / "one", "runs/good")
    Path("runs/bad", name).write_bytes(b"\xff\n")
    found = {document["run"]: document["status"] for document in jaxquard("runs", "--json").document}
    assert found == {"bad": "damaged", "good": "finished"}
    assert jaxquard("runs").code == 0


def test_compare(jaxquard, root, npz):
    jaxquard("train", "--dataset", npz, *QUICK, "--seed", 1, "--name", "two", "--runs", root, "--quiet")
    said = jaxquard("compare", "one", "two", "--runs", root, "--chart", "chart.svg")
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0] == ["one", "two"]
    assert lines[1] == ["seed", "0", "1"]
    assert lines[2][:2] == ["epochs", "run"]
    again = ["compare", "one", "two", "--runs", root, "--chart", "chart.svg"]
    assert (jaxquard(*again).code, jaxquard(*again, "--overwrite").code) == (2, 0)
    assert Path("chart.svg").read_text().startswith("<svg")
    documents = jaxquard("compare", "one", "two", "--runs", root, "--json").document
    assert [document["settings"] for document in documents] == [{"seed": 0}, {"seed": 1}]
    paths = [root / "one", shutil.copytree(root / "two", Path("elsewhere/one"))]
    assert jaxquard("compare", *paths, "--chart", "paths.svg").code == 0  # of the same name, and not in ./runs
    assert "elsewhere/one: training" in Path("paths.svg").read_text()


def test_recipes(jaxquard):
    assert re.search(r"^seed ", jaxquard("recipes").out, re.MULTILINE)
    found = {document["name"]: document for document in jaxquard("recipes", "--json").document}
    assert found["seed"]["config"]["hidden"] == [128, 64]
    assert set(found["seed"]) == {"name", "purpose", "config", "result"}


def test_data(jaxquard, npz, tmp_path):
    said = jaxquard("data", "--json", "--data-dir", tmp_path)
    assert {row["name"]: row["state"] for row in said.document}["fashion-mnist"] == "absent"
    facts = jaxquard("data", npz, "--json").document
    assert (facts["train"], facts["test"], facts["image_shape"]) == (120, 40, [6, 6, 1])
    assert "training images" in jaxquard("data", npz).out


def test_doctor(jaxquard, tmp_path):
    document = jaxquard("doctor", "--json", "--data-dir", tmp_path).document
    assert isinstance(document["healthy"], bool)
    assert all(set(check) == {"name", "ok", "detail", "remedy"} for check in document["checks"])
    assert re.search(r"^ok +Python", jaxquard("doctor", "--data-dir", tmp_path).out, re.MULTILINE)


def test_an_unforeseen_error_is_still_one_line(jaxquard, monkeypatch, root):
    from jaxquard.runs import figures

    def fail(_: object) -> None:
        raise RuntimeError("one\ntwo")

    monkeypatch.setattr(figures, "figures", fail)
    said = jaxquard("runs", "--runs", root)
    assert said.code == 1
    assert said.err == "jaxquard: RuntimeError: one (JAXQUARD_DEBUG=1 shows where)\n"


@pytest.mark.parametrize(
    "verb", ["train", "evaluate", "predict", "runs", "compare", "recipes", "data", "doctor", "studio"]
)
def test_every_verb_explains_itself(jaxquard, verb):
    said = jaxquard(verb, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: jaxquard {verb}")
    assert "--json" in said.out


def test_the_documented_help_is_the_help():
    """`make docs-cli` writes it anew."""
    documented = (Path(__file__).parents[1] / "docs" / "cli.md").read_text(encoding="utf-8")
    script = Path(__file__).with_name("cli_page.py")
    assert documented == subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from jaxquard.cli import main; main()", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "0"} | environment,
    )


LONG = ["--hidden", "5", "--batch-size", "2", "--epochs", "1000000", "--learning-rate", "0.001", "--name", "x"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_a_checkpoint_and_stops(npz, tmp_path, number):
    with start("train", "--dataset", npz, *LONG) as process:
        assert process.stderr is not None
        wait_for(process, "epoch  ")
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"^jaxquard: interrupted at step \d+; go on with: jaxquard train --resume x$", err, re.MULTILINE)
    step = int(re.findall(r"at step (\d+)", err)[0])
    assert (tmp_path / "runs" / "x" / "checkpoints" / f"step-{step:09d}").is_dir()


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read stderr up to a line that holds `text`."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"the process ended without {text!r}")


@pytest.mark.parametrize("delay", [0.4, 0.8, 1.2])  # while modules are imported, JAX among them, or programs compiled
def test_a_signal_before_the_training_ends_everything_in_one_line(npz, delay):
    with start("train", "--dataset", npz, *LONG) as process:
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGTERM)  # the latter before the command line is loaded at all
    assert len(re.findall("^jaxquard: ", err, re.MULTILINE)) == (process.returncode == 130)
    assert "Traceback" not in err


def test_the_second_in_a_run_directory_is_refused_before_it_loads_jax(jaxquard, root, npz):
    jaxquard("train", "--dataset", npz, *QUICK, "--name", "x", "--until", 1, "--quiet")
    with locked(Path("runs/x")):
        said = jaxquard("train", "--resume", "x")
    assert said.code == 5
    assert f"in use by process {os.getpid()}" in said.err


HOSTILE = {
    "nothing": b"",
    "zeros": bytes(4096),
    "noise": bytes(range(256)) * 16,
    "text": b"once upon a time",
    "a list": b"[]",
    "null": b"null\n",
    "an object": b"{}\n",
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "NaN": b'{"epoch": NaN, "step": NaN, "dataset": NaN}\n',
    "a huge number": b'{"epoch": 1' + b"0" * 5000 + b"}\n",
    "UTF-16": "{}".encode("utf-16"),
    "twice": b'{"epoch": 1, "epoch": 2}\n',
    "a bare key": b"epochs",
    "a path": b'dataset = "../../../etc/passwd"\n',
    "exabytes": b"\xff" * 7 + b"\x7f{}",
}
PLACES = [
    "config.toml",
    "environment.json",
    "journal.jsonl",
    "evaluations.jsonl",
    "checkpoints/step-000000012/manifest.json",
    "checkpoints/step-000000012/state.safetensors",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_run_damaged_anyhow_is_never_a_traceback(jaxquard, root, picture, place):
    """Where the damaged file is needed the verb refuses; where it is not, the verb does its work."""
    shutil.copytree(root / "one", "runs/bad")
    sound = Path("runs/bad", place).read_bytes()
    for name, data in {**HOSTILE, "half": sound[: len(sound) // 2], "twice over": sound * 2}.items():
        Path("runs/bad", place).write_bytes(data)
        for verb in (["runs"], ["compare", "bad", "bad"], ["evaluate", "bad"], ["predict", "bad", picture]):
            said = jaxquard(*verb, "--quiet")
            assert said.code in (0, 2, 3, 5), (name, verb, said)
            assert said.err == "" if said.code == 0 else re.fullmatch(r"jaxquard: .*\n(.*\n)?", said.err), (name, said)


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_wherever_one_is_taken_is_never_a_traceback(jaxquard, root, picture, data):
    for suffix in (".safetensors", ".toml", ".npz", ".png"):
        Path(f"file{suffix}").write_bytes(data)
    Path("folder").mkdir()
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            Path("folder", f"{part}-{kind}-ubyte.gz").write_bytes(data)
    for code, verb in (
        (5, ["evaluate", "file.safetensors"]),
        (5, ["predict", "file.safetensors", picture]),
        (3, ["predict", "one", "file.png", "--runs", root]),
        (3, ["train", "--dataset", "file.npz"]),
        (3, ["train", "--dataset", "folder"]),
        (3, ["evaluate", "one", "--dataset", "file.npz", "--runs", root]),
        (3, ["data", "file.npz"]),
    ):
        said = jaxquard(*verb)
        assert (said.code, said.out) == (code, ""), (verb, said)
        assert re.fullmatch(r"jaxquard: .*\n(.*\n)?", said.err)
    if data.strip():  # an empty file is a config like any other: the mission's
        assert jaxquard("train", "--config", "file.toml", "--dataset", "file.npz").code in (2, 3)
    assert not Path("runs").exists()


def odd_data(name: str) -> dict[str, np.ndarray]:
    """Data sets that are none, or hardly."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(1, 255, (60, 6, 6)).astype(np.uint8), np.arange(60) % 3
    match name:
        case "a constant column":
            images[:, :, 2] = 7
        case "an empty class":
            labels[labels == 1] = 2
        case "a single class":
            labels[:] = 0
        case "one example":
            images, labels = images[:1], labels[:1]
        case "two examples":
            images, labels = images[:2], labels[:2]
        case "fewer labels than images":
            labels = labels[:-1]
        case "a negative label":
            labels[5] = -1
        case "all pixels alike":
            images[:] = 7
        case "pixels that are not finite":
            images = np.full((60, 6, 6), np.nan)
        case "no examples":
            images, labels = images[:0], labels[:0]
    return {"images": images, "labels": labels}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0, "a constant column"),
        (0, "an empty class"),
        (0, "a single class"),
        (3, "one example"),
        (0, "two examples"),
        (3, "fewer labels than images"),
        (3, "a negative label"),
        (3, "all pixels alike"),
        (3, "pixels that are not finite"),
        (3, "no examples"),
    ],
)
def test_odd_data_are_trained_on_or_refused_in_words(jaxquard, code, name):
    np.savez("odd.npz", **odd_data(name))
    said = jaxquard(
        "train", "--dataset", "odd.npz", "--batch-size", 1, "--epochs", 1, "--hidden", 4, "--json", "--quiet"
    )
    assert said.code == code, said
    if code:
        assert re.fullmatch(r"jaxquard: .*\n(.*\n)?", said.err)
        assert not Path("runs").exists()
    else:
        document = said.document
        assert np.isfinite([document["train_loss"], document["test_loss"], document["test_accuracy"]]).all()
        evaluated = jaxquard("evaluate", document["run"], "--json", "--quiet").document
        assert evaluated["accuracy"] == document["test_accuracy"]
        assert np.sum(evaluated["confusion"]) == evaluated["n"]
