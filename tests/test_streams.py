"""Commands work with streams that are closed, full, or of an old encoding."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from jaxquard.cli import app

COMMAND = [sys.executable, "-c", "from jaxquard.cli import main; main()"]


def shell(arguments: list[object], redirection: str, folder: Path) -> subprocess.CompletedProcess:
    """Run a command in a shell, which can close its streams."""
    line = f"{shlex.join([*COMMAND, *map(str, arguments)])} {redirection}"
    env = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "0"}
    return subprocess.run(line, shell=True, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.posix
@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", ">&- 2>&-", "0<&- >&- 2>&-"])
def test_training_works_with_closed_or_full_streams(npz, tmp_path, redirection):
    arguments = ["train", "--dataset", npz, "--hidden", 4, "--batch-size", 20, "--epochs", 3, "--name", "x"]
    assert shell(arguments, redirection, tmp_path).returncode == 0
    assert '"event":"finished"' in (tmp_path / "runs" / "x" / "journal.jsonl").read_text()


def test_training_works_after_the_reader_of_stderr_ended(npz, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    arguments = ["train", "--dataset", npz, "--hidden", "4", "--batch-size", "20", "--epochs", "3", "--name", "x"]
    with open(writer, "w", encoding="utf-8") as gone:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=gone, check=False
        )
    assert done.returncode == 0
    assert b"runs/x" in done.stdout


@pytest.mark.posix
@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("verb", ["runs", "--help"])
def test_a_closed_stream_is_not_an_error(tmp_path, verb, redirection):
    assert shell([verb], redirection, tmp_path).returncode == 0


@pytest.mark.posix
def test_an_error_that_cannot_be_printed_keeps_its_exit_code(tmp_path):
    for redirection in ("2>/dev/full", "2>&-"):
        assert shell(["train", "--epochs", 0], redirection, tmp_path).returncode == 2


SAY = """
import json, sys
from jaxquard.cli import main

for words in json.loads(sys.argv[1]):
    print(f"<{words[0]}>", flush=True)
    try:
        main(words)
    except SystemExit as end:
        assert 1 < end.code < 6, (words, end.code)
"""
SHOWN = [[verb, "--help"] for verb in app if not verb.startswith("-")]
SHOWN += [
    ["recipes"],
    ["lessons"],
    ["data"],
    ["runs", "--json"],
    ["predict", "cnn-small", "☃.png", "--json"],
]
REFUSED = [["train", "--recipe", "☃"], ["train", "--dataset", "☃"], ["train", "--☃"], ["train", "--name", "☃"]]
REFUSED += [["evaluate", "☃"], ["compare", "☃", "☃"], ["lesson", "☃"], ["☃"], ["runs", "--runs", "☃/x"]]


@pytest.mark.parametrize("encoding", ["cp1252", "cp437"])
def test_every_verb_prints_in_the_encodings_of_windows(tmp_path, encoding):
    command = [sys.executable, "-c", SAY, json.dumps([*SHOWN, *REFUSED])]
    env = os.environ | {"PYTHONIOENCODING": encoding, "JAXQUARD_RUNS": "runs", "JAXQUARD_DATA": "data"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, encoding=encoding, check=False)
    assert done.returncode == 0, done.stderr
    assert "\\u2603/x" in done.stdout  # escaped
    assert "UnicodeEncodeError" not in done.stderr


def test_a_terminal_of_width_zero_works():
    done = subprocess.run([*COMMAND, "--help"], env=os.environ | {"COLUMNS": "0"}, capture_output=True, check=True)
    assert done.stderr == b""
