"""The architectures by name, as in `Config.model`. `nn/__init__.py` explains how to add one."""

from collections.abc import Callable

from jaxquard.nn.cnn import cnn
from jaxquard.nn.mlp import mlp
from jaxquard.nn.model import Model

ARCHITECTURES: dict[str, Callable[..., Model]] = {"mlp": mlp, "cnn": cnn}
