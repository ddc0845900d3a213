"""A network as a folder for the Hugging Face Hub: the weights, an ONNX graph, config.json and a model card.

The header of the card is YAML. Each of its values is written as JSON, which is also YAML.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from jaxquard.calibration import wilson
from jaxquard.data.oddities import shortened
from jaxquard.errors import UsageError
from jaxquard.exporting import facts, onnx, safetensors
from jaxquard.exporting.facts import Recorded
from jaxquard.naming import counted, visible
from jaxquard.runs.environment import trained_on
from jaxquard.runs.models import FORMAT, TrainedModel, unfinished

WORST = 5  # classes in the card
PROGRAMS = ("Jaxquard", "JAX", "Python")
LICENCES = """
    afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0
    cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 cdla-sharing-1.0 ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 gfdl gpl gpl-2.0 gpl-3.0
    isc lgpl lgpl-2.1 lgpl-3.0 mit mpl-2.0 ms-pl odbl odc-by ofl-1.1 openrail osl-3.0 pddl postgresql unknown unlicense
    wtfpl zlib
"""  # the Hub's identifiers; any other licence is "other" there, with a name


def content(model: TrainedModel, licence: str | None = None) -> dict[str, bytes]:
    """The files. licence: an identifier; default: that of the data, or unknown. UsageError if it is none."""
    licence = (facts.licence(model) if licence is None else licence).lower()
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,59}", licence):
        raise UsageError(
            "licence: must be an identifier of at most 60 letters, digits, '.' and '-', such as mit or cc-by-4.0"
        )
    return {
        "README.md": _card(model, licence).encode(),
        "config.json": (json.dumps(_config(model), indent=2) + "\n").encode(),
        "model.onnx": onnx.content(model),
        "model.safetensors": safetensors.content(model),
    }


def _config(model: TrainedModel) -> dict[str, Any]:
    """What the network is, and what its inputs and outputs mean."""
    names, config = model.class_names, model.config
    return {
        "library_name": "jaxquard",
        "format": FORMAT,
        "model": config.model,
        **config.architecture(),
        "activation": config.activation,
        "networks": model.networks,
        "id2label": dict(enumerate(names)),
        "label2id": {name: k for k, name in enumerate(names)},
        **onnx.described(model),
    }


def _card(model: TrainedModel, licence: str) -> str:
    """The model card."""
    found = facts.recorded_evaluation(model)
    header = "\n".join(
        f"{key}: {json.dumps(v, ensure_ascii=False)}" for key, v in _header(model, licence, found).items()
    )
    sections = {
        "Use": _use(model),
        "Results": _results(model, found),
        "What it does badly": _weaknesses(model, found),
        "How it was trained": _training(model),
        "Licence": _licences(model, licence),
    }
    text = "\n\n".join(f"## {title}\n\n{said}" for title, said in sections.items())
    return f"---\n{header}\n---\n\n# {_escaped(model.name)}\n\n{_what_it_is(model)}\n\n{text}\n"


def _header(model: TrainedModel, licence: str, found: Recorded | None) -> dict[str, Any]:
    header: dict[str, Any] = {"license": licence}
    if licence not in LICENCES.split():
        header = {"license": "other", "license_name": licence}
    header |= {"library_name": "jaxquard", "pipeline_tag": "image-classification"}
    header |= {"tags": ["image-classification", "jax", "jaxquard", "onnx"]}
    known = facts.known_data(model)
    if known and known.hub:
        header["datasets"] = [known.hub]
    if found:
        interval = f"{found.low:.4f} to {found.high:.4f}"
        name = f"accuracy on {found.n:,} images; 95 % interval {interval} (Wilson)"
        dataset = {
            "type": (known and known.hub) or visible(model.dataset["name"]),
            "name": facts.data_title(model),
            "split": "test",
        }
        metrics = [{"type": "accuracy", "value": round(found.accuracy, 6), "name": name}]
        result = {"task": {"type": "image-classification"}, "dataset": dataset, "metrics": metrics}
        header |= {"metrics": ["accuracy"], "model-index": [{"name": visible(model.name), "results": [result]}]}
    return header


def _what_it_is(model: TrainedModel) -> str:
    """The network, its images and its classes."""
    classes = shortened(map(_escaped, model.class_names), 50)
    lacks = f"\n\nNote: {_escaped(note)}." if (note := unfinished([model])) else ""
    return (
        f"{facts.network(model)}, trained with Jaxquard. It takes images ({_images(model)}) and gives the probability "
        f"of each of {len(model.class_names)} classes: {classes}.{lacks}"
    )


def _images(model: TrainedModel) -> str:
    """What its images are."""
    height, width, channels = model.image_shape
    said, framing = f"{height}×{width} pixels, {'grey' if channels == 1 else 'in colour'}", model.framing
    if framing.stands_out and framing.background != "both":
        said += f", an object on a {framing.background} background"
    return said


def _use(model: TrainedModel) -> str:
    floats = model.dataset.get("value_range")
    kind = "float32" if floats else "uint8"
    black, white = floats or (0, model.dataset.get("scaled_from", 255))
    return f"""\
`model.onnx` takes the images as they are: {kind}, (n, height, width, channels), {black:g} is black, {white:g} is white.

```python
import json

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
images = np.zeros({(2, *model.image_shape)}, np.{kind})
(probabilities,) = session.run(None, {{"images": images}})
print([names[k] for k in probabilities.argmax(axis=1)])
```

`model.safetensors` has the weights, for Jaxquard: `jaxquard predict model.safetensors PICTURE` makes an image like
the training images of a picture, and classifies it. `config.json` has the classes and the meaning of the pixels."""


def _results(model: TrainedModel, found: Recorded | None) -> str:
    """The recorded evaluation on the test images."""
    if not found:
        return "No evaluation of this network on test images was recorded, so its accuracy is not known."
    looks = len(model.run.evaluations()) if model.run else 1
    said = [
        f"Of the {found.n:,} test images of {_escaped(facts.data_title(model))}, {_percent(found.accuracy)} are",
        f"classified correctly (95 % interval: {_percent(found.low)} to {_percent(found.high)}, Wilson).",
        f"The mean loss is {found.loss:.4f} nats.",
        f"The run has {looks} evaluations on test images." if looks > 1 else "",
    ]
    return " ".join(filter(None, said))


def _weaknesses(model: TrainedModel, found: Recorded | None) -> str:
    """Where to expect wrong answers: as recorded, and in general."""
    said = [
        "It knows no other classes: it gives one of them to every picture, also to a picture of something else.",
        f"It is made for pictures like the training images: {_images(model)}. Expect more mistakes on other pictures.",
    ]
    if found and found.calibration_error is not None:
        said.append(f"The expected calibration error of its probabilities is {_percent(found.calibration_error)}.")
    else:
        said.append("It was not recorded how far its probabilities can be trusted (calibration).")
    lines = [f"- {one}" for one in said]
    if not found or not found.matrix:
        return "\n".join([*lines, "- It was not recorded which classes it confuses."])
    heads = ("worst classes", "test images", "classified correctly", "95 % interval", "most often taken for")
    rows = _worst_classes(np.array(found.matrix), [_escaped(name) for name in model.class_names])
    return "\n".join([*lines, "", *_table(heads, rows)])


def _worst_classes(counts: np.ndarray, names: list[str]) -> Iterator[list[str]]:
    """For each class with the lowest recall: its cells of the table."""
    totals, right = counts.sum(axis=1), counts.diagonal()
    wrong = counts - np.diag(right)
    order = np.argsort(right / np.maximum(totals, 1), kind="stable")
    for k in order[totals[order] > 0][:WORST].tolist():
        n, correct, other = int(totals[k]), int(right[k]), int(wrong[k].argmax())
        interval = " to ".join(map(_percent, wilson(correct, n)))
        taken = f"{names[other]} ({wrong[k, other]:,})" if correct < n else "–"
        yield [names[k], f"{n:,}", _percent(correct / n), interval, taken]


def _training(model: TrainedModel) -> str:
    """The data, the seeds, the versions and the settings."""
    config, data = model.config, model.dataset
    seeds = sorted({one.seed for one in config.networks()})
    said = [
        f"Data: {facts.data_title(model)}, {trained_on(config, data):,} of {data['train']:,} training images",
        f"Seed: {seeds[0]}" if len(seeds) == 1 else f"Seeds: {seeds[0]} to {seeds[-1]}",
    ]
    if model.run:
        said.append(f"Updates: {model.step:,}, in {counted(model.epoch or 0, 'pass')} over the training images")
        versions = ", ".join(f"{name} {model.run.environment.get(name.lower(), '?')}" for name in PROGRAMS)
        day = datetime.fromtimestamp(model.run.started).astimezone()
        said.append(f"Started on {day:%Y-%m-%d} with {versions}, on {model.run.environment.get('processor', '?')}")
    lines = [f"- {_escaped(one)}." for one in said]
    if rows := [
        [f"`{name}`", _escaped(value), help] for name, value, help in facts.settings(config) if "seed" not in name
    ]:
        lines += ["", "Settings that differ from the defaults:", "", *_table(("setting", "value", "meaning"), rows)]
    if hashes := [[_escaped(str(name)), _escaped(str(value))] for name, value in data["sha256"].items()]:
        lines += ["", *_table(("array of the data", "SHA-256"), hashes)]
    return "\n".join(lines)


def _licences(model: TrainedModel, licence: str) -> str:
    if licence == "unknown":
        return f"No licence was given for the training data, {_escaped(facts.data_title(model))}."
    return f"{_escaped(licence)}, the licence of the training data, {_escaped(facts.data_title(model))}."


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def _percent(share: float) -> str:
    return f"{share:.2%}".replace("%", " %")


def _escaped(text: str) -> str:
    """Text from strangers in Markdown: it is shown as it is. GitHub's dialect links bare addresses, too."""
    return re.sub(r"(?i)([\\`*_\[\]<>|~&$#!]|:(?=//)|(?<=www)\.)", r"\\\1", visible(text))
