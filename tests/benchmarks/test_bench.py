"""What one interpreter measures, and what both do."""

from types import ModuleType
from typing import Any

from benchmarks.arena import Arena
from benchmarks.bench import measure
from benchmarks.process import Outcome
from benchmarks.rows import Row, Spread


def test_ours_run_with_both_interpreters_and_peers_once(tmp_path):
    def ran(arena: Arena, name: str) -> Any:
        return lambda k: calls.append((arena.python, name, k)) or Outcome(2.0 if arena is newest else 1.0, 1.0, {})

    def rows(outcomes: dict[str, list[Outcome]]) -> list[Row]:
        ours, peer = (Spread.of(outcome.seconds for outcome in outcomes[name]) for name in ("ours", "peer"))
        return [Row("an epoch", "s", ours, {"peer": peer})]

    module: Any = ModuleType("a measure")
    module.ONCE, module.rows = ("peer",), rows
    module.contestants = lambda arena: {name: ran(arena, name) for name in ("ours", "peer")}
    calls, arena = [], Arena(tmp_path, rounds=2)
    newest = arena.with_python("python-next")
    (row,) = measure(module, arena, newest)
    assert row.newest
    assert (row.ours.median, row.newest.ours.median) == (1.0, 2.0)
    assert calls == [
        (python, name, k)
        for k in (0, 1)
        for python, name in ((arena.python, "ours"), (arena.python, "peer"), ("python-next", "ours"))
    ]
    (row,) = measure(module, arena, None)
    assert row.newest is None
