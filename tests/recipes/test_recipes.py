"""Recipes are complete, their docstrings name their command, and the tables agree with results.json."""

import importlib
import re
import statistics
from pathlib import Path
from typing import Any

import pytest

from benchmarks.baselines import BASELINES
from benchmarks.recipes import accuracy_table, measure, whole
from benchmarks.report import replace_section
from jaxquard import recipes
from jaxquard.config import Config
from jaxquard.errors import RunError, UsageError

ROOT = Path(__file__).parents[2]
RESULTS = recipes.results()


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_has_a_purpose_and_its_command(name: str) -> None:
    recipe = recipes.find(name)
    module = importlib.import_module(f"jaxquard.recipes.{name.replace('-', '_')}")
    assert f"jaxquard train --recipe {name}" in (module.__doc__ or "")
    assert recipe.config.recipe == name
    assert len(recipe.purpose) > 20
    assert recipe.seeds >= 3  # error bars need seeds
    assert recipe.goal is None or 0.5 < recipe.goal < 1


def test_the_original_network_is_the_default() -> None:
    original = recipes.find("original").config
    assert original.replace(recipe=None) == Config()
    assert (original.hidden, original.activation, original.initializer) == ((128, 64), "relu", "scaled_normal")
    assert (original.optimizer, original.learning_rate, original.batch_size, original.epochs) == ("sgd", 0.01, 128, 20)


def test_an_unknown_recipe_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'orginal' is not one of the recipes .*did you mean original\?"):
        recipes.find("orginal")


@pytest.mark.parametrize("name", sorted(RESULTS.keys() - BASELINES.keys()))
def test_a_result_agrees_with_itself_and_with_its_recipe(name: str) -> None:
    entry, recipe = RESULTS[name], recipes.find(name)
    figures = entry["test_accuracy"]
    assert entry["n"] == len(figures["values"]) == len(entry["seeds"]) == recipe.seeds
    assert entry["seeds"] == list(range(recipe.seeds))
    assert figures["mean"] == pytest.approx(statistics.fmean(figures["values"]))
    assert figures["std"] == pytest.approx(statistics.stdev(figures["values"]))
    assert entry["met"] == (None if recipe.goal is None else figures["mean"] >= recipe.goal)
    assert entry["test_evaluations"] == 1  # nothing was chosen on the test set


def test_a_run_of_another_config_is_refused_as_a_recipes_run(tmp_path: Path) -> None:
    unread: Any = None  # it is refused before any data are read
    (tmp_path / "results-original").mkdir()
    (tmp_path / "results-original" / "config.toml").write_text('recipe = "original"\nseeds = 10\nepochs = 19\n')
    with pytest.raises(RunError, match="results-original: its config differs from original"):
        measure(recipes.find("original"), unread, tmp_path, tmp_path)


@pytest.mark.parametrize("name", sorted(RESULTS.keys() & BASELINES.keys()))
def test_a_baseline_is_measured_without_a_goal(name: str) -> None:
    entry = RESULTS[name]
    assert entry["n"] == len(entry["test_accuracy"]["values"]) == BASELINES[name][2]
    assert 0.05 < entry["test_accuracy"]["mean"] < 0.95
    assert entry["goal"] is entry["met"] is entry["beats"] is None


def test_the_documents_show_what_was_measured() -> None:
    shown = {"README.md": accuracy_table(RESULTS), "docs/RESULTS.md": whole(RESULTS)}
    for name, table in shown.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        assert text == replace_section(text, "results", table), f"{name}: make results"


@pytest.mark.parametrize("page", ["README.md", "docs/RESULTS.md"])
def test_every_picture_is_there(page: str) -> None:
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert [name for name in pictures if not (ROOT / page).parent.joinpath(name).is_file()] == []
