"""The verbs of the command line as functions."""

import dataclasses
import importlib.metadata
import shutil
import typing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jaxquard
from jaxquard import api
from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.data.pictures import read_picture
from jaxquard.errors import DataError, JaxquardError, RunError, UsageError
from jaxquard.runs.interrupts import Interrupted
from jaxquard.runs.lock import locked
from jaxquard.training.evaluation import log_probabilities
from jaxquard.training.processes import Processes


class BytesPath:
    """A path that is bytes."""

    def __fspath__(self):
        return b"one"


class Unshowable:
    """A value without a repr."""

    def __repr__(self):
        raise RuntimeError("no")


@pytest.fixture(scope="module")
def root(npz, tmp_path_factory):
    """A runs directory with two finished runs in it, `one` and `two`, the second of two networks."""
    root = tmp_path_factory.mktemp("runs")
    config = Config(dataset=str(npz), hidden=(5,), batch_size=20, epochs=2, learning_rate=0.3, validation=20)
    jaxquard.train(config, runs=root, name="one")
    jaxquard.train(config.replace(seeds=2, learning_rate=0.1), runs=root, name="two")
    return root


def test_a_finished_run_returns_its_result_without_data(npz, tmp_path):
    data = tmp_path / "data.npz"
    shutil.copy(npz, data)
    config = Config(dataset=str(data), hidden=(5,), batch_size=20, epochs=1)
    result = api.train(config, runs=tmp_path, name="run")
    data.unlink()
    with locked(result.run.path):  # a lock may be a left-over file on systems without locks
        assert api.train(resume="run", runs=tmp_path).test_accuracy == result.test_accuracy
    with pytest.raises(UsageError, match="digits"):
        api.train(resume="run", runs=tmp_path, dataset="digit")
    with pytest.raises(RunError, match="was trained on other data than digits"):
        api.train(resume="run", runs=tmp_path, dataset="digits")


@pytest.fixture(scope="module")
def arrays():
    """60 images in floats, with labels as text."""
    labels = np.arange(60) % 3
    images = np.random.default_rng(0).random((60, 6, 6)) * 0.5 + 0.5 * (labels == 2)[:, None, None]
    return images, np.array(["one", "two", "three"])[labels]


def test_arrays_are_trained_on_resumed_evaluated_and_predicted(arrays, tmp_path):
    images, labels = arrays
    config = Config(hidden=(5,), batch_size=10, epochs=3, validation=6, learning_rate=0.3)
    whole = jaxquard.train(config, data=arrays, runs=tmp_path, name="whole")
    jaxquard.train(config, data=arrays, runs=tmp_path, name="part", until=1)
    part = jaxquard.train(resume="part", data=(list(images), list(labels)), runs=tmp_path)
    assert (part.test_accuracy, part.train_loss) == (whole.test_accuracy, whole.train_loss)
    facts = whole.run.environment["dataset"]
    assert (whole.run.config.dataset, facts["class_names"], facts["train"]) == ("arrays", ["one", "three", "two"], 50)
    again = jaxquard.evaluate(whole, data=arrays)
    assert (again[0].n, again.accuracy) == (10, whole.test_accuracy)
    new = jaxquard.evaluate(whole, data=(images[labels == "three"][:3], ["three"] * 3))
    predicted = jaxquard.predict(whole, images=images)
    labelled = [one.label for one in predicted]
    assert new[0].accuracy == labelled[2:9:3].count("three") / 3
    assert set(labelled[2::3]) == {"three"}
    assert [one.label for one in jaxquard.predict(whole, images=images[:3].tolist())] == labelled[:3]
    assert jaxquard.evaluate(whole, data=Dataset.from_arrays(*arrays)).accuracy == whole.test_accuracy
    assert whole.model.predict(images).tolist() == labelled
    np.testing.assert_allclose(whole.model.predict_proba(images)[:, 0], [one.probabilities["one"] for one in predicted])
    assert [run.id for run in jaxquard.list_runs(runs=tmp_path)] == ["part", "whole"]
    as_bytes = np.uint8(255 * images)
    np.testing.assert_allclose(whole.model.predict_proba(as_bytes), whole.model.predict_proba(images), atol=0.05)
    assert jaxquard.evaluate(whole, data=(as_bytes[:1], labels[:1]))[0].n == 1
    wrong = ((images[::-1], labels), RunError, "was trained on other data"), (images, UsageError, r"data: .*\(X, y\)")
    for data, kind, message in wrong:
        with pytest.raises(kind, match=message):
            jaxquard.train(resume="part", data=data, runs=tmp_path)
    with pytest.raises(DataError, match="images: values from 0 to 255, but 0 is black and 1 is white"):
        jaxquard.predict(whole, images=np.full((1, 6, 6), 255) * [0, 1, 1, 1, 1, 1])
    with pytest.raises(UsageError, match=r"data: give \(X, y\)"):
        jaxquard.evaluate(whole, data=5)
    nothing: dict[str, np.ndarray] = {"test_images": np.zeros((0, 6, 6, 1), np.uint8), "test_labels": np.arange(0)}
    data = dataclasses.replace(Dataset.from_arrays(*arrays), **nothing)
    for verb in (lambda: jaxquard.train(config, data=data, runs=tmp_path), lambda: jaxquard.evaluate(whole, data=data)):
        with pytest.raises(UsageError, match="arrays: has no test images"):
            verb()
    data = Dataset.from_arrays(images * 255.0, np.arange(60) % 2 + 1)
    counted = jaxquard.train(config, data=data, runs=tmp_path, name="counted")
    for use, said in (
        (lambda: jaxquard.evaluate(counted, data=(images * 255.0, np.arange(60) % 3)), "label '0' is not a class"),
        (
            lambda: jaxquard.evaluate(counted, data=(images, np.arange(60) % 2 + 1)),
            ", but 0 is black and 255 is white",
        ),
        (lambda: jaxquard.predict(counted, images=images), ", but 0 is black and 255 is white"),
    ):
        with pytest.raises(DataError, match=said):
            use()
    for both in (
        lambda: jaxquard.predict(whole, ["a.png"], images=images),
        lambda: jaxquard.evaluate(whole, data=arrays, dataset="digits"),
        lambda: jaxquard.train(resume=whole, data=arrays, dataset="digits"),
    ):
        with pytest.raises(UsageError, match="not both"):
            both()


@pytest.mark.parametrize(
    ("trained", "names", "said"),
    [
        (["one", "three", "two"], ["two", "one", "three"], None),
        (["one", "three", "two"], ["two", "one"], None),
        (["one", "three", "two"], ["0", "1", "2"], None),
        (["one", "three", "two"], ["one", "three", "four"], "'four' is not a class of run; its classes are one, three"),
        (["0", "1", "2"], ["one", "three", "two"], "'one' is not a class"),
        (["1", "2"], ["0", "1"], "'0' is not a class"),
    ],
)
def test_classes_are_matched_by_name(arrays, tmp_path, trained, names, said):
    images, labels = arrays[0], np.arange(60) % len(trained)
    y = np.array(trained)[labels]
    data = Dataset.from_arrays(images, y, images, y, class_names=trained)
    result = jaxquard.train(Config(hidden=(5,), batch_size=10, epochs=1), data=data, runs=tmp_path, name="run")
    if said:
        y = np.array(names)[np.arange(60) % len(names)]
        with pytest.raises(UsageError, match=said):
            jaxquard.evaluate(result, data=Dataset.from_arrays(images, y, images, y, class_names=names))
        return
    called = names if names[0] == "0" else trained
    rows = np.isin(np.array(called)[labels], names)
    y = np.array(called)[labels[rows]]
    found = jaxquard.evaluate(result, data=Dataset.from_arrays(images[rows], y, images[rows], y, class_names=names))
    right = result.model.predict(images)[rows] == np.array(trained)[labels][rows]
    assert (found.accuracy.mean, found.dataset.class_names) == (right.mean(), tuple(trained))


def test_a_result_has_its_model_its_figures_and_its_curve(root, tmp_path):
    one, two = (jaxquard.train(resume=name, runs=root) for name in ("one", "two"))
    Image.fromarray(np.arange(36, dtype=np.uint8).reshape(6, 6)).save(tmp_path / "a.png")
    (found,) = jaxquard.predict("two@all", [tmp_path / "a.png"], runs=root)
    assert two.model.predict([tmp_path / "a.png"]).tolist() == [found.label]
    assert two.model.predict_proba([str(tmp_path / "a.png")])[0].tolist() == list(found.probabilities.values())
    with pytest.raises(DataError, match=r"gone\.png"):
        two.model.predict([tmp_path / "gone.png"])
    history = two.history
    assert (history["network"], history["epoch"]) == ([0, 1, 0, 1], [1, 1, 2, 2])
    assert history["train_loss"] == [loss for line in two.run.epochs() for loss in line["train_loss"]]
    assert {len(column) for column in history.values()} == {4}
    assert one.history["val_accuracy"] == [line["val_accuracy"][0] for line in one.run.epochs()]
    assert one.plot()._repr_svg_().startswith("<svg")
    assert "loss" in two.plot("loss").description


def test_only_python_can_use_a_run_of_arrays_again(arrays, tmp_path):
    config = Config(hidden=(), batch_size=10, epochs=2)
    stop = jaxquard.Observer(should_stop=lambda: True)
    with pytest.raises(Interrupted, match=r"resume with: jaxquard\.train\(resume='.*stopped', data=…\)"):
        jaxquard.train(config, data=arrays, runs=tmp_path, name="stopped", observer=stop)
    run = jaxquard.train(config, data=arrays, runs=tmp_path, name="part", until=1).run
    for use in (
        lambda: jaxquard.train(resume="part", runs=tmp_path),
        lambda: jaxquard.train(run.config.replace(seed=2), runs=tmp_path),
        lambda: jaxquard.evaluate("part", runs=tmp_path),
    ):
        with pytest.raises(UsageError, match=r"^the data of this run were arrays in Python; .* data=\(X, y\)\)$"):
            use()


def test_moved_data_are_accepted_if_they_are_the_same(npz, tmp_path):
    data, moved, other = tmp_path / "data.npz", tmp_path / "moved.npz", tmp_path / "other.npz"
    shutil.copy(npz, data)
    arrays = dict(np.load(npz))
    np.savez_compressed(moved, **{name: arrays[name] for name in reversed(arrays)})  # another file, the same arrays
    np.savez(other, **arrays | {"y_test": arrays["y_test"][::-1]})
    config = Config(dataset=str(data), hidden=(5,), batch_size=20, epochs=2)
    run = api.train(config, runs=tmp_path, name="run", until=1).run
    written = (run.path / "config.toml").read_bytes()
    data.unlink()
    for look in (lambda: api.train(resume="run", runs=tmp_path), lambda: api.evaluate(run.path)):
        with pytest.raises(DataError, match=r"data\.npz.*\n.*moved, name their new place with --dataset"):
            look()
    with pytest.raises(RunError, match="was trained on other data than other"):
        api.train(resume="run", runs=tmp_path, dataset=other)
    assert api.train(resume="run", runs=tmp_path, dataset=moved).epochs == 2
    assert (run.path / "config.toml").read_bytes() == written
    assert not api.evaluate(run.path).on_other_data
    again = moved.rename(tmp_path / "again.npz")
    assert api.train(resume="run", runs=tmp_path, dataset=again).already_finished
    assert api.evaluate("run", runs=tmp_path).dataset.name == "again"
    with pytest.raises(UsageError, match="dataset: only for `resume`"):
        api.train(config, dataset=moved)
    with pytest.raises(DataError) as raised:
        api.train(config, runs=tmp_path)
    assert "moved" not in str(raised.value).partition("data.npz")[2]


def test_an_evaluation_that_cannot_be_recorded_is_reported(root, monkeypatch, capsys):
    monkeypatch.setattr("jaxquard.runs.directory.Run.note_evaluation", lambda *_, **__: "not recorded")
    reports = []
    api.evaluate("one", runs=root, report=reports.append)
    assert reports == ["note: not recorded"]
    with pytest.warns(UserWarning, match="not recorded"):
        api.evaluate("one", runs=root)
    monkeypatch.setattr("jaxquard.runs.notebook.is_running", lambda: True)
    api.evaluate("one", runs=root)
    assert capsys.readouterr().out == "note: not recorded\n"


def test_a_tilde_is_the_home_folder_in_every_path(root, npz, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(npz.parent))
    monkeypatch.chdir(tmp_path)
    config = Config(dataset=f"~/{npz.name}", hidden=(5,), batch_size=20, epochs=1)
    run = api.train(config, runs="~/runs", name="home").run
    assert (run.path, run.config.dataset) == (npz.parent / "runs" / "home", str(npz))
    image = np.full((6, 6), 200, np.uint8)
    Image.fromarray(image).save(npz.parent / "a.png")
    assert len(api.predict("~/runs/home@0", ["~/a.png"]).pictures) == 1
    assert list(tmp_path.iterdir()) == []


def test_resume_accepts_no_config_and_no_name(root):
    for given in ({"config": Config()}, {"config": "original"}, {"name": "x"}):
        with pytest.raises(UsageError, match="resume"):
            api.train(resume="one", runs=root, **given)


def test_a_call_that_does_not_fit_the_signature_shows_one_that_does(root):
    for call, said in {
        lambda: api.compare("one", "two", runs=root): "compare: too many .*; write compare\\(\\[names\\], …\\)",
        lambda: api.export("one", runs=root): "export: missing .* 'to'; write export\\(model, to=…, …\\)",
        lambda: api.evaluate("one", run=root): "evaluate: .* 'run'; write evaluate\\(model, …\\)",
    }.items():
        with pytest.raises(UsageError, match=said):
            call()


def test_wrong_arguments_are_refused_before_anything_is_written(root, npz, tmp_path):
    config = Config(dataset=str(npz), batch_size=20)
    with pytest.raises(UsageError, match="run name"):
        api.train(config, runs=tmp_path, name="../x")
    with pytest.raises(UsageError, match="not one of the recipes"):
        api.train("nope", runs=tmp_path)
    with pytest.raises(RunError, match="already there"):
        api.train(config, runs=root, name="one")
    with pytest.raises(UsageError, match="120 training images"):
        api.train(config.replace(batch_size=121), runs=tmp_path)
    with pytest.raises(UsageError, match="unknown data set"):
        api.train(config.replace(dataset="nope"), runs=tmp_path)
    with pytest.raises(DataError, match="no such"):
        api.train(config.replace(dataset="./nope.npz"), runs=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_path_of_data_is_stored_as_absolute(npz, tmp_path, monkeypatch):
    monkeypatch.chdir(npz.parent)
    config = Config(dataset=npz.name, hidden=(5,), batch_size=20, epochs=2, learning_rate=0.3, validation=20)
    run = api.train(config, runs=tmp_path / "runs", until=1).run
    monkeypatch.chdir(tmp_path)
    assert api.train(resume=run.id, runs=tmp_path / "runs").epochs == 2


def test_a_data_set_is_recorded_by_its_one_name(tmp_path):
    config = Config(dataset="DIGITS", hidden=(), epochs=1)
    assert api.train(config, runs=tmp_path, until=1).run.config.dataset == "digits"


def test_evaluate_agrees_with_the_training_and_is_recorded(root):
    (before,) = api.evaluate("one", runs=root)
    (evaluation,) = found = api.evaluate("one", runs=root, why="a second look")
    assert evaluation.accuracy == before.accuracy == jaxquard.train(resume="one", runs=root).test_accuracy.mean
    assert evaluation.confusion.sum() == evaluation.n == 40
    assert not found.on_other_data
    lines = found.models[0].run.evaluations() if found.models[0].run else []
    assert [line["by"] for line in lines[-3:]] == ["train", "evaluate", "evaluate"]
    assert lines[-1]["why"] == "a second look"
    assert lines[-1]["accuracy"] == [evaluation.accuracy]
    assert lines[-1]["matrix"] == lines[-3]["matrix"] == [evaluation.confusion.tolist()]


def test_evaluations_on_other_splits_are_not_recorded(root):
    looks = len((root / "one" / "evaluations.jsonl").read_bytes())
    (validation,) = api.evaluate("one", split="validation", runs=root)
    (train,) = api.evaluate("one", split="train", runs=root)
    assert (validation.n, train.n) == (20, 100)
    assert len((root / "one" / "evaluations.jsonl").read_bytes()) == looks


def test_every_network_of_a_run_or_the_one_named(root):
    found = api.evaluate("two", runs=root)
    assert [one.name for one in found.models] == ["two@0", "two@1"]
    (second,) = api.evaluate("two@1", runs=root)
    assert second.accuracy == found[1].accuracy == found.accuracy.values[1]
    assert found.accuracy.mean == pytest.approx(np.mean([one.accuracy for one in found[:]]))
    assert found.document() == found.to_dicts()


def test_the_average_of_a_run_works_like_any_model(root, tmp_path):
    (evaluation,) = found = api.evaluate("two@all", runs=root)
    (average,), dataset, networks = found.models, found.dataset, api.evaluate("two", runs=root).models
    p = np.mean([np.exp(log_probabilities(one.logits(dataset.test_images))) for one in networks], axis=0)
    right = p[np.arange(40), dataset.test_labels]
    assert evaluation.accuracy == np.mean(p.argmax(axis=1) == dataset.test_labels)
    assert evaluation.loss == pytest.approx(-np.mean(np.log(right)), rel=1e-6)
    assert average.run
    assert next(line["accuracy"] for line in average.run.evaluations() if line.get("model") == "two@all") == [
        evaluation.accuracy
    ]
    Image.fromarray(dataset.test_images[0, ..., 0]).save(tmp_path / "a.png")
    (found,) = api.predict("two@all", [tmp_path / "a.png"], as_is=True, runs=root)
    assert list(found.probabilities.values()) == pytest.approx(p[0].tolist(), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(
    ("classes", "side", "fault"),
    [(4, 6, "'3' is not a class of one; its classes are 0, 1, 2"), (3, 5, "was trained on images of")],
)
def test_data_that_do_not_fit_the_network_are_refused(root, tmp_path, classes, side, fault):
    images, labels = np.zeros((24, side, side), np.uint8), np.arange(24) % classes
    images[::2] = 9
    np.savez(tmp_path / "other.npz", images=images, labels=labels)
    with pytest.raises(UsageError, match=fault):
        api.evaluate("one", dataset=str(tmp_path / "other.npz"), runs=root)


def test_other_data_of_the_same_shape_is_known_to_be_other(root, tmp_path):
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 255, (24, 6, 6)).astype(np.uint8), np.arange(24) % 3
    np.savez(tmp_path / "other.npz", images=images, labels=labels)
    assert api.evaluate("one", dataset=str(tmp_path / "other.npz"), runs=root).on_other_data


def test_predict_gives_probabilities_that_sum_to_one(root, tmp_path):
    paths = []
    for k in range(3):
        pixels = np.full((6, 6), 20, np.uint8)
        pixels[:, 2 * k : 2 * k + 2] = 150
        paths.append(tmp_path / f"{k}.png")
        Image.fromarray(pixels).save(paths[-1])
    found = api.predict("one", paths, runs=root)
    assert [one.file for one in found] == [str(path) for path in paths]
    assert [one.class_index for one in found] == [0, 1, 2]
    assert [one.label for one in found] == ["0", "1", "2"]
    for one in found:
        assert list(one.probabilities) == ["0", "1", "2"]
        assert sum(one.probabilities.values()) == pytest.approx(1, rel=1e-12)
        assert one.probability == max(one.probabilities.values())
        assert (one.steps[0], one.steps[-1]) == ("decoded", "fitted")


def test_a_bad_picture_is_raised_or_reported(root, tmp_path):
    Image.new("L", (6, 6), 90).save(good := tmp_path / "good.png")
    paths = [good, tmp_path / "none.png", good]
    with pytest.raises(DataError, match=r"none\.png: no such file"):
        api.predict("one", paths, runs=root)
    one, bad, other = api.predict("one", paths, runs=root, keep_going=True)
    assert one == other
    assert (bad.label, bad.error) == (None, f"{paths[1]}: no such file")


def test_the_background_is_one_of_three(root):
    with pytest.raises(UsageError, match="background: must be one of auto, light, dark, not 'white'"):
        api.predict("one", ["a.png"], background="white", runs=root)  # pyright: ignore[reportArgumentType]


def test_predict_needs_a_picture(root):
    with pytest.raises(UsageError, match="no picture given"):
        api.predict("one", [], runs=root)
    for single in ("a.png", Path("a.png")):
        with pytest.raises(UsageError, match="must be a list"):
            api.predict("one", single, runs=root)


@pytest.mark.parametrize("option", ["until", "checkpoint_every"])
@pytest.mark.parametrize("value", [0, 2.5, "1"])
def test_steps_and_epochs_are_whole_numbers(root, option, value):
    with pytest.raises(UsageError, match=f"{option}: must be (at least 1|a whole number), not"):
        api.train(Config(), runs=root, **{option: value})


def test_pictures_are_framed_like_the_training_images(npz, tmp_path):
    with np.load(npz) as arrays:
        negative = {name: 255 - a if a.ndim == 3 else a for name, a in arrays.items()}
    np.savez(tmp_path / "light.npz", **negative)
    config = Config(dataset=str(tmp_path / "light.npz"), hidden=(5,), batch_size=20, epochs=2, learning_rate=0.3)
    api.train(config, runs=tmp_path, name="light")
    images, paths = negative["x_test"][:6], []
    for k, image in enumerate(images):
        paths.append(tmp_path / f"{k}.png")
        Image.fromarray(image).save(paths[-1])
    found = api.predict("light", paths, runs=tmp_path)
    assert found.model.framing.background == "light"
    p = np.exp(log_probabilities(found.model.logits(images[..., None])))
    np.testing.assert_allclose([list(one.probabilities.values()) for one in found], p)


def test_compare_shows_the_settings_that_differ_and_no_others(root):
    found = api.compare(["one", root / "two"], runs=root)
    one, two = found.to_dicts()
    assert one["settings"] == {"learning_rate": 0.3, "seeds": 1}
    assert two["settings"] == {"learning_rate": 0.1, "seeds": 2}
    assert isinstance(one["test_accuracy"], float)
    assert len(two["test_accuracy"]["values"]) == 2
    assert {one["verdict"], two["verdict"]} == {found.verdict}
    assert [one.settings for one in api.compare(["one", "one"], runs=root).runs] == [{}, {}]


@pytest.mark.parametrize("names", [[], ["one"], "one", Path("one")])
def test_compare_needs_two_runs(root, names):
    with pytest.raises(UsageError, match=r"two runs or more|must be a list"):
        api.compare(names, runs=root)


ARRAY = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
WRONG = {  # never a name, a path, a setting or a list of pictures
    "none": None,
    "an array": ARRAY,
    "a list of arrays": [ARRAY],
    "a data set": Dataset("d", *2 * (ARRAY[..., None], 0 * ARRAY[:, 0, 0]), ("0",), {}, "made up"),
    "bytes": b"one",
    "a path of bytes": BytesPath(),
    "a zero byte": "a\0b",
    "a path with one": Path("a\0b"),
    "half a letter": "\ud800",
    "nothing": "",
    "long": "x" * 5000,
    "lines": "a\nb",
    "a number": 7,
    "a fraction": 0.5,
    "not a number": float("nan"),
    "huge": 10**5000,
    "complex": 1j,
    "a boolean": True,
    "a tuple": ("one", "two"),
    "a dictionary": {"epochs": 1},
    "a set": {1},
    "a class": Config,
    "a function": len,
    "a module": np,
    "unshowable": Unshowable(),
}
DIGITS = Config(dataset="digits", hidden=())
SETTINGS = [field.name for field in dataclasses.fields(Config)]
CALLS = {
    "train(_)": lambda wrong, **there: jaxquard.train(wrong, offline=True, **there),
    "train(resume=_)": lambda wrong, **there: jaxquard.train(resume=wrong, **there),
    **{
        f"train({name}=_)": lambda wrong, name=name, **there: jaxquard.train(DIGITS, **there | {name: wrong})
        for name in ("name", "until", "checkpoint_every", "data_dir", "offline", "observer", "report", "progress")
    },
    "evaluate(_)": jaxquard.evaluate,
    **{
        f"evaluate({name}=_)": lambda wrong, name=name, **there: jaxquard.evaluate("one", **there | {name: wrong})
        for name in ("dataset", "split", "why", "data_dir", "offline", "report")
    },
    "predict(_, …)": lambda wrong, **there: jaxquard.predict(wrong, ["a.png"], **there),
    "predict(…, _)": lambda wrong, **there: jaxquard.predict("one", wrong, **there),
    "predict(…, [_])": lambda wrong, **there: jaxquard.predict("one", [wrong], **there),
    "compare(_)": lambda wrong, **there: jaxquard.compare(() if isinstance(wrong, tuple) else wrong, **there),
    "compare([_])": lambda wrong, **there: jaxquard.compare(["one", wrong], **there),
    "load_model(_)": jaxquard.load_model,
    "logits(_)": lambda wrong, **there: jaxquard.load_model("one", **there).logits(wrong),
    "load(_)": lambda wrong, **_: jaxquard.load(wrong),
    "Run(_)": lambda wrong, **_: jaxquard.Run(wrong).config,
    "Observer(_)": lambda wrong, **_: jaxquard.Observer(wrong),
    "Config.from_dict(_)": lambda wrong, **_: Config.from_dict({"epoch": 1} if isinstance(wrong, dict) else wrong),
    "Config.from_dict({_})": lambda wrong, **_: Config.from_dict({wrong if wrong.__hash__ else (): 1}),
    **{f"runs=_ in {call.__name__}": lambda wrong, call=call, **_: call("one", runs=wrong) for call in (
        jaxquard.evaluate, jaxquard.load_model)},
    **{f"Config({name}=_)": lambda wrong, name=name, **_: Config(**{name: wrong}) for name in SETTINGS},
}  # fmt: skip


PLAUSIBLE = {"none", "nothing", "long", "lines", "a number", "a fraction", "a boolean", "a class", "a function"}


def refusal(call, wrong, runs):
    """The message for a wrong argument; None if it is accepted."""
    try:
        CALLS[call](wrong, runs=runs)
    except JaxquardError as error:
        return str(error)
    return None


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_argument_is_refused_in_a_line_or_two(call, root, monkeypatch):
    monkeypatch.setattr("jaxquard.runs.train.train", lambda *args, **options: None)
    for kind, wrong in WRONG.items():
        message = refusal(call, wrong, root)
        if message is None:
            assert kind in PLAUSIBLE, kind
        else:
            assert 1 <= len(message.splitlines()) <= 2, kind
            assert len(message) < 1000, kind


def test_settings_are_given_by_name():
    with pytest.raises(UsageError, match="config: give each setting by name, such as epochs=5, not 'original'"):
        Config("original")
    with pytest.raises(UsageError, match="observer: must be an Observer"):
        jaxquard.train(observer=3)


def test_unambiguous_values_of_other_types_are_accepted(root, npz):
    result = jaxquard.train(resume=Path("one"), runs=root)
    (found,) = jaxquard.evaluate(result)
    assert jaxquard.evaluate(result.run, split=np.str_("train"))[0].n == 100
    assert jaxquard.load_model(result).name == "one"
    assert jaxquard.load_model(result).logits(np.zeros((0, 6, 6, 1), np.uint8)).shape == (0, 3)
    assert [line.run.id for line in jaxquard.compare([result, result.run, "two"], runs=root).runs] == [
        "one",
        "one",
        "two",
    ]
    assert jaxquard.train(resume=result.run).test_accuracy.mean == found.accuracy
    assert jaxquard.Run(str(root / "one")).config == result.run.config
    plain = Config(
        dataset=npz, epochs=np.int64(3), learning_rate=np.float32(0.5), flip=np.bool_(True), seed=np.array(7)
    )
    assert plain == Config(dataset=str(npz), epochs=3, learning_rate=0.5, flip=True, seed=7)
    assert Config(hidden=np.array([4])).hidden == (4,)  # type: ignore[arg-type]
    assert [type(value) for value in (plain.epochs, plain.learning_rate, plain.flip)] == [int, float, bool]


def test_the_public_names_are_listed_and_typed():
    assert {*jaxquard.__all__, "__version__"} <= set(dir(jaxquard))
    assert not {"Any", "TYPE_CHECKING", "importlib"} & set(dir(jaxquard))
    for name in jaxquard.__all__:
        public = getattr(jaxquard, name)
        assert typing.get_type_hints(public) or public is JaxquardError
        assert public.__doc__
    hints = typing.get_type_hints(jaxquard.train)
    assert (hints["observer"], hints["return"]) == (jaxquard.Observer | None, jaxquard.TrainResult)
    assert jaxquard.__version__ == importlib.metadata.version("jaxquard")


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """A folder of pictures in colour, of several sizes, some transparent, with a test part."""
    monkeypatch.setenv("JAXQUARD_DATA", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 4)):
        for kind, colour in (("cat", (200, 60, 30)), ("dog", (20, 90, 220))):
            (tmp_path / "pets" / part / kind).mkdir(parents=True)
            for k in range(count):
                pixels = np.clip(rng.normal(colour, 30, (9 + k % 2, 9, 3)), 0, 255).astype(np.uint8)
                if k % 3 == 2:
                    pixels = np.dstack([pixels, rng.integers(0, 256, pixels.shape[:2], np.uint8)])
                Image.fromarray(pixels).save(tmp_path / "pets" / part / kind / f"{k}.png")
    return tmp_path / "pets"


QUICK = {"hidden": (5,), "batch_size": 8, "epochs": 2, "learning_rate": 0.1}


@pytest.mark.parametrize("settings", [{}, {"image_size": "6x12", "color": "grey"}], ids=str)
def test_a_network_sees_every_picture_as_its_training_saw_it(pets, tmp_path, settings):
    result = api.train(Config(dataset=str(pets), **QUICK, **settings), runs=tmp_path, name="run")
    model, dataset = api.load_model(result, runs=tmp_path), jaxquard.load(pets, **settings)
    assert model.image_shape == ((6, 12, 1) if settings else (10, 9, 3))
    files = [pets / "train" / kind / f"{k}.png" for kind in ("cat", "dog") for k in range(12)]
    seen = [read_picture(file, image_shape=model.image_shape, framing=model.framing).image for file in files]
    np.testing.assert_array_equal(seen, dataset.train_images)
    found = api.predict(result, files, runs=tmp_path)
    expected = np.exp(log_probabilities(model.logits(dataset.train_images)))
    np.testing.assert_array_equal([list(one.probabilities.values()) for one in found], expected)
    assert not any(one.warnings for one in found)
    evaluated = api.evaluate(result, runs=tmp_path)
    assert evaluated.accuracy.mean == result.test_accuracy.mean
    assert not evaluated.on_other_data


def test_what_was_skipped_in_training_is_skipped_later(pets, tmp_path):
    (pets / "test" / "cat" / "9.png").write_bytes(b"\x89PNG")
    config = Config(dataset=str(pets), **QUICK)
    with pytest.raises(DataError, match="--skip-damaged"):
        api.train(config, runs=tmp_path, name="run")
    api.train(config, runs=tmp_path, name="run", until=1, skip_damaged=True)
    assert api.train(resume="run", runs=tmp_path).epochs == 2
    assert api.evaluate("run", runs=tmp_path)[0].n == 8


def test_other_data_are_read_in_the_networks_size_and_colour(pets, tmp_path, npz):
    result = api.train(Config(dataset=str(npz), **QUICK), runs=tmp_path, name="run")
    (pets / "train" / "cow").mkdir()
    for part in ("train", "test"):
        for k in range(2):
            Image.fromarray(np.zeros((9, 9), np.uint8)).save(pets / part / "cat" / f"x{k}.png")
            Image.fromarray(np.zeros((9, 9), np.uint8)).save(pets / "train" / "cow" / f"{k}.png")
    for folder in list(pets.glob("*/*")):
        folder.rename(folder.with_name(str(["cat", "cow", "dog"].index(folder.name))))
    assert api.evaluate(result, dataset=pets, runs=tmp_path)[0].n == 10


@pytest.mark.parametrize(
    ("setting", "said"), [({"image_size": 9}, "not 9×9: only"), ({"color": "rgb"}, "not rgb: only")]
)
def test_settings_of_pictures_are_not_ignored_silently(npz, setting, said):
    assert [note for note in jaxquard.load(npz, **setting).notes if said in note]
    assert not jaxquard.load(npz, image_size=6, color="grey").notes


def test_a_rank_cannot_resume_if_rank_0_begins_a_run():
    processes = Processes()
    processes.exchange = lambda value: [{"config": None}, value]
    with pytest.raises(UsageError, match="resume: rank 0 begins a new run"):
        api.follow(None, processes)
