"""What a network sees: images held out of its training, and the way of one through it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard.charts.pictures import data_uri, scale_sentence, signed
from jaxquard.errors import UsageError
from jaxquard.studio.eyes import BUDGET, features, labelled, learned_from, make_eyes
from jaxquard.studio.judging import Verdicts, evaluation, verdicts
from jaxquard.studio.models import Subject, answer, index_of, learned
from jaxquard.training.fit import plain

PAGE = 200  # images in one answer
SHOWN_UNITS, SHOWN_CHANNELS = 256, 64
NEIGHBOURS = 8
SEARCHED = {"mlp": 60_000, "cnn": 10_000}  # training images among which neighbours are sought: seconds, not a minute


def choose(
    given: Verdicts,
    labels: np.ndarray,
    *,
    true: int | None = None,
    predicted: int | None = None,
    correct: bool | None = None,
    low: float = 0.0,
    high: float = 1.0,
    order: str = "index",
) -> np.ndarray:
    """The indices of the images that all conditions hold for; `order`: index, confidence or -confidence."""
    keep = (low <= given.confidence) & (given.confidence <= high)
    for wanted, found in ((true, labels), (predicted, given.predicted), (correct, given.right)):
        if wanted is not None:
            keep &= found == wanted
    keys = {"index": labels * 0, "confidence": given.confidence, "-confidence": -given.confidence}
    ranked = np.argsort(keys[order], kind="stable")
    return ranked[keep[ranked]]


def read_filters(query: Mapping[str, str], names: Sequence[str]) -> dict[str, Any]:
    """The arguments of `choose` from those of an address; what is absent or empty is anything."""
    found: dict[str, Any] = {"low": _number(query, "min", 0), "high": _number(query, "max", 1)}
    choices = {
        "true": names,
        "predicted": names,
        "correct": ("0", "1"),
        "order": ("index", "confidence", "-confidence"),
    }
    for name, allowed in choices.items():
        if value := query.get(name):
            if value not in allowed:
                raise UsageError(f"{name}: one of {', '.join(allowed)}")
            found[name] = value if name == "order" else list(allowed).index(value)
    return found


def _number(query: Mapping[str, str], name: str, default: float) -> float:
    try:
        number = float(query.get(name) or default)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{name}: must be a number")
    return number


def gallery(subject: Subject, on: str, query: Mapping[str, str]) -> dict[str, Any]:
    """A page of the images that an address asks for, and how many there are in all."""
    given, names, part = subject.once(verdicts, on), subject.model.class_names, subject.part(on)
    found = choose(given, part.labels, **read_filters(query, names))
    first, count = int(max(0, _number(query, "offset", 0))), int(max(0, _number(query, "limit", 50)))
    images = [
        {
            **labelled(subject, index, part),
            "predicted": name_of(names, int(given.predicted[index])),
            "confidence": float(given.confidence[index]),
        }
        for index in found[first : first + min(count, PAGE)]
    ]
    return {"total": len(found), "images": images}


def name_of(names: Sequence[str], k: int) -> str | None:
    """The name of class k; None for -1, no class at all."""
    return names[k] if k >= 0 else None


def journey(subject: Subject, on: str, index: int) -> dict[str, Any]:
    """One image's way through the network: each layer, softmax in numbers, which pixels matter, its neighbours."""
    subject.once(evaluation, on)  # which puts on record that test images were looked at
    part = subject.part(on)
    model, eyes, image = subject.model, make_eyes(subject.task), part.images[index]
    _, *layers = (np.asarray(a[0], np.float64) for a in eyes.layers(*model.network, jnp.asarray(image[None])))
    worked = worked_out(layers[-1], model.class_names)
    k = int(layers[-1].argmax()) if np.isfinite(layers[-1]).all() else -1
    return {
        **labelled(subject, index, part),
        "predicted": name_of(model.class_names, k),
        "confidence": worked["softmax"][k]["probability"] if k >= 0 else 0.0,
        "layers": [layer_document(str(number), a) for number, a in enumerate(layers)],
        **worked,
        "saliency": saliency(subject, image, max(k, 0)),
        "neighbours": neighbours(subject, image, None if part.indices is None else part.indices[index]),
        "searched": len(subject.once(memory).indices),
    }


def layer_document(name: str, a: np.ndarray) -> dict[str, Any]:
    """A layer's activations for one image: (units,) as numbers, (h, w, channels) as pictures on one scale of colour."""
    colours, limit = signed(np.moveaxis(a, -1, 0))
    return {
        "name": name,
        "shape": a.shape,
        "units": a.shape[-1],
        "values": plain(a[:SHOWN_UNITS]) if a.ndim == 1 else None,
        "channels": [data_uri(one) for one in colours[:SHOWN_CHANNELS]] if a.ndim > 1 else None,
        "limit": limit,
        "sentence": scale_sentence(limit),
    }


def worked_out(logits: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Softmax step by step: e^(logit - the largest) of each class, and its share of their sum."""
    with np.errstate(invalid="ignore"):  # logits of a network that diverged
        exps = np.exp(logits - logits.max())
        columns = zip(names, plain(logits), plain(exps), plain(exps / exps.sum()), strict=True)
    rows = [dict(zip(("class", "logit", "exp", "probability"), row, strict=True)) for row in columns]
    return {"softmax": rows, "largest": plain(logits.max()), "sum": plain(exps.sum())}


def saliency(subject: Subject, image: np.ndarray, k: int) -> dict[str, Any]:
    """Gradient × input for class k, as a picture."""
    found = make_eyes(subject.task).gradient_times_input(*subject.model.network, image, k)
    (picture,), limit = signed(np.asarray(found)[None])
    said = (
        f"How much each pixel speaks for “{subject.model.class_names[k]}” (orange) or against it (blue): the slope of "
        f"its logit in that pixel, times the pixel. Full colour at ±{limit:.2g}; black pixels have no say."
    )
    return {"png": data_uri(picture), "limit": limit, "name": "gradient × input", "sentence": said}


class Memory(NamedTuple):
    """Training images as the last layer receives them: their indices in the data set (n,), and (n, units) float32."""

    indices: np.ndarray
    features: np.ndarray


def memory(subject: Subject) -> Memory:
    """What the model remembers: some of the images that it learned from, as many as SEARCHED and BUDGET allow."""
    units = np.shape(subject.model.network[0][-1]["w"])[0]
    most = min(SEARCHED[subject.model.config.model], BUDGET // units)
    indices = learned(subject, most)
    return Memory(indices, features(subject, subject.dataset.train_images[indices]))


def nearest(known: np.ndarray, one: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of `known` (n, units) are nearest to `one` (units,), nearest first, and their Euclidean distances."""
    distances = np.linalg.norm(known - one, axis=1)
    order = np.argsort(distances, kind="stable")[:count]
    return order, distances[order]


def neighbours(subject: Subject, image: np.ndarray, itself: int | None = None) -> list[dict[str, Any]]:
    """The training images, but for the one of number `itself`, that look most like this one to the last layer."""
    known = subject.once(memory)
    order, distances = nearest(known.features, features(subject, image[None])[0], NEIGHBOURS + 1)
    found = zip(known.indices[order], plain(distances), strict=True)
    others = [(index, distance) for index, distance in found if index != itself][:NEIGHBOURS]
    return [learned_from(subject, index) | {"distance": distance} for index, distance in others]


async def get_images(request: Request) -> JSONResponse:
    """GET /api/models/M/images?true=&predicted=&correct=&min=&max=&order=&offset=&limit=."""
    return await answer(request, lambda subject, on: gallery(subject, on, request.query_params))


async def get_image(request: Request) -> JSONResponse:
    """GET /api/models/M/images/I."""

    def look(subject: Subject, on: str) -> dict[str, Any]:
        return journey(subject, on, index_of(request.path_params["image"], len(subject.part(on).labels), "image"))

    return await answer(request, look)


routes = [
    Route("/api/models/{model}/images", get_images),
    Route("/api/models/{model}/images/{image}", get_image),
]
