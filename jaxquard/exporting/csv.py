"""The journal of a run as a tidy table: a line for each network, epoch and figure."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from jaxquard.errors import RunError
from jaxquard.runs.directory import Run
from jaxquard.runs.journal import is_figure
from jaxquard.runs.predicting import plain_cell

COLUMNS = ("network", "epoch", "step", "figure", "value")


def content(run: Run, networks: Sequence[int]) -> bytes:
    """The table of these networks of a run. RunError for a damaged journal."""
    names = run.network_names()
    writer = csv.writer(text := io.StringIO(), lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in run.epochs():
        for figure, values in _figures(line):
            owners = [""] if figure == "seconds" else range(len(names))
            if not is_figure(values) or len(values or ()) != len(owners):
                raise RunError(f"{run.journal_file}: {figure} of epoch {line['epoch']} is damaged")
            for k, value in zip(owners, values, strict=True):
                if k == "" or k in networks:
                    writer.writerow([k, line["epoch"], line.get("step"), plain_cell(figure), value])
    return text.getvalue().encode(errors="surrogateescape")


def _figures(line: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each figure of an epoch with its values, one for each network; of layer k as `grad_norm/k`."""
    for name, value in line.items():
        if name == "seconds":  # of all networks together
            yield name, [value]
        elif isinstance(value, dict):
            yield from ((f"{name}/{layer}", values) for layer, values in value.items())
        elif name not in ("epoch", "step"):
            yield name, value
