"""Writes trained networks, and journals of runs, as files for other programs.

A new format is a module here and a row in FORMATS. The module's function `content` gets a TrainedModel, or for a
format of journals a list with every network that was named, and returns the bytes of the file.
"""

import hashlib
import importlib
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxquard.errors import JaxquardError, RunError, UsageError
from jaxquard.files import expanded, write_atomically
from jaxquard.installed import how_to_add
from jaxquard.naming import none_of

if TYPE_CHECKING:
    from jaxquard.runs.models import TrainedModel


class Format(NamedTuple):
    """`suffix`: of its files. `library`: the module that the extra of the format's name installs, if it needs one.
    `journal`: whether it holds the journal of a run; otherwise it holds a network.
    """

    purpose: str
    suffix: str
    library: str = ""
    journal: bool = False


FORMATS = {
    "safetensors": Format("the weights, as evaluate and predict read them", ".safetensors"),
    "onnx": Format("the network and its preprocessing", ".onnx", library="onnx"),
    "csv": Format("the journal of a run", ".csv", journal=True),
}


@dataclass(frozen=True)
class Exported:
    """What was written. `note`: on the weights of a run that has not finished."""

    file: Path
    format: str
    bytes: int
    sha256: str
    note: str | None = None


def export(name: str, root: Path, to: str, out: str | Path | None = None, overwrite: bool = False) -> Exported:
    """Write the model `name` in the format `to`: see `jaxquard.export`."""
    if to not in FORMATS:
        raise UsageError(f"to: {none_of(to, list(FORMATS))}")
    path = _path(name, FORMATS[to].suffix, out, overwrite)
    if (library := FORMATS[to].library) and find_spec(library) is None:
        raise JaxquardError(f"this format needs an extra: {how_to_add(to)}")
    from jaxquard.runs import models

    content, note = importlib.import_module(f"{__name__}.{to}").content, None
    if FORMATS[to].journal:
        data = content(models.load_models(name, root))
    else:
        model = models.load_model(name, root)
        _refuse_diverged(model)
        data, note = content(model), models.unfinished([model])
    write_atomically(path, data)
    return Exported(path, to, len(data), hashlib.sha256(data).hexdigest(), note)


def _path(name: str, suffix: str, out: str | Path | None, overwrite: bool) -> Path:
    """The file to write: by default named like the model, in the current folder. UsageError if it must not be."""
    usual = Path(os.path.abspath(expanded(name))).name.removesuffix(".safetensors") + suffix
    path = Path(usual if out is None else expanded(out))
    if os.path.isdir(path):
        raise UsageError(f"{path}: a folder; give the name of a file, such as {path / usual}")
    if path.suffix != suffix:
        raise UsageError(f"{path}: the name of such a file ends in {suffix}")
    if os.path.lexists(path) and not overwrite:
        raise UsageError(f"{path}: already there; choose another name with --out or add --overwrite")
    return path


def _refuse_diverged(model: "TrainedModel") -> None:
    """RunError for a network that diverged, in its training or on a black or a white image."""
    import numpy as np

    if (run := model.run) and any(run.network_names()[k : k + 1] == [model.name] for k in run.diverged()):
        raise RunError(f"{model.name}: diverged, so there is nothing to export")
    model.answers(np.stack([np.full(model.image_shape, level, np.uint8) for level in (0, 255)]))
