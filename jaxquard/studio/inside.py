"""The Inside view: held-out images, the way of one of them through a network, and what single neurons react to."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from starlette.requests import Request

from jaxquard.charts.pictures import data_uri, scale_sentence, signed
from jaxquard.data.dataset import shuffled
from jaxquard.errors import UsageError
from jaxquard.nn.activations import ACTIVATIONS
from jaxquard.nn.model import Params, State, named_arrays, pre_activations
from jaxquard.strict_json import plain
from jaxquard.studio.learn import as_pixels, pixel_block
from jaxquard.studio.mistakes import Verdicts, evaluation, verdicts
from jaxquard.studio.models import Part, Subject, index_of, learned, route
from jaxquard.training.diagnosis import dead_share
from jaxquard.training.evaluation import all_logits
from jaxquard.training.task import ModelSpec, make_model

PAGE = 200  # images in one answer
SHOWN_UNITS, SHOWN_CHANNELS = 256, 64
NEIGHBOURS = 8
SEARCHED, SEARCHED_BY_CONVOLUTION = 60_000, 10_000  # training images searched for neighbours: seconds, not a minute
EXCITING, INCOMING = 9, 10
BUDGET = 2**23  # numbers kept of one layer (32 MB): as many images are looked at as fit


class Eyes(NamedTuple):
    """Compiled ways of looking into networks of one kind, each `(params, state, ...)`.

    `layers(…, images)`: what each layer hands on, the pixels (n, h·w·c) in [0, 1] first, the logits last.
    `features(…, images)`: what the last layer receives, (n, units).
    `answers(…, images, k)`: (n, 2·units), the activations of layer k and, beside them, 1 where a unit is dead
    for an image. Of a channel, both are taken over all positions, the activation being their mean.
    `gradient_times_input(…, image, k)`: how much each pixel (h, w) speaks for class k.
    """

    layers: Callable[..., list[jax.Array]]
    features: Callable[..., jax.Array]
    answers: Callable[..., jax.Array]
    gradient_times_input: Callable[..., jax.Array]


@functools.lru_cache(maxsize=16)
def make_eyes(spec: ModelSpec) -> Eyes:
    """The eyes for networks of one kind, each compiled when it is first used."""
    model = make_model(spec)
    activations = [ACTIVATIONS[name] for name in model.activations]

    def layers(params: Params, state: State, images: jax.Array) -> list[jax.Array]:
        zs = pre_activations(model, params, state, images).values()
        return [images.reshape(len(images), -1) / 255, *(sigma(z) for sigma, z in zip(activations, zs, strict=True))]

    def answers(params: Params, state: State, images: jax.Array, k: int) -> jax.Array:
        z, function = pre_activations(model, params, state, images)[str(k)], activations[k]
        is_dead = jax.vmap(jax.vmap(lambda unit: dead_share(function, unit[..., None]), in_axes=-1))
        return jnp.concatenate([pooled(function(z)), is_dead(z)], axis=-1)

    def gradient_times_input(params: Params, state: State, image: jax.Array, k: jax.Array) -> jax.Array:
        x = image.astype(jnp.float32)
        gradient = jax.grad(lambda x: model.apply(params, state, x[None])[0][0, k])(x)
        return jnp.sum(gradient * x, axis=-1)

    return Eyes(
        layers=jax.jit(layers),
        features=jax.jit(lambda params, state, images: pooled(layers(params, state, images)[-2])),
        answers=jax.jit(answers, static_argnums=3),
        gradient_times_input=jax.jit(gradient_times_input),
    )


def pooled(a: jax.Array) -> jax.Array:
    """(n, units) as they are, the channels of (n, h, w, channels) averaged over positions, as global pooling does."""
    return jnp.mean(a, axis=tuple(range(1, a.ndim - 1)))


def features(subject: Subject, images: np.ndarray) -> np.ndarray:
    """What the last layer receives of images (n, h, w, c): (n, units) float32."""
    eyes = make_eyes(subject.model.spec)
    return all_logits(lambda x: eyes.features(*subject.model.network, x), images).astype(np.float32)


def png(image: np.ndarray) -> str:
    """An image (h, w, 1 or 3) of a data set as a data URI."""
    return data_uri(image[..., 0] if image.shape[-1] == 1 else image)


def document(subject: Subject, index: int, images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """One of some images, by its place among them, as JSON has it."""
    return {"index": int(index), "label": subject.model.class_names[labels[index]], "png": png(images[index])}


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
            **document(subject, index, part.images, part.labels),
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
    model, eyes, image = subject.model, make_eyes(subject.model.spec), part.images[index]
    _, *layers = (np.asarray(a[0], np.float64) for a in eyes.layers(*model.network, jnp.asarray(image[None])))
    worked = worked_out(layers[-1], model.class_names)
    k = int(layers[-1].argmax()) if np.isfinite(layers[-1]).all() else -1
    return {
        **document(subject, index, part.images, part.labels),
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
    found = make_eyes(subject.model.spec).gradient_times_input(*subject.model.network, image, k)
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
    model = make_model(subject.model.spec)
    units, _ = model.weighted[-1].attributes["shape"]
    searched = SEARCHED_BY_CONVOLUTION if model.convolutional else SEARCHED
    indices = learned(subject, min(searched, BUDGET // units))
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
    images, labels = subject.dataset.train_images, subject.dataset.train_labels
    return [document(subject, index, images, labels) | {"distance": distance} for index, distance in others]


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
    eyes = make_eyes(subject.model.spec)
    found = all_logits(lambda x: eyes.answers(*subject.model.network, x, k), images[some])
    activations, dead = found[:, :units], found[:, units:]
    best = np.argsort(-activations, axis=0, kind="stable")[:EXCITING]
    return Exciting(some[best], np.take_along_axis(activations, best, axis=0), np.asarray(dead.all(axis=0)), len(some))


def layer_units(subject: Subject) -> list[int]:
    """How many units, or channels, each layer has."""
    return [w.shape[-1] for w in layer_weights(subject)]


def layer_weights(subject: Subject) -> list[jax.Array]:
    """The weights of each layer, (…, in, units). RunError of an average of several networks."""
    arrays = named_arrays(*subject.model.network)
    return [arrays[layer.arrays["w"]] for layer in make_model(subject.model.spec).weighted]


def neuron(subject: Subject, on: str, k: int, unit: int) -> dict[str, Any]:
    """One unit of layer k: its weights, and the images that excite it most."""
    part, found = subject.part(on), subject.once(exciting, on, k)
    w = np.asarray(layer_weights(subject)[k])[..., unit]
    weights = weight_picture(subject.model.spec, w) if k == 0 else None
    pairs = zip(found.indices[:, unit], plain(found.activations[:, unit]), strict=True)
    return {
        "layer": str(k),
        "unit": unit,
        "weights": weights,
        "incoming": None if weights else incoming(w),
        "exciting": [
            document(subject, index, part.images, part.labels) | {"activation": activation}
            for index, activation in pairs
        ],
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


def weight_picture(spec: ModelSpec, w: np.ndarray) -> dict[str, str] | None:
    """The weights with which a unit of the first layer sees the image, colours averaged; None if it sees no pixels."""
    if (block := pixel_block(make_model(spec))) is None:
        return None
    pixels = as_pixels(w[..., None], spec.image_shape, block)[..., 0]
    (picture,), limit = signed(pixels.mean(axis=-1)[None])
    return {"png": data_uri(picture), "sentence": scale_sentence(limit)}


def incoming(w: np.ndarray) -> list[dict[str, Any]]:
    """A unit's strongest weights (in,) and the units they come from; of a kernel (rows, columns, in), their sums."""
    weights = w.reshape(-1, w.shape[-1]).sum(axis=0)
    strongest = np.argsort(-np.abs(weights), kind="stable")[:INCOMING]
    return [{"unit": int(unit), "weight": plain(weights[unit])} for unit in strongest]


def one_image(subject: Subject, on: str, request: Request) -> dict[str, Any]:
    """The way of the image that the address names."""
    return journey(subject, on, index_of(request, "image", len(subject.part(on).labels)))


def all_layers(subject: Subject, on: str, request: Request) -> dict[str, Any]:
    """The layers, with their numbers of units."""
    return {"layers": [{"name": str(k), "units": units} for k, units in enumerate(layer_units(subject))]}


def one_neuron(subject: Subject, on: str, request: Request) -> dict[str, Any]:
    """The neuron that the address names."""
    units = layer_units(subject)
    k = index_of(request, "layer", len(units))
    return neuron(subject, on, k, index_of(request, "unit", units[k]))


routes = [
    route("images", lambda subject, on, request: gallery(subject, on, request.query_params)),
    route("images/{image}", one_image),
    route("neurons", all_layers),
    route("neurons/{layer}/{unit}", one_neuron),
]
