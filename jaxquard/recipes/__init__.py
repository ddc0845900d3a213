"""Named, complete configurations. Each recipe is one file: its docstring says what it is for, CONFIG how to repeat it.

Besides CONFIG a recipe names its CLASS, the number of SEEDS it is judged by, the published figure it is to beat
(BEATS), if any, and the GOAL set for it before it was run. What was measured is in results.json, written by `make
results`.
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
    """A configuration with a name, what it is for, how it is judged, and what was measured (None: not yet)."""

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
        raise UsageError(f"{name!r} is none of the recipes {', '.join(names())}{suggestion(name, names())}")
    module = importlib.import_module(f"jaxquard.recipes.{name.replace('-', '_')}")
    purpose = (module.__doc__ or name).strip().splitlines()[0]  # python -OO has no docstrings
    config = module.CONFIG.replace(recipe=name)
    judged = (module.CLASS, module.SEEDS, module.BEATS, module.GOAL)
    return Recipe(name, purpose, config, *judged, results().get(name))


def results() -> dict[str, Any]:
    """The measured figures that ship with the package, by recipe."""
    file = resources.files("jaxquard.recipes") / "results.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
