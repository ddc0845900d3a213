"""A network as one page for a browser: try it, see what its layers make of a picture, and how it learned.

The page needs no network connection. Its content-security policy allows its own style and script, by their hashes, and
nothing else.
"""

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Callable
from datetime import datetime
from importlib import resources
from string import Template
from typing import Any

import numpy as np

from jaxquard import recipes
from jaxquard.data import oddities
from jaxquard.errors import DataError, RunError
from jaxquard.exporting import facts
from jaxquard.exporting.facts import Recorded
from jaxquard.naming import visible
from jaxquard.runs.directory import Run
from jaxquard.runs.environment import trained_on
from jaxquard.runs.evaluating import Evaluations
from jaxquard.runs.models import TrainedModel, file_content, unfinished

WEB, PAGE = ("dom", "network", "picture", "sheet"), ("words", "layers", "figures", "page")  # modules, in order
SAMPLES, MISTAKES = 20, 10  # images of the test set in a page, at most


def content(model: TrainedModel, with_images: Callable[[], Evaluations] | None = None) -> bytes:
    """The page. with_images: evaluates the model on its test set; the page then shows some of these images."""
    page, web = resources.files("jaxquard.exporting") / "page", resources.files("jaxquard") / "web"
    files = {name: web / f"{name}.js" for name in WEB} | {name: page / f"{name}.js" for name in PAGE}
    program = bundle({name: file.read_text(encoding="utf-8") for name, file in files.items()})
    style = "".join(file.read_text(encoding="utf-8") for file in (web / "colours.css", page / "page.css"))
    weights = file_content(model)
    samples = _samples(with_images()) if with_images else None  # first: it is recorded
    tested = facts.recorded_evaluation(model)
    about = _facts(model, tested, weights) | {"samples": samples, "licence": samples and _images_of(model)}
    parts = {
        "policy": _policy(style, program),
        "title": html.escape(visible(model.name)),
        "lead": html.escape(_lead(model, tested)),
        "style": style,
        "facts": json.dumps(about).replace("<", "\\u003c"),
        "weights": base64.b64encode(weights).decode(),
        "program": program,
    }
    return Template((page / "page.html").read_text(encoding="utf-8")).substitute(parts).encode()


def note(model: TrainedModel, with_images: object = None) -> str:
    """A note on the images that the page has; "" if it has none."""
    return f"the page has {_images_of(model)}" if with_images else ""


def _images_of(model: TrainedModel) -> str:
    return f"images of the test set of {facts.data_title(model)} (licence: {facts.licence(model)})"


def bundle(modules: dict[str, str]) -> str:
    """ES modules by name as one classic script, since a page from the disk cannot import modules.

    Each becomes a function that returns its exports. A module may import those before it, by lines like IMPORT.
    ValueError for any other import or export.
    """
    done: list[str] = []
    for name, text in modules.items():
        lines, exports = [], []
        for line in text.splitlines():
            if (found := IMPORT.fullmatch(line)) and found[2] in modules and len(done) > list(modules).index(found[2]):
                line = f"const {{ {found[1]} }} = module_{found[2]};"
            elif found := EXPORT.match(line):
                exports.append(found[1])
                line = line.removeprefix("export ")
            elif re.match(r"\s*(import|export)\b", line):
                raise ValueError(f"{name}.js: cannot be put into a page: {line}")
            lines.append(line)
        body = "\n".join(lines)
        done.append(f"const module_{name} = (() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})();\n")
    program = '"use strict";\n' + "".join(done)
    if re.search("</script|<!--", program, re.IGNORECASE):
        raise ValueError("a script in a page must not contain </script or <!--")
    return program


IMPORT = re.compile(r'import \{ ([\w, ]+) \} from "[./]+(?:web/)?(\w+)\.js";')
EXPORT = re.compile(r"export (?:async )?(?:function|const|class) (\w+)")


def _policy(style: str, program: str) -> str:
    """A content-security policy that allows this style and this script, and a worker made of it."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (program, style))
    script, css = (f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src {script}; style-src {css}; worker-src blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _lead(model: TrainedModel, tested: Recorded | None) -> str:
    """What the network is, in two sentences."""
    height, width, channels = model.image_shape
    images = f"{trained_on(model.config, model.dataset):,} images of {height}\u00a0×\u00a0{width} pixels"
    data = f"{images}{' in colour' if channels == 3 else ''} ({facts.data_title(model)})"
    said = f"{facts.network(model)}, trained on {data} to tell {len(model.class_names)} classes apart."
    if tested:
        said += f" It classifies {100 * tested.accuracy:.1f} % of {tested.n:,} test images correctly."
    return said


def _facts(model: TrainedModel, tested: Recorded | None, weights: bytes) -> dict[str, Any]:
    """What the page shows besides the network, as plain data."""
    curves = _curves(model)
    return {
        "name": visible(model.name),
        "tested": tested and vars(tested),
        "test_note": "" if tested and tested.matrix else _test_note(model, tested),
        "curves": curves or None,
        "curve_note": "" if curves else _curve_note(model),
        "lacks": unfinished([model]),
        "training": _training(model),
        "hashes": [
            *((str(name).replace("_", " "), str(value)) for name, value in model.dataset["sha256"].items()),
            ("weights", hashlib.sha256(weights).hexdigest()),
        ],
        "settings": facts.settings(model.config),
    }


def _test_note(model: TrainedModel, tested: Recorded | None) -> str:
    missing = "confusion matrix" if tested else "evaluation on test images"
    if not model.run:
        return f"This network comes from a file, which has no {missing}."
    return f"Its run has recorded no {missing}; jaxquard evaluate {model.name} records one."


def _curves(model: TrainedModel) -> dict[str, Any]:
    """For each metric and part of the data, [epoch, mean, lowest, highest] of each epoch, over the model's networks.

    The last two are None for one network. {} without a journal.
    """
    if (run := model.run) is None:
        return {}
    lines, names = run.epochs(), run.network_names()
    numbers = [names.index(model.name)] if model.name in names else sorted({*range(len(names))} - run.diverged())
    found: dict[str, Any] = {}
    for metric in ("accuracy", "loss"):
        for split, title in (("val", "validation"), ("train", "training")):
            points = [_point(run, line, f"{split}_{metric}", numbers) for line in lines if f"{split}_{metric}" in line]
            if points:
                found.setdefault(metric, {})[title] = points
    return found


def _point(run: Run, line: dict[str, Any], figure: str, numbers: list[int]) -> list[Any]:
    values = line[figure] or []
    if numbers[-1] >= len(values):
        raise RunError(f"{run.journal_file}: {figure} of epoch {line['epoch']} is damaged")
    sound = [values[k] for k in numbers if values[k] is not None and math.isfinite(values[k])]
    ends = [min(sound), max(sound)] if len(numbers) > 1 and sound else [None, None]
    return [line["epoch"], math.fsum(sound) / len(sound) if sound else None, *ends]


def _curve_note(model: TrainedModel) -> str:
    if model.run:
        return "Its run has no finished epoch yet."
    recipe = facts.shipped_as(model)
    if not recipe or not (result := recipes.results().get(recipe)):
        return "This network comes from a file, which has no journal of its training."
    mean, std = (100 * result["test_accuracy"][name] for name in ("mean", "std"))
    return (
        f"This network comes with Jaxquard, without the journal of its training. {result['command']} trains "
        f"{result['n']} such networks. Ours classified {mean:.2f} ± {std:.2f} % of the test images correctly."
    )


def _training(model: TrainedModel) -> list[tuple[str, str]]:
    """Facts of the training: terms and their descriptions."""
    config, data, run = model.config, model.dataset, model.run
    learned, parts = trained_on(config, data), f"{data['test']:,} to test it"
    if held_out := data["train"] - learned or data.get("validation", 0):
        parts = f"{held_out:,} held out, {parts}"
    rows = [("Data", f"{facts.data_title(model)}: {learned:,} images to learn from, {parts}")]
    rows.append(("Epochs", _epochs(model)))
    rows.append(("Seed", ", ".join(str(seed) for seed in dict.fromkeys(one.seed for one in config.networks()))))
    if run:
        made, seconds = run.environment, sum(line.get("seconds", 0.0) for line in run.epochs())
        day, networks = datetime.fromtimestamp(run.started), len(run.network_names())
        together = f", {networks} networks together" if networks > 1 else ""
        took = f"in {seconds:,.1f} seconds" if seconds >= 0.05 else "in less than 0.1 seconds"
        rows.append(("Trained", f"{day.day} {day:%B %Y}{f', {took}' if seconds else ''}{together}"))
        names = {"processor": "", "jaxquard": "Jaxquard ", "jax": "JAX ", "python": "Python "}
        rows.append(("With", ", ".join(f"{said}{made[name]}" for name, said in names.items() if name in made)))
    return rows


def _epochs(model: TrainedModel) -> str:
    """How many epochs its weights have seen. A weights file does not say whether the training was finished."""
    if model.run is None:
        return f"{'' if facts.shipped_as(model) else 'at most '}{model.config.epochs}"
    return f"{model.epoch} of {model.config.epochs}" if model.run.shortfall() else f"{model.epoch}"


def _samples(found: Evaluations) -> list[dict[str, Any]]:
    """Images of the test set: the first of each class, then the surest mistakes. DataError for other data."""
    model, dataset, (one,) = found.models[0], found.dataset, found
    if found.on_other_data:
        raise DataError(f"{model.name} was trained on other data than {dataset.name} now holds")
    firsts = [np.flatnonzero(dataset.test_labels == k)[:1] for k in range(len(model.class_names))]
    chosen = [(k, False) for k in np.concatenate(firsts)[:SAMPLES]] + [(k, True) for k in one.mistakes[:MISTAKES]]
    samples: list[dict[str, Any]] = []
    for k, is_mistake in chosen:
        image = base64.b64encode(oddities.as_bytes(dataset.test_images[k]).tobytes()).decode()
        samples.append({"label": int(dataset.test_labels[k]), "image": image})
        if is_mistake:
            samples[-1]["taken"] = int(one.probabilities[k].argmax())
    return samples
