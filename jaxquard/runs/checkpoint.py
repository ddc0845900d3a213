"""Checkpoints: every leaf of a TrainState, with a manifest that says what each file must hash to.

A checkpoint appears whole, by rename. One that is damaged is noticed, named, and the one before it is used.
"""

import contextlib
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from jaxquard.errors import RunError
from jaxquard.runs import tensors
from jaxquard.runs.files import explained, write_directory

STATE, MANIFEST = "state.safetensors", "manifest.json"


def checkpoint_files(step: int, tree: Any, val_loss: float | None = None) -> dict[str, bytes]:
    """The files of a checkpoint by name: the state, and a manifest that ends with the hash of its own rest."""
    data = tensors.to_bytes(tree)
    manifest = {"step": step, "val_loss": val_loss, "sha256": {STATE: hashlib.sha256(data).hexdigest()}}
    manifest["self"] = hashlib.sha256(_canonical(manifest)).hexdigest()
    return {STATE: data, MANIFEST: _canonical(manifest)}


def _canonical(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, sort_keys=True).encode()


def directory_name(step: int) -> str:
    """Sorts by step."""
    return f"step-{step:09d}"


def write(folder: Path, step: int, tree: Any, val_loss: float | None = None) -> None:
    """Add a checkpoint, then let go of those no longer kept: all but the newest two and the best."""
    path = folder / directory_name(step)
    if not path.exists():  # a run resumed from this very step has nothing new to say about it
        write_directory(path, checkpoint_files(step, tree, val_loss))
    for old in _superseded(folder):
        with explained(old, "remove"):
            shutil.rmtree(old)


def listed(folder: Path) -> list[Path]:
    """The checkpoints there are, oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def _superseded(folder: Path) -> list[Path]:
    paths = listed(folder)
    scored = []
    for path in paths:
        with contextlib.suppress(RunError):
            val_loss = read_manifest(path)["val_loss"]
            if val_loss is not None:
                scored.append((val_loss, path))
    best = min(scored)[1] if scored else None
    return [path for path in paths[:-2] if path != best]


def read_manifest(path: Path) -> dict[str, Any]:
    """A checkpoint's manifest, checked against the hash it carries of itself."""
    file = path / MANIFEST
    try:
        manifest = json.loads(file.read_bytes())
        claimed = manifest.pop("self")
        sound = hashlib.sha256(_canonical(manifest)).hexdigest() == claimed
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunError(f"{file}: missing or damaged") from error
    if not sound:
        raise RunError(f"{file}: damaged (its hash is wrong)")
    return manifest


def read(path: Path) -> dict[str, Any]:
    """A checkpoint's arrays by name; RunError if a byte of it is not as it was written."""
    manifest, file = read_manifest(path), path / STATE
    try:
        data = file.read_bytes()
    except OSError as error:
        raise RunError(f"{file}: cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != manifest["sha256"][STATE]:
        raise RunError(f"{file}: damaged (its hash is wrong)")
    return tensors.from_bytes(data, str(file))


def newest(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The arrays of the newest sound checkpoint, and what was wrong with any newer one."""
    faults: list[str] = []
    for path in reversed(listed(folder)):
        try:
            return read(path), faults
        except RunError as error:
            faults.append(str(error))
    raise RunError(f"{folder}: no sound checkpoint. " + "; ".join(faults))


def drop_newest(folder: Path, count: int) -> None:
    """Remove the newest `count` checkpoints: damaged ones, which training on from an older one will write again."""
    for path in listed(folder)[len(listed(folder)) - count :]:
        with explained(path, "remove"):
            shutil.rmtree(path)
