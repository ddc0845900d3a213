"""`prepare`: the resolved config, the split, and arrays on the device as uint8."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxquard.config import Config
from jaxquard.data import Dataset, split
from jaxquard.errors import DataError, UsageError
from jaxquard.training.data import prepare
from jaxquard.training.fit import fit

CONFIG = Config(batch_size=50)


def test_everything_is_on_the_device_and_nothing_is_lost(dataset: Dataset):
    config, data = prepare(CONFIG, dataset)
    assert isinstance(data.images, jax.Array)
    assert (data.images.dtype, data.labels.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(data.images, dataset.train_images)
    np.testing.assert_array_equal(data.labels, dataset.train_labels)
    assert (len(data.val_images), len(data.val_labels), data.classes) == (0, 0, 4)
    assert config.validates == 0


def test_the_split_is_that_of_the_data_set_and_only_training_images_are_measured(dataset: Dataset):
    config, data = prepare(CONFIG.replace(validation=60), dataset)
    images, labels, val_images, val_labels = split(dataset, 60)
    for got, expected in zip(data[:4], (images, labels, val_images, val_labels), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert config.pixel_mean == pytest.approx((images / 255).mean(), rel=1e-12)
    assert config.pixel_std == pytest.approx((images / 255).std(), rel=1e-12)
    assert config.pixel_mean != prepare(CONFIG, dataset)[0].pixel_mean


@pytest.mark.parametrize(
    ("name", "value", "count"), [("validation", 60, 60), ("validation", 0.2, 61), ("patience", 3, 50)]
)
def test_validation_is_resolved_to_a_count_and_resolving_twice_changes_nothing(dataset, name, value, count):
    config, data = prepare(CONFIG.replace(**{name: value}), dataset)
    assert (config.validation, len(data.val_labels)) == (count, count)
    assert prepare(config, dataset)[0] == config


def test_a_batch_larger_than_the_data_is_an_error(dataset: Dataset):
    prepare(Config(batch_size=303), dataset)
    with pytest.raises(UsageError, match="batch_size: 304 is more than the 303 training images"):
        prepare(Config(batch_size=304), dataset)
    with pytest.raises(UsageError, match="batch_size: 303 is more than the 302 training images"):
        prepare(Config(batch_size=303, validation=1), dataset)


def test_blank_images_are_an_error(dataset: Dataset):
    blank = Dataset(**vars(dataset) | {"train_images": np.full_like(dataset.train_images, 9)})
    with pytest.raises(DataError, match="same value"):
        prepare(CONFIG, blank)


def test_a_single_class_is_an_error_that_names_it(dataset: Dataset):
    alone = dataclasses.replace(dataset, train_labels=np.full_like(dataset.train_labels, 2))
    with pytest.raises(DataError, match=f"only one class in the training images, {dataset.class_names[2]}; .* two"):
        prepare(CONFIG, alone)


AUGMENTED = CONFIG.replace(epochs=1, flip=True, shift=1, cutout=2, erasing=0.3, mixup=0.4, validation=40)


@pytest.mark.parametrize("config", [AUGMENTED, CONFIG.replace(model="cnn", widths=(2,), half_size_share=0.5, epochs=2)])
def test_floats_of_the_same_levels_train_alike_and_others_are_not_rounded(dataset, config):
    config = config.replace(hidden=(5,), pixel_mean=0.4, pixel_std=0.3)
    floats = np.float32(dataset.train_images / 255)
    between = floats + np.float32(0.4 / 255) * (floats < 0.5)
    trained = []
    for images in (dataset.train_images, floats, between):
        *_, last = fit(*prepare(config, dataclasses.replace(dataset, train_images=images)), diagnostics=False)
        trained.append(np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(last.state.params)]))
    same, other = (np.abs(one - trained[0]).max() for one in trained[1:])
    assert same < 1e-6 < 1e-5 < other


def test_images_of_its_own_for_validation_are_all_used_and_no_others(dataset: Dataset):
    own = dataclasses.replace(dataset, val_images=dataset.test_images, val_labels=dataset.test_labels)
    for validation, used in ((None, 101), (0.5, 50), (7, 7), (0, 0)):
        config, data = prepare(CONFIG.replace(validation=validation), own)
        assert (len(data.images), len(data.val_labels)) == (303, used)
        assert prepare(config, own)[0] == config
