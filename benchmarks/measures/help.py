"""The time of `jaxquard --help`."""

from benchmarks.arena import Arena
from benchmarks.measures.prediction import COMMAND
from benchmarks.process import Contestant, Outcome
from benchmarks.rows import Bound, Row, Spread

ONCE = ()


def contestants(arena: Arena) -> dict[str, Contestant]:
    """The command, twice a round."""
    return {name: arena.program(COMMAND, "--help") for name in ("first", "second")}


def rows(outcomes: dict[str, list[Outcome]]) -> list[Row]:
    """Process start to exit."""
    seconds = Spread.of(outcome.seconds for outcome in (*outcomes["first"], *outcomes["second"]))
    return [Row("`jaxquard --help`", "s", seconds, bounds=(Bound("≤ 0.2 s", 0.2),))]
