"""Checkpoints: every leaf of a TrainState, with a manifest that holds the hash of the state file.

A checkpoint appears complete, by rename. A damaged one is detected and named, and the one before it is used.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from jaxquard import strict_json
from jaxquard.errors import RunError
from jaxquard.files import explained, remove, write_directory
from jaxquard.runs import tensors

NAME = re.compile(r"step-\d{9,}", re.ASCII)
STATE, MANIFEST = "state.safetensors", "manifest.json"


def checkpoint_files(step: int, tree: Any, seconds: float = 0.0) -> dict[str, bytes]:
    """The files of a checkpoint by name: the state, and a manifest with the hashes of the state and of itself.

    `seconds`: the time trained since the epoch began; 0 at its end, so that equal runs have equal checkpoints.
    """
    data = tensors.to_bytes(tree)
    sha256 = {STATE: hashlib.sha256(data).hexdigest()}
    return {STATE: data, MANIFEST: _manifest({"step": step, "seconds": round(seconds, 6), "sha256": sha256})}


def _manifest(facts: dict[str, Any]) -> bytes:
    rest = json.dumps(facts).encode()
    return json.dumps(facts | {"self": hashlib.sha256(rest).hexdigest()}).encode()


def directory_name(step: int) -> str:
    """A name that sorts by step."""
    return f"step-{step:09d}"


def write(folder: Path, step: int, tree: Any, seconds: float = 0.0) -> None:
    """Add a checkpoint, then remove all but the newest two. (Early stopping's best weights are in TrainState.)"""
    path = folder / directory_name(step)
    if not path.exists():  # the run was resumed from this step
        write_directory(path, checkpoint_files(step, tree, seconds))
    for old in listed(folder)[:-2]:
        with explained(old, "remove"):
            remove(old)


def listed(folder: Path) -> list[Path]:
    """The checkpoints, oldest first. Folders with other names are ignored."""
    return sorted(path for path in folder.glob("step-*") if NAME.fullmatch(path.name) and path.is_dir())


def read_manifest(path: Path) -> dict[str, Any]:
    """A checkpoint's manifest; RunError unless this module would write the same bytes for this directory."""
    file = path / MANIFEST
    try:
        data = file.read_bytes()
        manifest = strict_json.loads(data)
        facts = {name: manifest[name] for name in ("step", "seconds", "sha256")}
        facts["sha256"] = {STATE: facts["sha256"][STATE]}
        if data != _manifest(facts) or directory_name(facts["step"]) != path.name or not facts["seconds"] >= 0:
            raise ValueError
    except FileNotFoundError as error:
        raise RunError(f"{file}: missing") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file}: damaged") from error
    return manifest


def read(path: Path) -> dict[str, Any]:
    """A checkpoint's arrays by name; RunError if any byte has changed."""
    manifest, file = read_manifest(path), path / STATE
    try:
        data = file.read_bytes()
    except OSError as error:
        raise RunError(f"{file}: cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != manifest["sha256"][STATE]:
        raise RunError(f"{file}: damaged (its hash is wrong)")
    return tensors.from_bytes(data, str(file))


def newest(folder: Path, last: int | None = None) -> tuple[dict[str, Any], list[str]]:
    """The arrays of the newest sound checkpoint, and the faults of any newer one.

    `last` is the step of a finished run's last checkpoint; its absence is a fault, too.
    """
    faults: list[str] = []
    if last is not None and not (folder / directory_name(last)).is_dir():
        faults.append(f"{folder / directory_name(last)}: missing")
    for path in reversed(listed(folder)):
        try:
            return read(path), faults
        except RunError as error:
            if not path.exists():  # a running training removed it meanwhile
                return newest(folder, last)
            faults.append(str(error))
    raise RunError(f"{folder}: no sound checkpoint. " + "; ".join(faults)[:300])


def seconds_into_epoch(folder: Path) -> float:
    """The time trained in the newest checkpoint's epoch. RunError if the checkpoint is damaged."""
    return read_manifest(listed(folder)[-1])["seconds"]


def drop_newer(folder: Path, step: int) -> None:
    """Remove the (damaged) checkpoints after a step; training from that step writes them again."""
    for path in listed(folder):
        if path.name > directory_name(step):
            with explained(path, "remove"):
                remove(path)
