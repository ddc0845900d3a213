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
    writer = csv.writer(text := io.StringIO(), lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in run.epochs():
        for figure, values in figures(run, line):
            for k, value in values.items():
                if k == "" or k in networks:
                    writer.writerow([k, line["epoch"], line.get("step"), plain_cell(figure), value])
    return text.getvalue().encode(errors="surrogateescape")


def figures(run: Run, line: dict[str, Any]) -> Iterator[tuple[str, dict[int | str, float | None]]]:
    """Each figure of an epoch, with its value for each network, or for all networks together: "". RunError if one is
    damaged. The name of a figure of layer k is `grad_norm/k`.
    """
    everyone = range(len(run.network_names()))
    for figure, values in _figures(line):
        owners = [""] if figure == "seconds" else everyone
        if not is_figure(values) or len(values or ()) != len(owners):
            raise RunError(f"{run.journal_file}: {figure} of epoch {line['epoch']} is damaged")
        yield figure, dict(zip(owners, values, strict=True))


def _figures(line: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in line.items():
        if name == "seconds":  # of all networks together
            yield name, [value]
        elif isinstance(value, dict):
            yield from ((f"{name}/{layer}", values) for layer, values in value.items())
        elif name not in ("epoch", "step"):
            yield name, value
