"""Faults planted on purpose, one for each promise, to test that its check detects a fault.

Each fault is planted in a child process. The exit code is the number of faults not detected.
"""

import dataclasses
import importlib
import json
import os
import shutil
import struct
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]


def put(target: str, make: Callable[[Any], Any]) -> Callable[[], None]:
    """A fault: `target` ("module.name") is replaced by `make(target)`, also in modules that imported it."""

    def plant() -> None:
        place, _, name = target.rpartition(".")
        right = getattr(importlib.import_module(place), name)
        wrong = make(right)
        for module in list(sys.modules.values()):
            copied = module.__name__.startswith("jaxquard") and getattr(right, "__module__", "") == place
            if module.__name__ == place or (copied and vars(module).get(name) is right):
                setattr(module, name, wrong)

    return plant


def loses_a_leaf(restore: Any) -> Any:
    def restored(arrays: dict[str, Any], *rest: Any) -> Any:
        first = min(arrays)
        return restore(arrays | {first: 0 * arrays[first]}, *rest)

    return restored


def without_fit(script: str) -> str:
    return f"from jaxquard.sklearn import JaxquardClassifier as C; C.fit = lambda self, X, y: self\n{script}"


def leaves_a_part(write: Any) -> Any:
    from jaxquard import files

    def written(path: Path, *parts: Any) -> None:
        write(path, *parts)
        files.temporary(path).touch()

    return written


def in_place(_: Any) -> Any:
    from jaxquard import files

    def written(path: Path, *parts: Any) -> None:
        part = files.temporary(path)
        with files.explained(path, "write"):
            with getattr(files, "open", open)(part, "wb") as file:
                for data in parts:
                    file.write(data)
            part.replace(path)

    return written


def append_half(_: Any) -> Any:
    def append(path: Path, line: Any, **_: Any) -> None:
        with open(path, "ab") as file:
            file.write(json.dumps(line).encode())

    return append


def slow(write: Any) -> Any:
    return lambda *arguments: (time.sleep(0.3), write(*arguments))


def another_holder(write: Any) -> Any:
    """The true pid first: the measure waits for it."""
    return lambda path, data: write(path, json.dumps({"was": json.loads(data), "pid": 1, "host": ""}).encode())


def one_digest(_: Any) -> Any:
    return SimpleNamespace(sha256=lambda data: SimpleNamespace(hexdigest=lambda: "0" * 64))


def names_another_rank() -> None:
    from jaxquard.distributed.hub import Rank

    Rank.name = property(lambda rank: f"rank {1 - rank.number} on {rank.host}")


def always_patient() -> None:
    from jaxquard.distributed.hub import Hub

    Hub._limit = lambda hub, rank: hub.limits.compile


def ends_no_process() -> None:
    from jaxquard.distributed.launching import _Launch

    left: list[Any] = []  # Python would warn of a process that it forgets

    def end(launch: _Launch) -> None:
        left.extend(launch.children)
        for file in launch.errors:
            file.close()
        launch.hub.close()

    _Launch._end = end


def gathers_the_first_epoch() -> None:
    from jaxquard.training.feeding import InParts

    gather = InParts._gather
    InParts._gather = lambda feed, epoch, first: gather(feed, 0, first)


def measured(name: str, *, short: bool = True) -> bool:
    return all(row.holds for row in importlib.import_module(name).measure(short=short))


def cost_of_one() -> bool:
    put("jaxquard.recipes.names", lambda _: lambda: ["original"])()
    importlib.import_module("cost").TIMES = 3
    return measured("cost", short=False)


def signals_of_one() -> bool:
    signals = importlib.import_module("signals")
    signals.KINDS = {"one": signals.KINDS["one"]}
    return measured("signals")


def killed_once() -> bool:
    """Whether a training killed while writing resumes exactly."""
    import common
    import faults
    import kills

    truth, _ = common.never_stopped(common.HOME / "truth")
    root = common.HOME / "victim"
    common.Child.doing(partial(kills.armed, faults.Points(150, faults.die), root)).wait()
    common.Child.doing(partial(common.train_or_resume, root)).wait()
    return kills.is_exact(root, truth)


def downloaded(measure: str, *numbers: int) -> bool:
    downloads = importlib.import_module("downloads")
    downloads.TEMPORARY.mkdir(parents=True)
    with downloads.mirrors() as address:
        return getattr(downloads, measure)(address, *numbers).holds


def passes(test: str) -> bool:
    """Whether the tests FILE::WORDS pass with the fault."""
    import pytest

    file, words = test.split("::")
    os.chdir(ROOT)
    code = pytest.main([file, "-k", words, "-qx", "-p", "no:cacheprovider"])
    if code not in (0, 1):
        raise ValueError(f"pytest ended with {code}")
    return code == 0


class Control(NamedTuple):
    """A fault, and the check that must fail with it."""

    fault: Callable[[], None]
    check: Callable[[], bool]


RESTORE = put("jaxquard.runs.tensors.restore", loses_a_leaf)
CONTROLS = {
    "A training stopped at any step": Control(
        RESTORE, lambda: passes("tests/runs/test_train.py::never_stopped and sgd")
    ),
    "A training killed at any moment": Control(RESTORE, killed_once),
    "A damaged checkpoint": Control(put("jaxquard.runs.checkpoint.hashlib", one_digest), lambda: measured("damage")),
    "A checkpoint every 10 s": Control(put("jaxquard.runs.checkpoint.write", slow), cost_of_one),
    "SIGINT and SIGTERM": Control(RESTORE, signals_of_one),
    "The number of processes": Control(
        lambda: importlib.import_module("ranks").FAULT.append("--fault"),
        lambda: importlib.import_module("ranks").matrix(["dropout-muon"], [(1, 1), (1, 2)]).holds,
    ),
    "A rank that is killed": Control(
        names_another_rank, lambda: importlib.import_module("ranks").signals(2).holds
    ),
    "A second training": Control(
        put("jaxquard.runs.lock.write_atomically", another_holder), lambda: measured("contenders")
    ),
    "A full or read-only disk": Control(RESTORE, lambda: measured("disk")),
    "Hundreds of files made wrong": Control(
        put("jaxquard.strict_json.loads", lambda _: json.loads), lambda: measured("handwritten")
    ),
    "A malformed file": Control(
        put("jaxquard.data.idx._shape", lambda _: lambda head, ndim, name: struct.unpack(f">{ndim}I", head[4:])),
        lambda: measured("hostile"),
    ),
    "After a mirror that": Control(
        put("downloads.FILES", lambda files: tuple(dataclasses.replace(file, sha256="") for file in files)),
        lambda: downloaded("passed_on"),
    ),
    "16 processes": Control(put("jaxquard.data.cache.write_atomically", leaves_a_part),
 lambda: downloaded("at_once", 2, 1)),
    "A download killed": Control(
        put("jaxquard.data.cache.sweep", lambda _: lambda folder: None), lambda: downloaded("killed", 4)
    ),
    "The cache is verified": Control(
        put("jaxquard.data.idx.crc32", lambda _: lambda values: 0), lambda: downloaded("damaged", 10)
    ),
    "An unwritable cache": Control(
        put("jaxquard.data.cache.write_atomically", in_place), lambda: downloaded("unwritable", 6)
    ),
    "A change of JAX": Control(
        put("jaxquard.training.task.make_schedule", lambda make: lambda *a: lambda step: 1.1 * make(*a)(step)),
        lambda: measured("golden"),
    ),
    "JaxquardClassifier passes": Control(put("estimator.SCRIPT", without_fit), lambda: measured("estimator")),
    "If JAX, the processor": Control(
        put("jaxquard.runs.environment.differences", lambda _: lambda then, now: []),
        lambda: passes("tests/runs/test_train.py::bits_may_differ"),
    ),
    "No code in the package": Control(
        put("pathlib.Path", lambda path: setattr(path, "read_text", reads_eval(path.read_text)) or path),
        lambda: passes("tests/test_safety.py::no_file_runs"),
    ),
    "Damaged runs and hostile files": Control(
        put("jaxquard.errors.RunError", lambda error: setattr(error, "exit_code", 1) or error),
        lambda: passes("tests/cli/test_mistakes.py::damaged_anyhow"),
    ),
    "NaN or infinity": Control(
        put("jaxquard.runs.keeper.finite_weights", lambda finite: lambda ts: finite(ts) | True),
        lambda: passes("tests/runs/test_divergence.py::weights_lost_in_the_very_last_step"),
    ),
    "Data with a constant column": Control(
        put("jaxquard.training.data.pixel_statistics", lambda _: lambda images: (0.5, 0.5)),
        lambda: passes("tests/cli/test_mistakes.py::odd_data"),
    ),
    "Accuracy counts all examples": Control(
        put("jaxquard.training.evaluation.accuracy", lambda real: lambda z, labels: real(z[..., 1:, :], labels[1:])),
        lambda: passes("tests/training/test_evaluation.py::scikit_learns"),
    ),
    "An evaluation on other data": Control(
        put("jaxquard.runs.evaluating.is_same_data", lambda _: lambda *facts: True),
        lambda: passes("tests/test_api.py::known_to_be_other"),
    ),
    "A reader of the journal": Control(
        put("jaxquard.runs.journal.append", append_half), lambda: passes("tests/runs/test_journal.py::at_any_moment")
    ),
    "`doctor` reports": Control(
        put("jaxquard.doctor._difference", lambda _: lambda *answers: ""),
        lambda: passes("tests/test_doctor.py::wrong_answer_is_named"),
    ),
    "Of several processes": Control(
        always_patient, lambda: passes("tests/distributed/test_hub.py::longest_time")
    ),
    "Several processes end together": Control(
        ends_no_process, lambda: passes("tests/distributed/test_launching.py::resumes_to_the_same_bits and KILL")
    ),
    "With `--restarts`": Control(
        put("jaxquard.distributed.launching._Launch", lambda real: lambda *start: real(*start[:3], "")),
        lambda: passes("tests/distributed/test_launching.py::with_restarts"),
    ),
    "Two processes with one id": Control(
        put("jaxquard.distributed.hub.UsageError", lambda error: error.__base__),
        lambda: passes("tests/distributed/test_hub.py::refused"),
    ),
    "Images in main memory": Control(
        gathers_the_first_epoch, lambda: passes("tests/training/test_feeding.py::bits_are_those and steps")
    ),
}  # fmt: skip


SEVERAL = (  # start several processes
    *("The number of processes", "A rank that is killed", "Of several processes", "Several processes end together"),
    *("With `--restarts`", "Two processes with one id"),
)


def reads_eval(read: Any) -> Any:
    return lambda path, *options, **named: (
        read(path, *options, **named) + ("\neval('1')" if path.suffix == ".py" else "")
    )


def is_detected(control: Control) -> bool:
    """Whether the check fails with its fault."""
    control.fault()
    try:
        return not control.check()
    except (AssertionError, RuntimeError) as error:
        print(repr(error))
        return True


def main() -> int:
    """Plant the faults of the named promises, or all, and count those not detected."""
    import common

    missed = 0
    try:
        for name in sys.argv[1:] or CONTROLS:
            began = time.monotonic()
            detected = common.in_child(partial(is_detected, CONTROLS[name]))
            print(f"{'detected' if detected else 'MISSED'}  {name} ({time.monotonic() - began:.0f} s)", flush=True)
            missed += not detected
            for path in common.HOME.iterdir():
                if path.name != "programs":  # compiled
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
    finally:
        common.clear()
    return missed


if __name__ == "__main__":
    sys.exit(main())
