"""Weights as pictures: the right network's, the right snapshot's, and nothing that is not finite."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.nn.pooling import space_to_depth
from jaxquard.runs import tensors
from jaxquard.runs.directory import Run
from jaxquard.studio.learn import UNITS, as_pixels, first_layer, histogram, snapshot


def test_the_weights_of_a_network_against_its_start(get, root):
    found = get("/api/runs/slow/weights?network=1")
    assert (found["epoch"], found["epochs_with_snapshot"]) == (3, [0, 1, 2, 3])
    assert [(one["name"], one["shape"]) for one in found["layers"]] == [("layer 1", [36, 5]), ("layer 2", [5, 3])]
    run = Run(root / "slow")
    arrays = tensors.from_bytes((run.snapshots / "epoch-000003.safetensors").read_bytes(), "x")
    assert np.array_equal(snapshot(run, 3, 1)["0/0/w"], arrays["0/0/w"][1])
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
def test_a_network_that_is_not_there(ask, network):
    assert ask("GET", f"/api/runs/slow/weights?network={network}").status == 422


def test_a_damaged_snapshot_is_said_to_be_one(ask, root):
    (root / "slow" / "snapshots" / "epoch-000003.safetensors").write_bytes(b"x")
    answer = ask("GET", "/api/runs/slow/weights")
    assert answer.status == 409
    assert "epoch-000003.safetensors" in answer.json["error"]
    assert str(root) not in answer.json["error"]


def test_a_folder_in_a_snapshots_place_is_said_to_be_no_file(ask, root):
    (root / "slow" / "snapshots" / "epoch-000004.safetensors").mkdir()
    answer = ask("GET", "/api/runs/slow/weights")
    assert answer.status == 409
    assert "epoch-000004.safetensors" in answer.json["error"]


@pytest.mark.parametrize("name", ["epoch-000009 copy.safetensors", "epoch-9.safetensors", "epoch-.safetensors", "x"])
def test_a_file_of_another_name_is_no_snapshot(get, root, name):
    (root / "slow" / "snapshots" / name).write_bytes(b"x")
    assert get("/api/runs/slow/weights")["epochs_with_snapshot"] == [0, 1, 2, 3]


def test_layers_come_in_order_and_convolutions_as_their_kernels(root):
    arrays = {f"0/{k}/w": np.zeros((3, 3, 1, 2), np.float32) for k in (0, 1, 2, 10, 11)}
    (root / "part" / "snapshots" / "epoch-000009.safetensors").write_bytes(tensors.to_bytes(arrays))
    found = snapshot(Run(root / "part"), 9, 0)
    assert list(found) == ["0/0/w", "0/1/w", "0/2/w", "0/10/w", "0/11/w"]


def test_a_dense_layers_weights_lie_like_its_pixels(coloured):
    image = coloured.test_images[0] / 255
    w = np.random.default_rng(0).normal(size=(image.size, 5))
    seen = np.tensordot(image, as_pixels(w, image.shape, 1), 3)
    np.testing.assert_allclose(seen, image.reshape(-1) @ w)


def test_kernels_lie_like_the_pixels_they_meet(coloured):
    patch = coloured.test_images[0] / 255  # six pixels a side: three squares of two, as many as the kernels are wide
    met = np.asarray(space_to_depth(jnp.asarray(patch[None]), 2))[0]
    w = np.random.default_rng(0).normal(size=(*met.shape, 5))
    assert as_pixels(w, patch.shape, 2).shape == (6, 6, 3, 5)
    np.testing.assert_allclose(np.tensordot(patch, as_pixels(w, patch.shape, 2), 3), np.tensordot(met, w, 3), rtol=1e-5)


def test_no_more_units_are_shown_than_can_be_looked_at():
    pictures = first_layer(np.ones((3, 3, 2, 100)))
    assert (pictures["width"], pictures["height"], len(pictures["images"])) == (3, 3, UNITS)


def test_what_is_not_finite_is_in_no_bin():
    counts = histogram(np.array([0.0, 1.0]), np.array([np.nan, np.inf, 0.5]))
    assert (sum(counts["start"]), sum(counts["now"])) == (2, 1)
    lost = histogram(np.array([np.nan]), np.array([np.inf]))
    assert sum(lost["now"]) == 0
