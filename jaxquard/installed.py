"""The pip commands that install missing parts, for any way in which this package was installed."""

import contextlib
import re
from pathlib import Path

# A requirement of jax: the plugin, its version, the extra of jax.
PLUGIN = re.compile(r'(jax-\w+-plugin|libtpu)\b[^<>=]*[<>=]=([\d.]*\d).*extra == "(.+)"')

# Double quotes work in both cmd.exe and Unix shells.


def how_to_add(extra: str) -> str:
    """The command that installs an optional part (an extra)."""
    package = "jaxquard" if _requirements("jaxquard") else Path(__file__).parents[1]
    return f'pip install "{package}[{extra}]"'


def how_to_renew_jax() -> str:
    """The command that installs the newest jax and jaxlib that this package allows, with the installed plugins.

    Without its extra, pip would leave a plugin as it is, and the new JAX could not use it.
    """
    wanted = [each for each in _requirements("jaxquard") if each.startswith("jax")] or [str(Path(__file__).parents[1])]
    wanted += [f"jax[{extra}]" for _, _, extra in plugins().values()]
    return "pip install --upgrade " + " ".join(f'"{each}"' for each in wanted)


def plugins() -> dict[str, tuple[str, str, str]]:
    """Each installed plugin of JAX: its version, the version that jax needs, and jax's extra for it."""
    from importlib.metadata import PackageNotFoundError, version  # not at the top: it would slow --help down

    found: dict[str, tuple[str, str, str]] = {}
    for match in filter(None, map(PLUGIN.match, _requirements("jax", extras=True))):
        name, needed, extra = match.groups()
        with contextlib.suppress(PackageNotFoundError):
            found.setdefault(name, (version(name), needed, extra))
    return found


def _requirements(package: str, extras: bool = False) -> list[str]:
    """The requirements of an installed package; none if it runs from a folder."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        return [each for each in requires(package) or () if extras or "extra ==" not in each]
    except PackageNotFoundError:
        return []
