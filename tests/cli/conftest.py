"""`jaxquard` as a function, each test in an empty folder; a run, a picture, and quick settings."""

import json
import re
import signal
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from jaxquard import cli
from jaxquard.runs.interrupts import SIGNALS


class Said(NamedTuple):
    """The exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """stdout, which must be one JSON document on one line."""
        assert self.out.count("\n") == 1
        assert self.out.endswith("\n")
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Run each test in its own folder, with nothing written outside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("jaxquard.compilation.keep_compiled_programs", lambda: None)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def jaxquard(capsys):
    """`jaxquard("train", …)`, in this process."""

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        code = 0
        try:
            cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code or 0
        said = Said(int(code), *capsys.readouterr())
        assert "Traceback" not in said.err
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", said.err + said.out)  # no control characters but the newline
        return said

    return run


@pytest.fixture(scope="session")
def quick():
    """The options of a quick training."""
    return ["--hidden", "5", "--batch-size", "20", "--epochs", "2", "--learning-rate", "0.3"]


@pytest.fixture(scope="module")
def root(npz, quick, tmp_path_factory):
    """A folder of runs with the run `one`."""
    root = tmp_path_factory.mktemp("runs")
    cli.main(["train", "--dataset", str(npz), *quick, "--name", "one", "--runs", str(root), "--quiet", "--json"])
    return root


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    pixels = np.full((30, 40), 240, np.uint8)
    pixels[5:25, 10:20] = 30
    Image.fromarray(pixels).save(path)
    return path
