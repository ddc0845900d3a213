"""The run directory: training writes it, everything else reads it.

It holds config.toml, environment.json, journal.jsonl, evaluations.jsonl, checkpoints/ and snapshots/. A run appears by
rename, with its step-0 checkpoint inside.
"""

import contextlib
import hashlib
import json
import os
import re
import time
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w

from jaxquard import strict_json
from jaxquard.arguments import check
from jaxquard.config import Config
from jaxquard.errors import JaxquardError, RunError, UsageError
from jaxquard.files import existing, expanded, explained, is_read_only, sweep, write_atomically, write_directory
from jaxquard.naming import suggestion
from jaxquard.runs import environment, journal
from jaxquard.runs.journal import Line
from jaxquard.runs.lock import refuse_if_in_use
from jaxquard.systems import last_separator, quoted

FORMAT = 3  # of run directories; raised when the meaning of their contents changes
ALL = "all"  # RUN@all: the average of a run's networks
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NO_NAME = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)  # device names on Windows
SNAPSHOT = re.compile(r"epoch-(\d{6,})\.safetensors", re.ASCII)


def runs_directory(given: str | Path | None = None) -> Path:
    """The folder of runs: as given, else $JAXQUARD_RUNS, else ./runs. RunError if it is not a folder."""
    folder = Path(expanded(given or os.environ.get("JAXQUARD_RUNS") or "runs"))
    if not os.path.isdir(there := existing(folder.absolute())):
        fault = "a file, not a folder for runs" if os.path.exists(there) else "there is no such drive"
        raise RunError(f"{there}: {fault}; choose another with --runs or JAXQUARD_RUNS")
    return folder


def command(*words: str, runs: Path) -> str:
    """A command line to paste, quoted for the shell, with the folder of runs unless it is the default."""
    usual = os.path.expanduser(os.environ.get("JAXQUARD_RUNS") or "runs")
    places = [] if os.path.abspath(runs) == os.path.abspath(usual) else ["--runs", os.path.abspath(runs)]
    return quoted(["jaxquard", *words, *places])


def checked_name(name: str) -> str:
    """A run's name; UsageError unless it is a single, portable path component."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"run name {name[:100]!r}: use letters, digits, '.', '_' and '-' only, with a letter or digit first"
        )
    if name.endswith(".") or NO_NAME.fullmatch(name):
        raise UsageError(f"run name {name!r}: not every system allows a file of that name; choose another")
    if name.lower().endswith(".safetensors"):
        raise UsageError(f"run name {name!r}: looks like a weights file; choose another")
    return name


def shipped() -> list[str]:
    """The names of the models that come with the package; no run can have them."""
    folder = resources.files("jaxquard") / "models"
    if not folder.is_dir():
        return []
    return sorted(
        file.name.removesuffix(".safetensors") for file in folder.iterdir() if file.name.endswith(".safetensors")
    )


def parted(model: str) -> tuple[str, str, str]:
    """RUN@k as RUN, "@" and k. RUN may be a path whose folders have an @ in their names."""
    start = last_separator(model) + 1
    name, at, number = model[start:].partition("@")
    return f"{model[:start]}{name}", at, number


def free_path(root: Path, name: str) -> Path:
    """The path of a new run; RunError if the name is taken, UsageError if no run can have it."""
    path = root / checked_name(name)
    if name.lower() in map(str.lower, shipped()):
        raise UsageError(f"run name {name!r}: a model that comes with Jaxquard has this name; choose another")
    if os.path.exists(path):
        raise RunError(f"{path}: already there; choose another name, or remove it first")
    return path


def new_name(config: Config) -> str:
    """A new name: what is trained, when, and four random letters."""
    dataset = re.sub("[^A-Za-z0-9-]", "", Path(config.dataset).stem) or "data"
    what = re.sub("[^A-Za-z0-9-]", "", config.recipe or f"{config.model}-{dataset}").strip("-")[:40] or "run"
    return f"{what}-{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"


class OtherFormat(RunError):
    """A run of another format."""


@dataclass(frozen=True)
class Run:
    """One run directory, read on demand."""

    path: Path

    def __post_init__(self) -> None:
        check("path", self.path, str | Path)
        object.__setattr__(self, "path", Path(self.path))

    @property
    def id(self) -> str:
        """The directory's name."""
        return Path(os.path.abspath(self.path)).name

    def command(self, *words: str) -> str:
        """A command line about this run, to paste."""
        return command(*words, runs=Path(os.path.abspath(self.path)).parent)

    @cached_property
    def config(self) -> Config:
        """The resolved config, with the last known place of its data set."""
        file, moved = self.path / "config.toml", {}
        try:
            moved = {"dataset": self.environment["moved_to"]} if "moved_to" in self.environment else {}
        except OtherFormat:
            raise
        except RunError:  # reported when the run is used
            pass
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
            values.pop("parent", None)
            return Config.from_dict(values | moved)
        except OSError as error:
            raise RunError(f"{file}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise RunError(f"{file}: damaged (not UTF-8)") from error
        except (ValueError, RecursionError, UsageError) as error:
            raise RunError(f"{file}: damaged ({str(error)[:200]})") from error

    @cached_property
    def environment(self) -> dict[str, Any]:
        """The machine and the data set that it was trained with."""
        file = self.path / "environment.json"
        try:
            found = strict_json.loads(file.read_bytes())
            if not isinstance(found, dict):
                raise ValueError("not an object")
            if (written := found.get("format", 1)) != FORMAT:
                raise OtherFormat(f"{file}: a run of format {str(written)[:20]}; this program reads {FORMAT}")
            environment.check_facts(found["dataset"])
            if not isinstance(found.get("moved_to", ""), str):
                raise ValueError("moved_to is not a path")
            return found
        except OSError as error:
            raise RunError(f"{file}: cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{file}: damaged ({str(error)[:200]})") from error

    def record_place(self, dataset: str) -> None:
        """Record where the data set is now; config.toml does not change."""
        data = json.dumps(self.environment | {"moved_to": dataset}, indent=1).encode()
        write_atomically(self.path / "environment.json", data)
        vars(self).pop("environment", None)
        vars(self).pop("config", None)

    @property
    def started(self) -> float:
        """The time of its start, in seconds since 1970; if unknown, the time when config.toml was written."""
        with contextlib.suppress(RunError, KeyError, TypeError):
            if 0 < self.environment["started"] < 1e11:
                return self.environment["started"]
        with contextlib.suppress(OSError):
            return (self.path / "config.toml").stat().st_mtime
        return 0.0

    def check_config_is_its_own(self) -> None:
        """RunError if config.toml has changed since the run began."""
        then = self.environment.get("config_sha256")
        if then != hashlib.sha256((self.path / "config.toml").read_bytes()).hexdigest():
            again = self.command("train", "--config", os.path.abspath(self.path / "config.toml"))
            raise RunError(
                f"{self.path}: its config.toml was changed or cut; the run needs the original. "
                f"To train with other settings, start a new run: {again}"
            )

    @property
    def journal_file(self) -> Path:
        """One line for each epoch and each event."""
        return self.path / "journal.jsonl"

    @property
    def evaluations_file(self) -> Path:
        """One line for each evaluation on the test set."""
        return self.path / "evaluations.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def snapshots(self) -> Path:
        """The folder of the weights after chosen epochs."""
        return self.path / "snapshots"

    def snapshot(self, epoch: int) -> Path:
        """The file of the weights after an epoch; 0 is the start."""
        return self.snapshots / f"epoch-{epoch:06d}.safetensors"

    def snapshot_epochs(self) -> list[int]:
        """The epochs whose weights were kept. Files with other names are ignored."""
        found = (SNAPSHOT.fullmatch(file.name) for file in self.snapshots.iterdir()) if self.snapshots.is_dir() else ()
        return sorted(int(match[1]) for match in found if match)

    def journal(self) -> list[Line]:
        """All lines, as if the run had never been interrupted."""
        return journal.read(self.journal_file)

    def _repr_html_(self) -> str:
        """For notebooks: a table, and the learning curve."""
        from jaxquard.runs.notebook import page

        return page(self, {})

    def epochs(self) -> list[Line]:
        """Only the epoch lines."""
        return journal.epochs(self.journal_file)

    def evaluations(self) -> list[Line]:
        """Every evaluation on the test set, oldest first."""
        return journal.read_lines(self.evaluations_file)

    def record_evaluation(self, by: str, why: str, **found: Any) -> None:
        """Record an evaluation: by what, why, and its results."""
        journal.append(self.evaluations_file, {"time": time.time(), "by": by, "why": why} | found, new=True)

    def note_evaluation(self, by: str, why: str, **found: Any) -> str:
        """As `record_evaluation`, but returns a note instead of an error for a read-only run."""
        try:
            self.record_evaluation(by, why, **found)
        except JaxquardError as error:
            if not is_read_only(error):
                raise
            return f"this evaluation on the test set could not be recorded ({error})"
        return ""

    def finished(self) -> Line | None:
        """The journal's "finished" line, or None if training has not finished."""
        lines = self.journal()
        return lines[-1] if lines and lines[-1].get("event") == "finished" else None

    def last_step(self) -> int | None:
        """The last step of a finished training, else None."""
        return (self.finished() or {}).get("step")

    def has_begun(self) -> bool:
        """Whether a step was saved: in a checkpoint after that of step 0, or as a line of the journal."""
        return bool(self.journal()) or any(self.checkpoints.glob("step-*[1-9]*"))

    def diverged(self) -> set[int]:
        """The numbers of the networks that diverged."""
        return {line["network"] for line in self.journal() if line.get("event") == "diverged" and "network" in line}

    def network_names(self) -> list[str]:
        """Each network's name as a model: RUN@k, or RUN if there is only one."""
        networks = len(self.config.networks())
        return [self.id] if networks == 1 else [f"{self.id}@{k}" for k in range(networks)]

    def shortfall(self) -> str | None:
        """`RUN is unfinished` or `RUN diverged`; None if it has finished."""
        status = self.status()
        return None if status == "finished" else f"{self.id} {'is ' * (status == 'unfinished')}{status}"

    def status(self) -> str:
        """`finished`, `diverged` (every network) or `unfinished`."""
        if self.finished():
            return "finished"
        return "diverged" if len(self.diverged()) == len(self.config.networks()) else "unfinished"


def create(root: Path, name: str | None, config: Config, environment: dict[str, Any], train_state: Any) -> Run:
    """Make a complete run directory with its step-0 checkpoint and snapshot. RunError if the name is taken."""
    from jaxquard.runs import checkpoint, tensors  # these import JAX, which listing runs does not need

    path = free_path(root, name or new_name(config))
    written = tomli_w.dumps(config.to_dict()).encode()
    environment = (
        {"format": FORMAT}
        | environment
        | {"config_sha256": hashlib.sha256(written).hexdigest(), "started": time.time()}
    )
    files = {
        "config.toml": written,
        "environment.json": json.dumps(environment, indent=1).encode(),
        "journal.jsonl": b"",
        "evaluations.jsonl": b"",
        "snapshots/epoch-000000.safetensors": tensors.to_bytes(train_state.current),
    }
    for file, data in checkpoint.checkpoint_files(0, train_state).items():
        files[f"checkpoints/{checkpoint.directory_name(0)}/{file}"] = data
    with explained(root, "write"):
        root.mkdir(parents=True, exist_ok=True)
    sweep(root)
    try:
        write_directory(path, files)
    except JaxquardError:
        free_path(root, path.name)  # an error if another process took the name meanwhile
        raise
    return Run(path)


def wanted(root: Path, name: str | None, resume: str | None) -> Run | None:
    """The run to resume; None for a new one. Needs no JAX, so that errors come at once.

    Raises RunError if the new run's `name` is taken, or the run to `resume` is missing or in use; UsageError if no run
    can have that name.
    """
    if resume is None:
        if name is not None:
            free_path(root, name)
        return None
    run = find(resume, root)
    if not run.finished():
        refuse_if_in_use(run.path)
    return run


def find(name: str, root: Path) -> Run:
    """A run by id (in `root`) or by path; RunError, with the nearest id, if there is none."""
    for path in (root / name, Path(expanded(name))):
        if name and os.path.isfile(path / "config.toml"):  # also False where access is denied
            return Run(path)
    if name:
        refuse_part_of_run(name, root)
    raise RunError(f"{name or repr(name)}: no such run in {root}{_meant(name, root)}")


def _meant(name: str, root: Path) -> str:
    """What was probably meant by the name of no run, or an empty text."""
    for path in (root / name, Path(expanded(name))):
        if os.path.isfile(path / "model.safetensors"):
            return f"; this folder holds a network: {path / 'model.safetensors'}"
    if os.path.isfile(expanded(name)):
        return "; a model is a run or a .safetensors file, and data are given with --dataset"
    return suggestion(name, [run.id for run in every(root)])


def find_networks(name: str, root: Path) -> tuple[Run, Sequence[int]]:
    """The run that is named by RUN, RUN@k or RUN@all, and the numbers of the networks that are meant. Reads no weights.

    RunError if there is no such run or network.
    """
    run_name, at, number = parted(expanded(name))
    if run_name in shipped():
        raise RunError(f"{name}: {run_name} is a single network; leave out @{number}")
    try:
        run = find(run_name, root)
    except RunError as error:
        if run_name and (os.path.exists(root / run_name) or os.path.exists(run_name)):
            raise
        known = [*shipped(), *(run.id for run in every(root))]
        raise RunError(
            f"{run_name or repr(name)}: no such run in {root}, nor a model of that name{suggestion(name, known)}"
        ) from error
    networks = range(len(run.config.networks()))
    if not at or number == ALL:
        return run, networks
    if number not in map(str, networks):
        those = f"networks 0 to {len(networks) - 1}" if len(networks) > 1 else "one network, 0"
        raise RunError(f"{name}: {run_name} has {those}")
    return run, [int(number)]


def refuse_part_of_run(name: str, root: Path) -> None:
    """RunError that names the run if `name` is a file or folder inside one, such as a checkpoint."""
    for path in (root / name, Path(name)):
        run = next((folder for folder in path.parents if os.path.isfile(folder / "config.toml")), None)
        if run and os.path.exists(path):  # Path's method raises where access is denied
            asked = run.name if run.parent == root else run
            raise RunError(f"{name}: part of a run, not a model; name the run instead: {asked}")


def newest_first(root: Path) -> list[Run]:
    """All runs in a directory, newest first."""
    return sorted(every(root), key=lambda run: (-run.started, run.id))


def every(root: Path) -> Iterator[Run]:
    """All runs in a directory, oldest name first."""
    if os.path.isdir(root):  # Path's method raises where access is denied
        paths = sorted(path for path in root.iterdir() if NAME.fullmatch(path.name))
        yield from (Run(path) for path in paths if os.path.isfile(path / "config.toml"))
