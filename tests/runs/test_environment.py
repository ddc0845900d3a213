"""The recorded facts of machine and data, and which of them may change bits."""

import copy
import dataclasses

import jax
import numpy as np
import pytest

from jaxquard.data.framing import measure, measure_whole
from jaxquard.runs import environment


def test_describes_the_machine_and_the_data(stripes):
    found = environment.describe(stripes)
    assert all(found[name] for name in ("jax", "jaxlib", "threads", "devices"))
    assert found["dataset"] == {
        "name": "stripes",
        "class_names": ["0", "1", "2"],
        "image_shape": [6, 6, 1],
        "train": 120,
        "test": 40,
        "framing": measure(stripes.train_images).to_dict(),
        "scaled_from": 255,
        "notes": [],
        "validation": 0,
        "by_class": False,
        "value_range": None,
        "reading": None,
        "sha256": dict(stripes.sha256),
    }
    environment.check_facts(found["dataset"])
    for name in ("framing", "scaled_from", "notes", "validation", "by_class"):  # a model file may lack these
        del found["dataset"][name]
    environment.check_facts(found["dataset"])


def test_pictures_are_framed_as_they_were_read(stripes):
    reading = {"image_size": None, "color": "auto", "skip_damaged": False}
    images, labels = np.tile(stripes.train_images, (2, 1, 1, 1)), np.tile(stripes.train_labels, 2)
    pictures = dataclasses.replace(stripes, reading=reading, train_images=images, train_labels=labels)
    facts = environment.describe(pictures)["dataset"]
    assert facts["framing"] == measure_whole(images).to_dict()
    assert facts["framing"]["learned"]
    environment.check_facts(facts)


def test_dim_images_that_were_not_scaled_are_other_data(stripes):
    facts = environment.describe(stripes)["dataset"]
    assert environment.is_same_data(facts, stripes)
    dim = dataclasses.replace(stripes, scaled_from=1)  # as the file is loaded now
    assert not environment.is_same_data({key: facts[key] for key in facts if key != "scaled_from"}, dim)


def test_differences_are_those_that_may_change_bits(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    then = environment.machine()
    assert environment.differences(then, environment.machine()) == []
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    with jax.default_matmul_precision("highest"):
        assert environment.differences(then, environment.machine()) == [
            "matmul_precision None → highest",
            "xla_flags  → --xla_cpu_enable_fast_math=true",
        ]
    now = then | {"jaxlib": "9.9.9", "threads": 99, "python": "2.7", "platform": "elsewhere"}
    assert environment.differences(then, now) == [
        f"jaxlib {then['jaxlib']} → 9.9.9",
        f"threads {then['threads']} → 99",
    ]


@pytest.mark.parametrize("name", ["jax", "jaxlib", "processor", "threads", "devices", "partitionable_random_bits"])
def test_each_difference_is_reported_by_itself(name):
    then = environment.machine()
    assert then[name]
    other = ["other"] if name == "devices" else "other"
    assert environment.differences(then, then | {name: other}) == [f"{name} {then[name]} → {other}"]


def test_the_number_of_devices_changes_no_bit():
    then = environment.machine()
    assert environment.differences(then, then | {"devices": 8 * then["devices"]}) == []


@pytest.mark.parametrize(
    "change",
    [
        {"class_names": []},
        {"class_names": ["a", "a"]},
        {"image_shape": [6, 6]},
        {"image_shape": [6, 6, True]},
        {"train": 0},
        {"sha256": "0"},
        {"framing": {"fill": 2}},
        {"name": 1},
    ],
)
def test_invalid_facts_are_refused(stripes, change):
    facts = copy.deepcopy(environment.describe(stripes)["dataset"])
    with pytest.raises(ValueError, match=r"invalid (facts|framing)"):
        environment.check_facts(facts | change)
