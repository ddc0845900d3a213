"""Models by name: runs, single networks, averages, files; the same predictions however they are loaded."""

import dataclasses
import json
import pickle
import shutil

import jax
import numpy as np
import pytest

from jaxquard.data.catalogue import CATALOGUE
from jaxquard.errors import DivergedError, RunError, UsageError
from jaxquard.runs import directory, evaluating, models, tensors, train
from jaxquard.runs.directory import Run
from jaxquard.runs.in_numpy import FEW
from jaxquard.training.evaluation import all_logits, average


@pytest.fixture(scope="module")
def several(small, stripes, tmp_path_factory):
    """A finished run of three networks."""
    config, root = small.replace(seeds=3, epochs=1), tmp_path_factory.mktemp("runs")
    return train.train(config, stripes, runs=root, name="three").run


def test_a_run_predicts_what_its_training_evaluated(trained, stripes):
    model = models.load_model("whole", trained.run.path.parent)
    predicted = model.logits(stripes.test_images).argmax(axis=-1)
    assert np.mean(predicted == stripes.test_labels) == trained.test_accuracy.mean
    assert model.class_names == ("0", "1", "2")
    assert model.image_shape == (6, 6, 1)


def test_floats_and_bytes_of_the_same_levels_have_the_same_logits(trained, stripes):
    model = models.load_model("whole", trained.run.path.parent)
    floats = np.float32(stripes.test_images / 255)
    np.testing.assert_allclose(model.logits(floats), model.logits(stripes.test_images), rtol=1e-5, atol=1e-5)


def test_of_zeros_and_ones_one_is_white(trained, stripes):
    model, mask = models.load_model("whole", trained.run.path.parent), stripes.test_images > 127
    for kind in (np.uint8, np.int64, np.float64):
        np.testing.assert_array_equal(model.predict_proba(mask.astype(kind)), model.predict_proba(mask))


@pytest.mark.parametrize(
    ("changes", "networks"),
    [
        ({}, 1),
        ({"hidden": (), "seeds": 2}, 2),
        ({"activation": "tanh"}, 0),
        ({"batch_norm": True}, 0),
        ({"model": "cnn"}, 0),
    ],
)
def test_few_images_have_the_logits_of_the_compiled_program(changes, networks, small, stripes, tmp_path):
    widths = {"widths": (2,)} if "model" in changes else {}
    train.train(small.replace(epochs=1, **changes | widths), stripes, runs=tmp_path, name="one")
    model, images = models.load_models("one@all", tmp_path)[0], stripes.test_images
    assert len(model._few) == networks
    for few in (images, np.float32(images / 255), images[:1], images[:0]):
        expected = average(all_logits(model._apply, few))
        np.testing.assert_allclose(model.logits(few), expected, rtol=1e-5, atol=1e-5)
        assert model.logits(few).dtype == np.float64
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).logits(images), model.logits(images))
    many = np.concatenate([images] * (FEW // len(images) + 1))
    np.testing.assert_array_equal(model.logits(many), average(all_logits(model._apply, many)))


def test_double_precision_is_refused(tmp_path):
    with jax.enable_x64(True), pytest.raises(UsageError, match="single precision"):
        models.load_model("mlp", tmp_path)


def test_own_validation_images_are_evaluated_as_validation(small, stripes, tmp_path):
    own = dataclasses.replace(stripes, val_images=stripes.test_images[:30], val_labels=stripes.test_labels[:30])
    result = train.train(small, own, runs=tmp_path, name="own")
    assert result.run.config.validation == 30
    (found,) = evaluating.evaluate(models.load_models("own", tmp_path), own, "validation")
    assert (found.n, [found.accuracy]) == (30, result.run.epochs()[-1]["val_accuracy"])
    assert models.load_model("own", tmp_path).step == 18  # all training images were trained on


def test_a_file_predicts_the_same_bits(trained, stripes, tmp_path):
    model = models.load_model("whole", trained.run.path.parent)
    models.save_file(model, tmp_path / "net.safetensors")
    loaded = models.load_model(str(tmp_path / "net.safetensors"), tmp_path)
    assert loaded.name == "net"
    assert loaded.run is None
    assert loaded.config == model.config
    assert loaded.class_names == model.class_names
    assert loaded.logits(stripes.test_images).tobytes() == model.logits(stripes.test_images).tobytes()


def test_one_of_several_is_named_by_its_number(several, stripes, tmp_path):
    root = several.path.parent
    networks = models.load_models("three", root)
    assert [one.name for one in networks] == ["three@0", "three@1", "three@2"]
    assert [one.config.seed for one in networks] == [0, 1, 2]
    one = models.load_model("three@1", root)
    assert one.logits(stripes.test_images).tobytes() == networks[1].logits(stripes.test_images).tobytes()
    models.save_file(one, tmp_path / "one.safetensors")
    assert models.load_model(str(tmp_path / "one.safetensors"), root).config.seed == 1


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *((f"three@{k}", "has networks 0 to 2") for k in ("3", "-1", "x", "", "1.0", "9" * 5000)),
        ("three", "holds 3 networks: name one, three@0 to three@2"),
        ("mlp@0", r"^mlp@0: mlp is a single network; leave out @0$"),
        ("tree", r"tree: no such run in .*, nor a model of that name; did you mean three"),
    ],
)
def test_a_name_of_no_single_model_is_refused(several, name, fault):
    with pytest.raises(RunError, match=fault):
        models.load_model(name, several.path.parent)


def mean_probabilities(found: list[models.TrainedModel], images: np.ndarray) -> np.ndarray:
    z = np.stack([one.logits(images) for one in found])
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    return (p / p.sum(axis=-1, keepdims=True)).mean(axis=0)


def test_the_average_of_a_run_has_the_mean_of_its_networks_probabilities(several, stripes):
    root = several.path.parent
    both = models.load_model("three@all", root)
    assert (both.name, both.step, both.epoch) == ("three@all", 6, 1)
    expected = mean_probabilities(models.load_models("three", root), stripes.test_images)
    np.testing.assert_allclose(np.exp(both.logits(stripes.test_images)), expected, rtol=1e-6, atol=1e-12)
    with pytest.raises(RunError, match="three@all: an average of several networks; name one of them to look inside"):
        _ = both.network


def test_the_average_of_one_network_is_that_network(trained, stripes):
    found = [models.load_model(name, trained.run.path.parent) for name in ("whole", "whole@all", "whole@0")]
    assert len({one.logits(stripes.test_images).tobytes() for one in found}) == 1


def test_a_network_that_diverged_is_left_out_of_the_average(small, stripes, tmp_path):
    config = small.replace(sweep=(("learning_rate", (0.1, 1e30, 0.2)),), validation=20)
    with np.errstate(all="ignore"):
        train.train(config, stripes, runs=tmp_path, name="run")
    first, _, last = models.load_models("run", tmp_path)
    found = np.exp(models.load_model("run@all", tmp_path).logits(stripes.test_images))
    expected = mean_probabilities([first, last], stripes.test_images)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)
    with np.errstate(all="ignore"), pytest.raises(DivergedError):
        train.train(small.replace(learning_rate=1e30), stripes, runs=tmp_path, name="lost")
    with pytest.raises(RunError, match=r"^lost: every network diverged$"):
        models.load_model("lost@all", tmp_path)


@pytest.mark.parametrize("lost", ["step-000000018/manifest.json", "step-000000018"])
def test_a_run_without_its_last_weights_is_refused_not_loaded_from_older_ones(trained, stripes, tmp_path, lost):
    run = Run(shutil.copytree(trained.run.path, tmp_path / "copy"))
    (run.checkpoints / lost).rename(tmp_path / "lost")
    with pytest.raises(RunError, match=lost + r": missing; .* jaxquard train --resume copy"):
        models.load_model("copy", tmp_path)
    train.resume(run, stripes)  # the finished run trains the lost part again
    sound = models.load_model("whole", trained.run.path.parent)
    again = models.load_model("copy", tmp_path)
    assert again.logits(stripes.test_images).tobytes() == sound.logits(stripes.test_images).tobytes()


def test_a_run_whose_config_was_cut_is_refused(trained, tmp_path):
    run = Run(shutil.copytree(trained.run.path, tmp_path / "cut"))
    file = run.path / "config.toml"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))  # the rest is valid, with a default
    with pytest.raises(RunError, match="changed or cut"):
        models.models_of_run(run)


def test_a_model_has_the_step_and_epoch_of_its_weights(trained, several, stripes, small, tmp_path):
    finished = models.load_models("whole", trained.run.path.parent)
    assert (finished[0].step, finished[0].epoch, models.unfinished(finished)) == (18, 3, None)
    assert [(one.step, one.epoch) for one in models.load_models("three", several.path.parent)] == [(6, 1)] * 3
    run = train.train(small, stripes, runs=tmp_path, name="part", until=2).run
    part = models.load_models("part", tmp_path)
    assert models.unfinished(part) == "part is unfinished: these are its weights after step 12, epoch 2 of 3"
    shutil.rmtree(run.checkpoints / "step-000000012")  # as if killed before this was written
    part = models.load_models("part", tmp_path)
    assert (part[0].step, part[0].epoch) == (0, 0)
    said = "part is unfinished: these are its weights after step 0, epoch 0 of 3, but it reached epoch 2"
    assert models.unfinished(part) == said


def test_under_early_stopping_the_weights_are_those_of_the_best_epoch(small, stripes, tmp_path):
    config = small.replace(seeds=3, epochs=8, patience=8, validation=20, learning_rate=0.5, optimizer="adam")
    run = train.train(config, stripes, runs=tmp_path, name="early").run
    best = (np.argmin([line["val_loss"] for line in run.epochs()], axis=0) + 1).tolist()
    found = models.load_models("early", tmp_path)
    assert [(one.step, one.epoch) for one in found] == [(5 * epoch, epoch) for epoch in best]
    for k, model in enumerate(found):
        snapshot = tensors.from_bytes(run.snapshot(best[k]).read_bytes(), "")
        weights = tensors.from_bytes(tensors.to_bytes(model.weights), "")
        assert all(np.array_equal(snapshot[name][k : k + 1], weights[name]) for name in weights)
    low, high = min(best), max(best)
    assert low < high
    assert models.after(found) == f"after step {5 * low} to {5 * high}, epoch {low} to {high}"


@pytest.mark.parametrize(
    "part", ["snapshots/epoch-000001.safetensors", "checkpoints/step-000000018/state.safetensors", "checkpoints"]
)
def test_a_part_of_a_run_is_refused_with_the_name_of_the_run(trained, monkeypatch, part):
    root = trained.run.path.parent
    monkeypatch.chdir(root.parent)
    for name, meant in ((f"whole/{part}", "whole"), (f"{root.name}/whole/{part}", f"{root.name}/whole")):
        for load in (models.load_models, directory.find):
            if load is models.load_models or not part.endswith("safetensors"):
                with pytest.raises(RunError, match=f"part of a run, not a model; name the run instead: {meant}$"):
                    load(name, root)


@pytest.fixture(scope="module")
def file(trained, tmp_path_factory):
    """A sound model file: its arrays, its metadata."""
    path = tmp_path_factory.mktemp("models") / "net.safetensors"
    models.save_file(models.load_model("whole", trained.run.path.parent), path)
    data = path.read_bytes()
    return tensors.from_bytes(data, ""), tensors.metadata(data)


def changed(text: str, **values: object) -> str:
    return json.dumps(json.loads(text) | values)


HOSTILE = {
    "no metadata": lambda m: {},
    "another format": lambda m: m | {"format": "pt"},
    "no config": lambda m: {k: v for k, v in m.items() if k != "config"},
    "a config that is no JSON": lambda m: m | {"config": "{"},
    "a config that is a list": lambda m: m | {"config": "[]"},
    "a config with a key twice": lambda m: m | {"config": '{"seed": 1, "seed": 2}'},
    "an unknown setting": lambda m: m | {"config": changed(m["config"], nonsense=1)},
    "a setting out of range": lambda m: m | {"config": changed(m["config"], epochs=0)},
    "a hundred thousand layers": lambda m: m | {"config": changed(m["config"], hidden=[1] * 100_000)},
    "other widths": lambda m: m | {"config": changed(m["config"], hidden=[6])},
    "enormous widths": lambda m: m | {"config": changed(m["config"], hidden=[65536])},
    "no data set": lambda m: {k: v for k, v in m.items() if k != "dataset"},
    "a data set that is a number": lambda m: m | {"dataset": "7"},
    "no classes": lambda m: m | {"dataset": changed(m["dataset"], class_names=[])},
    "more classes": lambda m: m | {"dataset": changed(m["dataset"], class_names=list("abcd"))},
    "enormous images": lambda m: m | {"dataset": changed(m["dataset"], image_shape=[2**30, 2**30, 2**30])},
    "black that is white": lambda m: m | {"dataset": changed(m["dataset"], value_range=[1, 1])},
    "NaN in the facts": lambda m: m | {"dataset": '{"train": NaN}'},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_file_with_invalid_facts_is_refused(file, tmp_path, change):
    arrays, facts = file
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(tensors.safetensors.numpy.save(arrays, change(facts)))
    with pytest.raises(RunError, match=r"hostile\.safetensors: "):
        models.load_file(path, "hostile")


def test_a_file_of_another_format_says_which_is_read(file, tmp_path):
    arrays, facts = file
    path = tmp_path / "old.safetensors"
    path.write_bytes(tensors.safetensors.numpy.save(arrays, facts | {"format": "jaxquard-model-1"}))
    with pytest.raises(RunError, match="its format is 'jaxquard-model-1', but this program reads 'jaxquard-model-2'"):
        models.load_file(path, "old")


@pytest.mark.parametrize("networks", [0, 2])
def test_a_file_holds_at_least_one_network_and_no_more_than_its_config_describes(file, tmp_path, networks):
    arrays, facts = file
    path = tmp_path / "several.safetensors"
    several = {name: np.repeat(array, networks, axis=0) for name, array in arrays.items()}
    path.write_bytes(tensors.safetensors.numpy.save(several, facts))
    with pytest.raises(RunError, match=f"it has {networks} networks, its config describes 1"):
        models.load_file(path, "several")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(file, tmp_path, value):
    arrays, facts = file
    name = next(name for name in arrays if name.endswith("w"))
    bad = arrays[name].copy()
    bad.flat[-1] = value
    path = tmp_path / "bad.safetensors"
    path.write_bytes(tensors.safetensors.numpy.save(arrays | {name: bad}, facts))
    with pytest.raises(RunError, match=f"{name} holds values that are not finite"):
        models.load_file(path, "bad")


def test_a_file_that_is_missing_or_a_directory_is_named(tmp_path):
    for name in ("none.safetensors", "."):
        with pytest.raises(RunError, match="cannot be read"):
            models.load_file(tmp_path / name, "x")


@pytest.mark.parametrize("name", directory.shipped())
def test_the_models_of_the_package_have_the_class_names_of_the_data_set(name, tmp_path):
    assert models.load_model(name, tmp_path).class_names == CATALOGUE["fashion-mnist"].class_names
