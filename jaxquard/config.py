"""The one description of a run. Command line, TOML, JSON and form are views of this dataclass; it is checked when made.

Each setting carries its own help, range or choices, scope and needs. Knows no jax, so that `--help` is instant.
"""

import dataclasses
import functools
import math
import numbers
import os
import tomllib
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from jaxquard.arguments import checked_number, plain, shown
from jaxquard.errors import UsageError
from jaxquard.files import expanded
from jaxquard.naming import none_of, suggestion

Architecture = Literal["mlp", "cnn"]
Activation = Literal["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "identity"]
Initializer = Literal["scaled_normal", "standard_normal", "he_normal", "glorot_normal", "zeros"]
Loss = Literal["cross_entropy", "squared_error_softmax", "squared_error_sigmoid", "cross_entropy_sigmoid"]
Optimizer = Literal["sgd", "momentum", "nesterov", "adam", "adamw", "muon"]
ScheduleName = Literal["constant", "step", "cosine", "one_cycle"]
Views = Literal["none", "mirror", "mirror_and_shift"]

DEFAULT_VALIDATION = 5000
MAX_NETWORKS = 1024
MAX_SEED = 2**31 - 1

Scope = Literal["program", "scalar", "run"]


def setting(
    default: Any,
    help: str,
    *,
    group: str,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    scope: Scope = "program",
    needs: tuple[str, ...] = (),
    first: bool = False,
) -> Any:
    """A field of Config: `low` and `high` are inclusive bounds, `above` and `below` exclusive ones.

    scope: "program", the compiler must know it; "scalar", a traced number that can be swept; "run", neither. needs:
    what it has no effect without, another setting with one of these values (none named: any but None). first: a form
    shows it at once.
    """
    bounds = {"low": low, "high": high, "above": above, "below": below}
    about = {"help": help, "group": group, "bounds": bounds, "scope": scope, "needs": needs, "first": first}
    return field(default=default, metadata=about)


@dataclass(frozen=True, kw_only=True)
class Config:
    """A run, complete: the same config and seed give the same bits on the same CPUs. Defaults are the original's."""

    recipe: str | None = setting(None, "The recipe this started from.", group="Run", scope="run")
    dataset: str = setting(
        "fashion-mnist",
        "A data set's name, a directory of IDX files, or an .npz.",
        group="Data",
        scope="run",
        first=True,
    )
    validation: float | Literal["auto"] | None = setting(
        None,
        f"Training images held out: a count, a share below 1, or auto: {DEFAULT_VALIDATION}, or a sixth if that is "
        "fewer (0; auto for patience or a sweep).",
        group="Data",
        low=0,
        scope="run",
        first=True,
    )
    pixel_mean: float | None = setting(
        None, "Mean of the pixels in [0, 1] (measured on the training images).", group="Data", low=0, high=1
    )
    pixel_std: float | None = setting(
        None, "Standard deviation of the pixels (measured on the training images).", group="Data", above=0, high=1
    )
    flip: bool = setting(False, "Mirror half of the training images.", group="Data")
    shift: int = setting(0, "Move each training image by up to this many pixels.", group="Data", low=0, high=1000)
    cutout: int = setting(0, "Blank a square of this side in each training image.", group="Data", low=0, high=65536)
    erasing: float = setting(
        0.0, "Share of the images that get a rectangle of noise.", group="Data", low=0, high=1, scope="scalar"
    )
    mixup: float = setting(
        0.0, "Blend pairs of images with weights from Beta(a, a).", group="Data", low=0, scope="scalar"
    )
    unaugmented_share: float = setting(
        0.0,
        "Share of the epochs, the last ones, without shift, cutout, erasing, mixup.",
        group="Data",
        low=0,
        below=1,
        scope="run",
    )

    model: Architecture = setting("mlp", "Fully connected or convolutional.", group="Network", first=True)
    hidden: tuple[int, ...] = setting(
        (128, 64),
        "Widths of the fully connected hidden layers.",
        group="Network",
        low=1,
        high=65536,
        needs=("model", "mlp"),
        first=True,
    )
    widths: tuple[int, ...] = setting(
        (16, 32, 64),
        "Channels of the CNN's stages.",
        group="Network",
        low=1,
        high=65536,
        needs=("model", "cnn"),
        first=True,
    )
    blocks: int = setting(
        1, "Residual blocks per stage of the CNN (0: plain).", group="Network", low=0, high=1000, needs=("model", "cnn")
    )
    stem: int = setting(
        1,
        "Side of the squares of pixels that the CNN takes as one, for speed (1: each by itself).",
        group="Network",
        low=1,
        needs=("model", "cnn"),
    )
    half_size_share: float = setting(
        0.0,
        "Share of the epochs, the first ones, on images of half the size.",
        group="Network",
        low=0,
        below=1,
        scope="run",
        needs=("model", "cnn"),
    )
    activation: Activation = setting("relu", "The hidden layers' non-linearity.", group="Network", first=True)
    initializer: Initializer = setting("scaled_normal", "Where the weights start.", group="Network", first=True)
    batch_norm: bool = setting(
        False,
        "Normalise each hidden layer over the batch; the CNN always does.",
        group="Network",
        needs=("model", "mlp"),
    )
    dropout: float = setting(
        0.0,
        "Share of hidden activations dropped in training.",
        group="Network",
        low=0,
        below=1,
        scope="scalar",
        first=True,
    )

    loss: Loss = setting("cross_entropy", "What training makes small.", group="Objective", first=True)
    label_smoothing: float = setting(
        0.0, "Share of each label spread over all classes.", group="Objective", low=0, below=1, scope="scalar"
    )
    teacher: str | None = setting(
        None,
        "A trained model whose answers are targets beside the labels (distillation); none: no teacher.",
        group="Objective",
        scope="run",
    )
    teacher_share: float = setting(
        0.9,
        "Share of the target that is the teacher's.",
        group="Objective",
        low=0,
        high=1,
        scope="scalar",
        needs=("teacher",),
    )
    temperature: float = setting(
        1.0,
        "What the teacher's logits are divided by: higher is softer.",
        group="Objective",
        above=0,
        scope="scalar",
        needs=("teacher",),
    )
    l2: float = setting(
        0.0, "½·l2·Σw² added to the loss: Nielsen's λ/n.", group="Objective", low=0, scope="scalar", first=True
    )

    optimizer: Optimizer = setting("sgd", "How a gradient becomes a step.", group="Optimiser", first=True)
    learning_rate: float = setting(
        0.01, "η, the (peak) step size.", group="Optimiser", above=0, scope="scalar", first=True
    )
    momentum: float = setting(
        0.9,
        "Share of the velocity kept (momentum, nesterov, muon).",
        group="Optimiser",
        low=0,
        below=1,
        scope="scalar",
        needs=("optimizer", "momentum", "nesterov", "muon"),
        first=True,
    )
    beta1: float = setting(
        0.9,
        "Adam's memory of the gradient.",
        group="Optimiser",
        low=0,
        below=1,
        scope="scalar",
        needs=("optimizer", "adam", "adamw", "muon"),
    )
    beta2: float = setting(
        0.999,
        "Adam's memory of its square.",
        group="Optimiser",
        low=0,
        below=1,
        scope="scalar",
        needs=("optimizer", "adam", "adamw", "muon"),
    )
    epsilon: float = setting(
        1e-8,
        "Adam's floor under the denominator.",
        group="Optimiser",
        above=0,
        scope="scalar",
        needs=("optimizer", "adam", "adamw", "muon"),
    )
    weight_decay: float = setting(
        0.0, "Decoupled: weights shrink by η·this each step.", group="Optimiser", low=0, scope="scalar"
    )
    clip_norm: float = setting(
        0.0, "Longest gradient allowed (0: any length).", group="Optimiser", low=0, scope="scalar"
    )
    schedule: ScheduleName = setting("constant", "η over time.", group="Optimiser", first=True)
    warmup: float = setting(
        0.0, "Epochs of linear warm-up before the schedule.", group="Optimiser", low=0, scope="scalar"
    )
    decay_every: float = setting(
        5.0, "Epochs between drops (step).", group="Optimiser", above=0, scope="scalar", needs=("schedule", "step")
    )
    decay_factor: float = setting(
        0.5,
        "What a drop multiplies η by (step).",
        group="Optimiser",
        above=0,
        scope="scalar",
        needs=("schedule", "step"),
    )
    ema: float = setting(
        0.0, "Decay of a moving average of the weights, used to judge (0: none).", group="Optimiser", low=0, below=1,
        scope="scalar",
    )  # fmt: skip

    batch_size: int = setting(128, "Images per update.", group="Run", low=1, high=2**31 - 1, first=True)
    epochs: int = setting(
        20, "Passes over the training images.", group="Run", low=1, high=10**6, scope="run", first=True
    )
    patience: int = setting(
        0, "Stop after so many epochs without a better validation loss (0: never).", group="Run", low=0, high=10**6
    )
    tta: Views = setting(
        "none", "Views of a test image to average over, for a second figure.", group="Run", scope="run"
    )
    seed: int = setting(0, "Root of all randomness.", group="Run", low=0, high=MAX_SEED, scope="run")
    seeds: int = setting(
        1,
        "Networks trained at once, on consecutive seeds.",
        group="Run",
        low=1,
        high=MAX_NETWORKS,
        scope="run",
        first=True,
    )
    sweep: tuple[tuple[str, tuple[float, ...]], ...] = setting(
        (), "Scalars to try, each with its values: learning_rate=0.01,0.03.", group="Run", scope="run"
    )

    def __post_init__(self) -> None:
        for name, kind in _TYPES.items():
            object.__setattr__(self, name, _checked(name, kind, getattr(self, name)))
        if self.optimizer == "adamw" and not self.weight_decay and "weight_decay" not in dict(self.sweep):
            raise UsageError(
                "optimizer: adamw without weight_decay is adam; give a weight_decay, such as 0.01, "
                "or, to compare with 0, sweep it under adam"
            )
        if self.warmup and self.schedule == "one_cycle":
            raise UsageError("warmup: the one_cycle schedule has a warm-up of its own; leave warmup at 0")
        if self.warmup >= self.epochs and self.warmup:
            raise UsageError(f"warmup: {self.warmup:g} epochs of warm-up leave none of the {self.epochs} to train in")
        if self.patience and self.half_size_share and self.matters("half_size_share"):
            raise UsageError(
                "half_size_share: early stopping would judge those epochs by whole images, which are new to the "
                "network then; leave it or patience at 0"
            )
        if self.validation == 0 and (self.patience or self.sweep):
            raise UsageError("validation: early stopping and sweeps choose by validation data; it cannot be 0")
        if self.sweep or self.seeds > 1:
            _check_networks(self)

    @property
    def validates(self) -> float | Literal["auto"]:
        """What is held out as far as that is known without the data: a count, a share of the images, or "auto"."""
        if self.validation is None:
            return "auto" if self.patience or self.sweep else 0
        return self.validation

    def held_out(self, images: int) -> int:
        """How many of so many training images are held out: of a share at least one, and never all."""
        wanted = self.validates
        if wanted == "auto":
            return max(1, min(DEFAULT_VALIDATION, images // 6))
        return max(1, min(round(wanted * images), images - 1)) if 0 < wanted < 1 else int(wanted)

    def networks(self) -> list[Self]:
        """The single-network configs this run trains: every swept combination under every seed, seeds innermost."""
        combinations: list[dict[str, float]] = [{}]
        for name, values in self.sweep:
            combinations = [{**chosen, name: value} for chosen in combinations for value in values]
        # what a sweep implies (held-out data) stays with each of its members
        validation = self.validates if self.sweep else self.validation
        alone: dict[str, Any] = {"validation": validation, "sweep": (), "seeds": 1}
        return [
            dataclasses.replace(self, **alone, seed=seed, **chosen)
            for chosen in combinations
            for seed in range(self.seed, self.seed + self.seeds)
        ]

    def blank(self, active: frozenset[str]) -> "Config":
        """What the compiler must know of this run: scalars as in use or not, and what has an effect on the program.

        Configs that differ in nothing else share one compiled program.
        """
        scalars = {name: 0.5 if name in active else _FIELDS[name].default for name in SCALARS}
        rest = {
            name: f.default
            for name, f in _FIELDS.items()
            if f.metadata["scope"] == "run" or (f.metadata["scope"] == "program" and not self.matters(name))
        }
        return self.replace(**rest | scalars, patience=min(self.patience, 1))

    def architecture(self) -> dict[str, Any]:
        """The settings that its architecture alone has, by name: `hidden` and `batch_norm` of an MLP."""
        needing = (name for name, (other, *kinds) in NEEDS.items() if other == "model" and self.model in kinds)
        return {name: getattr(self, name) for name in needing if _FIELDS[name].metadata["scope"] == "program"}

    def network(self) -> "Config":
        """A config of the same network that is the default in everything else."""
        shared = ("model", "activation", "initializer", "pixel_mean", "pixel_std")
        return Config(**self.architecture(), **{name: getattr(self, name) for name in shared})

    def replace(self, **changes: Any) -> "Config":
        """A copy with some settings changed, checked again."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for TOML and JSON: no None, lists for tuples, the sweep as a table."""
        values = {name: getattr(self, name) for name in _TYPES}
        values["sweep"] = {name: list(swept) for name, swept in self.sweep}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None and value != {}
        }

    def matters(self, name: str) -> bool:
        """Whether a setting has an effect under the others: a teacher's temperature has none without a teacher."""
        if name not in NEEDS:
            return True
        other, *values = NEEDS[name]
        return getattr(self, other) in values if values else getattr(self, other) is not None

    def in_effect(self) -> dict[str, Any]:
        """As `to_dict`, but only what is on (not None, false, 0 or empty) and has an effect."""
        return {name: value for name, value in self.to_dict().items() if value and self.matters(name)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Config":
        """The inverse of `to_dict`; an unknown name is an error that suggests the nearest one."""
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            raise UsageError(f"config: must map names of settings to values, not {shown(values)}")
        return cls(**values)


def flag(name: str, value: Any) -> list[str]:
    """A setting as the command line has it: `--hidden 128 64`, `--flip`, `--no-flip`."""
    dashed = name.replace("_", "-")
    if value is False or value == ():
        return [f"--no-{dashed}"]
    if value is True:
        return [f"--{dashed}"]
    if value is None:
        return [f"--{dashed}", "none"]
    return [f"--{dashed}", *map(str, value if isinstance(value, tuple | list) else [value])]


def why_no_effect(name: str) -> str:
    """What a setting needs to have an effect, in words."""
    other, *values = NEEDS[name]
    return f"it needs {other} to be {' or '.join(values)}" if values else f"it needs a {other}"


def read_toml(path: Path) -> Config:
    """The config that a TOML file describes; settings it leaves out take their defaults."""
    try:
        values = tomllib.loads(Path(expanded(path)).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, or a number of thousands of digits
        raise UsageError(f"{path}: not valid TOML ({error})") from error
    try:
        return Config.from_dict(values)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


_TYPES: dict[str, Any] = get_type_hints(Config)


def _naming_what_is_unknown(init: Callable[..., None]) -> Callable[..., None]:
    """Config's `__init__`, with an error of ours where a setting's name is unknown."""

    @functools.wraps(init)
    def checked(self: Config, *unnamed: Any, **values: Any) -> None:
        if unnamed:
            raise UsageError(f"config: give each setting by name, such as epochs=5, not {shown(unnamed[0])}")
        for name in values:
            if name not in _TYPES:
                raise UsageError(f"{name[:60]}: no such setting{suggestion(name, _TYPES)}")
        init(self, **values)

    return checked


Config.__init__ = _naming_what_is_unknown(Config.__init__)
_FIELDS = {f.name: f for f in dataclasses.fields(Config)}
SCALARS = tuple(name for name, f in _FIELDS.items() if f.metadata["scope"] == "scalar")
NEEDS: dict[str, tuple[str, ...]] = {name: f.metadata["needs"] for name, f in _FIELDS.items() if f.metadata["needs"]}


def _checked(name: str, kind: Any, value: Any) -> Any:
    """`value` as `kind`, within the setting's bounds; UsageError otherwise."""
    if name == "sweep":
        return _checked_sweep(value)
    value = plain(value)
    options = [option for option in get_args(kind) if option is not type(None)] or [kind]
    if type(None) in get_args(kind):
        kind = options[0]
        if value is None or (kind is str and isinstance(value, str) and value.lower() in ("", "none")):
            return None  # TOML has no word for it
    if name == "validation":
        return _checked_validation(value)
    if get_origin(kind) is Literal:
        if not isinstance(value, str) or value not in options:
            raise UsageError(f"{name}: {none_of(value, options)}")
        return value
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise UsageError(f"{name}: must be a list of whole numbers, not {shown(value)}")
        return tuple(_number(name, int, item) for item in value)
    if kind in (int, float):
        return _number(name, kind, value)
    if kind is str and isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, kind):
        raise UsageError(f"{name}: must be {'true or false' if kind is bool else 'text'}, not {shown(value)}")
    if kind is str and ("\0" in value or value.encode(errors="replace").decode() != value):
        raise UsageError(f"{name}: {shown(value)} has characters that cannot be written down")
    return value


def _number(name: str, kind: type, value: Any) -> Any:
    return checked_number(name, kind, value, name in SCALARS, **_FIELDS[name].metadata["bounds"])


def _checked_validation(value: Any) -> Any:
    if isinstance(value, str) and value == "auto":
        return value
    share = isinstance(value, numbers.Real) and 0 < float(min(value, 1)) < 1  # of a huge int there is no float
    try:
        return _number("validation", float if share else int, value)
    except UsageError:
        wanted = "a whole number of images, a share of them below 1, or auto"
        raise UsageError(f"validation: must be {wanted}, not {shown(value)}") from None


def _checked_sweep(swept: Any) -> tuple[tuple[str, tuple[float, ...]], ...]:
    pairs = list(swept.items()) if isinstance(swept, Mapping) else swept
    if not isinstance(pairs, list | tuple) or any(not isinstance(p, list | tuple) or len(p) != 2 for p in pairs):
        raise UsageError(f"sweep: must map settings to lists of values, not {shown(swept)}")
    for name, values in pairs:
        if not isinstance(name, str) or name not in SCALARS:
            raise UsageError(f"sweep: {none_of(name, SCALARS)}")
        if not isinstance(values, list | tuple) or not values:
            raise UsageError(f"sweep: {name} needs a list of at least one value, not {shown(values)}")
        if len({array("f", [_number(name, float, value)])[0] for value in values}) < len(values):
            raise UsageError(f"sweep: {name} has a value twice: for several networks of each value, ask for seeds")
    if len(dict(pairs)) < len(pairs):
        raise UsageError("sweep: a setting appears twice")
    return tuple((name, tuple(_number(name, float, value) for value in values)) for name, values in pairs)


def _check_networks(config: Config) -> None:
    """Every network of a run must make sense on its own, and there must not be too many."""
    count = config.seeds * math.prod(len(values) for _, values in config.sweep)
    if count > MAX_NETWORKS:
        raise UsageError(f"sweep: {count} networks are more than the {MAX_NETWORKS} that can train at once")
    if config.seed + config.seeds > MAX_SEED + 1:
        raise UsageError(f"seeds: {config.seeds} of them from {config.seed} on go beyond the last one, {MAX_SEED}")
    config.networks()
