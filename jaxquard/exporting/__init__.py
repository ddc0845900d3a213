"""Writes trained networks, and journals of runs, as files for other programs.

A new format is a module here and a row in FORMATS. The module's function `content` gets a TrainedModel, and the options
of the format by name; for a format of journals it gets a run and the numbers of those of its networks that were named.
It returns the bytes of the file, or for a folder the bytes of each file by its path. The function `note`, if there is
one, gets the model and returns what the user should know.
"""

import hashlib
import importlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxquard.errors import DataError, JaxquardError, RunError, UsageError
from jaxquard.files import expanded, sweep, write_atomically, write_directory
from jaxquard.installed import how_to_add
from jaxquard.naming import none_of, visible

if TYPE_CHECKING:
    from jaxquard.config import Config
    from jaxquard.runs.directory import Run
    from jaxquard.runs.models import TrainedModel


class Format(NamedTuple):
    """`suffix`: of its files; it begins with - for a folder. `extra`: what to install for it, with `library` in it.
    `journal`: whether it holds the journal of a run; otherwise it holds a network. `options`: of this format alone.
    """

    purpose: str
    suffix: str
    extra: str = ""
    library: str = ""
    journal: bool = False
    options: tuple[str, ...] = ()

    @property
    def folder(self) -> bool:
        """Whether it is a folder of files."""
        return self.suffix.startswith("-")


FORMATS = {
    "safetensors": Format("the weights, as evaluate and predict read them", ".safetensors"),
    "onnx": Format("the network and its preprocessing", ".onnx", "onnx", "onnx"),
    "huggingface": Format(
        "a folder for the Hugging Face Hub, with a model card", "-huggingface", "onnx", "onnx", options=("licence",)
    ),
    "html": Format("a page to try the network and look inside it", ".html", options=("with_images",)),
    "csv": Format("the journal of a run", ".csv", journal=True),
    "tensorboard": Format("the journal of a run, for TensorBoard", "-tensorboard", "tensorboard", "tensorboardX", True),
}


@dataclass(frozen=True)
class Exported:
    """What was written. Of a folder: `bytes` of all files, and the SHA-256 of what `sha256sum` prints for them in the
    order of their paths. `note`: such as that the run of these weights has not finished.
    """

    file: Path
    format: str
    bytes: int
    sha256: str
    note: str | None = None


def export(
    name: str, root: Path, to: str, out: str | Path | None = None, overwrite: bool = False, **options: Any
) -> Exported:
    """Write the model `name` in the format `to`: see `jaxquard.export`. `options`: None or False if not given."""
    if to not in FORMATS:
        raise UsageError(f"to: {none_of(to, list(FORMATS))}")
    form = FORMATS[to]
    given = {option: value for option, value in options.items() if value is not None and value is not False}
    for option in given.keys() - form.options:
        those = [name for name, other in FORMATS.items() if option in other.options]
        raise UsageError(f"{option}: only for the format {' or '.join(those)}, not for {to}")
    path = _path(name, form, out, overwrite)
    if form.library and find_spec(form.library) is None:
        raise JaxquardError(f"this format needs an extra: {how_to_add(form.extra)}")
    module, notes = importlib.import_module(f"{__name__}.{to}"), []
    if form.journal:
        run, networks = _with_journal(name, root)
        data, came = module.content(run, networks), len(run.epochs())
        if why := run.shortfall():
            notes = [f"{why}: its journal has {came} of {run.config.epochs} epochs"]
        if not came:
            raise RunError(f"{run.journal_file}: has no epochs")
    else:
        from jaxquard.runs import models  # not needed for a journal

        model = models.load_model(name, root)
        _refuse_diverged(model)
        if look := given.get("with_images"):
            given["with_images"] = lambda: _images(look, model)
        data = module.content(_for_others(model), **given)
        notes = [models.unfinished([model]), getattr(module, "note", lambda *_, **__: None)(model, **given)]
    return Exported(path, to, *_written(path, data, overwrite), "; ".join(filter(None, notes)) or None)


def _for_others(model: "TrainedModel") -> "TrainedModel":
    """The model without paths, which would tell others about this machine. The notes on its data may have some."""
    facts = {name: value for name, value in model.dataset.items() if name != "notes"}
    return replace(model, config=without_places(model.config), dataset=facts)


def without_places(config: "Config") -> "Config":
    """The config with ./NAME for the paths of its data and its teacher."""
    parts = {name: re.split(r"[\\/]+(?=.)", getattr(config, name) or "") for name in ("dataset", "teacher")}
    return config.replace(**{name: f"./{place[-1]}" for name, place in parts.items() if len(place) > 1})


def _images(look: Callable[[], Any], model: "TrainedModel") -> Any:
    """What `look` returns. Its errors say how to give other data, but an export takes those of the training only."""
    from jaxquard.data.catalogue import ARRAYS  # needs NumPy

    try:
        return look()
    except (DataError, UsageError) as error:
        why = error.__cause__ if isinstance(error.__cause__, DataError) else error
        why = "these were arrays in Python" if model.config.dataset == ARRAYS else why
        raise type(error)(f"--with-images needs the data of the training: {why}") from error


def _path(name: str, form: Format, out: str | Path | None, overwrite: bool) -> Path:
    """The file to write: by default named like the model, in the current folder. UsageError if it must not be."""
    usual = Path(os.path.abspath(expanded(name))).name.removesuffix(".safetensors") + form.suffix
    path = Path(usual if out is None else expanded(out))
    if not form.folder and os.path.isdir(path):
        raise UsageError(f"{path}: a folder; give the name of a file, such as {path / usual}")
    if not form.folder and not path.name.endswith(form.suffix):
        raise UsageError(f"{path}: the name of such a file ends in {form.suffix}")
    if form.folder and os.path.lexists(path) and not os.path.isdir(path):
        raise UsageError(f"{path}: a file; give the name of a folder, such as {usual}")
    _refuse_taken(path, overwrite)
    if not os.path.lexists(path.parent):
        raise JaxquardError(f"{path.parent}: no such folder; make it first")
    return path


def _refuse_taken(path: Path, overwrite: bool) -> None:
    """UsageError if something is there, unless it may be replaced."""
    if os.path.lexists(path) and not overwrite:
        raise UsageError(f"{path}: already there; choose another name with --out or add --overwrite")
    if os.path.ismount(path) or Path.cwd().is_relative_to(path.resolve()):
        raise UsageError(f"{path}: the current folder, one around it, or a mount point; choose another name with --out")
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise JaxquardError(f"{path}: read-only; choose another name with --out")


def _written(path: Path, data: bytes | dict[str, bytes], overwrite: bool) -> tuple[int, str]:
    """Write a file, or a folder of files. Its size and SHA-256."""
    if isinstance(data, bytes):
        write_atomically(path, data)
        sweep(path.parent, name=path.name)
        return len(data), hashlib.sha256(data).hexdigest()
    if other := _other_file(path, data):
        raise UsageError(f"{path}: holds another file, {visible(str(other))}; choose another name with --out")
    try:
        write_directory(Path(os.path.abspath(path)), data, overwrite)
    except JaxquardError:
        _refuse_taken(path, overwrite)  # if another process was faster
        raise
    sweep(path.parent, name=path.name)  # not before: this may be all that is left of a folder
    lines = "".join(f"{hashlib.sha256(data[name]).hexdigest()}  {name}\n" for name in sorted(data))
    return sum(map(len, data.values())), hashlib.sha256(lines.encode()).hexdigest()


def _other_file(folder: Path, files: Iterable[str]) -> Path | None:
    """The path of something in a folder that is none of these files; None if there is nothing."""
    known = {Path(name) for name in files}
    known |= {parent for path in known for parent in path.parents}
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    return next((path for path in found if path not in known), None)


def _with_journal(name: str, root: Path) -> tuple["Run", Sequence[int]]:
    """The run, and which of its networks were named. RunError for a model that is no run."""
    from jaxquard.runs import directory

    if expanded(name) in directory.shipped() or name.endswith(".safetensors"):
        directory.refuse_part_of_run(expanded(name), root)
        raise RunError(f"{name}: not a run, so it has no journal")
    run_name, _, number = directory.parted(name)
    if number == directory.ALL:
        raise UsageError(f"{name}: an average has no journal; name the run, {run_name}")
    return directory.find_networks(name, root)


def _refuse_diverged(model: "TrainedModel") -> None:
    """RunError for a network that diverged, in its training or on a black or a white image."""
    import numpy as np

    if (run := model.run) and any(run.network_names()[k : k + 1] == [model.name] for k in run.diverged()):
        raise RunError(f"{model.name}: diverged, so there is nothing to export")
    model.answers(np.stack([np.full(model.image_shape, level, np.uint8) for level in (0, 255)]))
