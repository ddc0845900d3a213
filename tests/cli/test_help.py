"""Every verb has a help text, and docs/cli.md shows it."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from jaxquard.cli import app


@pytest.mark.parametrize("verb", [name for name in app if not name.startswith("-")])
def test_every_verb_has_help(jaxquard, verb):
    said = jaxquard(verb, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: jaxquard {verb}")
    assert "--json" in said.out


def test_python_runs_the_package_as_the_command():
    command = [sys.executable, "-m", "jaxquard", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == version("jaxquard")


def test_the_documented_help_is_the_help():
    """`make docs-cli` writes it."""
    documented = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    script = Path(__file__).parents[1] / "cli_page.py"
    assert documented.encode() == subprocess.run([sys.executable, script], capture_output=True, check=True).stdout
