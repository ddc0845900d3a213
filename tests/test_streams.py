"""Commands work with streams that are closed, full, or of an old encoding."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from jaxquard.cli import main; main()"]


def shell(arguments: list[object], redirection: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run a command in a shell, which can close its streams."""
    line = f"{shlex.join([*COMMAND, *map(str, arguments)])} {redirection}"
    env = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "0"} | environment
    return subprocess.run(line, shell=True, cwd=folder, env=env, capture_output=True, text=True, check=False)


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


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("verb", ["runs", "--help"])
def test_a_closed_stream_is_not_an_error(tmp_path, verb, redirection):
    assert shell([verb], redirection, tmp_path).returncode == 0


def test_an_error_that_cannot_be_printed_keeps_its_exit_code(tmp_path):
    for redirection in ("2>/dev/full", "2>&-"):
        assert shell(["train", "--epochs", 0], redirection, tmp_path).returncode == 2


def test_characters_that_the_encoding_lacks_are_escaped(tmp_path):
    done = shell(["recipes"], "", tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xb1" in done.stdout


def test_a_terminal_of_width_zero_works(tmp_path):
    done = shell(["--help"], "", tmp_path, COLUMNS="0")
    assert (done.returncode, done.stderr) == (0, "")
