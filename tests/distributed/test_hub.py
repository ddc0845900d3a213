"""The hub and connections to it, without JAX and in one process."""

import socket
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from jaxquard.distributed.hub import Hub
from jaxquard.distributed.wire import MOST, Limits, Wire
from jaxquard.errors import UsageError

SHORT = Limits(join=0.2, silent=0.2, compile=0.2)
PATIENT = Limits(join=600, silent=600, compile=600)


class Meeting:
    """A hub for two ranks, and what its clients receive."""

    def __init__(self, limits: Limits) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        self.hub, self.wires = Hub(listener, 2, limits), list[Wire]()

    def come(self, rank: object, count: object = 2) -> Wire:
        """A new connection that says who it is."""
        self.wires.append(Wire(socket.create_connection(self.address)))
        self.wires[-1].send(rank=rank, count=count, host=f"host{rank}")
        self.until(lambda: len(self.hub.selector.get_map()) > 0)
        return self.wires[-1]

    def until(self, done: Callable[[], object], also: Callable[[], None] = lambda: None):
        """Poll until `done()` is true, and return it."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            self.hub.poll(0.01)
            also()
            if found := done():
                return found
        raise AssertionError("nothing happened")

    def received(self, wire: Wire, name: str) -> dict:
        """The next message with this name."""
        return self.until(lambda: next((m for m in wire.receive() or () if name in m), None))

    def judged(self, also: Callable[[], None] = lambda: None):
        """The verdict when there is one."""
        return self.until(self.hub.verdict, also)


@pytest.fixture
def meet():
    meetings: list[Meeting] = []

    def start(limits: Limits = PATIENT) -> Meeting:
        meetings.append(Meeting(limits))
        return meetings[-1]

    yield start
    for meeting in meetings:
        for wire in meeting.wires:
            wire.close()
        meeting.hub.close()


def test_all_ranks_are_told_when_the_last_has_come_and_exchange_values(meet):
    meeting = meet()
    one, zero = meeting.come(1), meeting.come(0)
    for wire in (zero, one):
        welcome = meeting.received(wire, "welcome")
        assert welcome["welcome"] == ["host0", "host1"]
        assert welcome["jax"].startswith("127.0.0.1:")
    one.send(value={"b": [1]})
    zero.send(value="a")
    assert meeting.received(one, "values") == meeting.received(zero, "values") == {"values": ["a", {"b": [1]}]}
    assert meeting.hub.verdict() is None
    late = meeting.received(meeting.come(1), "end")
    assert late["end"] == 2
    assert "two processes have the id 1" in late["line"]
    assert meeting.hub.verdict() is None


@pytest.mark.parametrize(("rank", "count"), [(0, 2), (1, 3), (2, 2), (-1, 2)])
def test_a_rank_that_is_there_twice_or_counts_otherwise_is_refused(meet, rank, count):
    meeting = meet()
    meeting.come(0)
    wire = meeting.come(rank, count)
    assert meeting.judged().code == UsageError.exit_code
    assert meeting.received(wire, "end")["line"] == meeting.hub.verdict().line


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"[1]\n", b"{}\n", b'{"rank": "x"}\n', b"x" * (MOST + 2)])
def test_strangers_are_sent_away(meet, said):
    meeting = meet()
    with socket.create_connection(meeting.address) as stranger:
        stranger.setblocking(False)
        unsent = memoryview(said)

        def gone() -> bool:
            nonlocal unsent
            try:
                unsent = unsent[stranger.send(unsent) :] if unsent else unsent
                return stranger.recv(1) == b""
            except BlockingIOError:
                return False
            except ConnectionError:
                return True

        assert meeting.until(gone)
    assert not meeting.hub.ranks


def test_a_rank_that_never_comes_is_named(meet):
    meeting = meet(SHORT)
    meeting.come(0)
    assert meeting.judged().line.startswith("rank 1 of 2: never connected")


def test_a_rank_that_closes_its_connection_without_a_word_is_named(meet):
    meeting = meet()
    wires = [meeting.come(rank) for rank in (0, 1)]
    wires[1].send(doing="training", step=7)
    wires[1].close()
    verdict = meeting.judged()
    assert (verdict.code, verdict.rank) == (1, 1)
    assert verdict.line == "rank 1 on host1: closed its connection at step 7"
    assert meeting.received(wires[0], "alone")


def test_a_rank_that_says_why_it_ends_gives_its_exit_code(meet):
    meeting = meet()
    wires = [meeting.come(rank) for rank in (0, 1)]
    wires[1].send(ends=3, line="no data", said=True)
    verdict = meeting.judged()
    assert verdict == (3, "rank 1 on host1: no data", 1)
    wires[0].send(ends=5, line="no run", said=True)  # rank 0 has shown its line itself
    assert meeting.until(lambda: (v := meeting.hub.verdict()) and v.rank == 0 and v) == (5, "", 0)


def test_a_rank_without_a_sign_of_life_is_named(meet):
    meeting = meet(Limits(join=600, silent=0.2, compile=600))
    wires = [meeting.come(rank) for rank in (0, 1)]
    for wire in wires:
        wire.send(doing="training", step=3)
    verdict = meeting.judged(lambda: wires[0].send(ping=True))
    assert verdict.rank == 1
    assert verdict.line.startswith("rank 1 on host1: silent for")
    assert verdict.line.endswith("at step 3")


def test_a_rank_that_lives_but_does_not_go_on_is_named_unless_it_waits_for_others(meet):
    meeting = meet(Limits(join=600, silent=600, compile=0.2))
    wires = [meeting.come(rank) for rank in (0, 1)]
    wires[0].send(value=1)
    verdict = meeting.judged(lambda: [wire.send(ping=True) for wire in wires])
    assert verdict.line.startswith("rank 1 on host1: silent for")
    assert verdict.line.endswith("before the first step")


def test_what_a_rank_did_before_may_take_its_longest_time_and_a_little_more(meet, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("jaxquard.distributed.hub.time", SimpleNamespace(monotonic=lambda: now[0]))
    meeting = meet(Limits(join=1000, silent=5, compile=50))
    rank = meeting.come(0), meeting.come(1)
    meeting.until(lambda: len(meeting.hub.ranks) == 2)
    rank[0].send(value="it waits")

    def at(second: float, **message: object):
        """The verdict at this time, just before a message of rank 1."""
        while now[0] < second:
            now[0] += 1.0  # not so long that the machine seems to have been asleep
            for wire in rank:
                wire.send(ping=True)
            meeting.until(lambda: {one.heard for one in meeting.hub.ranks.values()} == {now[0]})
        verdict = meeting.hub.verdict()
        rank[1].send(**message)
        meeting.until(lambda: meeting.hub.ranks[1].doing == message.get("doing", "training"))
        return verdict

    assert at(40, doing="training", step=0) is None
    assert at(43, doing="saving", step=9) is None
    assert at(44, doing="training", step=9) is None
    assert at(51) is None
    assert at(53).line == "rank 1 on host1: silent for 9 s at step 9"
