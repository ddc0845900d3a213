"""Runs side by side: the settings that differ, their results, and which run is better. Needs no JAX."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxquard.arguments import checked
from jaxquard.config import Config
from jaxquard.errors import UsageError
from jaxquard.runs import directory, environment
from jaxquard.runs.directory import Run
from jaxquard.runs.figures import figures
from jaxquard.runs.ranking import Measure, accuracies, ranking, verdict
from jaxquard.runs.results import Named, name_of
from jaxquard.strict_json import plain

LABELS = {"recipe", "dataset"}  # names do not affect results
CHANCE = {"seed", "seeds"}
SAME = "No difference: the settings and the seeds are the same."
SEEDS = "They differ by chance alone: only the seeds differ."
AMOUNTS = "They hold out different numbers of images, so their training images differ."


@dataclass(frozen=True)
class Compared:
    """One of the compared runs. `settings`: those that differ; a list of values for a swept one. `figures`: its
    status, epochs, losses and accuracies (see `runs.figures`).
    """

    run: Run
    settings: dict[str, Any]
    figures: dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Runs in the order given; `verdict` says whether one is better by more than chance."""

    runs: tuple[Compared, ...]
    verdict: str

    def to_dicts(self) -> list[dict[str, Any]]:
        """Plain data for JSON: a dictionary for each run, each with the common verdict."""
        return [
            plain({"run": one.run.id, "settings": one.settings} | one.figures | {"verdict": self.verdict})
            for one in self.runs
        ]


@checked
def compare(names: Sequence[Named], *, runs: str | Path | None = None) -> Comparison:
    """Compare two or more runs: the settings that differ, their results, and which run is better.

    names: the runs, each by id, path, the run itself or its result. runs: the folder of all runs.
    Raises UsageError for fewer than two runs, RunError for a missing or damaged run.
    """
    if len(names) < 2:
        raise UsageError("compare: name two runs or more")
    root = directory.runs_directory(runs)
    found = [directory.find(name_of(name), root) for name in names]
    described = [_settings(run.config) for run in found]
    differing = [
        name
        for name in dict.fromkeys(name for one in described for name in one)
        if any(one.get(name) != described[0].get(name) for one in described)
        and any(run.config.matters(name) for run in found)
    ]
    compared = [
        Compared(run, {name: one.get(name) for name in differing}, figures(run))
        for run, one in zip(found, described, strict=True)
    ]
    return Comparison(tuple(compared), _verdict(found, differing))


def _settings(config: Config) -> dict[str, Any]:
    """A config's settings, with all values of a swept one. Every spelling of no validation images becomes 0."""
    settings = config.to_dict() | {"validation": config.validates}
    settings.pop("sweep", None)
    return settings | {name: values[0] if len(values) == 1 else list(values) for name, values in config.sweep}


def _verdict(runs: Sequence[Run], differing: Sequence[str]) -> str:
    """Whether the best run is better than the next by more than chance.

    By validation accuracy, or by test accuracy if a run held out no images. Runs on different data, or with networks of
    different settings, have no winner.
    """
    data = [run.environment["dataset"] for run in runs]
    if any(environment.used(one) != environment.used(data[0]) for one in data):
        names = ", ".join(dict.fromkeys(one["name"] for one in data))
        return f"No winner: they were trained on different data ({names})."
    for run in runs:
        if swept := [name for name, values in run.config.sweep if len(values) > 1]:
            return f"No winner: {run.id} swept {' and '.join(swept)}, so its networks differ by more than chance."
    chosen = sorted(set(differing) - LABELS - CHANCE)
    if not chosen:
        return SEEDS if CHANCE & set(differing) else SAME
    nothing = [run.id for run in runs if not run.config.validates]
    measure: Measure = "test" if nothing else "validation"
    waiting = [run.id for run in runs if not _has_accuracy(run, measure)]
    if waiting:
        return f"No winner yet: {_and(waiting)} {_has(waiting)} no {measure} accuracy."
    rows = ranking(runs, chosen, measure)
    first = list(dict.fromkeys(network.partition("@")[0] for network in rows[0]["networks"]))
    leads = f"{_and(first)} {'comes' if len(first) == 1 else 'come'} first"
    unfinished = [run.id for run in runs if run.status() == "unfinished"]
    said = [
        f"{_and(nothing)} held out no images, so the test set decides; the best run's test accuracy is then optimistic."
        if nothing
        else "",
        f"By {measure} accuracy, {leads}; {verdict(rows, measure)}.",
        AMOUNTS if "validation" in chosen else "",
        f"{_and(unfinished)} {_has(unfinished)} not finished." if unfinished else "",
    ]
    return " ".join(filter(None, said))


def _has_accuracy(run: Run, measure: Measure) -> bool:
    """Whether a run has an accuracy, or never will because every network diverged."""
    return run.status() == "diverged" or any(value is not None for value in accuracies(run, measure))


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"
