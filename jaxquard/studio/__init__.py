"""The browser page: a small server over run directories, and the plain files it serves.

It trains nothing itself. `jaxquard train` does, in a process of its own; the page reads what that writes, so a training
started in a terminal and one started here are the same to it, and neither needs the other to live. `docs/STUDIO.md` has
the HTTP API.

A view is `static/views/NAME.js`, and its name stands in the list of `static/app.js`. What it asks the server for is in
`NAME.py`, which stands in the list of `server.py`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from jaxquard.runs.directory import command


@dataclass(frozen=True)
class Studio:
    """Where a studio finds things, and who may use it: `request.app.state.studio` in every handler.

    `hosts` are the Host headers it answers to, to the letter; `token` what the API asks for (None: nothing);
    `streams` how many pages may listen at once.
    """

    runs: Path
    data_dir: Path | None = None
    offline: bool = False
    hosts: frozenset[str] = frozenset()
    token: str | None = None
    streams: int = 16

    def command(self, *words: str) -> str:
        """What is to be typed in a terminal to do the same with the same runs and data."""
        data = ["--data-dir", os.path.abspath(self.data_dir)] if self.data_dir else []
        return command(*words, *data, runs=self.runs)
