"""Server-sent events: what happens in the runs directory, for every open page, without gaps.

Every event's `id` has the number of bytes sent of each journal. A browser that reconnects sends the last `id` as
`Last-Event-ID`, and the stream continues from there, even if the server was restarted.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Self

from anyio import to_thread
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from jaxquard import strict_json
from jaxquard.studio.runs import Reader
from jaxquard.studio.security import refused
from jaxquard.studio.trainer import Trainer
from jaxquard.studio.watch import TICK, Sight, Watch

HEARTBEAT = 15.0  # seconds
RECENT = 60.0  # seconds for which a journal stays in the id after its last line
SLACK = 30.0  # seconds by which a file's time may be wrong
CHUNK = 4_000_000  # bytes read of a journal at once; a line of a thousand networks has a tenth of that
CURSOR = re.compile(r"(\d{1,12})((?:,[A-Za-z0-9][A-Za-z0-9._-]{0,99}:\d{1,15})*)")


@dataclass
class Cursor:
    """What a listener has received: the time of its last look (seconds since 1970), and its bytes of each journal.

    As text: `seconds,run:bytes,…`, with recently written journals. Other journals written after `seconds` are sent from
    the start; this is harmless, because a line replaces an earlier one of the same step.
    """

    seconds: float
    offsets: dict[str, int]

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The inverse of `text`; None for any other text."""
        found = CURSOR.fullmatch(text)
        if not found:
            return None
        pairs = [pair.split(":") for pair in found[2].split(",")[1:]]
        return cls(float(found[1]), {name: int(offset) for name, offset in pairs})

    def text(self, sights: dict[str, Sight]) -> str:
        """The id of an event."""
        lately = [name for name, sight in sights.items() if is_lively(sight, self.seconds - RECENT)]
        return ",".join([f"{self.seconds:.0f}", *(f"{name}:{self.offsets.get(name, 0)}" for name in lately)])

    def settle(self, sights: dict[str, Sight]) -> set[str]:
        """Set the offset of every run. Returns the runs that may have news."""
        news = {name for name, sight in sights.items() if is_lively(sight, self.seconds - SLACK)} | set(self.offsets)
        sizes = {name: 0 if name in news else sight.size for name, sight in sights.items()}
        self.offsets = sizes | {name: offset for name, offset in self.offsets.items() if name in sizes}
        return news & set(sizes)


def is_lively(sight: Sight, since: float) -> bool:
    """Whether a run is training, or its journal was written after `since`."""
    return sight.training or sight.written >= since


class Listener:
    """One open page: what it has received, and the events for it."""

    def __init__(self, watch: Watch, reader: Reader, trainer: Trainer, last_id: str = "") -> None:
        self.watch, self.reader, self.trainer = watch, reader, trainer
        sights, heard = watch.look(), Cursor.read(last_id)
        self.cursor = heard or Cursor(time.time(), {name: end_of_lines(sight) for name, sight in sights.items()})
        news = heard.settle(sights) if heard else {name for name, sight in sights.items() if sight.training}
        self.standing = {name: standing(sight) for name, sight in sights.items() if name not in news}
        self.jobs: dict[str, dict[str, Any]] = {}

    def hello(self) -> str:
        """The first event; an interrupted listener can already continue from its id."""
        return as_text("hello", {"version": version("jaxquard")}, self.cursor.text(self.watch.look()))

    def news(self) -> str:
        """The events since the last call."""
        self.cursor.seconds = time.time()
        sights = self.watch.look()
        said: list[str] = []
        for name, sight in sights.items():
            if sight.size != self.cursor.offsets.get(name, 0):
                said += self._lines(name, sights)
            if self.standing.get(name) != standing(sight):
                self.standing[name] = standing(sight)
                said.append(as_text("runs", self.reader.summary(sight), self.cursor.text(sights)))
        jobs = self.trainer.documents()
        said += [
            as_text("job", job, self.cursor.text(sights)) for name, job in jobs.items() if self.jobs.get(name) != job
        ]
        self.jobs = jobs
        return "".join(said)

    def _lines(self, name: str, sights: dict[str, Sight]) -> Iterator[str]:
        """The complete lines of a journal that were not sent yet."""
        offset = self.cursor.offsets.get(name, 0)
        offset = offset if offset <= sights[name].size else 0  # the journal was replaced
        for text in read_from(sights[name], offset).split(b"\n")[:-1]:
            offset += len(text) + 1
            self.cursor.offsets[name] = offset
            with contextlib.suppress(ValueError):  # the run's own page reports a damaged line
                line = strict_json.loads(text)
                yield as_text("epoch", {"run": name, "line": line}, self.cursor.text(sights))

    async def stream(self) -> AsyncIterator[str]:
        """Events until the page disconnects, with a heartbeat if there are none."""
        yield self.hello()
        spoke = time.monotonic()
        while True:
            said = await to_thread.run_sync(self.news)
            if not said and time.monotonic() - spoke >= HEARTBEAT:
                said = ": still here\n\n"
            if said:
                yield said
                spoke = time.monotonic()
            await asyncio.sleep(TICK)


def standing(sight: Sight) -> tuple[Any, ...]:
    """The facts about a run, besides its journal; an event reports each change."""
    return sight.training, sight.dropped


def read_from(sight: Sight, offset: int) -> bytes:
    """The next CHUNK bytes of a journal; none if it cannot be read."""
    try:
        with open(sight.run.journal_file, "rb") as file:
            file.seek(offset)
            return file.read(CHUNK)
    except OSError:
        return b""


def end_of_lines(sight: Sight) -> int:
    """The end of a journal's last complete line; a training may be writing the next one."""
    return sight.size if not sight.training else sight.run.journal_file.read_bytes().rfind(b"\n") + 1


def as_text(name: str, data: dict[str, Any], cursor: str) -> str:
    """An event in the format of server-sent events."""
    return f"event: {name}\nid: {cursor}\ndata: {json.dumps(data, allow_nan=False)}\n\n"


class EventStream(StreamingResponse):
    """A stream that is counted in `state.listening` while it is open."""

    def __init__(self, listener: Listener, state: State) -> None:
        super().__init__(listener.stream(), media_type="text/event-stream")
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.state.listening += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.state.listening -= 1


async def events(request: Request) -> Response:
    """The stream of events; it continues from `Last-Event-ID` if that is given."""
    state = request.app.state
    if request.method == "HEAD":
        return Response(media_type="text/event-stream")
    last_id = request.headers.get("last-event-id", "")
    listener = await to_thread.run_sync(Listener, state.watch, state.reader, state.trainer, last_id)
    if state.listening >= state.studio.streams:
        return refused(503, f"{state.listening} pages are open already; close one", **{"retry-after": "5"})
    return EventStream(listener, state)


routes = [Route("/api/events", events)]
