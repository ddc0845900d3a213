"""The hub: brings all ranks together, passes their values on, and notices when one dies, is stuck or never comes."""

import selectors
import socket
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from jaxquard.distributed.wire import PING, Limits, Wire
from jaxquard.errors import UsageError

GRACE = 1.0  # seconds in which the other ranks may end for the same reason
STRANGERS = 64  # connections that have not said yet who they are


class Verdict(NamedTuple):
    """Why the training ends: the exit code, a line, and the rank at fault if it is a single one."""

    code: int
    line: str
    rank: int | None = None


@dataclass
class Rank:
    """What the hub knows of a process: what it does, since when, at which step. `doing` is "" while it waits."""

    number: int
    host: str
    wire: Wire
    heard: float
    since: float
    doing: str = "loading"
    step: int = 0
    longest: dict[str, float] = field(default_factory=dict)  # the most seconds for what it did
    value: list[Any] = field(default_factory=list)
    word: Verdict | None = None  # its own reason for ending; code 0 at the end of the training
    ended: float | None = None  # when it said so, or its connection closed
    closed: bool = False

    @property
    def name(self) -> str:
        """For messages."""
        return f"rank {self.number} on {self.host}"

    @property
    def place(self) -> str:
        """Its step, for messages."""
        return f"at step {self.step}" if self.step else "before the first step"


class Hub:
    """`poll` handles the messages, `verdict` says whether the training must end; the caller repeats both."""

    def __init__(self, listener: socket.socket, count: int, limits: Limits) -> None:
        self.listener, self.count, self.limits = listener, count, limits
        self.ranks: dict[int, Rank] = {}
        self.run = ""  # the path of the run, when there is one
        self.stopping, self.refused = False, None
        self.began = self.polled = self.pinged = time.monotonic()
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)

    def poll(self, seconds: float) -> None:
        """Answer and pass on what comes within so many seconds."""
        ready, now = self.selector.select(seconds), time.monotonic()
        if now - self.polled > seconds + 2:  # the machine was asleep, and the ranks with it
            for rank in self.ranks.values():
                rank.heard = rank.since = now
        self.polled = now
        for key, _ in ready:
            if key.data is None:
                self._accept()
            else:
                self._read(key.data, now)
        if now - self.pinged > PING:
            self.pinged = now
            self.tell(ping=True)

    def tell(self, **message: Any) -> None:
        """Send a message to every rank that is connected."""
        for rank in self.ranks.values():
            if not rank.closed:
                rank.wire.send(**message)

    def stop(self) -> None:
        """Ask all ranks to save a checkpoint and end."""
        if not self.stopping:
            self.stopping = True
            self.tell(stop=True)

    def close(self) -> None:
        """Close all connections."""
        for key in list(self.selector.get_map().values()):
            cast(socket.socket, key.fileobj).close()
        self.selector.close()

    def _accept(self) -> None:
        wire = Wire(self.listener.accept()[0])
        if len(self.selector.get_map()) > self.count + STRANGERS:
            wire.close()
        else:
            self.selector.register(wire.socket, selectors.EVENT_READ, wire)

    def _read(self, wire: Wire, now: float) -> None:
        messages = wire.receive()
        try:
            for message in messages or ():
                if wire.owner is None:
                    wire.owner = self._meet(wire, message, now)
                else:
                    self._hear(wire.owner, message, now)
        except (KeyError, TypeError, ValueError):  # no message of ours
            messages = None
        if messages is None:
            self.selector.unregister(wire.socket)
            wire.close()
            if wire.owner:
                self._close(wire.owner, now)

    def _meet(self, wire: Wire, message: dict[str, Any], now: float) -> Rank | None:
        """Admit a rank. When all have come, tell them where JAX's own service will be."""
        number, count, host = int(message["rank"]), int(message["count"]), str(message["host"])[:100]
        if number in self.ranks:
            fault = f"two processes have the id {number}, on {self.ranks[number].host} and on {host}"
        elif count != self.count or not 0 <= number < count:
            fault = f"process {number} on {host} has --processes {count}, but process 0 has {self.count}"
        else:
            self.ranks[number] = rank = Rank(number, host, wire, now, now)
            if len(self.ranks) == self.count:
                self._welcome()
            return rank
        refusal = Verdict(UsageError.exit_code, f"{fault}; each needs its own id, and all need the same number")
        if len(self.ranks) < self.count:
            self.refused = refusal
        wire.send(end=refusal.code, line=refusal.line)
        return None

    def _welcome(self) -> None:
        """Tell all ranks that they are complete. A process that comes later is refused, and the training continues."""
        host, port = free_address(self.listener)
        hosts = [self.ranks[number].host for number in range(self.count)]
        self.tell(welcome=hosts, jax=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    def _hear(self, rank: Rank, message: dict[str, Any], now: float) -> None:
        rank.heard = now
        if "doing" in message or "value" in message:
            rank.longest[rank.doing] = max(now - rank.since, rank.longest.get(rank.doing, 0.0))
            rank.since, rank.doing = now, str(message.get("doing", ""))
            rank.step = int(message.get("step", rank.step))
        if "value" in message:
            rank.value = [message["value"]]
            self._pass_on(now)
        if "run" in message:
            self.run = str(message["run"])
        if "asked" in message:
            self.stop()
        if "ends" in message:
            line = "" if message["said"] and rank.number == 0 else f"{rank.name}: {str(message['line'])[:1000]}"
            rank.word, rank.ended = Verdict(int(message["ends"]), line, rank.number), now

    def _pass_on(self, now: float) -> None:
        """Send the values to all ranks if all have given theirs."""
        if len(self.ranks) == self.count and all(rank.value for rank in self.ranks.values()):
            self.tell(values=[self.ranks[number].value[0] for number in range(self.count)])
            for rank in self.ranks.values():
                rank.since, rank.value = now, []

    def _close(self, rank: Rank, now: float) -> None:
        rank.closed, rank.ended = True, rank.ended or now
        left = [one for one in self.ranks.values() if not one.closed]
        if [one.number for one in left] == [0]:
            left[0].wire.send(alone=True)

    def verdict(self) -> Verdict | None:
        """Why the training must end; None while all is well."""
        now, ranks = time.monotonic(), self.ranks.values()
        absent = [number for number in range(self.count) if number not in self.ranks]
        if self.refused or (absent and now - self.began > self.limits.join):
            return self.refused or self._absent(absent)
        if dead := sorted((rank for rank in ranks if rank.closed and not rank.word), key=lambda rank: rank.ended or 0):
            return Verdict(1, f"{dead[0].name}: closed its connection {dead[0].place}", dead[0].number)
        failed = [rank.word for rank in ranks if rank.word and rank.word.code and now - (rank.ended or now) > GRACE]
        return min(failed, key=lambda word: word.rank or 0) if failed else self._silent(now)

    def _absent(self, absent: list[int]) -> Verdict:
        which = f"rank{'s' * (len(absent) > 1)} {', '.join(map(str, absent))} of {self.count}"
        return Verdict(1, f"{which}: never connected within {self.limits.join:g} s (JAXQUARD_JOIN_SECONDS)")

    def _silent(self, now: float) -> Verdict | None:
        """The rank without a sign of life for too long; else those that do one thing for too long."""
        here = [rank for rank in self.ranks.values() if not rank.ended]
        dumb = [rank for rank in here if now - rank.heard > self.limits.silent * (1 if rank.step else 2)]
        stuck = dumb or [rank for rank in here if rank.doing and now - rank.since > self._limit(rank)]
        if not stuck:
            return None
        seconds = max(now - (rank.heard if dumb else rank.since) for rank in stuck)
        names = ", ".join(rank.name for rank in stuck)
        return Verdict(1, f"{names}: silent for {seconds:.0f} s {stuck[0].place}", stuck[0].number)

    def _limit(self, rank: Rank) -> float:
        """The seconds that what it does may take."""
        longest = rank.longest.get(rank.doing)
        return self.limits.compile if longest is None else self.limits.silent + longest


def free_address(near: socket.socket) -> tuple[str, int]:
    """A free port at the address of a socket."""
    with socket.socket(near.family, socket.SOCK_STREAM) as probe:
        probe.bind((near.getsockname()[0], 0))
        return probe.getsockname()[:2]
