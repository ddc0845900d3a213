"""Named, complete configurations. Each recipe is one file: its docstring gives the purpose, CONFIG the configuration.

A recipe also has its CLASS, the number of SEEDS for its figures, the published figure to beat (BEATS), if any, and the
GOAL set before it was run. `make results` writes the measured figures to results.json.
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
    """A configuration with its name and purpose, figures to compare with, and measured figures (None: not yet)."""

    name: str
    purpose: str
    config: Config
    class_: str
    seeds: int
    beats: float | None
    goal: float | None
    result: dict[str, Any] | None


def names() -> list[str]:
    """Every recipe there is."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def find(name: str) -> Recipe:
    """A recipe by name; UsageError, with the nearest one, if there is none."""
    if name not in names():
        raise UsageError(f"{name!r} is not one of the recipes {', '.join(names())}{suggestion(name, names())}")
    module = importlib.import_module(f"jaxquard.recipes.{name.replace('-', '_')}")
    purpose = (module.__doc__ or name).strip().splitlines()[0]  # python -OO has no docstrings
    config = module.CONFIG.replace(recipe=name)
    goals = (module.CLASS, module.SEEDS, module.BEATS, module.GOAL)
    return Recipe(name, purpose, config, *goals, results().get(name))


def results() -> dict[str, Any]:
    """The measured figures that ship with the package, by recipe."""
    file = resources.files("jaxquard.recipes") / "results.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
