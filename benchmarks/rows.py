"""The result of a measurement: a row with our figure, the peers' figures, and the goals."""

import dataclasses
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spread:
    """The median of `n` repetitions, and the least and the greatest of them."""

    median: float
    min: float
    max: float
    n: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """The spread of at least one repetition."""
        values = list(values)
        return cls(statistics.median(values), min(values), max(values), len(values))

    def times(self, factor: float) -> "Spread":
        """The same in another unit."""
        return Spread(self.median * factor, self.min * factor, self.max * factor, self.n)


@dataclass(frozen=True)
class Bound:
    """A goal: its words, and the limit of our median."""

    text: str
    limit: float


@dataclass(frozen=True)
class Row:
    """One line of the table. Without bounds, it has no verdict. `newest`: the same with the newest Python and JAX."""

    measure: str
    unit: str
    ours: Spread
    peers: Mapping[str, Spread] = dataclasses.field(default_factory=dict)
    bounds: tuple[Bound, ...] = ()
    more_is_better: bool = False
    newest: "Row | None" = None

    @property
    def best_peer(self) -> str | None:
        """The name of the best peer."""
        best = max if self.more_is_better else min
        return best(self.peers, key=lambda name: self.peers[name].median, default=None)

    def keeps(self, bound: Bound) -> bool:
        """Whether our median keeps the bound; the limit itself counts."""
        return self.ours.median >= bound.limit if self.more_is_better else self.ours.median <= bound.limit

    @property
    def holds(self) -> bool | None:
        """Whether every bound is kept; None for a row without bounds."""
        return all(map(self.keeps, self.bounds)) if self.bounds else None

    def summary(self, machine: Mapping[str, Any], date: str) -> dict[str, Any]:
        """The row as plain data for `summary.json`."""
        return {
            "measure": self.measure,
            "unit": self.unit,
            "ours": dataclasses.asdict(self.ours),
            "best_peer": self.best_peer,
            "peers": {name: dataclasses.asdict(spread) for name, spread in self.peers.items()},
            "goal": [{**dataclasses.asdict(bound), "holds": self.keeps(bound)} for bound in self.bounds],
            "more_is_better": self.more_is_better,
            "holds": self.holds,
            "newest": self.newest and {"ours": dataclasses.asdict(self.newest.ours), "holds": self.newest.holds},
            "machine": dict(machine),
            "date": date,
        }


def ahead_of_each(peers: Mapping[str, Spread], words: str = "ahead of every peer") -> Bound:
    """The bound of the best of `peers`, in a row where less is better."""
    return Bound(words, min(peer.median for peer in peers.values()))
