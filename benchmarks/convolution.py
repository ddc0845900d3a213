"""The speed of `jaxquard.nn.convolution`: a layer's gradients in a compiled loop, and a step of the whole CNN.

    python -m benchmarks.convolution [--json PATH]

Compares JAX's gradients, ours and (if installed) PyTorch's, channels-last, in turns. Prints the median of the rounds,
the least and the greatest, in ms. `--cpu-time` measures CPU time over all cores, which a busy machine disturbs less.
"""

import argparse
import importlib
import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
from jax import lax

from jaxquard.nn.cnn import cnn
from jaxquard.nn.convolution import conv2d
from jaxquard.nn.losses import cross_entropy

LAYERS = [(28, 1, 32, 1), (28, 32, 32, 1), (14, 32, 64, 1), (14, 64, 64, 2), (7, 128, 128, 1)]  # size, in, out, stride
WIDTHS = (32, 64, 128)
STEPS = 2  # inside each compiled loop

Work = Callable[[], object]


def autodiff(params: dict[str, jax.Array], x: jax.Array, *, stride: int) -> jax.Array:
    """The same convolution with JAX's gradients."""
    return lax.conv_general_dilated(
        x, params["w"], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def layer(convolve: Callable[..., jax.Array], batch: int, size: int, n_in: int, n_out: int, stride: int) -> Work:
    """STEPS of gradient descent on ½Σz², in the weights and in the images, in one compiled loop."""
    x = jax.random.normal(jax.random.key(0), (batch, size, size, n_in))
    w = jax.random.normal(jax.random.key(1), (3, 3, n_in, n_out))

    def step(_: int, xw: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        grads = jax.grad(lambda x, w: 0.5 * jnp.sum(convolve({"w": w}, x, stride=stride) ** 2), argnums=(0, 1))(*xw)
        return jax.tree.map(lambda a, g: a - 1e-9 * g, xw, grads)

    run = jax.jit(lambda x, w: lax.fori_loop(0, STEPS, step, (x, w)))
    return lambda: jax.block_until_ready(run(x, w))


def torch_layer(batch: int, size: int, n_in: int, n_out: int, stride: int) -> Work:
    """The same in PyTorch."""
    torch = importlib.import_module("torch")
    x = torch.randn(batch, n_in, size, size).to(memory_format=torch.channels_last).requires_grad_()
    conv = torch.nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False).to(memory_format=torch.channels_last)

    def run() -> None:
        for _ in range(STEPS):
            x.grad = conv.weight.grad = None
            (0.5 * (conv(x) ** 2).sum()).backward()

    return run


def network(batch: int) -> Work:
    """STEPS of training the CNN of docs/PERFORMANCE.md, in one compiled loop."""
    model = cnn(WIDTHS, 0)
    images = jax.random.randint(jax.random.key(0), (batch, 28, 28, 1), 0, 256).astype(jnp.uint8)
    labels = jnp.arange(batch) % 10

    def loss(params, state):
        logits, state = model.apply(params, state, images, train=True)
        return jnp.mean(cross_entropy(logits, labels)), state

    def step(_, carry):
        grads, state = jax.grad(loss, has_aux=True)(*carry)
        return jax.tree.map(lambda p, g: p - 0.01 * g, carry[0], grads), state

    run = jax.jit(lambda params, state: lax.fori_loop(0, STEPS, step, (params, state)))
    start = jax.jit(model.init)(jax.random.key(0))
    return lambda: jax.block_until_ready(run(*start))


def torch_network(batch: int) -> Work:
    """The same in PyTorch, eager."""
    torch = importlib.import_module("torch")
    model = importlib.import_module("benchmarks.peers.torch_cnn").cnn().to(memory_format=torch.channels_last)
    x = torch.randn(batch, 1, 28, 28).to(memory_format=torch.channels_last)
    y = torch.arange(batch) % 10
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, fused=True)

    def run() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

    return run


def cases(batch: int, *, with_torch: bool) -> Iterator[tuple[str, dict[str, Work]]]:
    """Each row of the table: its name, and who does the work how."""
    for size, n_in, n_out, stride in LAYERS:
        shape = (batch, size, n_in, n_out, stride)
        work = {"autodiff": layer(autodiff, *shape), "ours": layer(conv2d, *shape)}
        torch_work = {"PyTorch": torch_layer(*shape)} if with_torch else {}
        yield f"{size}×{size}, {n_in} → {n_out}" + f", stride {stride}" * (stride > 1), work | torch_work
    yield "the network", {"ours": network(256)} | ({"PyTorch": torch_network(256)} if with_torch else {})


def in_turns(work: dict[str, Work], rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Milliseconds a step of each, `rounds` times one after the other, after one that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds + 1):
        for name, run in work.items():
            start = clock()
            run()
            times[name].append((clock() - start) / STEPS * 1e3)
    return {name: values[1:] for name, values in times.items()}


def main() -> None:
    """Print the table; write it with `--json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64, help="images, for the layers; the network takes 256")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: dict[str, dict[str, list[float]]] = {}
    for name, work in cases(options.batch, with_torch=importlib.util.find_spec("torch") is not None):
        rows[name] = in_turns(work, options.rounds, time.process_time if options.cpu_time else time.perf_counter)
        figures = (f"{who} {statistics.median(v):.1f} ({min(v):.1f}–{max(v):.1f})" for who, v in rows[name].items())
        print(f"{name:24}", *figures, sep="  ", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"jax": jax.__version__, "milliseconds": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
