"""Recipes: named, complete configurations, one file each. The first line of its docstring is the purpose.

Besides CONFIG, a recipe has a CLASS, the number of SEEDS for its figures, the published figure to beat (BEATS or None)
and the GOAL, which was set before the run. `make results` writes the measured figures to results.json.
"""

import importlib
import json
import pkgutil
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jaxquard.config import Config
from jaxquard.errors import UsageError
from jaxquard.naming import suggestion


@dataclass(frozen=True)
class Recipe:
    """A recipe, and its measured figures (None: not measured)."""

    name: str
    purpose: str
    config: Config
    class_: str
    seeds: int
    beats: float | None
    goal: float | None
    result: dict[str, Any] | None


def names() -> list[str]:
    """The names of all recipes."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def find(name: str) -> Recipe:
    """A recipe by name. For another name, UsageError with the most similar one."""
    if name not in names():
        raise UsageError(f"{name!r} is not one of the recipes {', '.join(names())}{suggestion(name, names())}")
    module = importlib.import_module(f"jaxquard.recipes.{name.replace('-', '_')}")
    purpose = (module.__doc__ or name).strip().splitlines()[0]  # python -OO has no docstrings
    config = module.CONFIG.replace(recipe=name)
    goals = (module.CLASS, module.SEEDS, module.BEATS, module.GOAL)
    return Recipe(name, purpose, config, *goals, results().get(name))


def results() -> dict[str, Any]:
    """The measured figures by recipe, as shipped with the package."""
    file = resources.files("jaxquard.recipes") / "results.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
