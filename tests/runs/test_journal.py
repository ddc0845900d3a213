"""Readers see whole lines only, also after failed writes, and a resumed run as if it had never been stopped."""

import json
import os
import threading

import pytest

from jaxquard.errors import JaxquardError, RunError
from jaxquard.runs import journal


def epoch(number: int, step: int) -> dict:
    return {"epoch": number, "step": step, "train_loss": [1 / number]}


def test_lines_come_back_in_order(tmp_path):
    path = tmp_path / "journal.jsonl"
    lines = [epoch(1, 10), {"event": "stopped", "step": 10}, epoch(2, 20)]
    for line in lines:
        journal.append(path, line, new=True)
    assert journal.read_lines(path) == lines
    assert path.read_bytes().count(b"\n") == 3
    assert journal.read_lines(tmp_path / "none") == []


def test_the_last_evaluation_by_training_counts():
    looks = [{"by": "train", "step": 9}, {"by": "train", "step": 12}, {"by": "studio", "step": 12}]
    assert journal.own_evaluation(looks) == looks[1]
    assert journal.own_evaluation(looks[2:]) == {}


def test_a_line_being_written_is_not_seen_and_a_torn_one_is_cut_off(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal.append(path, epoch(1, 10), new=True)
    for cut in range(1, 20):
        whole = path.read_bytes()
        path.write_bytes(whole + json.dumps(epoch(2, 20)).encode()[:cut])
        assert journal.read_lines(path) == [epoch(1, 10)]
        journal.append(path, epoch(2, 20), new=True)
        assert journal.read_lines(path) == [epoch(1, 10), epoch(2, 20)]
        path.write_bytes(whole)
    path.write_bytes(b'{"epo')  # also the first line
    journal.append(path, epoch(1, 10))
    assert journal.read_lines(path) == [epoch(1, 10)]


@pytest.mark.posix
def test_a_link_is_not_written_through(tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"another file, with no newline")
    (tmp_path / "journal.jsonl").symlink_to(other)
    with pytest.raises(JaxquardError, match=r"journal\.jsonl: cannot write: "):
        journal.append(tmp_path / "journal.jsonl", epoch(1, 10))
    assert other.read_bytes() == b"another file, with no newline"


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"
    journal.append(path, epoch(1, 10), new=True)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JaxquardError, match=r"journal\.jsonl: cannot write: No space left on device"):
        journal.append(path, epoch(2, 20), new=True)
    assert journal.read_lines(path) == [epoch(1, 10)]
    assert path.read_bytes().endswith(b"}\n")


def test_a_value_that_is_not_finite_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        journal.append(tmp_path / "journal.jsonl", {"epoch": 1, "train_loss": [float("nan")]})
    assert not (tmp_path / "journal.jsonl").exists()


def test_writers_at_once_lose_nothing(tmp_path):
    path = tmp_path / "evaluations.jsonl"

    def write(who: int) -> None:
        for n in range(25):
            journal.append(path, {"by": who, "n": n, "padding": "x" * 5000}, new=True)

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((line["by"], line["n"]) for line in journal.read_lines(path)) == [
        (who, n) for who in range(4) for n in range(25)
    ]


def test_a_reader_at_any_moment_sees_only_whole_lines(tmp_path):
    path, lines = tmp_path / "journal.jsonl", [{"epoch": n, "step": n, "padding": "x" * 9000} for n in range(100)]
    writer = threading.Thread(target=lambda: [journal.append(path, line, new=True) for line in lines])
    writer.start()
    while writer.is_alive():
        seen = journal.read_lines(path)
        assert seen == lines[: len(seen)]
    assert journal.read_lines(path) == lines


def test_a_resumed_line_cancels_lines_of_later_steps(tmp_path):
    path = tmp_path / "journal.jsonl"
    for line in (epoch(1, 10), epoch(2, 20), {"event": "diverged", "step": 25}, {"event": "resumed", "step": 15}):
        journal.append(path, line, new=True)
    assert journal.epochs(path) == [epoch(1, 10)]
    journal.append(path, epoch(2, 20), new=True)
    journal.append(path, {"event": "resumed", "step": 20}, new=True)
    assert journal.epochs(path) == [epoch(1, 10), epoch(2, 20)]
    assert [line["event"] for line in journal.read(path) if "event" in line] == ["resumed", "resumed"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b'{"epoch": "one"}',
        b'{"epoch": 1, "step": 1.5}',
        b'{"epoch": 1, "step": 1, "seconds": "long"}',
        b'{"epoch": 1, "step": 1, "train_loss": [NaN]}',
        b'{"epoch": 1, "step": 1, "train_loss": [1e999]}',
        b'{"epoch": 1, "step": 1, "train_loss": 0.5}',
        b'{"epoch": 1, "step": 1, "train_loss": {"mean": 1}}',
        b'{"epoch": 1, "step": 1, "val_accuracy": ["high"]}',
        b'{"by": "train", "tta": 3}',
        b'{"by": "train", "tta": {"name": 1, "accuracy": [0.5]}}',
        b'{"by": "train", "tta": {"name": "mirror", "accuracy": ["high"]}}',
        b'{"epoch": 1, "step": 1, "seconds": ' + b"1" * 400 + b"}",
        b'{"event": "resumed", "step": "ten"}',
        b'{"event": "diverged", "network": [1]}',
        b'{"epoch": 1, "st',
    ],
)
def test_a_damaged_line_is_an_error_that_says_which(tmp_path, line):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"epoch":1,"step":10}\n' + line + b'\n{"epoch":2,"step":20}\n')
    with pytest.raises(RunError, match=r"journal\.jsonl: line 2 is damaged"):
        journal.read(path)
