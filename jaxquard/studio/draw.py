"""Predictions for the user's own picture: drawn, uploaded, pasted, or sent as numbers.

A network has an answer to everything, even to noise. So there is a warning if a picture is unlike the training images.
The rule: its distance or its angle to the nearest of 2,000 training images exceeds that of 99.5 % of the test images.
The angle compares patterns, whatever the brightness. Both are measured in pixels, because distances in the last hidden
layer missed most noise (docs/LOG.md has the figures).
"""

import base64
import binascii
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import jax
import jax.numpy as jnp
import numpy as np
from anyio import to_thread
from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jaxquard.charts.pictures import data_uri
from jaxquard.data.dataset import shuffled
from jaxquard.data.framing import Framing
from jaxquard.data.pictures import UNLIKE, read_picture
from jaxquard.errors import JaxquardError, UsageError
from jaxquard.nn.layers import grey_levels
from jaxquard.runs.predicting import answer
from jaxquard.studio.models import Shelf, Subject, learned
from jaxquard.studio.security import is_picture, read_json
from jaxquard.training.evaluation import all_logits, log_probabilities

MODELS = 2  # side by side
COMPARED = 2_000  # training images, and as many of the test set
TINY = 1e-6  # smallest squared length: a blank image has length 0
USUAL = 99.5  # % of test images within each of the two limits
STEP_EDGE = 256  # pixels: the largest picture of a step


class Question(NamedTuple):
    """A request: the models, and a picture's bytes with options for reading it, or the pixels of pictures."""

    models: list[str]
    picture: bytes | None
    pixels: Any
    seeing: dict[str, Any]  # options of read_picture


class Seen(NamedTuple):
    """The network's input, (n, h, w, c) uint8, and the name and PNG of each step of the preparation."""

    images: np.ndarray
    steps: list[dict[str, str]]
    notes: list[str]
    warnings: list[str]

    @property
    def unlike(self) -> bool:
        """Whether `read_picture` warns that the object or the picture is unlike the training images."""
        return any(warning in UNLIKE.values() for warning in self.warnings)


async def read_question(request: Request) -> Question:
    """The question in a request: a picture with ?model=M, or a JSON object."""
    if not is_picture(request.headers):
        return as_question(await read_json(request))
    asked = request.query_params
    as_is = asked.get("as_is", "false")
    seeing = _checked_seeing({**asked, "as_is": {"true": True, "false": False}.get(as_is, as_is)})
    return Question(_checked_names(asked.getlist("model")), await request.body(), None, seeing)


def as_question(document: dict[str, Any]) -> Question:
    """The question in a JSON object: `model` or `models`, and `image` (base64 or a data URL) or `pixels`.

    Raises UsageError.
    """
    names = _checked_names(document["models"] if "models" in document else [document.get("model")])
    if ("image" in document) == ("pixels" in document):
        raise UsageError("send either image (a picture as base64 or as a data URL) or pixels")
    seeing = _checked_seeing(document)
    if "pixels" in document:
        return Question(names, None, document["pixels"], seeing)
    return Question(names, _decoded(document["image"]), None, seeing)


def _decoded(image: Any) -> bytes:
    """The bytes of a picture from base64, alone or in a data URL."""
    if isinstance(image, str) and image[:5].lower() == "data:":
        head, _, image = image.partition(",")
        if not head.lower().endswith(";base64"):
            raise UsageError("image: a data URL must be in base64: data:image/png;base64,…")
        image = unquote(image)
    try:
        return base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise UsageError("image: must be base64") from None


def _checked_seeing(options: Mapping[str, Any]) -> dict[str, Any]:
    as_is, background = options.get("as_is", False), options.get("background", "auto")
    if not isinstance(as_is, bool):
        raise UsageError("as_is: must be true or false")
    if background not in ("auto", "light", "dark"):
        raise UsageError("background: must be auto, light or dark")
    return {"as_is": as_is, "background": background}


def _checked_names(names: Any) -> list[str]:
    if isinstance(names, list) and 1 <= len(names) <= MODELS and all(isinstance(name, str) for name in names):
        return names
    raise UsageError(f"send a model's name as model, or up to {MODELS} names as models")


def see(question: Question, image_shape: tuple[int, int, int], framing: Framing) -> Seen:
    """The question's pictures as input of a network for images of this shape. Raises UsageError or DataError."""
    if question.picture is None:
        return Seen(as_images(question.pixels, image_shape), [], [], [])
    picture = read_picture(question.picture, image_shape=image_shape, framing=framing, **question.seeing)
    steps = [{"name": name, "png": thumbnail(pixels)} for name, pixels in picture.steps]
    return Seen(picture.image[None], steps, list(picture.notes), list(picture.warnings))


def as_images(pixels: Any, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Lists of whole numbers from 0 to 255, for one or more images, as (n, h, w, c) uint8. Raises UsageError."""
    height, width, channels = image_shape
    size = (height, width) if channels == 1 else image_shape
    try:
        array = np.array(pixels)
    except ValueError:  # rows of unequal length
        array = np.empty(0)
    if array.dtype.kind != "i" or array.ndim not in (len(size), len(size) + 1) or array.shape[-len(size) :] != size:
        shape = "".join(f"[{n}]" for n in size)
        raise UsageError(f"pixels: must be whole numbers of shape {shape}, or [n]{shape} for several pictures")
    if array.min(initial=0) < 0 or array.max(initial=0) > 255:
        raise UsageError("pixels: must be from 0 to 255")
    return array.astype(np.uint8).reshape(-1, *image_shape)


def thumbnail(pixels: np.ndarray) -> str:
    """A grey (h, w) or RGBA (h, w, 4) picture as a data URI, at most STEP_EDGE pixels wide and high."""
    image = Image.fromarray(pixels)
    image.thumbnail((STEP_EDGE, STEP_EDGE))
    return data_uri(np.asarray(image))


def predict(shelf: Shelf, question: Question) -> dict[str, Any]:
    """Each model's prediction for each picture, the preparation for the first model, notes and warnings."""
    subjects = [shelf.take(name) for name in question.models]
    forms = [(one.model.image_shape, one.model.framing) for one in subjects]
    seen = {form: see(question, *form) for form in dict.fromkeys(forms)}
    asked = zip(subjects, forms, strict=True)
    predictions = [line for one, form in asked for line in predictions_of(one, seen[form])]
    first, strangers = seen[forms[0]], [line["model"] for line in predictions if line["unlike"]]
    return {
        "predictions": predictions,
        "steps": first.steps,
        "notes": first.notes,
        "warnings": [*first.warnings, *([unlike(strangers)] if strangers else [])],
    }


def predictions_of(subject: Subject, seen: Seen) -> list[dict[str, Any]]:
    """One model's answer to each image."""
    model = subject.model
    probabilities = np.exp(log_probabilities(model.logits(seen.images)))
    answers = zip(probabilities, is_unlike(subject, seen.images) | seen.unlike, strict=True)
    return [
        {"model": model.name, "picture": number, **answer(row, model.class_names), "unlike": bool(unlike)}
        for number, (row, unlike) in enumerate(answers)
    ]


class Familiar(NamedTuple):
    """Images as rows (m, h·w·c) of pixels in [0, 1], and their squared lengths (m,)."""

    rows: jax.Array
    squares: jax.Array


def familiar(images: jax.Array | np.ndarray) -> Familiar:
    """Images (m, h, w, c), prepared for comparisons."""
    rows = grey_levels(jnp.asarray(images)).astype(jnp.float32).reshape(len(images), -1) / 255
    return Familiar(rows, jnp.sum(rows**2, axis=1))


@jax.jit
def strangeness(known: Familiar, images: jax.Array) -> jax.Array:
    """(n, 2): each image's squared distance to the nearest known image, and 1 - its largest cosine with one."""
    new = familiar(images)
    products = new.rows @ known.rows.T
    distances = jnp.min(known.squares - 2 * products, axis=1) + new.squares
    length, other = (jnp.sqrt(jnp.maximum(one.squares, TINY)) for one in (new, known))
    return jnp.stack([distances, 1 - jnp.max(products / other, axis=1) / length], axis=1)


def usual(subject: Subject) -> tuple[Familiar, np.ndarray] | None:
    """The training images for the comparison, and the limits (2,) from the test images. None if the data is missing:
    only the warning needs it, predictions do not."""
    try:
        dataset = subject.dataset
    except JaxquardError:
        return None
    known = familiar(dataset.train_images[learned(subject, COMPARED)])
    tested = dataset.test_images[shuffled(len(dataset.test_images))[:COMPARED]]
    return known, np.percentile(all_logits(functools.partial(strangeness, known), tested), USUAL, axis=0)


def is_unlike(subject: Subject, images: np.ndarray) -> np.ndarray:
    """Which images (n, h, w, c) exceed a limit: (n,) booleans."""
    if (found := subject.once(usual)) is None:
        return np.zeros(len(images), bool)
    known, limits = found
    return np.asarray((all_logits(functools.partial(strangeness, known), images) > limits).any(axis=1))


def unlike(models: list[str]) -> str:
    """The warning about a picture unlike the training images of these models."""
    names = " and ".join(dict.fromkeys(models))
    return f"The picture is unlike the training images of {names}: do not trust the answer, even at a high confidence."


async def post_predict(request: Request) -> JSONResponse:
    """POST /api/predict. It does not use the single thread for JAX, so that the answer follows the drawing at once."""
    question = await read_question(request)
    return JSONResponse(await to_thread.run_sync(predict, request.app.state.shelf, question))


routes = [Route("/api/predict", post_predict, methods=["POST"])]
