"""Each recipe's golden run agrees with its recording; the rules of the comparison."""

import hashlib
import json

import pytest

from jaxquard import recipes
from jaxquard.config import Config

from . import curves

KNOWN = curves.known()
LONGER = [name for name in recipes.names() if recipes.find(name).config.model == "cnn"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.check] * (name in LONGER)) for name in recipes.names()]
)
def test_a_recipe_learns_as_it_did(name: str) -> None:
    comparison = curves.compare(name, curves.train(name), KNOWN)
    assert comparison.agrees, comparison


def test_every_curve_is_that_of_a_recipe_and_falls() -> None:
    assert set(KNOWN) <= set(recipes.names())
    for entry in KNOWN.values():
        for curve in entry["curves"].values():
            assert curve[-2] < curve[0]


def test_the_data_are_the_same_everywhere() -> None:
    dataset = curves.made_up_data(curves.EXAMPLES["mlp"])
    digest = hashlib.sha256(dataset.train_images.tobytes() + dataset.train_labels.astype("<i4").tobytes())
    assert digest.hexdigest()[:16] == "e6a8881368070310"


@pytest.mark.parametrize(("machine", "name"), [("AMD64", "x86_64"), ("arm64", "aarch64"), ("riscv64", "riscv64")])
def test_a_processor_has_one_name_on_every_system(monkeypatch, machine: str, name: str) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert curves.here().endswith(f" {name}")


CURVE = [2.0, 1.0, 1.5]
HERE, PLATFORM = "jax 0.12.0 cpu x86_64", "cpu x86_64"


def recorded(*keys: str, config: Config | None = None, name: str = "original") -> dict:
    config = config or curves.shortened(recipes.find(name).config)
    return {name: {"settings": curves.distinctive(config), "curves": dict.fromkeys(keys, CURVE)}}


@pytest.mark.parametrize(
    ("keys", "nearest"),
    [
        (["jax 0.10.1 cpu x86_64", HERE], HERE),
        (["jax 0.10.1 cpu x86_64", "jax 0.11.5 cpu x86_64"], "jax 0.11.5 cpu x86_64"),
        (["jax 0.10.1 cpu x86_64", "jax 0.12.0.1 cpu x86_64"], "jax 0.12.0.1 cpu x86_64"),
        (["jax 0.10.1 cpu x86_64", "jax 0.12.0 gpu x86_64"], "jax 0.10.1 cpu x86_64"),
        (["jax 0.10.1 cpu aarch64", "jax 0.12.0 gpu x86_64"], "jax 0.12.0 gpu x86_64"),
    ],
)
def test_the_nearest_recording_is_compared_with(keys: list[str], nearest: str) -> None:
    assert curves.nearest(keys, HERE) == nearest
    comparison = curves.compare("original", CURVE, recorded(*keys), HERE)
    assert (comparison.recorded, comparison.deviation) == (nearest, 0)
    assert comparison.tolerance == (curves.SAME if nearest == HERE else curves.OTHER)


@pytest.mark.parametrize("worse", [[2.0, 1.0], [2.0, 1.0, float("nan")], [2.0, 1.0, float("inf")], [2.1, 1.0, 1.5]])
def test_another_curve_does_not_agree(worse: list[float]) -> None:
    comparison = curves.compare("original", worse, recorded("jax 0.10.1 cpu x86_64"), HERE)
    assert not comparison.agrees
    assert "DIFFERS FROM jax 0.10.1" in str(comparison)


def test_a_release_that_was_not_recorded_has_the_wider_tolerance() -> None:
    curve = [loss * (1 + (curves.SAME + curves.OTHER) / 2) for loss in CURVE]
    assert not curves.compare("original", curve, recorded(HERE), HERE).agrees
    assert curves.compare("original", curve, recorded("jax 0.12.1 cpu x86_64"), HERE).agrees


def test_the_test_loss_of_a_cnn_counts_a_tenth() -> None:
    def agrees(*factors: float) -> bool:
        curve = [loss * factor for loss, factor in zip(CURVE, factors, strict=True)]
        return curves.compare("cnn", curve, recorded(HERE, name="cnn"), HERE).agrees

    assert agrees(1, 1, 1 + 9 * curves.SAME)
    assert not agrees(1, 1, 1 + 11 * curves.SAME)
    assert not agrees(1, 1 + 2 * curves.SAME, 1)


def test_a_recipe_without_its_curve_says_how_to_record_it() -> None:
    changed = curves.shortened(recipes.find("original").config).replace(learning_rate=0.02)
    for known in ({}, recorded(HERE, config=changed)):
        with pytest.raises(LookupError, match="python tests/golden original"):
            curves.compare("original", CURVE, known, HERE)


def test_recording_keeps_other_releases_until_the_recipe_changes(tmp_path, monkeypatch) -> None:
    file, other = tmp_path / "curves.json", "jax 0.10.1 cpu x86_64"
    monkeypatch.setattr(curves, "here", lambda: HERE)
    file.write_text(json.dumps(recorded(other)))
    curves.record("original", CURVE, file)
    assert list(curves.known(file)["original"]["curves"]) == [other, HERE]
    changed = curves.shortened(recipes.find("original").config).replace(learning_rate=0.02)
    file.write_text(json.dumps(recorded(other, config=changed)))
    curves.record("original", CURVE, file)
    assert list(curves.known(file)["original"]["curves"]) == [HERE]
