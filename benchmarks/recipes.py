"""The accuracy table: trains every recipe with its fixed seeds, then writes the results, tables and charts.

    python -m benchmarks.recipes                  # all recipes: hours; resumable, skips finished ones
    python -m benchmarks.recipes original quick   # only these
    python -m benchmarks.recipes --draw           # train nothing; write the tables and the chart again
    python -m benchmarks.recipes --trial          # minutes: a fraction of the data, into a temporary folder

`jaxquard/recipes/results.json` has every figure. The tables in README.md and docs/RESULTS.md, and the chart of all
recipes, are made from it. A recipe's own charts are drawn after its training.
The first network of some recipes becomes the model with that name in jaxquard/models/, a part of the package.
"""

import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import App, Parameter

from benchmarks.process import ROOT
from benchmarks.report import replace_section
from jaxquard import recipes
from jaxquard.charts import (
    confusion_matrix,
    dot_plot,
    learning_curves,
    reliability,
    save,
    surest_mistakes,
    training_card,
)
from jaxquard.compilation import keep_compiled_programs
from jaxquard.data import Dataset, load
from jaxquard.errors import RunError
from jaxquard.recipes import Recipe

TRIAL_IMAGES = 2000
SHIPPED = ("cnn-small", "mlp")
DRAWN_FROM = 0.8  # least accuracy in the chart, so that its scale is not too coarse

app = App(help=__doc__, default_parameter=Parameter(negative=()))


@app.default
def main(
    *names: str,
    runs: Annotated[Path, Parameter(help="The folder of the runs, which can be resumed.")] = ROOT / "runs" / "results",
    draw: Annotated[bool, Parameter(help="Train nothing; write the tables and the chart.")] = False,
    trial: Annotated[bool, Parameter(help="A fraction of the data, into a temporary folder.")] = False,
) -> None:
    """Train and evaluate the recipes, and write the tables."""
    chosen = [recipes.find(name) for name in names or recipes.names()]
    if trial:
        with tempfile.TemporaryDirectory() as scratch:
            return measure_all(chosen, Path(scratch) / "runs", Path(scratch), trial=True)
    if not draw:
        measure_all(chosen, runs, ROOT, trial=False)
    write_tables(recipes.results(), ROOT)


def measure_all(chosen: list[Recipe], runs: Path, root: Path, *, trial: bool) -> None:
    """Measure each recipe in turn, and update the file of results after each."""
    keep_compiled_programs()
    for recipe in chosen:
        dataset = load(recipe.config.dataset, report=lambda line: print(line, file=sys.stderr))
        entry = measure(shortened(recipe) if trial else recipe, fraction(dataset) if trial else dataset, runs, root)
        write_results(recipe.name, entry, root)


def write_results(name: str, entry: dict[str, Any], root: Path) -> None:
    """Add or replace one entry of the package's results."""
    file = root / "jaxquard" / "recipes" / "results.json"
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results | {name: entry}, indent=1) + "\n", encoding="utf-8")


def shortened(recipe: Recipe) -> Recipe:
    """The recipe with one epoch and two seeds."""
    return dataclasses.replace(recipe, config=recipe.config.replace(epochs=1, warmup=0.0), seeds=2)


def fraction(dataset: Dataset) -> Dataset:
    """The data set with only the first training and test images."""
    parts = {
        name: getattr(dataset, name)[:TRIAL_IMAGES]
        for name in ("train_images", "train_labels", "test_images", "test_labels")
    }
    return dataclasses.replace(dataset, **parts)


def measure(recipe: Recipe, dataset: Dataset, runs: Path, root: Path) -> dict[str, Any]:
    """Train a recipe with its seeds, or resume its run, and evaluate it once on the test set. Returns its entry."""
    from jaxquard.runs import train
    from jaxquard.runs.directory import Run
    from jaxquard.runs.environment import machine
    from jaxquard.runs.models import models_of_run, save_file
    from jaxquard.training.evaluation import evaluate_logits

    config, name = recipe.config.replace(seeds=recipe.seeds), f"results-{recipe.name}"
    observer = train.Observer(event=Ticker(recipe.name))
    if (runs / name).exists():
        run = Run(runs / name)
        if run.config.replace(pixel_mean=None, pixel_std=None).in_effect() != config.in_effect():
            raise RunError(f"{run.path}: its config differs from {recipe.name}'s; remove it to train again")
        result = train.resume(run, dataset, observer=observer)
    else:
        result = train.train(config, dataset, runs=runs, name=name, observer=observer)
    if result.diverged or result.test_accuracy is None:
        raise RunError(f"{result.run.path}: {len(result.diverged)} of its networks diverged, so there are no figures")
    accuracies = [value for value in result.test_accuracy.values if value is not None]
    first = models_of_run(result.run)[0]
    found = evaluate_logits(first.logits(dataset.test_images), dataset.test_labels)
    draw(recipe, result.run.epochs(), found, dataset, root / "docs" / "results")
    if recipe.name == "original":
        draw_card(result.run, first, found, dataset, root / "docs" / "results" / "original-card.svg")
    if recipe.name in SHIPPED:
        models = root / "jaxquard" / "models"
        models.mkdir(parents=True, exist_ok=True)
        save_file(first, models / f"{recipe.name}.safetensors")
    mean = float(np.mean(accuracies))
    return {
        "test_accuracy": spread(accuracies),
        "tta": result.tta and {"name": result.tta["name"]} | spread(result.tta["accuracy"]),
        "n": recipe.seeds,
        "seeds": [network.seed for network in config.networks()],
        "parameters": result.parameters,
        "seconds": round(sum(line["seconds"] for line in result.run.epochs()) / recipe.seeds, 2),
        "device": machine()["processor"],
        "goal": recipe.goal,
        "met": None if recipe.goal is None else mean >= recipe.goal,
        "beats": recipe.beats,
        "class": recipe.class_,
        "command": f"jaxquard train --recipe {recipe.name} --seeds {recipe.seeds}",
        "test_evaluations": len(result.run.evaluations()),
        "teacher": result.run.environment.get("teacher"),
        "first_network": found.as_dict(dataset.class_names),
    }


def spread(values: list[float]) -> dict[str, Any]:
    """Mean, standard deviation (0 for a single value) and the values."""
    std = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "std": std, "values": values}


class Ticker:
    """Prints a line on stderr every half minute."""

    def __init__(self, name: str) -> None:
        self.name, self.printed = name, 0.0

    def __call__(self, event: Any) -> None:
        if time.monotonic() - self.printed > 30:
            self.printed = time.monotonic()
            print(f"{self.name}: epoch {event.epoch}, step {event.step}", file=sys.stderr, flush=True)


def draw(recipe: Recipe, epochs: list[dict[str, Any]], found: Any, dataset: Dataset, folder: Path) -> None:
    """The recipe's charts, as SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"overwrite": True}
    if len(epochs) > 1:
        curves = learning_curves({recipe.name: epochs}, title=f"{recipe.name}: training accuracy by epoch")
        save(curves, folder / f"{recipe.name}-curves.svg", **options)
    matrix = confusion_matrix(found.confusion, dataset.class_names, title=f"{recipe.name}: what is taken for what")
    save(matrix, folder / f"{recipe.name}-confusion.svg", **options)
    right = found.probabilities.argmax(axis=-1) == dataset.test_labels
    diagram = reliability(found.probabilities.max(axis=-1), right, title=f"{recipe.name}: confidence and accuracy")
    save(diagram, folder / f"{recipe.name}-calibration.svg", **options)
    mistakes = surest_mistakes(
        dataset.test_images[..., 0],
        dataset.test_labels,
        found.probabilities,
        dataset.class_names,
        title=f"{recipe.name}: where its first network was surest, and wrong",
    )
    save(mistakes, folder / f"{recipe.name}-mistakes.svg", **options)


def draw_card(run: Any, model: Any, found: Any, dataset: Dataset, file: Path) -> None:
    """Draw the README's picture: the curves of the original networks, and weights and answers of the first one."""
    from jaxquard.runs import tensors

    start = run.snapshot(0)
    before = tensors.from_bytes(start.read_bytes(), str(start))["0/0/w"][0]  # parameters, first layer, first network
    card = training_card(
        run.epochs(),
        dataset.test_images[..., 0],
        dataset.test_labels,
        found.probabilities,
        dataset.class_names,
        np.asarray(model.network[0][0]["w"]) - before,
        title="Fashion-MNIST: 784-128-64-10, 109,386 parameters",
        subtitle=f"Plain SGD at 0.01. The first network gets {percent(found.accuracy)} of 10,000 test images right.",
        weights_title="What training changed in its first layer",
    )
    save(card, file, overwrite=True)


def write_tables(results: dict[str, Any], root: Path) -> None:
    """Write the tables in README.md, docs/RESULTS.md and the models' README, and draw the chart of all recipes."""
    tables = {
        root / "README.md": ("results", accuracy_table(results)),
        root / "docs" / "RESULTS.md": ("results", whole(results)),
        root / "jaxquard" / "models" / "README.md": ("models", model_table(results)),
    }
    for page, (name, text) in tables.items():
        page.write_text(replace_section(page.read_text(encoding="utf-8"), name, text), encoding="utf-8")
    rows = [
        {"name": name, "values": [100 * value for value in entry["test_accuracy"]["values"]]}
        for name, entry in reversed(ranked(results))
        if entry["test_accuracy"]["mean"] >= DRAWN_FROM
    ]
    title, below = "Test accuracy of every recipe", f"Methods with less than {percent(DRAWN_FROM, 0)} are in the table."
    chart = dot_plot(rows, title=title, x_title="test accuracy (%)", subtitle=below, digits=2)
    save(chart, root / "docs" / "results" / "recipes.svg", overwrite=True)


def whole(results: dict[str, Any]) -> str:
    """The text of docs/RESULTS.md: the table, its chart, and each recipe's details."""
    return f"{accuracy_table(results)}\n\n![Test accuracy of every recipe](results/recipes.svg)\n{details(results)}"


def ranked(results: dict[str, Any]) -> list[tuple[str, Any]]:
    """The recipes by their accuracy, lowest first."""
    return sorted(results.items(), key=lambda item: item[1]["test_accuracy"]["mean"])


def accuracy_table(results: dict[str, Any]) -> str:
    """The table of results, with one line per method: mean ± std over seeds, the time, and whether the goal was met."""
    lines = [
        "| method | parameters | test accuracy | over views | n | seconds of training | to beat | goal | met |",
        "|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name, entry in ranked(results):
        parameters = f"{entry['parameters']:,}" if entry["parameters"] else "–"
        beats = f"{100 * entry['beats']:.2f} %" if entry["beats"] else "–"
        goal = f"≥ {100 * entry['goal']:.4g} %" if entry["goal"] else "–"
        met = {True: "yes", False: "**no**", None: "–"}[entry["met"]]
        figures = (mean_and_std(entry["test_accuracy"]), mean_and_std(entry["tta"]))
        cells = (f"`{name}`", parameters, *figures, str(entry["n"]), f"{entry['seconds']:.1f}")
        lines.append(f"| {' | '.join((*cells, beats, goal, met))} |")
    return "\n".join(lines)


def model_table(results: dict[str, Any]) -> str:
    """The table of the package's models. The figures are those of the networks in the files."""
    lines = ["| model | what it is | parameters | test accuracy | calibration error |", "|---|---|--:|--:|--:|"]
    for name in [name for name in SHIPPED if name in results]:
        first, recipe = results[name]["first_network"], recipes.find(name)
        figures = (
            f"{results[name]['parameters']:,}",
            percent(first["accuracy"], 2),
            percent(first["calibration_error"]),
        )
        lines.append(f"| `{name}` | {recipe.purpose} | {' | '.join(figures)} |")
    return "\n".join(lines)


def mean_and_std(figures: dict[str, Any] | None) -> str:
    """Mean ± standard deviation in percent; only the mean for a single value."""
    if figures is None:
        return "–"
    mean, std = 100 * figures["mean"], 100 * figures["std"]
    return f"{mean:.2f} ± {std:.2f} %" if len(figures["values"]) > 1 else f"{mean:.2f} %"


def details(results: dict[str, Any]) -> str:
    """For each recipe: its command, its charts, and its first network's figures by class."""
    parts = []
    for name, entry in results.items():
        if "first_network" not in entry:
            continue  # a baseline
        first, curve = entry["first_network"], recipes.find(name).config.epochs > 1  # one epoch is only a point
        parts += [
            f"\n## `{name}`: {entry['class']}\n",
            f"`{entry['command']}` on {entry['device']}; seeds {entry['seeds'][0]}–{entry['seeds'][-1]}, last epoch; "
            f"evaluations of these networks on the test set: {entry['test_evaluations']}.\n",
            *([f"![Training accuracy by epoch](results/{name}-curves.svg)\n"] if curve else []),
            f"The first network: loss {first['loss']:.4f}, calibration error {percent(first['calibration_error'])}.\n",
            "| class | precision | recall |\n|---|--:|--:|",
            *(f"| {c['class']} | {percent(c['precision'])} | {percent(c['recall'])} |" for c in first["per_class"]),
            f"\n![What is taken for what](results/{name}-confusion.svg)\n",
            f"![Confidence and accuracy](results/{name}-calibration.svg)\n",
            f"![Where it was surest, and wrong](results/{name}-mistakes.svg)",
        ]
    return "\n".join(parts)


def percent(share: float | None, digits: int = 1) -> str:
    """A share in percent."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


if __name__ == "__main__":
    app()
