"""What `--sweep` says, as configs. What makes no sense is refused by the command line's own test (test_cli.py)."""

import pytest

from jaxquard.config import Config
from jaxquard.errors import UsageError
from jaxquard.sweeps import expand, parse


def test_values_are_what_they_look_like():
    swept = parse(["learning-rate=0.1,3e-2", "hidden=128-64,9", "activation=relu,tanh", "flip=true,false"])
    assert swept == {
        "learning_rate": (0.1, 0.03),
        "hidden": ((128, 64), (9,)),
        "activation": ("relu", "tanh"),
        "flip": (True, False),
    }


def test_scalars_are_networks_and_shapes_are_runs():
    swept = {"hidden": ((4,), (8,)), "momentum": (0.0, 0.9), "activation": ("relu", "tanh")}
    configs = expand(Config(), {"epochs": 3}, swept)
    assert [(c.hidden, c.activation) for c in configs] == [
        ((4,), "relu"), ((4,), "tanh"), ((8,), "relu"), ((8,), "tanh"),
    ]  # fmt: skip
    assert {(c.epochs, c.sweep, c.held_out) for c in configs} == {(3, (("momentum", (0.0, 0.9)),), 5000)}


def test_nothing_swept_is_the_one_config():
    assert expand(Config(), {"epochs": 3}, {}) == [Config(epochs=3)]


def test_what_was_held_out_stays_held_out():
    assert [c.validation for c in expand(Config(validation=70), {}, {"stem": (1, 2)})] == [70, 70]
    assert [c.validation for c in expand(Config(validation=70), {"validation": 30}, {"stem": (1, 2)})] == [30, 30]


def test_other_data_have_other_pixels():
    config = Config(pixel_mean=0.3, pixel_std=0.4)
    (same,), (other,) = expand(config, {"dataset": "fashion-mnist"}, {}), expand(config, {"dataset": "mnist"}, {})
    assert (same.pixel_mean, other.pixel_mean, other.pixel_std) == (0.3, None, None)


@pytest.mark.parametrize("swept", [{"activation": ("relu", "relu")}, {"hidden": ((4, 2), (4, 2))}])
def test_a_value_twice_is_refused(swept):
    with pytest.raises(UsageError, match="has a value twice"):
        expand(Config(), {}, swept)
