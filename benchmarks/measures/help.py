"""The time of `jaxquard --help`."""

from benchmarks.arena import Arena
from benchmarks.measures.prediction import COMMAND
from benchmarks.process import interleave
from benchmarks.rows import Bound, Row, Spread


def measure(arena: Arena) -> list[Row]:
    """Process start to exit."""
    outcomes = interleave({"ours": arena.program(COMMAND, "--help")}, 2 * arena.rounds)
    seconds = Spread.of(outcome.seconds for outcome in outcomes["ours"])
    return [Row("`jaxquard --help`", "s", seconds, bounds=(Bound("≤ 0.25 s", 0.25),))]
