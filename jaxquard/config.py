"""`Config`: all settings of a run. The command line, TOML, JSON and the studio's form are generated from it.

Each setting has its help text, range or choices, scope and needs. No jax is imported here, so that `--help` is fast.
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

from jaxquard.arguments import checked_number, image_size, plain, shown
from jaxquard.errors import UsageError
from jaxquard.files import expanded
from jaxquard.naming import counted, none_of, suggestion

Architecture = Literal["mlp", "cnn"]
Activation = Literal["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "identity"]
Initializer = Literal["scaled_normal", "standard_normal", "he_normal", "glorot_normal", "zeros"]
Loss = Literal["cross_entropy", "squared_error_softmax", "squared_error_sigmoid", "cross_entropy_sigmoid"]
Optimizer = Literal["sgd", "momentum", "nesterov", "adam", "adamw", "muon"]
ScheduleName = Literal["constant", "step", "cosine", "one_cycle"]
Color = Literal["auto", "grey", "rgb"]
ClassWeight = Literal["none", "balanced"]
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

    scope: "program", fixed when the program is compiled; "scalar", an input of the program, which can be swept; "run",
    not part of the program. needs: (name, *values); the setting has an effect only if setting `name` has one of these
    values (without values: any but None). first: the studio's form shows it at once.
    """
    bounds = {"low": low, "high": high, "above": above, "below": below}
    about = {"help": help, "group": group, "bounds": bounds, "scope": scope, "needs": needs, "first": first}
    return field(default=default, metadata=about)


_data, _network, _objective, _optimiser, _run = (
    functools.partial(setting, group=group) for group in ("Data", "Network", "Objective", "Optimiser", "Run")
)
_MLP, _CNN, _STEP, _TEACHER = ("model", "mlp"), ("model", "cnn"), ("schedule", "step"), ("teacher",)
_ADAM = ("optimizer", "adam", "adamw", "muon")


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of a run. The same config gives the same bits on the same CPUs. Defaults: the original network's."""

    recipe: str | None = _run(None, "The recipe that these settings started from.", scope="run")
    dataset: str = _data(
        "fashion-mnist",
        "A data set's name, a folder of pictures or IDX files, or a .csv, .parquet or .npz file.",
        scope="run",
        first=True,
    )
    image_size: str | None = _data(
        None,
        "Pixels of the images made from pictures: one side, or height x width (default: the commonest, up to 64).",
        scope="run",
    )
    color: Color = _data("auto", "Channels of images made from pictures; auto: grey if all pictures are.", scope="run")
    validation: float | Literal["auto"] | None = _data(
        None,
        f"Training images held out: a count, a share below 1, or auto ({DEFAULT_VALIDATION}, or a sixth if that is "
        "fewer). Default: 0, or auto with patience or a sweep. Of a data set's own validation images, how many to use "
        "(default: all).",
        low=0,
        scope="run",
        first=True,
    )
    pixel_mean: float | None = _data(None, "Mean of the pixels, with 1 for white (default: of the training images).")
    pixel_std: float | None = _data(
        None, "Standard deviation of the pixels (default: of the training images).", above=0
    )
    flip: bool = _data(False, "Mirror half of the training images.")
    shift: int = _data(0, "Move each training image by up to this many pixels.", low=0, high=1000)
    cutout: int = _data(0, "Blank a square of this side in each training image.", low=0, high=65536)
    erasing: float = _data(
        0.0, "Share of the training images that get a rectangle of noise.", low=0, high=1, scope="scalar"
    )
    mixup: float = _data(0.0, "Blend pairs of images, with weights drawn from Beta(a, a).", low=0, scope="scalar")
    unaugmented_share: float = _data(
        0.0, "Share of the epochs, at the end, without shift, cutout, erasing and mixup.", low=0, below=1, scope="run"
    )

    model: Architecture = _network("mlp", "Fully connected or convolutional.", first=True)
    hidden: tuple[int, ...] = _network(
        (128, 64), "Widths of the fully connected hidden layers.", low=1, high=65536, needs=_MLP, first=True
    )
    widths: tuple[int, ...] = _network(
        (16, 32, 64), "Channels of the CNN's stages.", low=1, high=65536, needs=_CNN, first=True
    )
    blocks: int = _network(1, "Residual blocks per stage of the CNN (0: plain).", low=0, high=1000, needs=_CNN)
    stem: int = _network(
        1,
        "Side of the square patches that the CNN reads as single pixels, for speed (1: no patches).",
        low=1,
        needs=_CNN,
    )
    half_size_share: float = _network(
        0.0, "Share of the epochs, at the start, on images of half the size.", low=0, below=1, scope="run", needs=_CNN
    )
    activation: Activation = _network("relu", "The hidden layers' non-linearity.", first=True)
    initializer: Initializer = _network("scaled_normal", "Initial values of the weights.", first=True)
    batch_norm: bool = _network(False, "Batch normalisation of each hidden layer (a CNN always has it).", needs=_MLP)
    dropout: float = _network(
        0.0, "Share of the hidden activations set to 0 in training.", low=0, below=1, scope="scalar", first=True
    )

    loss: Loss = _objective("cross_entropy", "The loss that training minimises.", first=True)
    class_weight: ClassWeight = _objective(
        "none", "Weights of the classes in the loss: balanced is n/(classes·nₖ) for a class of nₖ images.", scope="run"
    )
    label_smoothing: float = _objective(
        0.0, "Share of each label that is spread over all classes.", low=0, below=1, scope="scalar"
    )
    teacher: str | None = _objective(
        None, "A trained model; its probabilities are targets beside the labels (distillation; none: off).", scope="run"
    )
    teacher_share: float = _objective(
        0.9,
        "The teacher's share of the target; the labels have the rest.",
        low=0,
        high=1,
        scope="scalar",
        needs=_TEACHER,
    )
    temperature: float = _objective(
        1.0,
        "Divisor of the teacher's logits; a higher one gives softer targets.",
        above=0,
        scope="scalar",
        needs=_TEACHER,
    )
    l2: float = _objective(0.0, "Adds ½·l2·Σw² to the loss (Nielsen's λ/n).", low=0, scope="scalar", first=True)

    optimizer: Optimizer = _optimiser("sgd", "The rule that turns gradients into updates.", first=True)
    learning_rate: float = _optimiser(
        0.01, "η, the step size (with a schedule: its peak).", above=0, scope="scalar", first=True
    )
    momentum: float = _optimiser(
        0.9,
        "Share of the velocity kept at each step (momentum, nesterov, muon).",
        low=0,
        below=1,
        scope="scalar",
        needs=("optimizer", "momentum", "nesterov", "muon"),
        first=True,
    )
    beta1: float = _optimiser(
        0.9, "Decay of Adam's average of the gradient.", low=0, below=1, scope="scalar", needs=_ADAM
    )
    beta2: float = _optimiser(
        0.999, "Decay of Adam's average of the squared gradient.", low=0, below=1, scope="scalar", needs=_ADAM
    )
    epsilon: float = _optimiser(
        1e-8, "Added to Adam's denominator for stability.", above=0, scope="scalar", needs=_ADAM
    )
    weight_decay: float = _optimiser(0.0, "Each step shrinks the weights by η times this share.", low=0, scope="scalar")
    clip_norm: float = _optimiser(
        0.0, "Longer gradients are scaled down to this norm (0: never).", low=0, scope="scalar"
    )
    schedule: ScheduleName = _optimiser("constant", "How η changes during the training.", first=True)
    warmup: float = _optimiser(0.0, "Epochs of linear warm-up before the schedule.", low=0, scope="scalar")
    decay_every: float = _optimiser(5.0, "Epochs between drops (step).", above=0, scope="scalar", needs=_STEP)
    decay_factor: float = _optimiser(0.5, "Factor of each drop of η (step).", above=0, scope="scalar", needs=_STEP)
    ema: float = _optimiser(
        0.0, "Decay of the average of weights to evaluate (0: none).", low=0, below=1, scope="scalar"
    )

    batch_size: int = _run(128, "Images per update.", low=1, high=2**31 - 1, first=True)
    shards: int = _run(1, "Equal parts of a batch, a power of two, which several devices can share.", low=1, high=4096)
    epochs: int = _run(20, "Passes over the training images.", low=1, high=10**6, scope="run", first=True)
    patience: int = _run(
        0, "Stop after this many epochs without a better validation loss (0: never).", low=0, high=10**6
    )
    tta: Views = _run("none", "Views of a test image to average over, for a second accuracy.", scope="run")
    seed: int = _run(0, "Seed of all random numbers.", low=0, high=MAX_SEED, scope="run")
    seeds: int = _run(
        1,
        "Number of networks to train at once, with consecutive seeds.",
        low=1,
        high=MAX_NETWORKS,
        scope="run",
        first=True,
    )
    sweep: tuple[tuple[str, tuple[float, ...]], ...] = _run(
        (), "Settings to try, each with its values: learning_rate=0.01,0.03.", scope="run"
    )

    def __post_init__(self) -> None:
        for name, kind in _TYPES.items():
            object.__setattr__(self, name, _checked(name, kind, getattr(self, name)))
        if self.optimizer == "adamw" and not self.weight_decay and "weight_decay" not in dict(self.sweep):
            raise UsageError(
                "optimizer: adamw without weight_decay is adam; give a weight_decay, such as 0.01, "
                "or, to compare with 0, sweep it under adam"
            )
        if self.shards & (self.shards - 1):
            raise UsageError(f"shards: must be a power of two, not {self.shards}")
        if self.batch_size % self.shards:
            raise UsageError(f"shards: {self.shards} do not divide a batch of {self.batch_size} (batch_size) evenly")
        if self.warmup and self.schedule == "one_cycle":
            raise UsageError("warmup: must be 0 with the one_cycle schedule, which has its own warm-up")
        if self.warmup >= self.epochs and self.warmup:
            raise UsageError(
                f"warmup: must be shorter than the {counted(self.epochs, 'epoch')} of training, not {self.warmup:g}"
            )
        if self.patience and self.half_size_share and self.matters("half_size_share"):
            raise UsageError(
                "half_size_share: must be 0 with early stopping, which evaluates on full-size images; "
                "set half_size_share or patience to 0"
            )
        if self.validation == 0 and (self.patience or self.sweep):
            raise UsageError("validation: must not be 0: early stopping and sweeps choose by validation data")
        if self.sweep or self.seeds > 1:
            _check_networks(self)

    @property
    def validates(self) -> float | Literal["auto"]:
        """What to hold out: a count, a share of the images, or "auto"."""
        if self.validation is None:
            return "auto" if self.patience or self.sweep else 0
        return self.validation

    def held_out(self, images: int, own: int = 0) -> int:
        """How many of the training images are held out, or used of a data set's `own` validation images.

        A share gives at least one image, and never all training images.
        """
        wanted = "auto" if own and self.validation is None else self.validates
        if wanted == "auto":
            return own or max(1, min(DEFAULT_VALIDATION, images // 6))
        if 0 < wanted < 1:
            return max(1, min(round(wanted * (own or images)), own or images - 1))
        return int(wanted)

    def trained_on(self, images: int, own: int = 0) -> int:
        """How many of the training images are trained on."""
        return images if own else images - self.held_out(images)

    def networks(self) -> list[Self]:
        """One config for each network of this run: every combination of swept values, each with every seed."""
        combinations: list[dict[str, float]] = [{}]
        for name, values in self.sweep:
            combinations = [{**chosen, name: value} for chosen in combinations for value in values]
        # a sweep holds out data by default, and its members must hold out the same
        validation = self.validates if self.sweep else self.validation
        alone: dict[str, Any] = {"validation": validation, "sweep": (), "seeds": 1}
        return [
            dataclasses.replace(self, **alone, seed=seed, **chosen)
            for chosen in combinations
            for seed in range(self.seed, self.seed + self.seeds)
        ]

    def blank(self, active: frozenset[str]) -> "Config":
        """This config with default values for all that does not change the compiled program.

        Configs with the same result share one compiled program. A scalar counts only as active or not.
        """
        scalars = {name: 0.5 if name in active else _FIELDS[name].default for name in SCALARS}
        rest = {
            name: f.default
            for name, f in _FIELDS.items()
            if f.metadata["scope"] == "run" or (f.metadata["scope"] == "program" and not self.matters(name))
        }
        return self.replace(**rest | scalars, patience=min(self.patience, 1))

    def architecture(self) -> dict[str, Any]:
        """The settings that only this architecture has, by name: `hidden` and `batch_norm` for an MLP."""
        needing = (name for name, (other, *kinds) in NEEDS.items() if other == "model" and self.model in kinds)
        return {name: getattr(self, name) for name in needing if _FIELDS[name].metadata["scope"] == "program"}

    def network(self) -> "Config":
        """A config with only this config's network settings; all other settings have their defaults."""
        shared = ("model", "activation", "initializer", "pixel_mean", "pixel_std")
        return Config(**self.architecture(), **{name: getattr(self, name) for name in shared})

    def replace(self, **changes: Any) -> "Config":
        """A copy with some settings changed. It is checked again."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for TOML and JSON: without None, with lists for tuples and a table for the sweep."""
        values = {name: getattr(self, name) for name in _TYPES}
        values["sweep"] = {name: list(swept) for name, swept in self.sweep}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None and value != {}
        }

    def matters(self, name: str) -> bool:
        """Whether a setting has an effect, given the others: `temperature` has none without a teacher."""
        if name not in NEEDS:
            return True
        other, *values = NEEDS[name]
        return getattr(self, other) in values if values else getattr(self, other) is not None

    def in_effect(self) -> dict[str, Any]:
        """As `to_dict`, but only settings that have an effect and are not None, false, 0, empty, none or auto.

        So a new setting that does nothing by default leaves the hashes of lessons as they are.
        """
        off = {name: f.default for name, f in _FIELDS.items() if name == "shards" or f.default in ("none", "auto")}
        values = self.to_dict().items()
        return {name: value for name, value in values if value and value != off.get(name) and self.matters(name)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Config":
        """The inverse of `to_dict`. UsageError for an unknown name, with the nearest known one."""
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            raise UsageError(f"config: must map names of settings to values, not {shown(values)}")
        return cls(**values)


def option(name: str) -> str:
    """The option of the command line for a setting: `--batch-size`."""
    return f"--{name.replace('_', '-')}"


def flag(name: str, value: Any) -> list[str]:
    """A setting as options of the command line: `--hidden 128 64`, `--flip`, `--no-flip`."""
    if value is False or value == ():
        return [option(f"no-{name}")]
    if value is True:
        return [option(name)]
    if value is None:
        return [option(name), "none"]
    return [option(name), *map(str, value if isinstance(value, tuple | list) else [value])]


def why_no_effect(name: str) -> str:
    """What a setting needs to have an effect, for a message."""
    other, *values = NEEDS[name]
    return f"it needs {other} to be {' or '.join(values)}" if values else f"it needs a {other}"


def read_toml(path: Path) -> Config:
    """The config in a TOML file. Missing settings have their defaults."""
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
    """Config's `__init__`, with a UsageError for an unknown name."""

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
            return None  # TOML has no null
    if name == "validation":
        return _checked_validation(value)
    if name == "image_size":
        return "x".join(map(str, image_size(value)))
    if get_origin(kind) is Literal:
        if not isinstance(value, str) or value not in options:
            raise UsageError(f"{name}: {none_of(value, options)}")
        return value
    if get_origin(kind) is tuple:
        value = getattr(value, "tolist", lambda: value)()  # of an array
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
        raise UsageError(f"{name}: {shown(value)} has characters that cannot be saved")
    return value


def _number(name: str, kind: type, value: Any) -> Any:
    return checked_number(name, kind, value, name in SCALARS, **_FIELDS[name].metadata["bounds"])


def _checked_validation(value: Any) -> Any:
    if isinstance(value, str) and value == "auto":
        return value
    share = isinstance(value, numbers.Real) and 0 < float(min(value, 1)) < 1  # float() fails for a huge int
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
            raise UsageError(f"sweep: {name} has a value twice; for several networks of each value, use seeds")
    if len(dict(pairs)) < len(pairs):
        raise UsageError("sweep: a setting appears twice")
    return tuple((name, tuple(_number(name, float, value) for value in values)) for name, values in pairs)


def _check_networks(config: Config) -> None:
    """UsageError if a run has too many networks, or one of them would not be a valid run by itself."""
    count = config.seeds * math.prod(len(values) for _, values in config.sweep)
    if count > MAX_NETWORKS:
        raise UsageError(f"sweep: at most {MAX_NETWORKS} networks can train at once, not {count}")
    if config.seed + config.seeds > MAX_SEED + 1:
        raise UsageError(f"seeds: {config.seeds} seeds from {config.seed} on exceed the largest one, {MAX_SEED}")
    config.networks()
