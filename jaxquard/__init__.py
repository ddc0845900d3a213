"""Jaxquard: neural networks for small images, from scratch in pure JAX.

    import jaxquard
    result = jaxquard.train(jaxquard.Config(epochs=5))
    print(result.test_accuracy)

The names below are imported when first used, so that `import jaxquard` is fast.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxquard.api import evaluate, export, list_runs, load_model, predict, train
    from jaxquard.config import Config
    from jaxquard.data import Dataset, load
    from jaxquard.distributed.launching import launch
    from jaxquard.errors import JaxquardError
    from jaxquard.runs.comparing import compare
    from jaxquard.runs.directory import Run
    from jaxquard.runs.evaluating import Evaluations
    from jaxquard.runs.predicting import Predictions
    from jaxquard.runs.results import TrainResult
    from jaxquard.runs.train import Observer

    __version__: str

__all__ = [
    "Config",
    "Dataset",
    "Evaluations",
    "JaxquardError",
    "Observer",
    "Predictions",
    "Run",
    "TrainResult",
    "compare",
    "evaluate",
    "export",
    "launch",
    "list_runs",
    "load",
    "load_model",
    "predict",
    "train",
]

_HOMES = {
    "Config": "config",
    "Dataset": "data",
    "Evaluations": "runs.evaluating",
    "JaxquardError": "errors",
    "Observer": "runs.train",
    "Predictions": "runs.predicting",
    "Run": "runs.directory",
    "TrainResult": "runs.results",
    "compare": "runs.comparing",
    "launch": "distributed.launching",
    "load": "data",
} | dict.fromkeys(("evaluate", "export", "list_runs", "load_model", "predict", "train"), "api")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("jaxquard")
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxquard' has no attribute {name!r}")
    return getattr(importlib.import_module(f"jaxquard.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"} - {"Any", "TYPE_CHECKING", "importlib"})
