"""The entries of the catalogue, as far as they can be checked without the network."""

import re

import pytest

from jaxquard.data import catalogue
from jaxquard.data.catalogue import CATALOGUE
from jaxquard.data.dataset import NDIM


@pytest.mark.parametrize("entry", [entry for entry in CATALOGUE.values() if entry.files], ids=lambda entry: entry.name)
def test_entries_are_complete(entry) -> None:
    assert [file.role for file in entry.files] == list(NDIM)
    assert len({file.name for file in entry.files}) == 4
    assert len(set(entry.class_names)) == len(entry.class_names) >= 10
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in entry.mirrors)
    assert [file.count for file in entry.files[::2]] == [file.count for file in entry.files[1::2]]
    hashes = [file.sha256 or file.served_sha256 for file in entry.files]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in hashes if digest)
    assert len(set(hashes)) == 4 or entry.archive or not entry.mirrors, "what can be fetched must be pinned"


def test_fashion_mnist_has_several_sources() -> None:
    entry = CATALOGUE["fashion-mnist"]
    assert len(entry.mirrors) >= 2
    assert entry.debian_package == "dataset-fashion-mnist"
    assert entry.class_names[9] == "Ankle boot"


@pytest.mark.parametrize("name", ["fashion-mnist", "fashion_mnist", "Fashion-MNIST", "FashionMNIST", "fashion mnist"])
def test_names_are_forgiving(name: str) -> None:
    assert catalogue.find(name) is CATALOGUE["fashion-mnist"]


@pytest.mark.parametrize("path", ["./mnist", "mnist/", "mnist.npz", "data/mnist"])
def test_a_path_is_not_a_name(path: str) -> None:
    assert catalogue.find(path) is None


def test_an_unknown_name_suggests_the_likeliest() -> None:
    assert catalogue.find("fashion") is None
    for name, meant in {
        "fashion": "; did you mean fashion-mnist?",
        "kminst": "; did you mean kmnist?",
        "?": ".",
    }.items():
        said = str(catalogue.unknown(name))
        assert f"unknown data set {name!r}{meant} Known: cifar-10, cifar-100, digits, emnist-balanced, " in said
        assert all(name in said for name in CATALOGUE)


def test_emnist_has_the_classes_its_paper_counts() -> None:
    classes = {name.removeprefix("emnist-"): len(entry.class_names) for name, entry in CATALOGUE.items()}
    assert (classes["balanced"], classes["bymerge"], classes["byclass"], classes["letters"]) == (47, 47, 62, 26)


def test_only_emnist_is_transposed_and_only_its_letters_begin_at_one() -> None:
    assert {name for name, entry in CATALOGUE.items() if entry.transposed} == {
        name for name in CATALOGUE if name.startswith("emnist-")
    }
    assert {name: entry.first_label for name, entry in CATALOGUE.items() if entry.first_label} == {"emnist-letters": 1}
