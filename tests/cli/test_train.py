"""The verb `train`: its lines, tables, sweeps, stops and JSON."""

import re
import shlex
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from jaxquard import api
from jaxquard.cli import training
from jaxquard.cli.display import TrainingDisplay
from jaxquard.cli.options import Source, where_data_are
from jaxquard.config import Config
from jaxquard.runs import directory
from jaxquard.runs.directory import Run
from jaxquard.runs.interrupts import Interrupts
from jaxquard.sklearn import JaxquardClassifier
from jaxquard.systems import quoted


def test_train_prints_a_line_for_each_epoch_and_a_table(jaxquard, npz, quick):
    said = jaxquard("train", "--dataset", npz, *quick, "--name", "x")
    assert said.code == 0
    first, *lines = said.err.splitlines()
    assert first.startswith("stripes: 120 images for training, 40 for testing, of 6×6; 3 classes: 0 (")
    assert lines[0] == "run x: 203 parameters"
    assert [line[:11] for line in lines[1:]] == ["epoch 1/2  ", "epoch 2/2  "]
    assert all(re.search(r"loss \d\.\d{4}   accuracy +\d+\.\d\d %   \d+\.\d\d s$", line) for line in lines[1:])
    assert re.search(r"^test accuracy +\d+\.\d\d %$", said.out, re.MULTILINE)
    assert "runs/x" in said.out
    assert "jaxquard evaluate x" in said.out


def test_train_json(jaxquard, npz, quick):
    said = jaxquard("train", "--dataset", npz, *quick, "--name", "x", "--json", "--quiet")
    assert (said.code, said.err) == (0, "")
    document = said.document
    assert list(document) == [
        *("run", "recipe", "dataset", "parameters", "epochs", "seed"),
        *("train_loss", "test_loss", "test_accuracy", "tta", "seconds", "diverged", "already_finished"),
    ]
    assert (document["run"], document["recipe"], document["parameters"], document["epochs"]) == ("x", None, 203, 2)
    assert 0 <= document["test_accuracy"] <= 1
    assert document["diverged"] is False
    assert document["tta"] is None
    assert list(document["seconds"]) == ["total", "data", "compile", "train", "evaluate"]
    again = jaxquard("train", "--resume", "x", "--json", "--quiet").document
    assert document["already_finished"] is False
    assert {**again, "seconds": 0} == {**document, "seconds": 0, "already_finished": True}


def test_train_json_with_several_networks(jaxquard, npz, quick):
    arguments = ["--dataset", npz, *quick, "--seeds", 2, "--seed", 3, "--sweep", "learning_rate=0.1,1e30"]
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


def test_a_sweep_of_scalars_is_one_run_and_ends_in_a_ranking(jaxquard, npz, quick):
    arguments = ["--dataset", npz, *quick, "--seeds", 2, "--sweep", "learning_rate=0.001,0.3", "--validation", 20]
    document = jaxquard("train", *arguments, "--name", "x", "--json", "--quiet").document
    ranked = document["ranking"]
    assert [row["settings"]["learning_rate"] for row in ranked] == [0.3, 0.001]
    assert [row["networks"] for row in ranked] == [["x@2", "x@3"], ["x@0", "x@1"]]
    assert ranked[0]["val_accuracy"]["mean"] >= ranked[1]["val_accuracy"]["mean"]
    assert "over 2 seeds" in document["verdict"]
    shown = jaxquard("train", *arguments, "--name", "y")
    assert document["verdict"] in shown.out
    assert "jaxquard evaluate y@2\n" in shown.out  # the best network
    # no mean over different learning rates
    assert "test accuracy" not in shown.out
    assert "±" not in shown.err
    values = [100 * value for row in ranked for value in row["val_accuracy"]["values"]]
    assert f"validation {min(values):.2f} … {max(values):.2f} %" in shown.err
    (line, _) = re.findall(r"^[xy] .*", jaxquard("runs").out, re.MULTILINE)
    assert "±" not in line
    assert " … " in line


@pytest.mark.parametrize("tested", [True, False])
def test_a_finished_run_of_arrays_is_evaluated_in_python(jaxquard, stripes, tmp_path, tested):
    settings = {"hidden": (4,), "epochs": 1, "batch_size": 20}
    if tested:
        api.train(Config(**settings), data=stripes)
    else:
        rows = stripes.train_images.reshape(len(stripes.train_images), -1)
        JaxquardClassifier(**settings, runs="runs").fit(rows, stripes.train_labels)
    (run,) = api.list_runs()
    said = jaxquard("train", "--resume", run.id)
    assert f"next           jaxquard.evaluate({str(run.path.resolve())!r}, data=(X, y))\n" in said.out


def test_a_sweep_over_a_single_value_is_one_network(jaxquard, npz, quick):
    arguments = ["--dataset", npz, *quick, "--sweep", "learning_rate=0.3", "--validation", 20, "--name", "x"]
    said = jaxquard("train", *arguments)
    assert said.code == 0
    assert re.search(r"validation +\d+\.\d\d %", said.err)
    assert re.search(r"^x +finished +val +\d+\.\d\d % *$", jaxquard("runs").out, re.MULTILINE)


def test_a_sweep_of_shapes_is_a_run_each(jaxquard, npz, monkeypatch, quick):
    clock = iter((3.0, 7.0, 12.0, 18.0))
    monkeypatch.setattr(training, "_since_start", lambda: next(clock))
    arguments = ["--dataset", npz, *quick[:2], "--epochs", 1, "--validation", 20]
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
    assert all(set(row["val_accuracy"]) == {"mean", "std", "values"} for row in document["ranking"])
    assert [one["seconds"]["total"] for one in document["runs"]] == [3.0, 4.0, 5.0, 6.0]  # of each run
    assert "one seed is too few" in document["verdict"]


def test_a_sweep_in_a_file_is_part_of_the_ranking_of_shapes(jaxquard, npz):
    Path("sweep.toml").write_text(
        "epochs = 1\nbatch_size = 20\n[sweep]\nlearning_rate = [0.001, 0.3]\n", encoding="utf-8"
    )
    arguments = ["--config", "sweep.toml", "--dataset", npz, "--validation", 20, "--sweep", "hidden=3,4"]
    ranked = jaxquard("train", *arguments, "--json", "--quiet").document["ranking"]
    assert sorted((row["settings"]["hidden"], row["settings"]["learning_rate"]) for row in ranked) == [
        ([3], 0.001), ([3], 0.3), ([4], 0.001), ([4], 0.3),
    ]  # fmt: skip


def test_a_sweep_with_an_impossible_setting_reports_the_results_before_it(jaxquard, npz):
    swept = ["--epochs", 1, "--validation", 20, "--sweep", "batch_size=20,40,5000,60"]
    said = jaxquard("train", "--dataset", npz, *swept, "--json", "--quiet")
    assert said.code == 2
    assert "batch_size: 5000 is more than" in said.err
    assert [len(said.document[key]) for key in ("runs", "ranking")] == [2, 2]
    assert len(list(Path("runs").iterdir())) == 2  # the fourth was not started


@pytest.mark.parametrize(
    ("swept", "fault"),
    [("activation=relu,tanh", "./none.npz: no such folder"), ("batch_size=5000,20", "5000 is more than")],
)
def test_a_setting_that_fails_before_its_run_is_made_counts_as_not_started(jaxquard, npz, swept, fault):
    said = jaxquard("train", "--dataset", "./none.npz" if "none" in fault else npz, "--sweep", swept, "--quiet")
    first, second = said.err.splitlines()
    setting, values = swept.split("=")
    assert fault in first
    assert second.startswith(
        "not started: " + ", ".join(f"{setting}={value}" for value in values.split(",")) + "; to train them: "
    )
    assert second.endswith(quoted(["--sweep", swept]))
    assert not Path("runs").exists()


def test_a_setting_without_effect_gives_a_note(jaxquard, npz, quick):
    said = jaxquard("train", "--dataset", npz, *quick, "--momentum", 0.5, "--stem", 2)
    notes = [line for line in said.err.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: --stem has no effect here: it needs model to be cnn",
        "note: --momentum has no effect here: it needs optimizer to be momentum or nesterov or muon",
    ]
    assert "note: " not in jaxquard("train", "--dataset", npz, *quick, "--optimizer", "momentum").err


@pytest.mark.parametrize("place", ["in the training", "after it"])
def test_a_signal_at_the_end_of_a_run_ends_the_sweep(jaxquard, npz, monkeypatch, place, quick):
    asked = Interrupts()
    owner, name = (api, "train") if place == "in the training" else (TrainingDisplay, "__exit__")
    real = getattr(owner, name)

    def at_its_end(*arguments, **options):
        result = real(*arguments, **options)
        asked.asked = True
        return result

    monkeypatch.setattr(training, "interruptible", lambda: nullcontext(asked))
    monkeypatch.setattr(owner, name, at_its_end)
    said = jaxquard("train", "--dataset", npz, *quick, "--validation", 20, "--sweep", "activation=relu,tanh", "--quiet")
    (run,) = Path("runs").iterdir()
    assert said.code == 130
    assert f"kept in        runs/{run.name}" in said.out
    first, second = said.err.splitlines()
    assert first == f"jaxquard: interrupted after {run.name} had finished"
    assert second.startswith("not started: activation=tanh; to train them: jaxquard train ")
    assert second.endswith(" --sweep activation=tanh")
    assert Run(run).status() == "finished"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sweep", "batch_siz=10,20"], "batch_siz: no such setting; did you mean batch_size?"),
        (["--sweep", "batch_size"], "write it as setting=value,value"),
        (["--sweep", "batch_size=10,"], "write it as setting=value,value"),
        (["--sweep", "batch_size=10,ten"], "batch_size: must be a whole number"),
        (["--sweep", "learning_rate=0.1,fast"], "learning_rate: must be a finite number"),
        (["--sweep", "batch_size=10,20", "--name", "x"], "leave out --name"),
        (["--sweep", "batch_size=10,20", "--validation", 0], "validation: must not be 0: a sweep chooses by"),
        (["--sweep", "hidden=8-4,8-x"], "write layers as 128-64, not 8-x"),
        (["--sweep", "learning_rate=0.1", "--sweep", "learning-rate=0.2"], "a setting appears twice"),
        (["--sweep", "learning_rate=0.1,0.10", "--validation", 20], "has a value twice"),
        (["--sweep", "hidden=8-4,9,8-4"], "has a value twice"),
        (["--sweep", "seed=1,2"], "seeds cannot be swept"),
        (["--sweep", "momentum=0.5,0.9"], "it needs optimizer to be momentum or nesterov or muon"),
        (["--sweep", "temperature=1,2"], "it needs a teacher"),
        (["--sweep", "validation=20,0"], "validation: must not be 0: a sweep chooses by"),
    ],
)
def test_an_invalid_sweep_is_refused(jaxquard, npz, arguments, says):
    said = jaxquard("train", "--dataset", npz, *arguments)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert said.err.count("\n") == 1
    assert not Path("runs").exists()


def test_a_sweep_of_shapes_reports_which_runs_diverged(jaxquard, npz):
    arguments = ["--dataset", npz, "--batch-size", 20, "--learning-rate", 1e30, "--validation", 20]
    with np.errstate(all="ignore"):
        said = jaxquard("train", *arguments, "--sweep", "activation=relu,leaky_relu", "--json")
    assert said.code == 4
    assert [one["diverged"] for one in said.document["runs"]] == [True, True]
    assert said.err.count("diverged: loss not finite") == 3  # each of the two, and the error


def test_another_data_set_is_not_standardised_by_the_pixels_of_the_first(jaxquard, npz, tmp_path, quick):
    jaxquard("train", "--dataset", npz, *quick, "--name", "first", "--quiet")
    with np.load(npz) as arrays:
        np.savez(tmp_path / "dark.npz", **{name: a // 2 if a.ndim == 3 else a for name, a in arrays.items()})
    config = ["--config", "runs/first/config.toml", "--patience", 1, "--validation", 20]
    said = jaxquard("train", *config, "--dataset", tmp_path / "dark.npz", "--name", "second")
    assert said.err.count("is measured again, because the training images differ") == 2
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


def test_until_then_resume(jaxquard, npz, quick):
    part = jaxquard("train", "--dataset", npz, *quick, "--name", "x", "--until", 1)
    assert part.code == 0
    assert "jaxquard train --resume x" in part.out
    rest = jaxquard("train", "--resume", "x", "--json")
    assert rest.document["epochs"] == 2
    assert rest.err.splitlines()[0] == "run x: 203 parameters, from step 6"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_teacher_gets_a_line_and_a_bar_on_a_terminal(capsys, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    with TrainingDisplay() as display:
        for done in (0, 1000, 2000):
            display.asking("cnn-small", done, 2000)
            assert bool(display.bar and display.bar.tasks) == (terminal and done < 2000)
    assert capsys.readouterr().err.count("teacher cnn-small: computing 2,000 outputs") == 1


def test_resuming_a_finished_run_says_so(jaxquard, root):
    said = jaxquard("train", "--resume", "one", "--runs", root)
    assert said.out.startswith("one had already finished: nothing was trained; these are its results\n")
    assert "accuracy  " in said.out
    assert re.search(r"^seconds +[0-9.]+ training, [0-9.]+ compiling, [0-9.]+ data$", said.out, re.M)
    assert jaxquard("train", "--resume", "one", "--runs", root, "--json").document["already_finished"] is True


def test_the_rest_of_an_interrupted_sweep_is_named_with_commands(jaxquard, npz, quick, monkeypatch):
    """Stopped while the first of four runs trains; the commands then train the other three."""

    class Asked:
        training = False
        asked = property(lambda self: self.training)

    arguments = ["--dataset", npz, *quick, "--validation", 20, "--runs", "my runs", "--quiet"]
    swept = ["--sweep", "hidden=4,5-3", "--sweep", "batch_size=10,20", "--sweep", "learning_rate=0.1,0.2"]
    with monkeypatch.context() as during:
        during.setattr("jaxquard.cli.training.interruptible", lambda: nullcontext(Asked()))
        said = jaxquard("train", *arguments, *swept)
    assert said.code == 130
    first, second = said.err.splitlines()
    assert "interrupted " in first
    named, _, commands = second.partition("; to train them: ")
    assert named == "not started: hidden=4 batch_size=20, hidden=5-3 batch_size=10, hidden=5-3 batch_size=20"
    for command in commands.split(" && "):
        assert jaxquard(*shlex.split(command)[1:], "--quiet").code == 0
    made = [(run.config.hidden, run.config.batch_size) for run in directory.every(Path("my runs"))]
    assert sorted(made) == [((4,), 10), ((4,), 20), ((5, 3), 10), ((5, 3), 20)]
    assert all(run.config.sweep == (("learning_rate", (0.1, 0.2)),) for run in directory.every(Path("my runs")))


def test_a_changed_recipe_keeps_its_name_only_if_named(jaxquard, npz):
    first = ["train", "--until", 1, "--quiet", "--json", "--epochs", 2, "--batch-size", 20, "--dataset", npz]
    assert jaxquard(*first, "--name", "x").document["recipe"] is None
    assert jaxquard(*first, "--name", "y", "--recipe", "original").document["recipe"] == "original"


def test_another_run_can_start_from_a_runs_config(jaxquard, root):
    said = jaxquard("train", "--config", root / "one" / "config.toml", "--seed", 1, "--name", "x", "--json", "--quiet")
    config = Run(Path("runs/x")).config
    assert said.code == 0
    assert config == Run(root / "one").config.replace(seed=1)


def test_a_command_to_paste_says_where_the_data_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = ["--data-dir", str(tmp_path / "my data")]
    assert where_data_are(Source()) == []
    assert where_data_are(Source(data_dir=Path("my data"))) == found
