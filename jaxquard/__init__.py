"""Jaxquard: neural networks for small images, from scratch in pure JAX.

    import jaxquard
    result = jaxquard.train(jaxquard.Config(epochs=5))
    print(result.test_accuracy)

The names below are loaded when first used, so that importing the package costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxquard.api import compare, evaluate, predict, train
    from jaxquard.config import Config
    from jaxquard.data import load
    from jaxquard.errors import JaxquardError

__version__ = "0.1.0"
__all__ = ["Config", "JaxquardError", "compare", "evaluate", "load", "predict", "train"]

_HOMES = {
    "Config": "config",
    "JaxquardError": "errors",
    "compare": "api",
    "evaluate": "api",
    "load": "data",
    "predict": "api",
    "train": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxquard' has no attribute {name!r}")
    return getattr(importlib.import_module(f"jaxquard.{_HOMES[name]}"), name)
