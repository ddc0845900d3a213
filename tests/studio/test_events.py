"""Events: every journal line once and in order, also over broken connections; and the events for runs and jobs."""

import asyncio
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxquard.runs import journal
from jaxquard.runs.directory import Run
from jaxquard.runs.lock import locked
from jaxquard.studio import events
from jaxquard.studio.events import Cursor, Listener
from jaxquard.studio.runs import Reader
from jaxquard.studio.trainer import Trainer
from jaxquard.studio.watch import Watch


@pytest.fixture
def listen(studio):
    """`listen(last_id)`: a new listener of a new studio."""

    def one(last_id: str = "") -> Listener:
        watcher = Watch(studio.runs)
        return Listener(watcher, Reader(watcher), Trainer(studio, watcher), last_id)

    return one


def parsed(text: str) -> list[tuple[str, dict, str]]:
    """The event, data and id of each block."""
    found = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields["event"], json.loads(fields["data"]), fields["id"]))
    return found


def lines(text: str) -> list[tuple[str, dict]]:
    return [(data["run"], data["line"]) for event, data, _ in parsed(text) if event == "epoch"]


def write(root, name, *steps):
    for step in steps:
        journal.append(Run(root / name).journal_file, {"epoch": step, "step": step, "train_loss": [0.5]})


def test_a_listener_receives_new_lines_only(root, listen):
    with locked(root / "part"):
        one = listen()
        assert parsed(one.hello())[0][0] == "hello"
        assert lines(one.news()) == []
        write(root, "part", 7, 8)
        assert [(run, line["step"]) for run, line in lines(one.news())] == [("part", 7), ("part", 8)]
        assert one.news() == ""


def test_a_new_run_is_sent_from_its_start(root, listen):
    one = listen()
    one.news()
    (root / "part").rename(root / "other")
    heard = parsed(one.news())
    assert [data["run"] for event, data, _ in heard if event == "epoch"] == ["other"]
    assert [data["status"] for event, data, _ in heard if event == "runs"] == ["stopped"]


def test_events_for_the_start_and_the_end_of_a_run_follow_its_lines(root, listen):
    one = listen()
    one.news()
    with locked(root / "part"):
        assert [(event, data["status"]) for event, data, _ in parsed(one.news())] == [("runs", "running")]
        write(root, "part", 9)
        journal.append(Run(root / "part").journal_file, {"event": "finished", "step": 9})
    heard = parsed(one.news())
    assert [event for event, _, _ in heard] == ["epoch", "epoch", "runs"]
    assert heard[-1][1]["status"] == "finished"


def test_an_incomplete_line_is_sent_when_it_is_complete(root, listen):
    file = Run(root / "part").journal_file
    with locked(root / "part"):
        one = listen()
        with open(file, "a", encoding="utf-8") as half:
            half.write('{"epoch": 2, "st')
        assert lines(one.news()) == []
        late = listen()  # joins while the line is being written
        with open(file, "a", encoding="utf-8") as half:
            half.write('ep": 12}\n')
        assert lines(one.news()) == lines(late.news()) == [("part", {"epoch": 2, "step": 12})]


def test_a_damaged_line_is_skipped(root, listen):
    one = listen()
    with open(Run(root / "part").journal_file, "ab") as file:
        file.write(b'\xff\n{"step": 99}\n')
    assert lines(one.news()) == [("part", {"step": 99})]


def test_a_journal_that_became_shorter_is_sent_from_its_start(root, listen):
    one = listen()
    one.news()
    Run(root / "part").journal_file.write_bytes(b'{"step": 1}\n')
    assert lines(one.news()) == [("part", {"step": 1})]


def test_an_old_run_continued_between_connections_is_sent_from_its_start(root, listen):
    file = Run(root / "part").journal_file
    old = file.stat().st_mtime
    an_hour_later = f"{old + 3600:.0f}"  # the last event's id, long after the journal's last line
    assert lines(listen(an_hour_later).news()) == []
    write(root, "part", 7)
    os.utime(file, (old + 7200, old + 7200))
    assert [line["step"] for _, line in lines(listen(an_hour_later).news())] == [
        line["step"] for line in Run(root / "part").journal()
    ]


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.sampled_from(["write", "read", "drop"]), max_size=20), kept=st.integers(0, 10))
def test_every_line_is_sent_once_however_often_the_stream_breaks(tmp_path_factory, cuts, kept):
    root = tmp_path_factory.mktemp("runs")
    run = Run(root / "x")
    run.path.mkdir()
    (run.path / "config.toml").write_text("")
    run.journal_file.touch()
    watcher = Watch(root)

    class NoTrainer:
        def documents(self):
            return {}

    def come(last_id=""):
        return Listener(watcher, Reader(watcher), NoTrainer(), last_id)  # type: ignore[arg-type]

    with locked(run.path):
        one, written, heard, last_id = come(), 0, [], ""
        last_id = parsed(one.hello())[0][2]
        for cut in [*cuts, "read"]:
            if cut == "write":
                written += 1
                journal.append(run.journal_file, {"step": written})
            if cut == "drop":  # the page has received a part of the answer
                for event, data, last_id in parsed(one.news())[:kept]:  # noqa: B007
                    heard += [data["line"]["step"]] if event == "epoch" else []
                one = come(last_id)
            if cut == "read":
                for event, data, last_id in parsed(one.news()):  # noqa: B007
                    heard += [data["line"]["step"]] if event == "epoch" else []
    assert heard == list(range(1, written + 1))


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)


@settings(max_examples=30)
@given(st.integers(0, 10**10), st.dictionaries(names, st.integers(0, 10**12), max_size=5))
def test_a_cursor_survives_a_round_trip(seconds, offsets):
    text = ",".join([str(seconds), *(f"{name}:{offset}" for name, offset in offsets.items())])
    assert Cursor.read(text) == Cursor(seconds, offsets)


@pytest.mark.parametrize("last_id", ["", "x", "1,", "1,a", "1,a:-1", "1,../x:3", "9" * 30, "1," + "a:1," * 9999, "1\n"])
def test_an_invalid_id_starts_from_now(listen, last_id):
    assert lines(listen(last_id).news()) == []


@pytest.mark.parametrize("offset", [3, 10**14])
def test_an_invalid_offset_is_harmless(root, listen, offset):
    assert all(isinstance(line, dict) for _, line in lines(listen(f"1,part:{offset},none:3").news()))


def test_jobs_are_sent_at_the_start_and_when_they_change(root, studio):
    watcher = Watch(root)
    trainer = Trainer(studio, watcher)
    with locked(root / "part"):
        trainer.tick()
        one = Listener(watcher, Reader(watcher), trainer)
        first = [(event, data["status"]) for event, data, _ in parsed(one.news())]
        assert first == [("runs", "running"), ("job", "running")]
        assert one.news() == ""
    trainer.tick()
    assert [(event, data["status"]) for event, data, _ in parsed(one.news())] == [
        ("runs", "stopped"),
        ("job", "paused"),
    ]


def test_a_silent_stream_sends_heartbeats(listen, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT", 0.0)

    async def first(count: int) -> list[str]:
        stream = listen().stream()
        found = [await anext(stream) for _ in range(count)]
        await stream.aclose()
        return found

    hello, *rest = asyncio.run(first(3))
    assert parsed(hello)[0][0] == "hello"
    assert rest == [": still here\n\n"] * 2


def test_a_head_request_for_events_ends(ask):
    answer = ask("HEAD", "/api/events")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
