"""Prints docs/cli.md, the help of every verb. `make docs-cli` writes the file."""

import io
import sys

from rich.console import Console

from jaxquard.cli import app

INTRODUCTION = """\
# The command line

This page has the output of `jaxquard --help` and `jaxquard VERB --help`. `make docs-cli` writes it; a test checks it.

Results go to stdout, everything else to stderr. `--json` makes stdout one JSON document on one line. Exit codes:
0 success, 1 any other error, 2 wrong usage, 3 data or a picture missing or damaged, 4 the training diverged, 5 a run
directory missing, in use, already there or damaged, 130 interrupted (a training saves a checkpoint first, if there is
time).
"""


def help_of(*words: str) -> str:
    """What `jaxquard WORDS --help` prints at a width of 100."""
    text = io.StringIO()
    app.help_print(list(words), console=Console(file=text, width=100, color_system=None, force_terminal=False))
    return "\n".join(line.rstrip() for line in text.getvalue().strip().splitlines())


def page() -> str:
    """The whole page."""
    verbs = [name for name in app if not name.startswith("-")]
    parts = [INTRODUCTION, f"```text\n{help_of()}\n```\n"]
    parts += [f"## jaxquard {verb}\n\n```text\n{help_of(verb)}\n```\n" for verb in verbs]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.buffer.write(page().encode())
