"""The ranking of a sweep or a comparison, and whether the lead is larger than the noise between seeds."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jaxquard.errors import RunError
from jaxquard.runs.directory import Run
from jaxquard.runs.figures import Figure, held_out_accuracy, t_quantile
from jaxquard.runs.journal import own_evaluation

CONFIDENCE = 0.95
Measure = Literal["validation", "test"]
KEYS = {"validation": "val_accuracy", "test": "test_accuracy"}


def accuracies(run: Run, measure: Measure) -> list[float | None]:
    """Each network's accuracy on held-out images, or on the test set at the end of training. None for a network that
    diverged or has not been evaluated.
    """
    if measure == "validation":
        return held_out_accuracy(run, run.epochs())
    networks = len(run.config.networks())
    values: list[float | None] = own_evaluation(run.evaluations()).get("accuracy") or [None] * networks
    if len(values) != networks:
        raise RunError(f"{run.path}: damaged: it evaluated {len(values)} networks, but trains {networks}")
    return values


def ranking(runs: Sequence[Run], swept: Sequence[str], measure: Measure = "validation") -> list[dict[str, Any]]:
    """Every combination of the `swept` settings with its accuracy over seeds, best first.

    Each row: `settings`, `val_accuracy` or `test_accuracy` (a Figure: values by seed, None where a network diverged),
    `seeds`, `networks` (RUN or RUN@k). Rows are sorted by the share of networks that diverged, then by mean accuracy.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for run in runs:
        each = zip(run.network_names(), run.config.networks(), accuracies(run, measure), strict=True)
        for name, config, value in each:
            settings = {setting: getattr(config, setting) for setting in swept}
            row = {"settings": settings, KEYS[measure]: [], "seeds": [], "networks": []}
            row = rows.setdefault(tuple(settings.values()), row)
            row[KEYS[measure]].append(value)
            row["seeds"].append(config.seed)
            row["networks"].append(name)
    ranked = [row | {KEYS[measure]: Figure(tuple(row[KEYS[measure]]))} for row in rows.values()]
    return sorted(ranked, key=lambda row: _place(row[KEYS[measure]]))


def _place(figure: Figure) -> tuple[float, float]:
    """The sort key: the share of networks that diverged, then the mean of the others, negative."""
    return figure.values.count(None) / len(figure.values), -(figure.mean or 0.0)


def verdict(rows: Sequence[Mapping[str, Any]], measure: Measure = "validation") -> str:
    """A sentence on whether the best combination leads the next by more than the noise.

    From a 95 % t interval of the difference. Networks of the same seed share initial weights and batches, so they are
    compared in pairs. With fewer than two shared seeds the means are compared (Welch).
    """
    if len(rows) < 2:
        return "nothing to compare"
    seeds = [set(row["seeds"]) for row in rows[:2]]
    best, second = (_by_seed(row, measure) for row in rows[:2])
    if not best:
        return "every network diverged"
    if min(map(len, seeds)) < 2:
        return "one seed is too few to separate a win from noise: add --seeds 5"
    shared = best.keys() & second.keys()
    if min(len(best), len(second)) < 2 or (len(shared) < 2 and seeds[0] & seeds[1]):
        return "too many networks diverged to separate a win from noise"
    lead, half = _paired([best[k] - second[k] for k in sorted(shared)]) if len(shared) > 1 else _welch(best, second)
    over = f"{len(shared)} seeds" if len(shared) > 1 else f"{len(best)} and {len(second)} different seeds"
    said = f"the best leads the next by {100 * lead:.2f} ± {100 * half:.2f} points (95 % interval) over {over}"
    return f"{said}: {'larger than the noise' if lead > half else 'within the noise, not a win'}"


def _by_seed(row: Mapping[str, Any], measure: Measure) -> dict[int, float]:
    values = zip(row["seeds"], row[KEYS[measure]].values, strict=True)
    return {seed: value for seed, value in values if value is not None}


def _paired(differences: list[float]) -> tuple[float, float]:
    """The mean difference and half the width of its interval."""
    error = statistics.stdev(differences) / len(differences) ** 0.5
    return statistics.fmean(differences), t_quantile(CONFIDENCE, len(differences) - 1) * error


def _welch(best: Mapping[int, float], second: Mapping[int, float]) -> tuple[float, float]:
    """The difference of two means and half the width of Welch's interval (Satterthwaite's degrees of freedom)."""
    sides = [list(side.values()) for side in (best, second)]
    errors = [statistics.variance(side) / len(side) for side in sides]
    lead, error = statistics.fmean(sides[0]) - statistics.fmean(sides[1]), sum(errors)
    if not error:
        return lead, 0.0
    degrees = error**2 / sum(e**2 / (len(side) - 1) for e, side in zip(errors, sides, strict=True))
    return lead, t_quantile(CONFIDENCE, degrees) * error**0.5
