"""The browser page: a small server over run directories, and the static files it serves.

Trainings run as `jaxquard train` in separate processes; the studio reads the files that they write. So it shows
trainings from a terminal as well, and neither process depends on the other. `docs/STUDIO.md` has the HTTP API.

A view is `static/views/NAME.js`, listed in `static/app.js`. Its part of the HTTP API is `NAME.py`, listed in
`server.py`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from jaxquard.runs.directory import command


@dataclass(frozen=True)
class Studio:
    """A studio's folders and access rules: `request.app.state.studio` in every handler.

    `hosts`: the exact Host headers it accepts. `token`: what the API needs (None: nothing). `streams`: how many pages
    may listen at once.
    """

    runs: Path
    data_dir: Path | None = None
    offline: bool = False
    hosts: frozenset[str] = frozenset()
    token: str | None = None
    streams: int = 16

    def command(self, *words: str) -> str:
        """The command that does the same in a terminal, with the same runs and data."""
        data = ["--data-dir", os.path.abspath(self.data_dir)] if self.data_dir else []
        return command(*words, *data, runs=self.runs)
