"""The pip commands in messages work for every way of installing the package."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import jaxquard
from jaxquard import installed


def test_an_installed_package_is_named():
    assert installed.how_to_add("charts") == 'pip install "jaxquard[charts]"'
    jax, jaxlib = installed.how_to_renew_jax().removeprefix("pip install --upgrade ").split()
    assert (jax[:5], jaxlib[:8]) == ('"jax!', '"jaxlib!')
    assert all("!=0.11.0" in each and "!=0.10.2" in each for each in (jax, jaxlib))


def test_a_package_in_a_folder_is_named_by_its_path(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.requires", absent)
    folder = Path(jaxquard.__file__).parents[1]
    assert installed.how_to_add("charts") == f'pip install "{folder}[charts]"'
    assert installed.how_to_renew_jax() == f'pip install --upgrade "{folder}"'
