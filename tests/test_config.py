"""Config: every bound and choice, and every conversion."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from jaxquard.arguments import number, shown
from jaxquard.config import NEEDS, SCALARS, Config, read_toml
from jaxquard.errors import UsageError
from jaxquard.naming import SYNONYMS

# setting: (values at its bounds, values just beyond them)
BOUNDS: dict[str, tuple[list[Any], list[Any]]] = {
    "validation": ([0, 0.5, "auto", None], [-1, 1.5]),
    "pixel_mean": ([0, 300, -300, None], [math.inf, math.nan]),
    "pixel_std": ([1e-9, 300, None], [0, -1]),
    "shift": ([0, 1000], [-1, 1001]),
    "cutout": ([0], [-1]),
    "erasing": ([0, 1], [-0.1, 1.1]),
    "mixup": ([0, 100], [-0.1]),
    "unaugmented_share": ([0, 0.999], [-0.1, 1]),
    "hidden": ([(), (1,), (65536, 1)], [(0,), (3, -1), (65537,)]),
    "widths": ([(1,), (65536,)], [(0,), (65537,)]),
    "blocks": ([0, 1000], [-1, 1001]),
    "stem": ([1, 4], [0]),
    "half_size_share": ([0, 0.999], [-0.1, 1]),
    "dropout": ([0, 0.999], [-0.1, 1, 0.999999999]),
    "label_smoothing": ([0, 0.999], [-0.1, 1]),
    "teacher_share": ([0, 1], [-0.1, 1.1]),
    "temperature": ([1e-6, 100], [0, -1]),
    "l2": ([0, 1e6], [-1e-9]),
    "learning_rate": ([1e-30, 1e30], [0, -1, 1e-60, 1e39]),
    "momentum": ([0, 0.999], [-0.1, 1]),
    "beta1": ([0, 0.999], [-0.1, 1]),
    "beta2": ([0, 0.9999], [-0.1, 1, 0.99999999]),
    "epsilon": ([1e-30, 1], [0, -1, 1e-60]),
    "weight_decay": ([0, 10], [-0.1]),
    "clip_norm": ([0, 10], [-0.1]),
    "warmup": ([0, 19.99], [-0.1, 20]),
    "decay_every": ([1e-6, 100], [0, -1]),
    "decay_factor": ([1e-6, 2], [0, -1]),
    "ema": ([0, 0.9999], [-0.1, 1]),
    "batch_size": ([1, 2**31 - 1], [0, -1, 2**31]),
    "shards": ([1, 128], [0, 3, 256, 8192]),
    "epochs": ([1, 10**6], [0, -3, 10**6 + 1]),
    "patience": ([0, 10**6], [-1]),
    "seed": ([0, 2**31 - 1], [-1, 2**31]),
    "seeds": ([1, 1024], [0, 1025]),
}
CHOICES = {
    "model": ["mlp", "cnn"],
    "activation": ["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "identity"],
    "initializer": ["scaled_normal", "standard_normal", "he_normal", "glorot_normal", "zeros"],
    "loss": ["cross_entropy", "squared_error_softmax", "squared_error_sigmoid", "cross_entropy_sigmoid"],
    "optimizer": ["sgd", "momentum", "nesterov", "adam", "adamw", "muon"],
    "schedule": ["constant", "step", "cosine", "one_cycle"],
    "class_weight": ["none", "balanced"],
    "tta": ["none", "mirror", "mirror_and_shift"],
    "color": ["auto", "grey", "rgb"],
}
SIMPLE = {"recipe", "dataset", "image_size", "flip", "batch_norm", "teacher", "sweep"}
WHOLE = [
    "validation",
    "shift",
    "cutout",
    "blocks",
    "stem",
    "batch_size",
    "shards",
    "epochs",
    "patience",
    "seed",
    "seeds",
]
NUMBERS = sorted(BOUNDS.keys() - {"hidden", "widths"})


def test_every_setting_is_tested_here():
    assert set(Config.__dataclass_fields__) == BOUNDS.keys() | CHOICES.keys() | SIMPLE


@pytest.mark.parametrize("given", [24, "24", "24x24", "24X24", " 24 × 24", [24, 24], (24,)])
def test_an_image_size_is_a_side_or_height_and_width(given):
    assert Config(image_size=given).image_size == "24x24"
    assert Config.from_dict(Config(image_size=given).to_dict()) == Config(image_size="24x24")
    assert Config(image_size="8x65536").image_size == "8x65536"


@pytest.mark.parametrize("given", [0, -1, 65537, "0x5", "axb", "5x", "x", "0", "1x2x3", [], [1, 2, 3], 2.5, {}, True])
def test_an_image_size_that_is_none(given):
    with pytest.raises(
        UsageError,
        match=r"image_size: must be a number of pixels up to 65536, or height x width such as 24x32, not "
        + re.escape(shown(given)),
    ):
        Config(image_size=given)


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds(name: str):
    allowed, refused = BOUNDS[name]
    for value in allowed:
        assert getattr(Config(**{name: value}), name) == value
    for value in refused:
        with pytest.raises(UsageError, match=rf"^{name}: \S") as caught:
            Config(**{name: value})
        assert "\n" not in str(caught.value)


def test_an_error_names_setting_fault_and_bounds():
    for settings, message in [
        ({"epochs": -3}, "epochs: must be at least 1 and at most 1000000, not -3"),
        ({"learning_rate": 0}, "learning_rate: must be above 0, not 0"),
        ({"dropout": 1.5}, "dropout: must be at least 0 and below 1, not 1.5"),
        ({"learning_rate": math.nan}, "learning_rate: must be a finite number, not nan"),
        ({"batch_size": 2**31}, "batch_size: must be at least 1 and at most 2147483647, not 2147483648"),
        ({"hidden": 5}, "hidden: must be a list of whole numbers, not 5"),
        ({"flip": 1}, "flip: must be true or false, not 1"),
        ({"dataset": 3}, "dataset: must be text, not 3"),
        ({"model": "cn"}, "model: 'cn' is not one of: mlp, cnn; did you mean cnn?"),
        (
            {"optimizer": "adamx"},
            "optimizer: 'adamx' is not one of: sgd, momentum, nesterov, adam, adamw, muon; did you mean",
        ),
    ]:
        with pytest.raises(UsageError) as caught:
            Config(**settings)
        assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value", [True, "3", math.nan, math.inf, -math.inf, 10**400, 10**5000, [1], {}, 1j], ids=lambda v: type(v).__name__
)
def test_values_that_are_not_numbers_are_refused(name: str, value: Any):
    kind = "whole number.*" if name in WHOLE else "finite number"
    with pytest.raises(UsageError, match=f"^{name}: must be a {kind}, not ") as caught:
        Config(**{name: value})
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_may_come_as_floats_but_not_as_fractions(name: str):
    value = getattr(Config(**{name: 1.0}), name)
    assert (value, type(value)) == (1, int)
    with pytest.raises(UsageError, match=f"^{name}: must be a whole number.*, not 1.5"):
        Config(**{name: 1.5})


@pytest.mark.parametrize("name", ["dataset", "teacher", "recipe"])
def test_text_that_is_not_utf8_is_refused(name: str):
    with pytest.raises(UsageError, match=f"^{name}: .* cannot be saved"):
        Config(**{name: "n\udcff.npz"})


@pytest.mark.parametrize("name", CHOICES)
def test_choices(name: str):
    for value in CHOICES[name]:
        assert getattr(Config(**{name: value}, weight_decay=0.1), name) == value
    for value in ["", "MLP", "nothing", 3, None, ["mlp"], 10**5000, "x" * 10**4, "a\nb"]:
        with pytest.raises(UsageError, match=f"^{name}: .* is not one of: {', '.join(CHOICES[name])}") as caught:
            Config(**{name: value})
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ({"warmup": 20.0}, "warmup"),
        ({"optimizer": "adamw"}, "optimizer"),
        ({"warmup": 1.0, "schedule": "one_cycle"}, "warmup"),
        ({"validation": 0, "patience": 1}, "validation"),
        ({"model": "cnn", "patience": 1, "half_size_share": 0.5}, "half_size_share"),
        ({"validation": 0, "sweep": (("l2", (0.0, 1.0)),)}, "validation"),
        ({"hidden": "12"}, "hidden"),
        ({"hidden": (True,)}, "hidden"),
        ({"recipe": 3}, "recipe"),
        ({"sweep": (("l2", (0.0, 1.0)),), "seeds": 513}, "sweep"),
        ({"sweep": (("warmup", (0.0, 25.0)),)}, "warmup"),
        ({"sweep": (("warmup", (0.0, 1.0)),), "schedule": "one_cycle"}, "warmup"),
        ({"sweep": (("epochs", (1, 2)),)}, "sweep"),
        ({"sweep": (("l2", ()),)}, "sweep"),
        ({"sweep": (("l2", 1.0),)}, "sweep"),
        ({"sweep": (("l2", (1.0,)), ("l2", (2.0,)))}, "sweep"),
        ({"sweep": (("l2", (math.nan,)),)}, "l2"),
        ({"sweep": (("l2", (-1.0,)),)}, "l2"),
        ({"sweep": (("l2", (True,)),)}, "l2"),
        ({"sweep": [1, 2]}, "sweep"),
        ({"sweep": ["l2"]}, "sweep"),
        ({"sweep": "l2"}, "sweep"),
        ({"sweep": 7}, "sweep"),
        ({"sweep": ((7, (1.0,)),)}, "sweep"),
        ({"sweep": ((["l2"], (1.0,)),)}, "sweep"),
    ],
)
def test_wrong_combinations(settings: dict[str, Any], about: str):
    with pytest.raises(UsageError, match=f"^{about}: "):
        Config(**settings)


def test_replace_checks_again():
    config = Config(warmup=3.0)
    assert config.replace(epochs=4).epochs == 4
    with pytest.raises(UsageError, match=r"^warmup: must be shorter than the 3 epochs of training, not 3$"):
        config.replace(epochs=3)
    with pytest.raises(UsageError, match=r"^epochs"):
        config.replace(epochs=0)


def test_unknown_names_and_near_ones():
    with pytest.raises(UsageError, match=r"^learning_rat: no such setting; did you mean learning_rate\?$"):
        Config.from_dict({"learning_rat": 1})
    with pytest.raises(UsageError, match=r"^zzz: no such setting$"):
        Config.from_dict({"zzz": 1})
    with pytest.raises(UsageError, match="did you mean relu"):
        Config(activation="ReLU")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="did you mean learning_rate"):
        Config(sweep=(("learning_rte", (0.1,)),))


def test_every_synonym_means_one_setting_or_option():
    words = [word for name in SYNONYMS for word in (*SYNONYMS[name].split(), name)]
    assert len(words) == len(set(words))
    options = {"name", "resume", "checkpoint_every", "runs", "data_dir", "quiet"}
    assert SYNONYMS.keys() <= Config.__annotations__.keys() | options


@pytest.mark.parametrize(
    ("given", "meant"), [("lr", "learning_rate"), ("valSplit", "validation"), ("n-epochs", "epochs")]
)
def test_names_from_other_libraries_are_known(given: str, meant: str):
    for make in (Config.from_dict, lambda values: Config(**values), lambda values: Config().replace(**values)):
        with pytest.raises(UsageError, match=f"^{given}: no such setting; did you mean {meant}\\?$"):
            make({given: 1})


@pytest.mark.parametrize("none", [None, "none", "None", ""])
def test_a_teacher_can_be_removed(none: str | None):
    assert Config(teacher="cnn").replace(teacher=none).teacher is None
    assert Config.from_dict({"teacher": none}) == Config()


def test_held_out():
    swept = (("l2", (0.0, 1.0)),)
    assert Config().held_out(60_000) == Config(seeds=3).held_out(60_000) == 0
    assert Config(validation=7).held_out(5) == 7  # the split refuses it
    config = Config(sweep=swept)
    for implied in (config, *config.networks(), Config(patience=1), Config(validation="auto")):
        assert [implied.held_out(n) for n in (60_000, 30_006, 1497, 6, 2)] == [5000, 5000, 249, 1, 1]
    assert Config(patience=1, validation=9).held_out(60_000) == 9


def test_a_share_is_resolved_to_a_count():
    counts = {0.1: 24, 0.999999: 239, 1e-300: 1, np.float32(0.5): 120, 1: 1, 240: 240, 0.0: 0}
    assert {share: Config(validation=share).held_out(240) for share in counts} == counts
    own = [Config(validation=given).held_out(240, own=50) for given in (None, "auto", 0, 0.1, 0.999, 7, 300)]
    assert own == [50, 50, 0, 5, 50, 7, 300]  # the split refuses the last


@pytest.mark.parametrize("text", ["1_0", " 3", "3 ", "٣", "", "0x10", "1e", ".", "--1", "nan", "inf", "9" * 5000])
def test_numbers_are_ascii(text):
    with pytest.raises(ValueError, match=r"\A"):
        number(text)


def test_numbers_in_text():
    texts = {"3": 3, "-3": -3, "+3": 3, "03": 3, "3.": 3.0, ".5": 0.5, "1e1": 10.0, "1E-2": 0.01, "-.5e+1": -5.0}
    assert {text: number(text) for text in texts} == texts
    assert isinstance(number("3"), int)


def test_adamw_accepts_a_swept_weight_decay():
    decays = (0.01, 0.1)
    config = Config(optimizer="adamw", sweep=(("weight_decay", decays),))
    assert tuple(network.weight_decay for network in config.networks()) == decays
    with pytest.raises(UsageError, match="adamw without weight_decay is adam"):
        config.replace(sweep=(("weight_decay", (0.0, 0.1)),))


def test_seeds_beyond_the_largest_are_refused():
    Config(seed=2**31 - 2, seeds=2)
    with pytest.raises(UsageError, match=r"^seeds: 2 seeds from 2147483647 on exceed the largest one, 2147483647$"):
        Config(seed=2**31 - 1, seeds=2)


def test_networks_are_every_combination_under_every_seed_seeds_innermost():
    config = Config(seed=5, seeds=2, sweep=(("l2", (0.0, 1.0)), ("ema", (0.5, 0.9, 0.99))), patience=2, epochs=3)
    found = [(network.l2, network.ema, network.seed) for network in config.networks()]
    assert found == [(l2, ema, seed) for l2 in (0.0, 1.0) for ema in (0.5, 0.9, 0.99) for seed in (5, 6)]
    for network in config.networks():
        assert (network.seeds, network.sweep, network.patience, network.epochs) == (1, (), 2, 3)
        assert network.networks() == [network]
    assert Config().networks() == [Config()]


def test_blank_removes_what_does_not_change_the_program():
    config = Config(dropout=0.2, patience=3)
    active = frozenset({"learning_rate", "dropout", "epsilon", "decay_every", "decay_factor", "temperature"})
    scalars = {name: getattr(config, name) / 3 for name in SCALARS}
    same = config.replace(
        **scalars, seed=4, seeds=2, epochs=7, patience=9, dataset="digits", recipe="r", validation=3, sweep={"l2": [1]},
        teacher="cnn", tta="mirror", half_size_share=0.6, unaugmented_share=0.5,
    )  # fmt: skip
    assert same.blank(active) == config.blank(active)
    assert hash(same.blank(active)) == hash(config.blank(active))
    for change in [
        {"hidden": (3,)}, {"model": "cnn"}, {"activation": "tanh"}, {"flip": True},
        {"shift": 1}, {"cutout": 1}, {"loss": "squared_error_softmax"}, {"optimizer": "adam"}, {"schedule": "cosine"},
        {"initializer": "zeros"}, {"batch_size": 3}, {"patience": 0}, {"pixel_mean": 0.5}, {"pixel_std": 0.5},
        {"batch_norm": True},
    ]:  # fmt: skip
        assert config.replace(**change).blank(active) != config.blank(active)
    for change in ({"widths": (3,)}, {"blocks": 2}, {"stem": 2}):  # settings of the other architecture
        assert config.replace(**change).blank(active) == config.blank(active)
        assert config.replace(model="cnn", **change).blank(active) != config.replace(model="cnn").blank(active)
    assert config.blank(active - {"dropout"}) != config.blank(active)


@pytest.mark.parametrize(
    ("name", "without", "with_it"),
    [
        ("hidden", {"model": "cnn"}, {}),
        ("batch_norm", {"batch_norm": True, "model": "cnn"}, {"batch_norm": True}),
        ("stem", {}, {"model": "cnn"}),
        ("half_size_share", {"half_size_share": 0.9}, {"half_size_share": 0.9, "model": "cnn"}),
        ("half_size_share", {"model": "cnn"}, {"half_size_share": 0.9, "model": "cnn"}),
        ("temperature", {}, {"teacher": "cnn-small"}),
        ("momentum", {"optimizer": "adam"}, {"optimizer": "muon"}),
        ("beta2", {"optimizer": "nesterov"}, {"optimizer": "muon"}),
        ("decay_factor", {"schedule": "cosine"}, {"schedule": "step"}),
        ("color", {}, {"color": "rgb"}),
        ("validation", {}, {"validation": "auto"}),
    ],
)
def test_settings_without_effect_are_not_in_effect(name, without, with_it):
    assert name not in Config(**without).in_effect()
    assert name in Config(**with_it).in_effect()


def test_needs_name_settings_and_their_values():
    for name, (other, *values) in NEEDS.items():
        assert {name, other} <= set(Config.__dataclass_fields__)
        assert set(values) <= set(CHOICES.get(other, []))
        assert other not in NEEDS  # the needed setting always has an effect


def test_a_value_swept_twice_is_refused():
    for values in ([0.1, 0.1], [0.1, 0.2, 0.1 + 1e-12]):  # the same, in single precision
        with pytest.raises(UsageError, match="learning_rate has a value twice"):
            Config(sweep=(("learning_rate", tuple(values)),))


def test_a_config_is_hashable_and_frozen():
    assert {Config(): 1}[Config(hidden=[128, 64])] == 1  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        Config().epochs = 3  # type: ignore[misc]


def numbers(name: str) -> st.SearchStrategy[Any]:
    """Valid numbers for a setting."""
    bounds = Config.__dataclass_fields__[name].metadata["bounds"]
    low = bounds["low"] if bounds["low"] is not None else bounds["above"]
    low = -100 if low is None else low
    high = bounds["high"] if bounds["high"] is not None else bounds["below"]
    if name in WHOLE:
        return st.integers(low, min(high or 100, 100))
    edges = {"exclude_min": bounds["above"] is not None, "exclude_max": bounds["below"] is not None}
    most = 100 if high is None else high
    return st.floats(low, most, width=32, allow_subnormal=False, **edges if high is not None else {"exclude_min": True})


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))  # text that a file can contain


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Any valid config."""
    settings: dict[str, Any] = {name: draw(numbers(name)) for name in NUMBERS if draw(st.booleans())}
    settings |= {name: draw(st.sampled_from(CHOICES[name])) for name in CHOICES if draw(st.booleans())}
    settings |= {name: draw(st.lists(st.integers(1, 65536), max_size=4)) for name in ("hidden", "widths")}
    settings |= {"dataset": draw(TEXT), "flip": draw(st.booleans()), "recipe": draw(st.none() | TEXT)}
    settings["shards"] = math.gcd(settings.get("batch_size", 128), 2 ** draw(st.integers(0, 7)))
    if settings.get("patience"):
        settings["half_size_share"] = 0.0
    swept = draw(st.lists(st.sampled_from(["l2", "ema", "learning_rate"]), unique=True))
    settings["sweep"] = {
        name: draw(st.lists(numbers(name), min_size=1, max_size=2, unique_by=np.float32)) for name in swept
    }
    if settings.get("optimizer") == "adamw":
        settings["weight_decay"] = settings.get("weight_decay") or 0.1
    settings |= {"warmup": 0.0, "seeds": min(settings.get("seeds", 1), 8), "validation": draw(st.integers(1, 100))}
    return Config(**settings)


@given(configs())
def test_to_dict_and_from_dict_are_inverse(config: Config):
    values = config.to_dict()
    assert Config.from_dict(values) == config
    assert Config.from_dict(json.loads(json.dumps(values, allow_nan=False))) == config
    assert config.replace() == config


@given(configs())
def test_through_a_toml_file(tmp_path_factory: pytest.TempPathFactory, config: Config):
    file = tmp_path_factory.getbasetemp() / "config.toml"
    file.write_text(tomli_w.dumps(config.to_dict()), encoding="utf-8", newline="")
    assert read_toml(file) == config


def test_missing_settings_in_toml_have_their_defaults(tmp_path: Path):
    file = tmp_path / "some.toml"
    file.write_text("epochs = 3\nhidden = []\n[sweep]\nl2 = [0, 1]\n")
    assert read_toml(file) == Config(epochs=3, hidden=(), sweep=(("l2", (0.0, 1.0)),))


@pytest.mark.parametrize(
    "content",
    [b"epochs = ", b"epochs = 1\nepochs = 2", b"\xff\xfe", b"a" * 9, b"epochs = " + b"1" * 5000, b"a = " + b"[" * 9999],
    ids=["half", "twice", "not UTF-8", "no value", "too long a number", "too deep"],
)
def test_what_is_not_toml_is_one_line(tmp_path: Path, content: bytes):
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=f"^{re.escape(str(file))}: not valid TOML") as caught:
        read_toml(file)
    assert "\n" not in str(caught.value)


def test_an_error_in_toml_names_the_file(tmp_path: Path):
    file = tmp_path / "some.toml"
    file.write_text("epochs = 0")
    with pytest.raises(UsageError, match=f"^{re.escape(str(file))}: epochs: must be at least 1"):
        read_toml(file)


def test_a_toml_file_that_cannot_be_read(tmp_path: Path):
    for file in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(UsageError, match=f"^{re.escape(str(file))}: cannot be read"):
            read_toml(file)
