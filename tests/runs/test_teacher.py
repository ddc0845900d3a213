"""A student learns from a trained model, resumes exactly, and refuses a teacher that has changed."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from jaxquard import api
from jaxquard.errors import RunError, UsageError
from jaxquard.runs import models, teacher, train
from jaxquard.runs.directory import Run
from jaxquard.runs.interrupts import Interrupted
from jaxquard.training.data import prepare


@pytest.fixture
def school(trained, tmp_path):
    """A runs directory with a trained teacher in it."""
    shutil.copytree(trained.run.path, tmp_path / "teacher")
    return tmp_path


@pytest.fixture(autouse=True)
def kept(tmp_path_factory, monkeypatch):
    """The folder of answers, empty."""
    folder = tmp_path_factory.mktemp("cache") / "answers"
    monkeypatch.setattr(teacher, "folder", lambda: folder)
    return folder


def test_the_teacher_gives_its_logits_for_each_training_image(small, stripes, school):
    config, data = prepare(small.replace(teacher="teacher", validation=20), stripes)
    said: list[str] = []
    taught, facts = teacher.ask(config, data, stripes, school, said.append)
    model = models.load_model("teacher", school)
    np.testing.assert_allclose(taught.teacher, model.logits(np.asarray(data.images)), rtol=1e-6)
    assert taught.teacher is not None
    assert taught.teacher.shape == (100, 3)
    assert facts["teacher"]["name"] == "teacher"
    assert said == ["teacher was trained on images that are held out here: the validation accuracy will be too high"]


@pytest.mark.parametrize(
    ("theirs", "own", "columns"),
    [
        ("cat dog emu", "cat dog emu", [0, 1, 2]),
        ("cat dog emu", "emu cat dog", [2, 0, 1]),
        ("1 2 3", "3 1 2", [2, 0, 1]),
        ("0 1 2", "cat dog emu", [0, 1, 2]),
        ("cat dog emu", "0 1 2", [0, 1, 2]),
        ("0 1 2", "1 2 3", None),
        ("cat dog emu", "cat dog fox", None),
        ("cat dog 2", "0 1 2", None),
        ("1 2 3", "cat dog emu", None),
    ],
)
def test_classes_are_matched_by_name_or_by_number(small, stripes, school, theirs, own, columns):
    named = dataclasses.replace(stripes, class_names=theirs.split(), sha256={"x": "other"})
    train.train(small, named, runs=school, name="named")
    config, data = prepare(small.replace(teacher="named"), stripes)
    pupil, said = dataclasses.replace(stripes, class_names=own.split()), list[str]()
    if columns is None:
        with pytest.raises(UsageError, match=f"teacher: named has other classes than .*: {', '.join(theirs.split())}$"):
            teacher.ask(config, data, pupil, school, said.append)
        return
    taught, _ = teacher.ask(config, data, pupil, school, said.append)
    logits = models.load_model("named", school).logits(np.asarray(data.images))
    np.testing.assert_allclose(taught.teacher, logits[:, columns], rtol=1e-5, atol=1e-6)
    by_number = [f"the classes of named are matched by number: {', '.join(theirs.split())}"]
    assert said == (by_number if sorted(theirs) != sorted(own) else [])


def test_a_teacher_that_has_not_finished_is_reported(small, stripes, school):
    train.train(small, stripes, runs=school, name="part", until=1)
    config, data = prepare(small.replace(teacher="part"), stripes)
    said: list[str] = []
    teacher.ask(config, data, stripes, school, said.append)
    assert said == ["teacher: part is unfinished: these are its weights after step 6, epoch 1 of 3"]


def test_a_student_with_flipped_images_gets_the_mean_of_both_views(small, stripes, school):
    config, data = prepare(small.replace(teacher="teacher", flip=True), stripes)
    said: list[str] = []
    taught, _ = teacher.ask(config, data, stripes, school, said.append)
    assert said == []  # nothing is held out
    model, images = models.load_model("teacher", school), np.asarray(data.images)
    both = (model.logits(images) + model.logits(images[:, :, ::-1])) / 2
    np.testing.assert_allclose(taught.teacher, both, rtol=1e-5, atol=1e-5)


def test_a_resumed_student_is_the_run_never_stopped(small, stripes, school, interrupted_at, assert_same_run):
    config = small.replace(teacher="teacher", temperature=3.0, teacher_share=0.8)
    whole = train.train(config, stripes, runs=school, name="whole").run
    assert whole.environment["teacher"]["name"] == "teacher"
    with pytest.raises(Interrupted):
        train.train(config, stripes, runs=school, name="stopped", checkpoint_every=4, observer=interrupted_at(8))
    run = Run(school / "stopped")
    train.resume(run, stripes)
    assert_same_run(run, whole)
    alone = train.train(small, stripes, runs=school, name="alone").run
    assert [line["train_loss"] for line in alone.epochs()] != [line["train_loss"] for line in whole.epochs()]


def test_a_changed_teacher_is_refused(small, stripes, school, interrupted_at):
    config = small.replace(teacher="teacher")
    with pytest.raises(Interrupted):
        train.train(config, stripes, runs=school, name="stopped", observer=interrupted_at(1))
    shutil.rmtree(school / "teacher")
    with pytest.raises(RunError, match="teacher: no such run"):
        train.resume(Run(school / "stopped"), stripes)
    train.train(small.replace(seed=7), stripes, runs=school, name="teacher")
    with pytest.raises(RunError, match="its teacher, teacher, has changed"):
        train.resume(Run(school / "stopped"), stripes)


def test_a_teacher_of_other_classes_is_refused(small, stripes, school):
    labels = {name: getattr(stripes, name) % 2 for name in ("train_labels", "test_labels")}
    two = dataclasses.replace(stripes, class_names=("0", "1"), **labels)
    train.train(small, two, runs=school, name="two")
    with pytest.raises(UsageError, match="two has 2 classes, the data set has 3"):
        train.train(small.replace(teacher="two"), stripes, runs=school, name="pupil")
    assert not (school / "pupil").exists()


def test_a_teacher_is_a_name_or_else_an_absolute_path(small, school, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    for name in ("mlp", "teacher", "run", "my@weights.safetensors"):
        Path(name).mkdir()
    for given, found in {
        "mlp": "mlp",  # a model of the package
        "teacher": "teacher",  # a run
        "unknown": "unknown",
        "run@0": f"{elsewhere / 'run'}@0",
        "my@weights.safetensors": str(elsewhere / "my@weights.safetensors"),
    }.items():
        assert api._from_anywhere(small.replace(teacher=given), school).teacher == found


def test_a_network_that_diverged_cannot_teach(small, stripes, school):
    config = small.replace(sweep=(("learning_rate", (0.1, 1e30)),), validation=20)
    with np.errstate(all="ignore"):
        train.train(config, stripes, runs=school, name="both")
    train.train(small.replace(teacher="both@0"), stripes, runs=school, name="pupil")
    with np.errstate(all="ignore"), pytest.raises(RunError, match="both@1: diverged"):
        train.train(small.replace(teacher="both@1"), stripes, runs=school, name="another")


@pytest.fixture
def ask(small, stripes, school):
    """`ask()`: the teacher's logits and the reported progress, with changed settings."""

    def asked(dataset=stripes, **changes):
        config, data = prepare(small.replace(teacher="teacher", **changes), dataset)
        said = []
        taught, _ = teacher.ask(config, data, dataset, school, said.append, lambda *what: said.append(what))
        return np.asarray(taught.teacher), said

    return asked


def test_logits_are_computed_once_with_progress(ask, kept):
    first, said = ask(flip=True)
    assert said == [("teacher", 0, 240), ("teacher", 120, 240), ("teacher", 240, 240)]
    again, said = ask(flip=True)
    assert said == []
    assert again.tobytes() == first.tobytes()
    assert len(list(kept.iterdir())) == 1


def test_other_inputs_are_computed_again(ask, school, stripes, small, monkeypatch):
    ask()
    for changes in ({"flip": True}, {"validation": 20}):
        assert ask(**changes)[1]
    images = stripes.train_images.copy()
    images[-1, 0, 0] ^= 1
    assert ask(dataclasses.replace(stripes, train_images=images))[1]
    with monkeypatch.context() as other:
        other.setattr("jaxquard.runs.environment.machine", lambda: {"jax": "another"})
        assert ask()[1]
    shutil.rmtree(school / "teacher")
    train.train(small.replace(seed=7), stripes, runs=school, name="teacher")
    assert ask()[1]


@pytest.mark.parametrize("fault", ["", "short", "long", "bit", "folder", "no folder"])
def test_a_damaged_or_unwritable_cache_does_no_harm(ask, kept, monkeypatch, fault):
    if fault == "no folder":
        kept.parent.joinpath("file").write_text("")
        monkeypatch.setattr(teacher, "folder", lambda: kept.parent / "file" / "answers")
    first, _ = ask()
    if fault != "no folder":
        [file] = kept.iterdir()
        data = file.read_bytes()
        file.unlink()
        match fault:
            case "folder":
                file.mkdir()
            case _:
                bit = bytes([data[-1] ^ 1])
                file.write_bytes({"": b"", "short": data[:-4], "long": data + data[:4], "bit": data[:-1] + bit}[fault])
    again, said = ask()
    assert said
    assert again.tobytes() == first.tobytes()
