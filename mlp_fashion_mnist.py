"""A neural network that learns to classify ten kinds of clothing: the whole algorithm, in pure JAX, on one screen.

    python mlp_fashion_mnist.py            # 784-128-64-10, 20 epochs, about ten seconds; --help lists the settings

An image is 784 numbers x. Each layer computes z = aW + b from the activations a of the layer before it, and hidden
layers apply ReLU, a = max(0, z). Softmax turns the last z into ten probabilities p. The loss is -log p of the right
class. `jax.grad` computes its gradient by backpropagation, and each batch of 128 images changes every parameter a
little against its gradient. See Michael Nielsen, "Neural Networks and Deep Learning", chapters 1 and 2.
"""

import functools
import math
import time
from itertools import pairwise
from pathlib import Path

from jaxquard.cli.script import run_script  # imports JAX, too, without messages that JAX would print

# isort: split
import jax
import jax.numpy as jnp

from jaxquard.data import load
from jaxquard.data.statistics import pixel_statistics
from jaxquard.errors import DivergedError, UsageError
from jaxquard.nn.activations import relu
from jaxquard.nn.layers import dense, init_dense, standardize
from jaxquard.nn.losses import cross_entropy
from jaxquard.nn.model import count_parameters
from jaxquard.nn.permutation import permutation
from jaxquard.streams import say

ONCE = {"xla_backend_optimization_level": 0}  # for functions that are called once: they compile in half the time


def init_params(key, sizes):
    """For each pair of consecutive sizes: weights of mean 0 and standard deviation 1/√n_in, and biases of 0."""
    keys = jax.random.split(key, len(sizes) - 1)
    return [init_dense(k, n_in, n_out) for k, (n_in, n_out) in zip(keys, pairwise(sizes), strict=True)]


@functools.partial(jax.jit, static_argnames="sizes", compiler_options=ONCE)
def start(seed, sizes):
    """The random key of the first epoch, and the parameters before it."""
    key, init_key = jax.random.split(jax.random.key(seed))
    return key, init_params(init_key, sizes)


def predict(params, x):
    """Logits of a batch: x (batch, 784) -> (batch, 10)."""
    for layer in params[:-1]:
        x = relu(dense(layer, x))
    return dense(params[-1], x)


def loss_fn(params, x, y):
    """L = -log softmax(z)[y], averaged over the batch; y (batch,) are the right classes."""
    return jnp.mean(cross_entropy(predict(params, x), y))


def train_step(params, x, y, learning_rate):
    """θ ← θ - η∇L. This one call to `grad` is all of backpropagation (Nielsen, chapter 2)."""
    loss, grads = jax.value_and_grad(loss_fn)(params, x, y)
    return jax.tree.map(lambda p, g: p - learning_rate * g, params, grads), loss


@functools.partial(jax.jit, static_argnames=("n", "batch_size"))
def create_batches(key, n, batch_size):
    """The key of the next epoch, and a random permutation of 0 … n-1, cut into whole batches: (steps, batch_size)."""
    key, epoch_key = jax.random.split(key)
    steps = n // batch_size
    return key, permutation(epoch_key, n)[: steps * batch_size].reshape(steps, batch_size)


@functools.partial(jax.jit, donate_argnums=0)
def train_epoch(params, images, labels, batches, learning_rate, mean, std):
    """All steps of an epoch in one compiled program. Returns the new parameters and the mean loss of the steps."""

    def step(params, rows):
        x = standardize(images[rows], mean, std).reshape(len(rows), -1)
        return train_step(params, x, labels[rows], learning_rate)

    params, losses = jax.lax.scan(step, params, batches)
    return params, jnp.mean(losses)


@functools.partial(jax.jit, compiler_options=ONCE)
def accuracy(params, images, labels, mean, std):
    """Share of images whose largest logit is that of the right class; NaN if any logit is NaN."""
    logits = predict(params, standardize(images, mean, std).reshape(len(images), -1))
    return jnp.where(jnp.isnan(logits).any(), jnp.nan, jnp.mean(jnp.argmax(logits, axis=-1) == labels))


def check_finite(value, what):
    """DivergedError, with advice, unless the value is finite."""
    if not math.isfinite(value):
        raise DivergedError(f"{what}: try a smaller learning rate")


def main(
    *,
    hidden: tuple[int, ...] = (128, 64),
    learning_rate: float = 0.01,
    batch_size: int = 128,
    epochs: int = 20,
    seed: int = 0,
    data_dir: Path | None = None,
    offline: bool = False,
) -> None:
    """Train the original network on Fashion-MNIST and report what it learned."""
    data = load("fashion-mnist", data_dir=data_dir, offline=offline or None, report=say)
    if batch_size > len(data.train_images):
        raise UsageError(f"batch_size: {batch_size} is more than the {len(data.train_images)} training images")
    images, labels = jax.device_put((data.train_images, data.train_labels))
    mean, std = pixel_statistics(data.train_images)
    sizes = (data.train_images[0].size, *hidden, data.classes)
    key, params = start(jnp.uint32(seed), sizes)
    loss = math.inf
    print(f"device      {jax.devices()[0].device_kind}, JAX {jax.__version__}")
    print(f"data        {len(images):,} training and {len(data.test_images):,} test images ({data.source})")
    print(f"network     {'-'.join(map(str, sizes))}, {count_parameters(params):,} parameters")
    print("\nepoch    loss    seconds")

    for epoch in range(1, epochs + 1):
        began = time.perf_counter()
        key, batches = create_batches(key, len(images), batch_size)
        params, loss = train_epoch(params, images, labels, batches, learning_rate, mean, std)
        check_finite(loss, f"the loss is not finite in epoch {epoch}")
        print(f"{epoch:5}  {loss:.4f}  {time.perf_counter() - began:9.2f}", flush=True)

    correct = accuracy(params, data.test_images, data.test_labels, mean, std)
    check_finite(correct, "the parameters are not finite after the last update")
    print(f"\nfinal training loss   {loss:.4f}\ntest accuracy         {correct:.2%}\n")
    print("Next: jaxquard train --seeds 5    train five such networks, for error bars; saved in a run directory")
    print("      jaxquard --help             evaluate it, classify your own pictures, try other settings")


if __name__ == "__main__":
    run_script(main)
