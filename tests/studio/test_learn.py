"""The Learn view: the form, its command line, and the weights of a network."""

import json
import shlex
import shutil
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard import cli, recipes, sweeps
from jaxquard.cli.options import Settings
from jaxquard.cli.training import _configs
from jaxquard.config import NEEDS, Config
from jaxquard.data import load
from jaxquard.errors import RunError, UsageError
from jaxquard.nn.cnn import cnn
from jaxquard.nn.initializers import zeros
from jaxquard.nn.mlp import mlp
from jaxquard.nn.pooling import space_to_depth
from jaxquard.nn.sequential import sequential
from jaxquard.runs import tensors
from jaxquard.runs.directory import Run
from jaxquard.studio.learn import (
    FIELDS,
    MAX_LAYERS,
    UNITS,
    Facts,
    arguments,
    as_pixels,
    chosen,
    described,
    first_layer,
    histogram,
    is_known,
    parameters,
    pixel_block,
    snapshot,
)
from jaxquard.studio.watch import Watch

KNOWN = {"fashion-mnist": "Fashion-MNIST"}
CONFIGS = [
    Config(),
    Config(hidden=(), flip=True, learning_rate=1e-05, epsilon=1e-10),
    Config(hidden=(7,), model="cnn", widths=(4, 8), blocks=0, optimizer="adamw", weight_decay=0.05),
    Config(dataset="/a folder/it's.npz", seed=3, seeds=4, validation=0, pixel_mean=0.1, pixel_std=0.2),
    Config(sweep={"learning_rate": [0.01, 0.1], "l2": [0, 0.001]}, epochs=3),  # type: ignore[arg-type]
    Config(schedule="cosine", warmup=0.5, patience=3, batch_size=256, activation="gelu", initializer="he_normal"),
    *(recipes.find(name).config for name in recipes.names()),
    *(recipes.find(name).config.replace(seed=1, hidden=(9, 9, 9)) for name in recipes.names()),
    recipes.find("original").config.replace(recipe="a recipe that is no more", epochs=2),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_command_makes_the_same_config(config):
    _, bound, _ = cli.app.parse_args(["train", *arguments(config)], exit_on_error=False)
    given = {
        key: value for key, value in vars(bound.arguments.get("settings", Settings())).items() if value is not None
    }
    swept = sweeps.parse(bound.arguments.get("sweep", ()))
    recipe = bound.arguments.get("recipe")
    (made,) = _configs(recipe, None, given, swept, quiet=True)
    assert made.replace(recipe=None) == config.replace(recipe=None)


def test_a_setting_that_only_the_defaults_leave_unset_stays_unset(monkeypatch):
    held_out = recipes.find("original").config.replace(validation=5000)
    monkeypatch.setattr(recipes, "find", lambda name: recipes.Recipe(name, "", held_out, "", 1, None, None, None))
    assert arguments(held_out.replace(validation=None, epochs=3)) == ["--epochs", "3"]


def test_a_choice_gives_the_command_lines_config():
    assert chosen({}, KNOWN) == recipes.find("original").config
    assert chosen({"recipe": "quick"}, KNOWN) == recipes.find("quick").config
    changed = chosen({"recipe": "quick", "settings": {"epochs": 3, "validation": None}}, KNOWN)
    assert changed == recipes.find("quick").config.replace(epochs=3, validation=None)
    assert chosen({"settings": {"hidden": [3]}}, KNOWN).recipe is None


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"recipe": "quik"}, "did you mean quick"),
        ({"recipe": 3}, "recipe must be a name"),
        ({"settings": []}, "settings an object"),
        ({"settings": {"recipe": "quick"}}, "recipe: must be beside"),
        ({"settings": {"epoch": 3}}, "epoch: no such setting; did you mean epochs"),
        ({"settings": {"epochs": 0}}, "epochs: must be at least 1"),
        ({"settings": {"epochs": "3"}}, "epochs: must be a whole number"),
        ({"settings": {"epochs": True}}, "epochs: must be a whole number"),
        ({"settings": {"hidden": 3}}, "hidden: must be a list"),
        ({"settings": {"activation": ["relu"]}}, "activation: "),
        ({"settings": {"dataset": "/etc"}}, "dataset: must be one of fashion-mnist"),
        ({"settings": {"dataset": "arrays"}}, "the data of this run were arrays in Python"),
        ({"settings": {"dataset": "../secret.npz"}}, "dataset: "),
        ({"settings": {"seeds": 2000}}, "seeds: must be"),
        ({"settings": {"sweep": {"hidden": [1]}}}, "sweep: "),
    ],
)
def test_invalid_choices_are_refused(document, said):
    with pytest.raises(UsageError, match=said):
        chosen(document, KNOWN)


def test_parameters_are_counted_without_making_them():
    assert parameters(Config(), (28, 28, 1), 10) == 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10 == 109_386
    assert parameters(Config(hidden=(), seeds=3), (6, 6, 1), 3) == 36 * 3 + 3
    cnn = Config(model="cnn", widths=(2,), blocks=0)
    assert parameters(cnn, (8, 8, 3), 5) == (3 * 3 * 3 * 2 + 2 + 2) + (3 * 3 * 2 * 2 + 2 + 2) + (2 * 5 + 5)
    assert parameters(Config(hidden=(1,) * MAX_LAYERS), (1, 1, 1), 1) == 2 * (MAX_LAYERS + 1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"hidden": (65536, 65536)}, "hidden: .* parameters in each network are too many for the studio"),
        ({"hidden": (2048,), "seeds": 64}, "hidden: .* parameters in each network are too many for the studio"),
        ({"hidden": (1,) * (MAX_LAYERS + 1)}, "hidden: at most 64 layers"),
        ({"model": "cnn", "blocks": 65}, "blocks: at most 64 layers"),
        ({"model": "cnn", "widths": ()}, "widths: at least one"),
    ],
)
def test_a_network_too_large_or_too_small_is_refused(settings, said):
    with pytest.raises(UsageError, match=said):
        parameters(Config(**settings), (28, 28, 1), 10)


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_is_described(name):
    shown = described(name)
    assert shown["needs"] == NEEDS.get(name, ())
    assert shown["type"] in ("int", "float", "bool", "choice", "ints", "text")
    assert shown["help"].endswith(".")
    assert (shown["type"] == "choice") == ("choices" in shown)
    if shown["default"] is not None:
        Config(**{name: shown["default"]})


def test_info(get, root):
    found = get("/api/info")
    assert set(found) == {"datasets", "recipes", "settings", "cores"}
    assert {one["name"] for one in found["settings"]} == set(FIELDS)
    assert found["datasets"][-1]["title"] == "stripes.npz"  # what a run here was trained on
    quick = next(one for one in found["recipes"] if one["name"] == "quick")
    assert {"epochs", "learning_rate"} & set(quick["config"])
    assert all(0 < value < 1 for value in quick["test_accuracy"])


def test_check(post, npz):
    settings = {"dataset": str(npz), "hidden": [4], "batch_size": 20}
    answer = post("/api/settings/check", {"recipe": "original", "settings": settings})
    assert answer.status == 200
    assert answer.json["parameters"] == 36 * 4 + 4 + 4 * 3 + 3  # the shape of the data is known from a run
    assert answer.json["command"].startswith(f"jaxquard train --recipe original --dataset {shlex.quote(str(npz))} ")
    assert answer.json["config"]["hidden"] == [4]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"validation": 1497}, "validation: of the 1,497 training images, at most 1,496 can be held out"),
        ({"validation": 0.95}, "batch_size: 128 is more than the 75 images left"),
        ({"validation": 1400}, "batch_size: 128 is more than the 97 images left"),
        ({"learning_rate": -1}, "learning_rate: must be above 0, not -1"),
    ],
)
def test_check_names_the_setting_that_is_wrong(post, settings, said):
    answer = post("/api/settings/check", {"settings": {"dataset": "digits", **settings}})
    assert (answer.status, answer.json) == (422, {"error": said, "setting": said.partition(":")[0]})


def test_the_sizes_of_data_sets(get, npz, stripes):
    sizes = {one["name"]: one["train"] for one in get("/api/info")["datasets"]}
    assert (sizes["fashion-mnist"], sizes["emnist-letters"]) == (60_000, 124_800)
    assert sizes["digits"] == len(load("digits").train_images)
    assert sizes[str(npz)] == len(stripes.train_images)


def test_what_is_unusual_about_a_data_set_is_shown(get, root, npz):
    for run in root.iterdir():
        facts = json.loads((run / "environment.json").read_text())
        facts["dataset"]["notes"] = ["2 of 3 classes with few training images"]
        (run / "environment.json").write_text(json.dumps(facts))
    notes = {one["name"]: one["notes"] for one in get("/api/info")["datasets"]}
    assert notes[str(npz)] == ["2 of 3 classes with few training images"]
    assert notes["fashion-mnist"] == []


@pytest.mark.parametrize(
    ("damaged", "count"),  # if every run is damaged, the images' shape is unknown
    [(("fast", "part"), 36 * 4 + 4 + 4 * 3 + 3), (("slow", "fast", "part"), 784 * 4 + 4 + 4 * 10 + 10)],
)
def test_a_data_set_stays_available_if_a_run_is_damaged(post, root, npz, damaged, count):
    for name in damaged:
        (root / name / "environment.json").write_text("{")
    answer = post("/api/settings/check", {"settings": {"dataset": str(npz), "hidden": [4], "batch_size": 20}})
    assert (answer.status, answer.json.get("parameters")) == (200, count)


@pytest.mark.parametrize(
    ("teacher", "status"),
    [
        *(("fast@1", 200), ("part", 200), ("nobody", 422), ("../fast", 422), ("/etc/a.safetensors", 422)),
        *(("part@", 422), ("part@\0", 422), ("part@0/../a.safetensors", 422), ("part@.safetensors", 422)),
    ],
)
def test_a_teacher_is_a_run_that_is_here(post, teacher, status):
    answer = post("/api/settings/check", {"settings": {"teacher": teacher}})
    assert answer.status == status
    if status == 422:
        assert answer.json["setting"] == "teacher"
        assert teacher not in answer.json["error"]


def test_a_teacher_may_be_a_run_that_was_copied_here_just_now(root):
    (root / "copy").mkdir()
    watch = Watch(root)
    assert not is_known("copy@1", watch)
    shutil.copytree(root / "slow", root / "copy", dirs_exist_ok=True)  # the folder of runs itself does not change
    assert is_known("copy@1", watch)


@pytest.mark.parametrize("blank", [None, "", "none"])
def test_a_recipes_teacher_can_be_removed(post, root, blank):
    answer = post("/api/settings/check", {"recipe": "mlp", "settings": {"teacher": blank}}).json
    assert "teacher" not in answer["config"]
    assert answer["command"] == f"jaxquard train --recipe mlp --teacher none --runs {shlex.quote(str(root))}"


def test_the_weights_of_a_network_against_its_start(get, root):
    found = get("/api/runs/slow/weights?network=1")
    assert found["epoch"] == 3
    assert [(one["name"], one["shape"]) for one in found["layers"]] == [("layer 1", [36, 5]), ("layer 2", [5, 3])]
    run = Run(root / "slow")
    arrays = tensors.from_bytes((run.snapshots / "epoch-000003.safetensors").read_bytes(), "x")
    assert np.array_equal(snapshot(run, mlp((5,)), 3, 1)[0], arrays["0/0/w"][1])
    counts = found["layers"][0]["histogram"]
    assert sum(counts["start"]) == sum(counts["now"]) == 36 * 5
    assert len(counts["edges"]) == len(counts["now"]) + 1
    images = found["first_layer"]
    assert (images["width"], images["height"], len(images["images"])) == (6, 6, 5)
    assert all(image.startswith("data:image/png;base64,") for image in images["images"])
    assert found != get("/api/runs/slow/weights")


def test_a_run_of_one_network(get):
    assert get("/api/runs/part/weights")["epoch"] == 1


@pytest.mark.parametrize("network", ["2", "-1", "x", "", "1e0", "9" * 30, "0.0"])
def test_an_unknown_network_is_refused(ask, network):
    assert ask("GET", f"/api/runs/slow/weights?network={network}").status == 422


@pytest.mark.parametrize(
    ("name", "damage"), [("epoch-000003", lambda file: file.write_bytes(b"x")), ("epoch-000004", Path.mkdir)]
)
def test_a_damaged_or_unreadable_snapshot_is_reported(ask, root, name, damage):
    damage(root / "slow" / "snapshots" / f"{name}.safetensors")
    answer = ask("GET", "/api/runs/slow/weights")
    assert answer.status == 409
    assert f"{name}.safetensors" in answer.json["error"]
    assert str(root) not in answer.json["error"]


@pytest.mark.parametrize("name", ["epoch-000009 copy.safetensors", "epoch-9.safetensors", "epoch-.safetensors", "x"])
def test_a_file_of_another_name_is_no_snapshot(root, name):
    (root / "slow" / "snapshots" / name).write_bytes(b"x")
    assert Run(root / "slow").snapshot_epochs() == [0, 1, 2, 3]


def test_layers_have_the_order_of_the_network(root):
    arrays = {f"0/{k}/w": np.full((1, 3, 3, 1, 2), k, np.float32) for k in range(12)}
    (root / "part" / "snapshots" / "epoch-000009.safetensors").write_bytes(tensors.to_bytes(arrays))
    found = snapshot(Run(root / "part"), mlp((2,) * 11), 9, 0)
    assert [(w.shape, w[0, 0, 0, 0]) for w in found] == [((3, 3, 1, 2), k) for k in range(12)]
    with pytest.raises(RunError, match=r"epoch-000009\.safetensors: damaged: weights of a layer are missing"):
        snapshot(Run(root / "part"), mlp((2,) * 12), 9, 0)


def test_only_weights_of_pixels_are_laid_out_as_pixels():
    pooled = [("standardize", {"mean": 0.0, "std": 1.0}), ("global_avg_pool", {}), ("dense", {"shape": (1, 3)})]
    models = (mlp(), cnn(), cnn(stem=2), sequential(pooled, zeros))
    assert [pixel_block(model) for model in models] == [1, 1, 2, None]


def test_a_dense_layers_weights_have_the_layout_of_its_pixels(coloured):
    image = coloured.test_images[0] / 255
    w = np.random.default_rng(0).normal(size=(image.size, 5))
    seen = np.tensordot(image, as_pixels(w, image.shape, 1), 3)
    np.testing.assert_allclose(seen, image.reshape(-1) @ w)


def test_kernels_have_the_layout_of_their_pixels(coloured):
    patch = coloured.test_images[0] / 255  # 6 × 6 pixels: 3 × 3 squares of 2 × 2, the size of a kernel
    met = np.asarray(space_to_depth(jnp.asarray(patch[None]), 2))[0]
    w = np.random.default_rng(0).normal(size=(*met.shape, 5))
    assert as_pixels(w, patch.shape, 2).shape == (6, 6, 3, 5)
    np.testing.assert_allclose(np.tensordot(patch, as_pixels(w, patch.shape, 2), 3), np.tensordot(met, w, 3), rtol=1e-5)


def test_the_number_of_units_shown_is_limited():
    pictures = first_layer(np.ones((3, 3, 2, 100)))
    assert (pictures["width"], pictures["height"], len(pictures["images"])) == (3, 3, UNITS)


def test_values_that_are_not_finite_are_in_no_bin():
    found = histogram(np.array([0.0, 1.0]), np.array([np.nan, np.inf, 0.5]))
    assert (sum(found["start"]), sum(found["now"]), found["std"]) == (2, 1, {"start": 0.5, "now": 0})
    lost = histogram(np.array([np.nan]), np.array([np.inf]))
    assert (sum(lost["now"]), lost["std"]) == (0, {"start": 0, "now": 0})


@pytest.mark.parametrize(
    ("settings", "pictures", "shape"),
    [
        ({"image_size": "4x5", "color": "grey"}, True, (4, 5, 1)),
        ({"color": "rgb"}, True, (9, 8, 3)),
        ({}, True, (9, 8, 3)),
        ({"image_size": "4x5", "color": "grey"}, False, (9, 8, 3)),
    ],
)
def test_settings_decide_the_shape_of_images_made_from_pictures(settings, pictures, shape):
    assert Facts((9, 8, 3), 2, 10, pictures=pictures).shape_for(Config(**settings)) == shape
