"""What each neuron of a network answers to: its weights, and the images that excite it most."""

from typing import Any, NamedTuple

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard.charts.pictures import data_uri, scale_sentence, signed
from jaxquard.data.dataset import shuffled
from jaxquard.studio.eyes import BUDGET, labelled, make_eyes
from jaxquard.studio.judging import evaluation
from jaxquard.studio.models import Part, Subject, answer, index_of
from jaxquard.studio.weights import as_pixels
from jaxquard.training import steps
from jaxquard.training.evaluation import all_logits
from jaxquard.training.fit import plain

EXCITING, INCOMING = 9, 10


class Exciting(NamedTuple):
    """For each unit of a layer: the images that excite it most and how much, (EXCITING, units); whether it is dead
    for all of them (units,); and how many were looked at."""

    indices: np.ndarray
    activations: np.ndarray
    dead: np.ndarray
    seen: int


def exciting(subject: Subject, on: str, k: int) -> Exciting:
    """What the units of layer k answer to."""
    subject.once(evaluation, on)  # which puts on record that test images were looked at
    images, units = subject.part(on).images, layer_units(subject)[k]
    some = np.sort(shuffled(len(images))[: max(1, BUDGET // (2 * units))])
    eyes = make_eyes(subject.task)
    found = all_logits(lambda x: eyes.answers(*subject.model.network, x, k), images[some])
    activations, dead = found[:, :units], found[:, units:]
    best = np.argsort(-activations, axis=0, kind="stable")[:EXCITING]
    return Exciting(some[best], np.take_along_axis(activations, best, axis=0), np.asarray(dead.all(axis=0)), len(some))


def layer_units(subject: Subject) -> list[int]:
    """How many units, or channels, each layer has."""
    return [np.shape(layer["w"])[-1] for layer in subject.model.network[0]]


def neuron(subject: Subject, on: str, k: int, unit: int) -> dict[str, Any]:
    """One unit of layer k: its weights, and the images that excite it most."""
    part, found = subject.part(on), subject.once(exciting, on, k)
    w = np.asarray(subject.model.network[0][k]["w"])[..., unit]
    pairs = zip(found.indices[:, unit], plain(found.activations[:, unit]), strict=True)
    return {
        "layer": str(k),
        "unit": unit,
        "weights": weight_picture(subject.task, w) if k == 0 else None,
        "incoming": incoming(w) if k > 0 else None,
        "exciting": [labelled(subject, index, part) | {"activation": activation} for index, activation in pairs],
        "dead": bool(found.dead[unit]),
        "sentence": _neuron_sentence(found, part, unit, w.ndim > 1),
    }


def _neuron_sentence(found: Exciting, part: Part, unit: int, channel: bool) -> str:
    of = f"{found.seen:,} of " if found.seen < len(part.labels) else ""
    said = f"Those that excite it most, of {of}{part.said}"
    if channel:
        said += " The activation of a channel is its mean over all positions."
    if found.dead[unit]:
        said += " It is dead: whatever the image, its activation does not change with its input, so it cannot learn."
    return said


def weight_picture(task: steps.Task, w: np.ndarray) -> dict[str, str]:
    """The weights with which a unit of the first layer sees the image, colours averaged."""
    pixels = as_pixels(w[..., None], task.image_shape, task.config.stem)[..., 0]
    (picture,), limit = signed(pixels.mean(axis=-1)[None])
    return {"png": data_uri(picture), "sentence": scale_sentence(limit)}


def incoming(w: np.ndarray) -> list[dict[str, Any]]:
    """A unit's strongest weights (in,) and the units they come from; of a kernel (rows, columns, in), their sums."""
    weights = w.reshape(-1, w.shape[-1]).sum(axis=0)
    strongest = np.argsort(-np.abs(weights), kind="stable")[:INCOMING]
    return [{"unit": int(unit), "weight": plain(weights[unit])} for unit in strongest]


async def get_neurons(request: Request) -> JSONResponse:
    """GET /api/models/M/neurons."""

    def look(subject: Subject, on: str) -> dict[str, Any]:
        return {"layers": [{"name": str(k), "units": units} for k, units in enumerate(layer_units(subject))]}

    return await answer(request, look)


async def get_neuron(request: Request) -> JSONResponse:
    """GET /api/models/M/neurons/L/U."""

    def look(subject: Subject, on: str) -> dict[str, Any]:
        units = layer_units(subject)
        k = index_of(request.path_params["layer"], len(units), "layer")
        return neuron(subject, on, k, index_of(request.path_params["unit"], units[k], "unit"))

    return await answer(request, look)


routes = [
    Route("/api/models/{model}/neurons", get_neurons),
    Route("/api/models/{model}/neurons/{layer}/{unit}", get_neuron),
]
