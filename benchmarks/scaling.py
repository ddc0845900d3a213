"""What shards, several devices and data in main memory cost: `python -m benchmarks.scaling [PART…]`.

The parts are accuracy, cost, devices and host (default: all). Each writes its figures to results/scaling.json, and the
tables into docs/SCALING.md.
`devices` runs on 8 CPU devices that share this machine's cores: it shows what an exchange costs, not the speed of 8
devices.
"""

import dataclasses
import datetime
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import report
from benchmarks.arena import machine
from benchmarks.bench import RESULTS, warn_if_busy
from benchmarks.process import ROOT
from jaxquard import data, recipes
from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.files import write_atomically
from jaxquard.training.data import prepare
from jaxquard.training.device import Groups, Run, share
from jaxquard.training.fit import fit, make_run
from jaxquard.training.program import start
from jaxquard.training.shards import AXIS

FILE, PAGE = RESULTS / "scaling.json", ROOT / "docs" / "SCALING.md"
ORIGINAL, CNN = Config(batch_size=128), recipes.find("cnn-small").config.replace(recipe=None)
IMAGES, SEEDS, ROUNDS = 6000, 3, 7
LINK, DELAY = 25e9, 20e-6  # bytes/s and seconds of one message between machines, assumed by the projection


def made_up(images: int) -> Dataset:
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (images, 28, 28, 1), np.uint8), rng.integers(0, 10, images).astype(np.int32)
    return Dataset("made-up", pixels, labels, pixels[:100], labels[:100], tuple("0123456789"), {}, "made up")


def accuracy() -> dict[str, Any]:
    """Held-out accuracy of a small CNN with 1 and 8 shards, so with batch normalisation over 128 and 16 images."""
    whole = data.load("fashion-mnist")
    some = dataclasses.replace(
        whole, train_images=whole.train_images[: 2 * IMAGES], train_labels=whole.train_labels[: 2 * IMAGES]
    )
    found = {}
    for shards in (1, 8):
        config = CNN.replace(stem=2, ema=0.9, epochs=4, validation=IMAGES, seeds=SEEDS, shards=shards)
        *_, last = (event.record for event in fit(*prepare(config, some), diagnostics=False) if event.record)
        values = last["val_accuracy"]
        found[f"{shards} shards"] = {"mean": statistics.mean(values), "std": statistics.stdev(values), "values": values}
    return {"images": IMAGES, "batch_size": CNN.batch_size, **found}


def stepping(config: Config, groups: Groups = ()) -> Callable[[], float]:
    """A function that makes some steps and returns the seconds of one."""
    config, examples = prepare(config, made_up(4096))
    task, program = make_run(config, examples, groups)
    state = [start(program, task, config.networks())]
    orders, steps = program.orders(jnp.copy(state[0].key), 0), min(8, task.steps_per_epoch)

    def once() -> float:
        began = time.perf_counter()
        state[0] = program.run(state[0], orders, examples.images, examples.labels, 0, steps)
        return (time.perf_counter() - began) / steps

    once()
    return once


def interleaved(cases: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The median milliseconds of a step of each case."""
    seconds = [{name: once() for name, once in cases.items()} for _ in range(ROUNDS)]
    return {name: round(1e3 * statistics.median(each[name] for each in seconds), 3) for name in cases}


def cost() -> dict[str, Any]:
    """Milliseconds of a step on one device, by the number of shards."""
    networks = {"original": ORIGINAL, "original, batch 512": ORIGINAL.replace(batch_size=512), "cnn-small": CNN}
    return {
        name: interleaved({f"{shards} shards": stepping(config.replace(shards=shards)) for shards in (1, 2, 8)})
        for name, config in networks.items()
    }


def devices() -> dict[str, Any]:
    """As `_devices`, in a process with 8 devices."""
    command = [sys.executable, "-m", "benchmarks.scaling", "--devices"]
    return json.loads(subprocess.check_output(command, env=os.environ | {"JAX_NUM_CPU_DEVICES": "8"}))


def _devices() -> dict[str, Any]:
    numbers, floats = (1, 2, 4, 8), 109386 + 3  # the gradient, the loss, right answers and weight
    strong = ORIGINAL.replace(batch_size=1024, shards=8)
    weak = {n: ORIGINAL.replace(batch_size=128 * n, shards=n) for n in numbers}
    alone = ORIGINAL.replace(seeds=4)
    gather = Run(lambda x, n: jax.lax.fori_loop(0, n, _exchanged, x), tuple(jax.devices()))

    def exchange() -> float:
        began = time.perf_counter()
        jax.block_until_ready(gather(jnp.zeros(floats), 100))
        return (time.perf_counter() - began) / 100

    step, one = min(stepping(ORIGINAL.replace(batch_size=1024))() for _ in range(3)), 4 * floats
    return {
        "strong": interleaved({f"{n} devices": stepping(strong, share(n, 1, 8)) for n in numbers}),
        "weak": interleaved({f"{n} devices": stepping(weak[n], share(n, 1, n)) for n in numbers}),
        "4 networks": interleaved({f"{n} devices": stepping(alone, share(n, 4, 1)) for n in numbers[:3]}),
        "exchange": {"bytes of each device": one, "ms": interleaved({"8 devices": exchange})["8 devices"]},
        "projection, not a measurement": {
            "formula": "step/devices + (devices - 1)·(delay + bytes/link)",
            "step, ms": round(1e3 * step, 3),
            "delay": DELAY,
            "link": LINK,
            **{f"{n} devices, ms": round(1e3 * (step / n + (n - 1) * (DELAY + one / LINK)), 3) for n in (8, 16)},
        },
    }


def _exchanged(number: jax.Array, x: jax.Array) -> jax.Array:
    return jax.lax.all_gather(x + number.astype(x.dtype), AXIS)[0]


def host() -> dict[str, Any]:
    """Microseconds of an image of 600,000 on the device and in main memory, and the growth of memory while training."""
    examples, found = made_up(600_000), {}
    for place in ("device", "host"):
        config, prepared = prepare(ORIGINAL.replace(batch_size=512, epochs=3), examples, place)
        seconds, memory = [], []
        for event in fit(config, prepared, diagnostics=False):
            seconds.append(event.seconds * (event.kind != "compiled"))
            if event.kind == "epoch":
                memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        found[place] = {
            "µs": round(1e6 * sum(seconds) / (3 * len(examples.train_labels)), 3),
            "MiB grown after the first epoch": (memory[-1] - memory[0]) >> 10,
        }
    return found


PLACES = {"device": "on the device", "host": "in main memory"}
PARTS = {"accuracy": accuracy, "cost": cost, "devices": devices, "host": host}


def section(found: dict[str, Any]) -> str:
    """The tables and sentences of the page."""
    cost, spread, host = found["cost"], found["devices"], found["host"]
    costs = [[name, *(f"{ms:.3g} ms, {ms / of['1 shards']:.2f} ×" for ms in of.values())] for name, of in cost.items()]
    kinds = {
        "strong": "strong scaling: 1,024 images in a batch, 8 shards",
        "weak": "weak scaling: 128 images for each device, a shard each",
        "4 networks": "4 networks spread over the devices, batches of 128",
    }
    scaling = [
        [text, *(f"{spread[kind][n]:.3g} ms" if n in spread[kind] else "–" for n in spread["strong"])]
        for kind, text in kinds.items()
    ]
    exchange, projection = spread["exchange"], spread["projection, not a measurement"]
    per_image = " and ".join(f"{host[place]['µs']} µs with the data {where}" for place, where in PLACES.items())
    grown = max(host[place]["MiB grown after the first epoch"] for place in PLACES)
    where = found["machine"]
    return "\n\n".join(
        [
            f"Measured by `make bench-scaling` on {found['date']}: {where['processor']}, {where['cores']} cores, jax "
            f"{where['versions']['jax']}. Medians of {ROUNDS} interleaved rounds.",
            "A step on one device, by the number of shards:",
            report.table(["network", *(of.replace("1 shards", "1 shard") for of in cost["original"])], costs),
            "A step of the original network on CPU devices that share this machine's cores. "
            "It shows what an exchange costs, not how fast 8 devices are:",
            report.table(["a step", *(n.replace("1 devices", "1 device") for n in spread["strong"])], scaling),
            f"In each step, each device sends {exchange['bytes of each device']:,} bytes (gradient, loss, "
            f"number of right answers, weight); among 8 such devices that takes {exchange['ms']:.1f} ms.",
            f"A projection, not a measurement, for batches of 1,024 images: {projection['formula']}, with the step of "
            f"one shard on one device ({projection['step, ms']:.2f} ms), a delay of "
            f"{1e6 * projection['delay']:.0f} µs and a link of {projection['link'] / 1e9:.0f} GB/s, gives "
            f"{projection['8 devices, ms']:.2f} ms on 8 devices and {projection['16 devices, ms']:.2f} ms on 16 "
            "that are as fast as this machine.",
            f"An image of 600,000, made up, costs {per_image}. Memory grows by {grown} MiB after the first epoch.",
        ]
    )


def main(names: list[str]) -> None:
    """Measure some parts, save the figures as JSON, and write the tables into the page."""
    warn_if_busy()
    found = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for name in names or PARTS:
        found |= {name: PARTS[name](), "date": f"{datetime.date.today()}", "machine": machine(("jax",))}
        write_atomically(FILE, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
        print(name, json.dumps(found[name]))
    page = report.replace_section(PAGE.read_text(encoding="utf-8"), "scaling", section(found))
    write_atomically(PAGE, page.encode())


if __name__ == "__main__":
    if sys.argv[1:] == ["--devices"]:
        json.dump(_devices(), sys.stdout)
    else:
        main(sys.argv[1:])
