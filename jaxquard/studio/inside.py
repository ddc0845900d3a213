"""The Inside view: a list of images, one image's activations layer by layer, and single neurons."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from starlette.requests import Request

from jaxquard.charts.pictures import data_uri, scale_sentence, signed
from jaxquard.data import oddities
from jaxquard.data.dataset import shuffled
from jaxquard.errors import UsageError
from jaxquard.nn.activations import ACTIVATIONS
from jaxquard.nn.layers import grey_levels
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
BUDGET = 2**23  # numbers kept of one layer (32 MB); it limits the number of images


class Probes(NamedTuple):
    """Compiled functions that look into networks of one kind, each `(params, state, ...)`.

    `layers(…, images)`: the output of each layer; first the pixels (n, h·w·c) in [0, 1], last the logits.
    `features(…, images)`: the input of the last layer, (n, units).
    `answers(…, images, k)`: (n, 2·units), the activations of layer k, then 1 for each unit that is dead for an image. A
    channel's activation is the mean over all positions; it is dead if it is dead at all of them.
    `gradient_times_input(…, image, k)`: how much each pixel (h, w) supports class k.
    """

    layers: Callable[..., list[jax.Array]]
    features: Callable[..., jax.Array]
    answers: Callable[..., jax.Array]
    gradient_times_input: Callable[..., jax.Array]


@functools.lru_cache(maxsize=16)
def make_probes(spec: ModelSpec) -> Probes:
    """The probes for networks of one kind; each is compiled at its first use."""
    model = make_model(spec)
    activations = [ACTIVATIONS[name] for name in model.activations]

    def layers(params: Params, state: State, images: jax.Array) -> list[jax.Array]:
        images = grey_levels(images)
        zs = pre_activations(model, params, state, images).values()
        return [images.reshape(len(images), -1) / 255, *(sigma(z) for sigma, z in zip(activations, zs, strict=True))]

    def answers(params: Params, state: State, images: jax.Array, k: int) -> jax.Array:
        z, function = pre_activations(model, params, state, grey_levels(images))[str(k)], activations[k]
        is_dead = jax.vmap(jax.vmap(lambda unit: dead_share(function, unit[..., None]), in_axes=-1))
        return jnp.concatenate([pooled(function(z)), is_dead(z)], axis=-1)

    def gradient_times_input(params: Params, state: State, image: jax.Array, k: jax.Array) -> jax.Array:
        x = grey_levels(image).astype(jnp.float32)
        gradient = jax.grad(lambda x: model.apply(params, state, x[None])[0][0, k])(x)
        return jnp.sum(gradient * x, axis=-1)

    return Probes(
        layers=jax.jit(layers),
        features=jax.jit(lambda params, state, images: pooled(layers(params, state, images)[-2])),
        answers=jax.jit(answers, static_argnums=3),
        gradient_times_input=jax.jit(gradient_times_input),
    )


def pooled(a: jax.Array) -> jax.Array:
    """(n, units) unchanged; (n, h, w, channels) averaged over positions, as in global pooling: (n, channels)."""
    return jnp.mean(a, axis=tuple(range(1, a.ndim - 1)))


def features(subject: Subject, images: np.ndarray) -> np.ndarray:
    """The last layer's input for images (n, h, w, c): (n, units) float32."""
    probes = make_probes(subject.model.spec)
    return all_logits(lambda x: probes.features(*subject.model.network, x), images).astype(np.float32)


def png(image: np.ndarray) -> str:
    """An image (h, w, 1 or 3) of a data set as a data URI."""
    image = oddities.as_bytes(image)
    return data_uri(image[..., 0] if image.shape[-1] == 1 else image)


def document(subject: Subject, index: int, images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Image `index` of `images`, for JSON."""
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
    """The indices of the images that meet all conditions; `order`: index, confidence or -confidence."""
    keep = (low <= given.confidence) & (given.confidence <= high)
    for wanted, found in ((true, labels), (predicted, given.predicted), (correct, given.right)):
        if wanted is not None:
            keep &= found == wanted
    keys = {"index": labels * 0, "confidence": given.confidence, "-confidence": -given.confidence}
    ranked = np.argsort(keys[order], kind="stable")
    return ranked[keep[ranked]]


def read_filters(query: Mapping[str, str], names: Sequence[str]) -> dict[str, Any]:
    """The arguments of `choose` from an address; an absent or empty one is no condition. Raises UsageError."""
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
                raise UsageError(f"{name}: must be one of {', '.join(allowed)}")
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
    """A page of the images that an address asks for, and their total number."""
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
    """The name of class k; None for -1, which is no class."""
    return names[k] if k >= 0 else None


def journey(subject: Subject, on: str, index: int) -> dict[str, Any]:
    """One image in the network: each layer's activations, softmax in numbers, the saliency, the nearest images."""
    subject.once(evaluation, on)  # records the use of test images
    part = subject.part(on)
    model, probes, image = subject.model, make_probes(subject.model.spec), part.images[index]
    _, *layers = (np.asarray(a[0], np.float64) for a in probes.layers(*model.network, jnp.asarray(image[None])))
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
    }


def layer_document(name: str, a: np.ndarray) -> dict[str, Any]:
    """A layer's activations for one image: (units,) as numbers, (h, w, channels) as pictures with one colour scale."""
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
    """Softmax step by step: e^(logit - largest logit) for each class, and its share of the sum."""
    with np.errstate(invalid="ignore"):  # logits of a network that diverged
        exps = np.exp(logits - logits.max())
        columns = zip(names, plain(logits), plain(exps), plain(exps / exps.sum()), strict=True)
    rows = [dict(zip(("class", "logit", "exp", "probability"), row, strict=True)) for row in columns]
    return {"softmax": rows, "largest": plain(logits.max()), "sum": plain(exps.sum())}


def saliency(subject: Subject, image: np.ndarray, k: int) -> dict[str, Any]:
    """Gradient × input for class k, as a picture with an explanation."""
    found = make_probes(subject.model.spec).gradient_times_input(*subject.model.network, image, k)
    (picture,), limit = signed(np.asarray(found)[None])
    said = (
        f"How much each pixel supports “{subject.model.class_names[k]}” (orange) or opposes it (blue): the gradient of "
        f"the class's logit times the pixel. Full colour at ±{limit:.2g}; black pixels count as 0."
    )
    return {"png": data_uri(picture), "name": "gradient × input", "sentence": said}


class TrainingFeatures(NamedTuple):
    """Training images as the last layer's input, (n, units) float32, and their indices in the data set, (n,)."""

    indices: np.ndarray
    features: np.ndarray


def training_features(subject: Subject) -> TrainingFeatures:
    """The features of images that the model learned from, of as many as SEARCHED and BUDGET allow."""
    model = make_model(subject.model.spec)
    units, _ = model.weighted[-1].attributes["shape"]
    searched = SEARCHED_BY_CONVOLUTION if model.convolutional else SEARCHED
    indices = learned(subject, min(searched, BUDGET // units))
    return TrainingFeatures(indices, features(subject, subject.dataset.train_images[indices]))


def nearest(known: np.ndarray, one: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The indices of the rows of `known` (n, units) nearest to `one` (units,), nearest first, and their distances."""
    distances = np.linalg.norm(known - one, axis=1)
    order = np.argsort(distances, kind="stable")[:count]
    return order, distances[order]


def neighbours(subject: Subject, image: np.ndarray, itself: int | None = None) -> list[dict[str, Any]]:
    """The training images, without number `itself`, that are nearest to this image in the last layer's input."""
    known = subject.once(training_features)
    order, distances = nearest(known.features, features(subject, image[None])[0], NEIGHBOURS + 1)
    found = zip(known.indices[order], plain(distances), strict=True)
    others = [(index, distance) for index, distance in found if index != itself][:NEIGHBOURS]
    images, labels = subject.dataset.train_images, subject.dataset.train_labels
    return [document(subject, index, images, labels) | {"distance": distance} for index, distance in others]


class Exciting(NamedTuple):
    """For each unit of a layer: the images with its highest activations, and these activations, (EXCITING, units);
    whether it is dead for all images (units,). `seen`: how many images were searched."""

    indices: np.ndarray
    activations: np.ndarray
    dead: np.ndarray
    seen: int


def exciting(subject: Subject, on: str, k: int) -> Exciting:
    """The images with the highest activations of the units of layer k."""
    subject.once(evaluation, on)  # records the use of test images
    images, units = subject.part(on).images, layer_units(subject)[k]
    some = np.sort(shuffled(len(images))[: max(1, BUDGET // (2 * units))])
    probes = make_probes(subject.model.spec)
    found = all_logits(lambda x: probes.answers(*subject.model.network, x, k), images[some])
    activations, dead = found[:, :units], found[:, units:]
    best = np.argsort(-activations, axis=0, kind="stable")[:EXCITING]
    return Exciting(some[best], np.take_along_axis(activations, best, axis=0), np.asarray(dead.all(axis=0)), len(some))


def layer_units(subject: Subject) -> list[int]:
    """The number of units, or channels, in each layer."""
    return [w.shape[-1] for w in layer_weights(subject)]


def layer_weights(subject: Subject) -> list[jax.Array]:
    """The weights of each layer, (…, in, units). RunError for an average of several networks."""
    arrays = named_arrays(*subject.model.network)
    return [arrays[layer.arrays["w"]] for layer in make_model(subject.model.spec).weighted]


def neuron(subject: Subject, on: str, k: int, unit: int) -> dict[str, Any]:
    """One unit of layer k: its weights, and the images with its highest activations."""
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
    said = f"Its highest activations on {of}{part.said}"
    if channel:
        said += " The activation of a channel is the mean over all positions."
    if found.dead[unit]:
        said += " It is dead: for every image its activation is constant, so it cannot learn."
    return said


def weight_picture(spec: ModelSpec, w: np.ndarray) -> dict[str, str] | None:
    """A first-layer unit's weights as a picture, averaged over colours; None if its inputs are not pixels."""
    if (block := pixel_block(make_model(spec))) is None:
        return None
    pixels = as_pixels(w[..., None], spec.image_shape, block)[..., 0]
    (picture,), limit = signed(pixels.mean(axis=-1)[None])
    return {"png": data_uri(picture), "sentence": scale_sentence(limit)}


def incoming(w: np.ndarray) -> list[dict[str, Any]]:
    """A unit's strongest weights (in,) and their units; for a kernel (rows, columns, in), sums over its positions."""
    weights = w.reshape(-1, w.shape[-1]).sum(axis=0)
    strongest = np.argsort(-np.abs(weights), kind="stable")[:INCOMING]
    return [{"unit": int(unit), "weight": plain(weights[unit])} for unit in strongest]


def one_image(subject: Subject, on: str, request: Request) -> dict[str, Any]:
    """The image that the address names, layer by layer."""
    return journey(subject, on, index_of(request, "image", len(subject.part(on).labels)))


def all_layers(subject: Subject, on: str, request: Request) -> dict[str, Any]:
    """The layers and their numbers of units."""
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
