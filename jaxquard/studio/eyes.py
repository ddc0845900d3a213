"""Ways of looking into a network, compiled: what its layers hand on, what its units answer to, which pixels matter."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxquard.charts.pictures import data_uri
from jaxquard.nn.activations import ACTIVATIONS, identity
from jaxquard.nn.model import Params, State, pre_activations
from jaxquard.studio.models import Part, Subject
from jaxquard.training import steps
from jaxquard.training.evaluation import all_logits

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
def make_eyes(task: steps.Task) -> Eyes:
    """The eyes for a task, each compiled when it is first used."""
    model, activation = steps.make_model(task, {}), ACTIVATIONS[task.config.activation]

    def layers(params: Params, state: State, images: jax.Array) -> list[jax.Array]:
        *hidden, logits = pre_activations(model, params, state, images).values()
        return [images.reshape(len(images), -1) / 255, *map(activation, hidden), logits]

    def answers(params: Params, state: State, images: jax.Array, k: int) -> jax.Array:
        zs = list(pre_activations(model, params, state, images).values())
        z, function = zs[k], activation if k < len(zs) - 1 else identity
        is_dead = jax.vmap(jax.vmap(lambda unit: steps.dead_share(function, unit[..., None]), in_axes=-1))
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
    eyes = make_eyes(subject.task)
    return all_logits(lambda x: eyes.features(*subject.model.network, x), images).astype(np.float32)


def png(image: np.ndarray) -> str:
    """An image (h, w, 1 or 3) of a data set as a data URI."""
    return data_uri(image[..., 0] if image.shape[-1] == 1 else image)


def labelled(subject: Subject, index: int, part: Part) -> dict[str, Any]:
    """An image of a part of the data, by its place there, as JSON has it."""
    return _document(subject, index, part.images[index], part.labels[index])


def learned_from(subject: Subject, index: int) -> dict[str, Any]:
    """A training image, by its place in the data set."""
    return _document(subject, index, subject.dataset.train_images[index], subject.dataset.train_labels[index])


def _document(subject: Subject, index: int, image: np.ndarray, label: int) -> dict[str, Any]:
    return {"index": int(index), "label": subject.model.class_names[label], "png": png(image)}
