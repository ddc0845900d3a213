"""What to type to install what is missing, however this package was installed."""

from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

# In double quotes, which both cmd.exe and a Unix shell know.


def how_to_add(extra: str) -> str:
    """The command that installs an optional part. pip finds the package itself installed and adds what it lacks."""
    package = "jaxquard" if _requirements() else Path(__file__).parents[1]
    return f'pip install "{package}[{extra}]"'


def how_to_renew_jax() -> str:
    """The command that installs the newest jax and jaxlib that this package allows."""
    wanted = [requirement for requirement in _requirements() if requirement.startswith("jax")]
    return "pip install --upgrade " + " ".join(f'"{each}"' for each in wanted or [Path(__file__).parents[1]])


def _requirements() -> list[str]:
    """What the installed package requires, its optional parts left out; nothing where it only lies in a folder."""
    try:
        return [requirement for requirement in requires("jaxquard") or () if "extra ==" not in requirement]
    except PackageNotFoundError:
        return []
