"""Times `jaxquard.training.fit` with any config, by its events: `--config '{"seeds": 8}'`."""

import argparse
import json
from pathlib import Path
from typing import Any

import jax

from benchmarks.peers import common
from jaxquard.config import Config
from jaxquard.data import load
from jaxquard.training.data import prepare
from jaxquard.training.device import share
from jaxquard.training.fit import fit


def measure(config: Config, folder: Path, steps: int | None, devices: int) -> dict[str, Any]:
    """Seconds and mean loss of each epoch, and images per second between two events, all without compilation; and the
    peak of the device's memory."""
    config, data = prepare(config, load(folder))
    seconds, epoch_seconds, train_loss, images_per_second = 0.0, [], [], []
    step = 0
    groups = share(devices, len(config.networks()), config.shards)
    for event in fit(config, data, diagnostics=False, groups=groups):
        if event.kind in ("compiled", "turn") or not event.seconds:
            continue
        images_per_second.append((event.step - step) * config.batch_size / event.seconds)
        seconds, step = seconds + event.seconds, event.step
        if event.kind == "epoch" and event.record:
            epoch_seconds.append(seconds)
            train_loss.append(event.record["train_loss"])
            seconds = 0.0
        if steps and step >= steps:
            break
    memory = jax.local_devices()[0].memory_stats() or {}  # a CPU has none: there it is that of the process
    return {
        "epoch_seconds": epoch_seconds,
        "train_loss": train_loss,
        "images_per_second": images_per_second,
        "device_mb": memory["peak_bytes_in_use"] / 2**20 if memory else common.peak_rss_mb(),
    }


def main() -> None:
    """Print the figures as one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=json.loads, default={})
    parser.add_argument("--steps", type=int, help="stop after this many")
    parser.add_argument("--devices", type=int, default=1, help="more than one: CPU devices, which share the cores")
    options = parser.parse_args()
    if options.devices > 1:
        jax.config.update("jax_num_cpu_devices", options.devices)
    print(json.dumps(measure(Config.from_dict(options.config), options.data, options.steps, options.devices)))


if __name__ == "__main__":
    main()
