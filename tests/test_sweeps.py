"""`--sweep` makes configs. cli/test_train.py tests the errors."""

import itertools

import pytest

from jaxquard.config import Config
from jaxquard.errors import UsageError
from jaxquard.sweeps import expand, parse, remaining, written


def test_values_are_parsed_by_their_form():
    swept = parse(["learning-rate=0.1,3e-2", "hidden=128-64,9", "activation=relu,tanh", "flip=true,false"])
    assert swept == {
        "learning_rate": (0.1, 0.03),
        "hidden": ((128, 64), (9,)),
        "activation": ("relu", "tanh"),
        "flip": (True, False),
    }


def test_scalars_are_networks_and_shapes_are_runs():
    swept = {"hidden": ((4,), (8,)), "l2": (0.0, 0.9), "activation": ("relu", "tanh")}
    configs = expand(Config(), {"epochs": 3}, swept)
    assert [(c.hidden, c.activation) for c in configs] == [
        ((4,), "relu"), ((4,), "tanh"), ((8,), "relu"), ((8,), "tanh"),
    ]  # fmt: skip
    assert {(c.epochs, c.sweep, c.validates) for c in configs} == {(3, (("l2", (0.0, 0.9)),), "auto")}


def test_without_a_sweep_there_is_one_config():
    assert expand(Config(), {"epochs": 3}, {}) == [Config(epochs=3)]


def test_what_was_held_out_stays_held_out():
    swept = {"batch_size": (64, 128)}
    assert [c.validation for c in expand(Config(validation=70), {}, swept)] == [70, 70]
    assert [c.validation for c in expand(Config(validation=70), {"validation": 30}, swept)] == [30, 30]


def test_a_sweep_needs_held_out_images():
    for base, given in ((Config(validation=0), {}), (Config(), {"validation": 0})):
        with pytest.raises(UsageError, match="a sweep chooses by validation data"):
            expand(base, given, {"batch_size": (64, 128)})


@pytest.mark.parametrize(
    ("given", "swept", "pixels"),
    [
        ({"dataset": "fashion-mnist"}, {}, (0.3, 0.4)),
        ({"dataset": "mnist"}, {}, (None, None)),
        ({"validation": 70}, {}, (None, None)),
        ({"validation": 70, "pixel_mean": 0.1}, {}, (0.1, None)),
        ({"validation": 0.1}, {}, (None, None)),
        ({}, {"learning_rate": (0.1, 0.2)}, (None, None)),  # a sweep holds images out
    ],
)
def test_pixel_statistics_are_measured_again_for_other_images(given, swept, pixels):
    """A run's config.toml has the pixels of the images that it was trained on."""
    (config,) = expand(Config(pixel_mean=0.3, pixel_std=0.4), given, swept)
    assert (config.pixel_mean, config.pixel_std) == pixels


def test_remaining_gives_every_combination_but_the_first():
    shapes = {"hidden": ((4,), (5, 3)), "flip": (True, False), "batch_size": (1, 2, 3)}
    every = list(itertools.product(*shapes.values()))
    for done in range(len(every) + 1):
        parts = remaining(shapes, done)
        assert [one for part in parts for one in itertools.product(*part.values())] == every[done:]
        assert [parse(written(part)) for part in parts] == parts
