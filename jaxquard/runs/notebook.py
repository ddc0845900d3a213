"""Trainings, runs and results in Jupyter: a progress bar, and HTML without scripts."""

import base64
import html
import statistics
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxquard.errors import JaxquardError
from jaxquard.runs.directory import Run
from jaxquard.runs.figures import figure_of
from jaxquard.runs.journal import own_evaluation

if TYPE_CHECKING:
    from jaxquard.charts import Chart
    from jaxquard.training.fit import Event

Mistakes = tuple[np.ndarray, np.ndarray, np.ndarray]  # images, labels, probabilities


def is_running() -> bool:
    """Whether this process is a Jupyter kernel."""
    python = sys.modules.get("IPython")
    return getattr(python and python.get_ipython(), "kernel", None) is not None


class ProgressBar:
    """Shows a training in one output, which is updated in place. `begin` and `event` are those of an Observer."""

    def begin(self, run: Run, parameters: int, first_step: int, total_steps: int) -> None:
        """Show the empty bar."""
        from IPython.display import display

        self.run, self.steps, self.figures = run, total_steps, ""
        self.output: Any = display(self._shown(0, first_step), raw=True, display_id=True)

    def event(self, event: "Event") -> None:
        """Show the steps done, and the figures of the last epoch."""
        if event.kind == "epoch" and event.record:
            names = {"train_loss": "loss", "val_loss": "validation loss", "val_accuracy": "validation accuracy"}
            means = {said: _mean(event.record[name]) for name, said in names.items() if name in event.record}
            self.figures = "".join(f" · {said} {mean:.4f}" for said, mean in means.items())
        elif event.kind == "stopped":
            self.steps, self.figures = event.step, f"{self.figures} · stopped early"
        self.output.update(self._shown(event.epoch, event.step), raw=True)

    def _shown(self, epoch: int, step: int) -> dict[str, str]:
        text = f"{self.run.id} · epoch {epoch} of {self.run.config.epochs}{self.figures}"
        bar = f'<progress value="{step}" max="{self.steps}"></progress>'
        return {"text/plain": text, "text/html": f"<div>{bar} {html.escape(text)}</div>"}


def _mean(values: Iterable[float | None]) -> float:
    sound = [value for value in values if value is not None]
    return statistics.fmean(sound) if sound else float("nan")


def page(run: Run, figures: Mapping[str, object], mistakes: Mistakes | None = None) -> str:
    """A table of the run and these figures, its learning curve and the surest mistakes, as HTML.

    Pictures are SVG in data URIs. Without the extra `charts`, a line says how to install it.
    """
    config, lines = run.config, run.epochs()
    about = {
        "run": run.id,
        "data": run.environment["dataset"]["name"],
        "status": run.status(),
        "epochs": f"{len(lines)} of {config.epochs}",
    }
    if test := own_evaluation(run.evaluations()):
        about |= {"test accuracy": figure_of(test["accuracy"]), "test loss": figure_of(test["loss"])}
    cells = ((html.escape(name), html.escape(str(value))) for name, value in (about | dict(figures)).items())
    table = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in cells)
    return f"<table>{table}</table>{_drawn(run, lines, mistakes)}"


def _drawn(run: Run, lines: list[dict[str, Any]], mistakes: Mistakes | None) -> str:
    from jaxquard import charts  # not needed outside notebooks

    pictures = []
    if lines:
        pictures.append(charts.learning_curves({run.id: lines}))
    if mistakes and len(mistakes[0]):
        images, labels, probabilities = mistakes
        names = run.environment["dataset"]["class_names"]
        captions = [charts.verdict(p, label, names) for p, label in zip(probabilities, labels, strict=True)]
        title = "The most confident mistakes"
        pictures.append(charts.montage(images, labels=captions, columns=5, invert=True, size=84, title=title))
    try:
        return "".join(map(_image, pictures))
    except JaxquardError as error:
        return f"<p>{html.escape(str(error))}</p>"


def _image(chart: "Chart") -> str:
    picture = base64.b64encode(chart._repr_svg_().encode()).decode()
    return f'<img src="data:image/svg+xml;base64,{picture}" alt="{html.escape(chart.description)}">'
