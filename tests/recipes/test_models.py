"""The shipped models are the networks in results.json."""

from pathlib import Path

import pytest

from benchmarks.recipes import SHIPPED, model_table
from benchmarks.report import replace_section
from jaxquard import recipes
from jaxquard.data import load
from jaxquard.runs import directory, models
from jaxquard.runs.teacher import fingerprint
from jaxquard.training.evaluation import evaluate_logits

ROOT = Path(__file__).parents[2]
RESULTS = recipes.results()


def test_every_model_is_a_recipes_first_network(tmp_path: Path) -> None:
    assert directory.shipped() == sorted(set(SHIPPED) & RESULTS.keys())
    for name in directory.shipped():
        config = models.load_model(name, tmp_path).config.replace(pixel_mean=None, pixel_std=None)
        assert config.in_effect() == recipes.find(name).config.in_effect()


def test_the_model_card_shows_what_was_measured() -> None:
    card = (ROOT / "jaxquard" / "models" / "README.md").read_text(encoding="utf-8")
    assert card == replace_section(card, "models", model_table(RESULTS)), "make results"


def test_a_recipes_teacher_is_the_shipped_model(tmp_path: Path) -> None:
    """When a shipped teacher is trained again, its students must be measured again."""
    for name in recipes.names():
        teacher = recipes.find(name).config.teacher
        if teacher in directory.shipped() and name in RESULTS:
            model = models.load_model(teacher, tmp_path)
            assert RESULTS[name]["teacher"] == {"name": teacher, "sha256": fingerprint(model)}, name


def test_every_model_is_small() -> None:
    for file in (ROOT / "jaxquard" / "models").glob("*.safetensors"):
        assert file.stat().st_size < 1_000_000


@pytest.mark.check
@pytest.mark.parametrize("name", directory.shipped())
def test_a_model_has_its_published_accuracy(name: str, tmp_path: Path) -> None:
    data = load("fashion-mnist")
    found = evaluate_logits(models.load_model(name, tmp_path).logits(data.test_images), data.test_labels)
    assert found.accuracy == pytest.approx(RESULTS[name]["first_network"]["accuracy"], abs=0.0005)  # 5 images: rounding
    assert found.loss == pytest.approx(RESULTS[name]["first_network"]["loss"], rel=1e-3)
