"""Who won a sweep, and whether the win is larger than the noise between seeds."""

import statistics
from collections.abc import Sequence
from typing import Any

from jaxquard.runs.directory import Run
from jaxquard.runs.figures import held_out_accuracy, summary, t_quantile

CONFIDENCE = 0.95


def ranking(runs: Sequence[Run], swept: Sequence[str]) -> list[dict[str, Any]]:
    """Every combination of the `swept` settings with its validation accuracy over seeds, best first.

    Each row: `settings`, `val_accuracy` (mean, std, values by seed; None where a network diverged), `networks` (RUN or
    RUN@k). The smaller the share of its networks that diverged, the better a combination is; then its mean counts.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for run in runs:
        configs = run.config.networks()
        values = held_out_accuracy(run, run.epochs())
        for k, config in enumerate(configs):
            settings = {name: getattr(config, name) for name in swept}
            row = rows.setdefault(tuple(settings.values()), {"settings": settings, "values": [], "networks": []})
            row["values"].append(values[k])
            row["networks"].append(f"{run.id}@{k}" if len(configs) > 1 else run.id)
    ranked = [
        {"settings": r["settings"], "val_accuracy": summary(r["values"]), "networks": r["networks"]}
        for r in rows.values()
    ]
    return sorted(ranked, key=place)


def place(row: dict[str, Any]) -> tuple[float, float]:
    """What rows are sorted by, best first: the share of its networks that diverged, then the mean of the others."""
    mean, values = row["val_accuracy"]["mean"], row["val_accuracy"]["values"]
    return values.count(None) / len(values), -(mean or 0.0)


def verdict(rows: Sequence[dict[str, Any]]) -> str:
    """In a sentence: is the best combination really better than the next, or is that within the noise?

    A 95 % t interval of the difference, paired by seed: members of a sweep share their start and their batches.
    """
    if len(rows) < 2:
        return "nothing to compare"
    best, second = (row["val_accuracy"]["values"] for row in rows[:2])
    pairs = [a - b for a, b in zip(best, second, strict=False) if a is not None and b is not None]
    if min(len(best), len(second)) < 2:
        return "one seed cannot tell a win from noise: add --seeds 5"
    if len(pairs) < 2:
        return "too many networks diverged to tell a win from noise"
    mean, error = statistics.fmean(pairs), statistics.stdev(pairs) / len(pairs) ** 0.5
    t = t_quantile(CONFIDENCE, len(pairs) - 1)
    lead = f"{100 * mean:.2f} ± {100 * t * error:.2f} points (95 % interval)"
    said = f"the best leads the next by {lead} over {len(pairs)} seeds"
    return f"{said}: {'larger than the noise' if mean > t * error else 'within the noise, not a win'}"
