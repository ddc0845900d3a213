"""The environment of a run: versions, devices, threads, data. If these differ, bits may differ."""

import os
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from jaxquard import systems
from jaxquard.config import Config
from jaxquard.data.framing import Framing, measure, measure_whole
from jaxquard.naming import visible

if TYPE_CHECKING:
    from jaxquard.data import Dataset
    from jaxquard.training.device import Groups


VECTOR = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "asimd", "sve", "sve2", "bf16")


def describe(dataset: "Dataset") -> dict[str, Any]:
    """The contents of environment.json: everything but the config that can change bits, and the data set."""
    return machine() | {
        "dataset": {
            "name": dataset.name,
            "class_names": list(dataset.class_names),
            "image_shape": list(dataset.train_images.shape[1:]),
            "train": len(dataset.train_images),
            "test": len(dataset.test_images),
            "framing": (measure_whole if dataset.reading else measure)(dataset.train_images).to_dict(),
            "scaled_from": dataset.scaled_from,
            "notes": list(dataset.notes),
            "validation": len(dataset.val_images),
            "by_class": dataset.by_class,
            "value_range": dataset.value_range and list(dataset.value_range),
            "reading": dataset.reading and dict(dataset.reading),
            "sha256": dict(dataset.sha256),
        }
    }


def reading(facts: dict[str, Any]) -> dict[str, Any]:
    """The options with which `load` makes images from pictures as for the data with these facts."""
    height, width, channels = facts["image_shape"]
    skipped = (facts.get("reading") or {}).get("skip_damaged") is True
    return {"image_size": (height, width), "color": "rgb" if channels == 3 else "grey", "skip_damaged": skipped}


def is_same_data(facts: dict[str, Any], dataset: "Dataset") -> bool:
    """Whether recorded facts describe this data set: the same arrays, used the same way, wherever they are stored."""
    return used(facts) == (dict(dataset.sha256), dataset.scaled_from, dataset.by_class)


def used(facts: dict[str, Any]) -> tuple[Any, ...]:
    """Which arrays were used, and how, from environment.json. A model file may lack some."""
    return facts["sha256"], facts.get("scaled_from", 255), facts.get("by_class", False)


def trained_on(config: Config, facts: dict[str, Any]) -> int:
    """How many images a run with these facts of its data set trains on."""
    return config.trained_on(facts["train"], facts.get("validation", 0))


def check_facts(dataset: Any) -> None:
    """ValueError unless `describe` can return these facts of a data set. They may come from an untrusted file."""
    shape, names = dataset["image_shape"], dataset["class_names"]
    sound = (
        isinstance(dataset["name"], str)
        and isinstance(dataset["sha256"], dict)
        and type(scaled := dataset.get("scaled_from", 255)) is int
        and 0 < scaled < 256
        and all(type(n) is int and 0 <= n < 2**31 for n in (dataset["test"], dataset.get("validation", 0)))
        and isinstance(dataset.get("by_class", False), bool)
        and isinstance(levels := [0, 1] if dataset.get("value_range") is None else dataset["value_range"], list)
        and len(levels) == 2
        and all(type(level) in (int, float) for level in levels)
        and levels[0] < levels[1]
        and ((how := dataset.get("reading")) is None or set(how) == {"image_size", "color", "skip_damaged"})
        and isinstance(notes := dataset.get("notes", []), list)
        and all(isinstance(note, str) for note in notes)
        and isinstance(names, list)
        and len(names) > 0
        and all(isinstance(name, str) and name == visible(name) for name in names)
        and len(set(names)) == len(names)
        and isinstance(shape, list)
        and len(shape) == 3
        and all(type(n) is int and 0 < n < 2**31 for n in (*shape, dataset["train"]))
    )
    if not sound:
        raise ValueError("invalid facts of the data set")
    Framing.from_dict(dataset.get("framing", {}))


def machine() -> dict[str, Any]:
    """Versions, devices and threads."""
    import jax

    settings: Any = jax.config
    return {
        "jaxquard": version("jaxquard"),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "jaxlib": version("jaxlib"),
        "numpy": version("numpy"),
        "platform": platform.platform(),
        "processor": processor(),
        "threads": systems.cores(),
        "devices": [str(device.device_kind) for device in jax.devices()],
        "partitionable_random_bits": settings.jax_threefry_partitionable,
        "matmul_precision": settings.jax_default_matmul_precision,
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def processor() -> str:
    """The processor's name and its vector instructions, as far as the system reports them."""
    name, features = systems.processor()
    return " ".join([name, *(feature for feature in VECTOR if feature in features)])


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The changes that may change bits, as phrases such as "jaxlib 0.10.1 → 0.12.0"."""
    names = ("jax", "jaxlib", "processor", "threads", "devices")
    names += ("partitionable_random_bits", "matmul_precision", "xla_flags")
    then, now = (facts | {"devices": sorted(set(facts.get("devices") or []))} for facts in (then, now))  # not how many
    return [f"{name} {then.get(name)} → {now.get(name)}" for name in names if then.get(name) != now.get(name)]


def used_devices(groups: "Groups") -> dict[str, int]:
    """How many devices a training uses, and of how many processes. Its bits do not depend on them."""
    import jax

    return {"used_devices": sum(map(len, groups)) or 1, "processes": jax.process_count()}
