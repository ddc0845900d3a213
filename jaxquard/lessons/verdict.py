"""The rule for every claim, fixed before anything is trained.

Every claim says that *this difference, paired by seed, is above that margin*. If the whole 99 % t interval of the mean
difference lies above the margin, the claim *holds*. If it lies below, the claim *does not hold*. Otherwise these seeds
*cannot tell*. The lessons make dozens of comparisons: at 95 %, some would be wrong.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from jaxquard.runs.figures import t_quantile
from jaxquard.strict_json import plain

Verdict = Literal["holds", "does not hold", "cannot tell"]
CONFIDENCE = 0.99


@dataclass(frozen=True)
class Comparison:
    """One part of a claim: `what` (in `unit`), measured once for each seed, should be above `margin`."""

    what: str
    unit: str
    values: tuple[float, ...]
    margin: float

    @property
    def verdict(self) -> Verdict:
        """By the position of the interval."""
        _, low, high = interval(self.values)
        return decide(low, high, self.margin)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; None for what is not finite."""
        (mean, low, high), values = plain(interval(self.values)), plain(self.values)
        return {
            "what": self.what,
            "unit": self.unit,
            "n": len(values),
            "values": values,
            "mean": mean,
            "low": low,
            "high": high,
            "margin": self.margin,
            "verdict": self.verdict,
        }


def above(what: str, values: Iterable[float], margin: float, unit: str = "points") -> Comparison:
    """The claim that `values`, one for each seed, are above `margin` on average.

    The caller subtracts, `first - second`: row k of both belongs to seed k.
    """
    return Comparison(what, unit, tuple(float(value) for value in values), float(margin))


def interval(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """Mean and its 99 % t interval: x̄ ± t·s/√n with n - 1 degrees of freedom (Student, 1908).

    It is infinite for fewer than two values, or where one is not finite.
    """
    x = np.asarray(values, np.float64)
    if len(x) < 2 or not np.isfinite(x).all():
        return math.nan, -math.inf, math.inf
    mean = float(x.mean())
    half = float(t_quantile(CONFIDENCE, len(x) - 1) * x.std(ddof=1) / math.sqrt(len(x)))
    return mean, mean - half, mean + half


def decide(low: float, high: float, margin: float) -> Verdict:
    """All of the interval above the margin, all of it below, or neither."""
    if low > margin:
        return "holds"
    return "does not hold" if high < margin else "cannot tell"


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """A claim of several parts holds if every part holds, and does not hold if one part does not."""
    found = set(verdicts)
    if "does not hold" in found:
        return "does not hold"
    return "cannot tell" if "cannot tell" in found or not found else "holds"


def best(figures: Mapping[str, Sequence[float] | np.ndarray]) -> str | None:
    """The name whose figures (one for each seed) are above those of every other, or None if that is not certain."""
    winner = max(figures, key=lambda name: float(np.mean(figures[name])))
    mine = np.asarray(figures[winner])
    rivals = [interval(mine - np.asarray(values)) for name, values in figures.items() if name != winner]
    return winner if all(low > 0 for _, low, _ in rivals) else None


def bracket(
    values: Sequence[float] | np.ndarray, edges: Sequence[float] | np.ndarray, names: Sequence[str]
) -> str | None:
    """The name of the range that holds the whole interval: below edges[0], …, above edges[-1]; None if none does."""
    _, low, high = interval(values)
    first, last = (int(rank) for rank in np.searchsorted(edges, [low, high]))
    return names[first] if first == last else None


def at_an_end(figures: Mapping[str, Sequence[Sequence[float]] | np.ndarray]) -> str:
    """A sentence that names those whose best mean is at the first or last setting: name -> (settings, seeds).

    They might do better at settings that were not tried. Empty if there are none.
    """
    chosen = {name: (int(np.mean(rows, axis=1).argmax()), len(rows)) for name, rows in figures.items()}
    named = [name for name, (number, settings) in chosen.items() if number in (0, settings - 1)]
    if not named:
        return ""
    reason = "the best setting is the first or the last that was tried, so a setting beyond it might do better"
    return f"For some, {reason}: {'; '.join(named)}."


def tuned(figures: np.ndarray, merit: np.ndarray | None = None) -> np.ndarray:
    """Each seed's figure at the setting that is best on average for the *other* seeds: (settings, seeds) -> (seeds,).

    Best by the figures themselves, or by a `merit` of the same shape. If a seed chose its own setting, its figure would
    be too high, and more so the more settings there are.
    """
    merit = figures if merit is None else merit
    others = merit.sum(axis=1, keepdims=True) - merit
    return np.take_along_axis(figures, others.argmax(axis=0)[None], axis=0)[0]
