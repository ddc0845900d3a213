"""The one description of a run. Command line, TOML, JSON and form are views of this dataclass; it is checked when made.

Each setting carries its own help, range or choices, and whether it is a *scalar*: a number that lives in the training
state and can be swept without compiling again. Knows no jax, so that `--help` is instant.
"""

import dataclasses
import difflib
import functools
import math
import numbers
import operator
import os
import re
import sys
import tomllib
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from jaxquard.arguments import plain, shown
from jaxquard.errors import UsageError
from jaxquard.files import expanded

Activation = Literal["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "identity"]
Initializer = Literal["scaled_normal", "standard_normal", "he_normal", "glorot_normal", "zeros"]
Loss = Literal["cross_entropy", "squared_error_softmax", "squared_error_sigmoid", "cross_entropy_sigmoid"]
Optimizer = Literal["sgd", "momentum", "nesterov", "adam", "adamw", "muon"]
ScheduleName = Literal["constant", "step", "cosine", "one_cycle"]
Views = Literal["none", "mirror", "mirror_and_shift"]

DEFAULT_VALIDATION = 5000
MAX_NETWORKS = 1024
MAX_SEED = 2**31 - 1

# What these settings need to have an effect: another one, with one of these values (none named: any but None).
NEEDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("hidden", "batch_norm"), ("model", "mlp")),
    **dict.fromkeys(("widths", "blocks", "stem", "half_size_share"), ("model", "cnn")),
    **dict.fromkeys(("teacher_share", "temperature"), ("teacher",)),
    "momentum": ("optimizer", "momentum", "nesterov", "muon"),
    **dict.fromkeys(("beta1", "beta2", "epsilon"), ("optimizer", "adam", "adamw", "muon")),
    **dict.fromkeys(("decay_every", "decay_factor"), ("schedule", "step")),
}


def setting(
    default: Any,
    help: str,
    *,
    group: str,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    scalar: bool = False,
) -> Any:
    """A field of Config: `low` and `high` are inclusive bounds, `above` and `below` exclusive ones."""
    bounds = {"low": low, "high": high, "above": above, "below": below}
    return field(default=default, metadata={"help": help, "group": group, "bounds": bounds, "scalar": scalar})


@dataclass(frozen=True, kw_only=True)
class Config:
    """A run, complete: the same config and seed give the same bits on the same CPUs. Defaults are the original's."""

    recipe: str | None = setting(None, "The recipe this started from.", group="Run")
    dataset: str = setting("fashion-mnist", "A data set's name, a directory of IDX files, or an .npz.", group="Data")
    validation: float | Literal["auto"] | None = setting(
        None,
        f"Training images held out: a count, a share below 1, or auto: {DEFAULT_VALIDATION}, or a sixth if that is "
        "fewer (0; auto for patience or a sweep).",
        group="Data",
        low=0,
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
        0.0, "Share of the images that get a rectangle of noise.", group="Data", low=0, high=1, scalar=True
    )
    mixup: float = setting(0.0, "Blend pairs of images with weights from Beta(a, a).", group="Data", low=0, scalar=True)
    unaugmented_share: float = setting(
        0.0,
        "Share of the epochs, the last ones, without shift, cutout, erasing, mixup.",
        group="Data",
        low=0,
        below=1,
    )

    model: Literal["mlp", "cnn"] = setting("mlp", "Fully connected or convolutional.", group="Network")
    hidden: tuple[int, ...] = setting(
        (128, 64), "Widths of the fully connected hidden layers.", group="Network", low=1, high=65536
    )
    widths: tuple[int, ...] = setting((16, 32, 64), "Channels of the CNN's stages.", group="Network", low=1, high=65536)
    blocks: int = setting(1, "Residual blocks per stage of the CNN (0: plain).", group="Network", low=0, high=1000)
    stem: int = setting(
        1,
        "Side of the squares of pixels that the CNN takes as one, for speed (1: each by itself).",
        group="Network",
        low=1,
    )
    half_size_share: float = setting(
        0.0, "Share of the epochs, the first ones, on images of half the size.", group="Network", low=0, below=1
    )
    activation: Activation = setting("relu", "The hidden layers' non-linearity.", group="Network")
    initializer: Initializer = setting("scaled_normal", "Where the weights start.", group="Network")
    batch_norm: bool = setting(
        False, "Normalise each hidden layer over the batch; the CNN always does.", group="Network"
    )
    dropout: float = setting(
        0.0, "Share of hidden activations dropped in training.", group="Network", low=0, below=1, scalar=True
    )

    loss: Loss = setting("cross_entropy", "What training makes small.", group="Objective")
    label_smoothing: float = setting(
        0.0, "Share of each label spread over all classes.", group="Objective", low=0, below=1, scalar=True
    )
    teacher: str | None = setting(
        None,
        "A trained model whose answers are targets beside the labels (distillation); none: no teacher.",
        group="Objective",
    )
    teacher_share: float = setting(
        0.9, "Share of the target that is the teacher's.", group="Objective", low=0, high=1, scalar=True
    )
    temperature: float = setting(
        1.0, "What the teacher's logits are divided by: higher is softer.", group="Objective", above=0, scalar=True
    )
    l2: float = setting(0.0, "½·l2·Σw² added to the loss: Nielsen's λ/n.", group="Objective", low=0, scalar=True)

    optimizer: Optimizer = setting("sgd", "How a gradient becomes a step.", group="Optimiser")
    learning_rate: float = setting(0.01, "η, the (peak) step size.", group="Optimiser", above=0, scalar=True)
    momentum: float = setting(
        0.9, "Share of the velocity kept (momentum, nesterov, muon).", group="Optimiser", low=0, below=1, scalar=True
    )
    beta1: float = setting(0.9, "Adam's memory of the gradient.", group="Optimiser", low=0, below=1, scalar=True)
    beta2: float = setting(0.999, "Adam's memory of its square.", group="Optimiser", low=0, below=1, scalar=True)
    epsilon: float = setting(1e-8, "Adam's floor under the denominator.", group="Optimiser", above=0, scalar=True)
    weight_decay: float = setting(
        0.0, "Decoupled: weights shrink by η·this each step.", group="Optimiser", low=0, scalar=True
    )
    clip_norm: float = setting(0.0, "Longest gradient allowed (0: any length).", group="Optimiser", low=0, scalar=True)
    schedule: ScheduleName = setting("constant", "η over time.", group="Optimiser")
    warmup: float = setting(0.0, "Epochs of linear warm-up before the schedule.", group="Optimiser", low=0, scalar=True)
    decay_every: float = setting(5.0, "Epochs between drops (step).", group="Optimiser", above=0, scalar=True)
    decay_factor: float = setting(0.5, "What a drop multiplies η by (step).", group="Optimiser", above=0, scalar=True)
    ema: float = setting(
        0.0, "Decay of a moving average of the weights, used to judge (0: none).", group="Optimiser", low=0, below=1,
        scalar=True,
    )  # fmt: skip

    batch_size: int = setting(128, "Images per update.", group="Run", low=1, high=2**31 - 1)
    epochs: int = setting(20, "Passes over the training images.", group="Run", low=1, high=10**6)
    patience: int = setting(
        0, "Stop after so many epochs without a better validation loss (0: never).", group="Run", low=0, high=10**6
    )
    tta: Views = setting("none", "Views of a test image to average over, for a second figure.", group="Run")
    seed: int = setting(0, "Root of all randomness.", group="Run", low=0, high=MAX_SEED)
    seeds: int = setting(1, "Networks trained at once, on consecutive seeds.", group="Run", low=1, high=MAX_NETWORKS)
    sweep: tuple[tuple[str, tuple[float, ...]], ...] = setting(
        (), "Scalars to try, each with its values: learning_rate=0.01,0.03.", group="Run"
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
        """What the compiler must know of this run: scalars only as in use or not, seeds, names and lengths not at all.

        Configs that differ in nothing else share one compiled program.
        """
        scalars = {name: 0.5 if name in active else 0.0 for name in SCALARS}
        rest = {"recipe": None, "dataset": "", "validation": None, "epochs": 1, "seed": 0, "seeds": 1, "sweep": ()}
        rest |= {"teacher": None, "tta": "none", "half_size_share": 0.0, "unaugmented_share": 0.0}
        return self.replace(**scalars, **rest, patience=min(self.patience, 1))

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
    """What a setting of NEEDS lacks where it does not matter, in words."""
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


# Our name, and what scikit-learn, Keras, PyTorch and others call the same thing. Case, - and _ do not matter.
SYNONYMS = {
    "dataset": "data ds data_name",
    "validation": "val val_size val_split valid validation_split validation_fraction validation_size",
    "flip": "hflip horizontal_flip mirror random_flip",
    "shift": "translate translation random_crop crop_padding",
    "erasing": "random_erasing",
    "mixup": "mixup_alpha",
    "model": "arch architecture net network model_name",
    "hidden": "hidden_dim hidden_dims hidden_layer_sizes hidden_layers hidden_size hidden_sizes layers units",
    "widths": "channels filters num_filters",
    "activation": "act activation_fn nonlinearity",
    "initializer": "init kernel_initializer weight_init",
    "batch_norm": "bn batch_normalization use_bn",
    "dropout": "drop drop_rate dropout_p dropout_rate",
    "loss": "criterion loss_fn loss_function objective",
    "label_smoothing": "smoothing",
    "temperature": "tau",
    "l2": "alpha l2_reg lambda lmbda reg regularization weight_l2",
    "optimizer": "algorithm optim opt solver",
    "learning_rate": "lr eta base_lr init_lr initial_lr learning_rate_init max_lr step_size",
    "momentum": "mom mu",
    "beta1": "b1 beta_1",
    "beta2": "b2 beta_2",
    "epsilon": "eps",
    "weight_decay": "wd decay",
    "clip_norm": "clip clip_grad_norm clipnorm grad_clip gradient_clip gradient_clip_val max_grad_norm max_norm",
    "schedule": "lr_schedule lr_scheduler sched scheduler learning_rate_schedule",
    "warmup": "warmup_epochs",
    "decay_every": "lr_step lr_step_size",
    "decay_factor": "gamma lr_decay lr_gamma",
    "ema": "ema_decay",
    "batch_size": "batch bs batch_sz mini_batch mini_batch_size train_batch_size",
    "epochs": "e max_epochs max_iter n_epochs nb_epoch num_epochs num_train_epochs",
    "patience": "early_stopping early_stopping_patience early_stopping_rounds n_iter_no_change",
    "tta": "test_time_augmentation",
    "seed": "random_seed random_state rng_seed",
    "seeds": "ensemble n_models n_seeds num_seeds",
    "sweep": "grid param_grid search",
    "name": "exp experiment exp_name run run_name",
    "resume": "checkpoint ckpt continue resume_from",
    "checkpoint_every": "checkpoint_freq save_every save_freq save_steps",
    "runs": "log_dir logdir out_dir output output_dir runs_dir save_dir",
    "data_dir": "data_path data_root root",
    "quiet": "silent",
}


def _letters(name: str) -> str:
    return re.sub("[-_ ]", "", name).lower()


_MEANT = {_letters(word): name for name, words in SYNONYMS.items() for word in words.split()}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant: what other libraries call it, or a mistyped one."""
    spelled = {_letters(one): one for one in known}
    meant = _MEANT.get(_letters(name), "")
    close = [_letters(meant)] if _letters(meant) in spelled else difflib.get_close_matches(_letters(name), spelled, n=1)
    return spelled[close[0]] if close else None


def suggestion(name: object, known: Iterable[str]) -> str:
    """ "; did you mean …?" for a name that is not known, or nothing."""
    close = nearest(name, known) if isinstance(name, str) else None
    return f"; did you mean {close}?" if close else ""


_NUMERAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def number(text: str) -> int | float:
    """The number that a text is: ASCII digits, a sign, a point, an exponent. ValueError if it is none."""
    if not _NUMERAL.fullmatch(text):
        raise ValueError(text[:60])
    return int(text) if text.lstrip("+-").isdigit() else float(text)


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
SCALARS = tuple(name for name, f in _FIELDS.items() if f.metadata["scalar"])


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
            raise UsageError(f"{name}: {shown(value)} is none of {', '.join(options)}{suggestion(value, options)}")
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
    return checked_number(name, kind, value, _FIELDS[name].metadata["scalar"], **_FIELDS[name].metadata["bounds"])


def checked_number(name: str, kind: type, value: Any, single: bool = False, **bounds: float | None) -> Any:
    """`value` as `kind` (int or float) within `bounds` (as `setting` has them), seen in single precision if `single`;
    UsageError otherwise. The one rule for numbers, wherever they come from: 3.0 is a whole number, 3.5 is none.
    """
    value = plain(value)
    if not isinstance(value, bool | int | float) and isinstance(value, numbers.Real):  # a fraction, say
        value = int(value) if isinstance(value, numbers.Integral) else float(value)
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    # a scalar is what it is to the network, which computes in single precision: there 0.999999999 is 1, and 1e-50 is 0
    seen = array("f", [value])[0] if number and single else value
    if not number or math.isinf(seen) or (kind is int and value != int(value)):
        raise UsageError(f"{name}: must be a {'whole' if kind is int else 'finite'} number, not {shown(value)}")
    limits = {b: bound for b, bound in bounds.items() if bound is not None}
    if not all(_BOUNDS[b][1](seen, bound) for b, bound in limits.items()):
        needs = " and ".join(f"{_BOUNDS[b][0]} {bound}" for b, bound in limits.items())
        raise UsageError(f"{name}: must be {needs}, not {shown(value)}")
    return kind(value)


_BOUNDS = {
    "low": ("at least", operator.ge),
    "high": ("at most", operator.le),
    "above": ("above", operator.gt),
    "below": ("below", operator.lt),
}


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
            raise UsageError(f"sweep: {shown(name)} is none of {', '.join(SCALARS)}{suggestion(name, SCALARS)}")
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
