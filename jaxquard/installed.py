"""The pip commands that install missing parts, for any way in which this package was installed."""

from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

# Double quotes work in both cmd.exe and Unix shells.


def how_to_add(extra: str) -> str:
    """The command that installs an optional part (an extra)."""
    package = "jaxquard" if _requirements() else Path(__file__).parents[1]
    return f'pip install "{package}[{extra}]"'


def how_to_renew_jax() -> str:
    """The command that installs the newest jax and jaxlib that this package allows."""
    wanted = [requirement for requirement in _requirements() if requirement.startswith("jax")]
    return "pip install --upgrade " + " ".join(f'"{each}"' for each in wanted or [Path(__file__).parents[1]])


def _requirements() -> list[str]:
    """The requirements of the installed package without its extras; none if it runs from a folder."""
    try:
        return [requirement for requirement in requires("jaxquard") or () if "extra ==" not in requirement]
    except PackageNotFoundError:
        return []
