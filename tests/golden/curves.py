"""Golden runs: a short training of every recipe, with its loss curve recorded for each release of JAX and platform.

They show when an upgrade or a change of the code moves the numbers. Rounding differs between processors and grows from
step to step, so there are tolerances: SAME for a curve recorded with this release on this platform, OTHER for the
nearest curve without one. The test loss of a CNN counts a tenth, because after few steps batch normalisation's running
statistics are still inexact.
"""

import json
import platform
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxquard import recipes
from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.data.dataset import build

FILE = Path(__file__).with_name("curves.json")
ONE_NAME = {"AMD64": "x86_64", "arm64": "aarch64"}  # Windows' and macOS's names of processors -> Linux's
SAME, OTHER = 0.005, 0.02  # of the loss; a learning rate 1 % larger moves the original recipe's curve by 0.009
EPOCHS = {"mlp": 5, "cnn": 2}
EXAMPLES = {"mlp": 5120, "cnn": 1280}
TEST_COUNTS = {"mlp": 1.0, "cnn": 0.1}  # the test loss of an earlier `cnn` differed by 0.016 between two processors
TESTED = 500
HELD_OUT = 256

Curve = list[float]


class Comparison(NamedTuple):
    """The largest difference between a recipe's curve and the recorded one, as a share of the loss."""

    recipe: str
    recorded: str
    deviation: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance. A curve that is not finite does not agree."""
        return self.deviation <= self.tolerance

    def __str__(self) -> str:
        how = "agrees with" if self.agrees else "DIFFERS FROM"
        return f"{self.recipe}: {how} {self.recorded} (off by {self.deviation:.1e}, tolerance {self.tolerance:g})"


def here() -> str:
    """This release and platform, such as "jax 0.10.1 cpu x86_64"."""
    import jax

    machine = platform.machine()
    return f"jax {jax.__version__} {jax.default_backend()} {ONE_NAME.get(machine, machine)}"


def made_up_data(examples: int) -> Dataset:
    """Training images and 500 test images of 28×28 in ten classes, the same bytes everywhere: integer sums of raw bits.

    Patterns of 7×7 squares under noise; every seventh label is another one, so that the loss stays well above zero.
    """
    n = examples + TESTED
    bits = np.random.PCG64(2017).random_raw(n * 784 + 490) >> np.uint64(56)
    patterns = bits[-490:].reshape(10, 7, 7).repeat(4, axis=1).repeat(4, axis=2)
    classes = np.arange(n) % 10
    images = ((patterns[classes] + 3 * bits[:-490].reshape(n, 28, 28)) // 4).astype(np.uint8)
    labels = np.where(np.arange(n) % 7 == 0, (classes + np.arange(n) // 50) % 10, classes)
    arrays = {"train_images": images[:examples], "train_labels": labels[:examples]}
    arrays |= {"test_images": images[examples:], "test_labels": labels[examples:]}
    return build("golden", arrays, called={role: role for role in arrays}, source="made up")


def shortened(config: Config) -> Config:
    """The config of a recipe's golden run: few epochs of few images, one network, otherwise the same."""
    epochs, held_out = EPOCHS[config.model], HELD_OUT if config.validates else 0
    batch_size, warmup = min(config.batch_size, EXAMPLES[config.model] // 4), min(config.warmup, epochs / 4)
    return config.replace(
        dataset="golden", epochs=epochs, batch_size=batch_size, warmup=warmup, validation=held_out, seeds=1, patience=0
    )


def train(name: str) -> Curve:
    """A recipe's training loss in each epoch, then its test loss. A teacher's answers are the right labels."""
    import jax

    from jaxquard.training.data import prepare
    from jaxquard.training.evaluation import all_logits, mean_loss
    from jaxquard.training.fit import fit, make_run

    config = shortened(recipes.find(name).config)
    dataset = made_up_data(EXAMPLES[config.model])
    config, data = prepare(config, dataset)
    if config.teacher is not None:
        data = data._replace(teacher=4 * jax.nn.one_hot(data.labels, data.classes))
    _, program = make_run(config, data)
    curve: Curve = []
    for event in fit(config, data, diagnostics=False):
        if event.kind == "epoch" and event.record:
            curve += event.record["train_loss"]
            selected = event.state.selected
    logits = all_logits(lambda images: program.logits(*selected, images), dataset.test_images)
    return [float(f"{loss:.7g}") for loss in (*curve, *mean_loss(logits, dataset.test_labels))]


def known(file: Path = FILE) -> dict[str, Any]:
    """For each recipe, the settings that are not defaults, and the curves by release and platform."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def record(name: str, curve: Curve, file: Path = FILE) -> None:
    """Record a curve for this release and platform. If the recipe has changed, remove its other curves."""
    settings, every = distinctive(shortened(recipes.find(name).config)), known(file)
    before = every.get(name, {"settings": None, "curves": {}})
    curves = before["curves"] if before["settings"] == settings else {}
    every[name] = {"settings": settings, "curves": dict(sorted((curves | {here(): curve}).items()))}
    text = json.dumps({key: every[key] for key in sorted(every) if key in recipes.names()}, indent=1)
    on_one_line = re.sub(r"\[[^][]*\]", lambda found: " ".join(found[0].split()), text)
    file.write_text(on_one_line + "\n", encoding="utf-8")


def distinctive(config: Config) -> dict[str, Any]:
    """The settings that are not the defaults."""
    usual = Config().to_dict()
    return {name: value for name, value in config.to_dict().items() if value != usual.get(name)}


def compare(name: str, curve: Curve, recorded: dict[str, Any], where: str | None = None) -> Comparison:
    """Compare a recipe's curve with the nearest recorded one. LookupError if there is none."""
    entry, where = recorded.get(name), where or here()
    if entry is None or entry["settings"] != distinctive(shortened(recipes.find(name).config)):
        raise LookupError(f"{name} is new or has changed: record its curve with `python tests/golden {name}`")
    key = nearest(list(entry["curves"]), where)
    a, b = np.array(curve), np.array(entry["curves"][key])
    tolerance = SAME if key == where else OTHER
    if a.shape != b.shape or not np.isfinite(a).all():
        return Comparison(name, key, np.inf, tolerance)
    off = np.abs(a / b - 1)
    off[-1] *= TEST_COUNTS[recipes.find(name).config.model]
    return Comparison(name, key, float(off.max()), tolerance)


def nearest(recorded: list[str], where: str) -> str:
    """The nearest recording: the same platform before any other, then the nearest release."""

    def distance(key: str) -> tuple[bool, list[int]]:
        (ours, our_platform), (theirs, their_platform) = split(where), split(key)
        return our_platform != their_platform, [abs(a - b) for a, b in zip(ours, theirs, strict=True)]

    return min(recorded, key=distance)


def split(key: str) -> tuple[list[int], str]:
    """Split "jax 0.10.1 cpu x86_64" into four numbers, [0, 10, 1, 0], and the rest."""
    _, release, rest = key.split(" ", 2)
    return ([int(number) for number in re.findall(r"\d+", release)] + [0] * 4)[:4], rest
