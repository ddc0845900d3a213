"""Packages import one another in one direction only, and some do not import heavy libraries."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import jaxquard

PACKAGE = Path(jaxquard.__file__).parent

# package or module -> those it may import, besides itself and EVERYWHERE
EVERYWHERE = {"errors", "arguments", "naming", "strict_json", "calibration"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "systems": set(),
    "arguments": set(),
    "naming": set(),
    "strict_json": set(),
    "calibration": set(),
    "nn": set(),
    "optim": set(),
    "files": {"systems"},
    "kept": {"files", "systems"},
    "installed": set(),
    "streams": set(),
    "data": {"files", "installed", "kept"},
    "config": {"files"},
    "compilation": {"files", "systems"},
    "charts": {"files", "installed"},
    "training": {"nn", "optim", "data", "config", "systems"},
    "runs": {"charts", "compilation", "training", "nn", "data", "config", "files", "kept", "systems"},
    "recipes": {"config"},
    "sweeps": {"config"},
    "exporting": {"config", "data", "files", "installed", "nn", "recipes", "runs", "training"},
    "api": {"data", "config", "exporting", "files", "recipes", "runs", "training"},
    "distributed": {"runs", "streams", "systems", "training"},
    "sklearn": {"config", "data", "installed", "runs", "training"},
    "doctor": {"data", "files", "installed", "runs", "systems"},
    "lessons": {"charts", "config", "data", "files", "nn", "runs", "training"},
    "studio": {"api", "charts", "config", "data", "installed", "lessons", "nn", "recipes", "runs", "systems"}
    | {"training"},
    "cli": {
        "api",
        "charts",
        "compilation",
        "config",
        "data",
        "distributed",
        "doctor",
        "exporting",
        "files",
        "lessons",
        "recipes",
    }
    | {"installed", "runs", "streams", "studio", "sweeps", "systems", "training"},
    "__init__": {"api", "config", "data", "distributed", "runs"},
    "__main__": {"cli"},
}


def package(path: Path) -> str:
    """The top-level package or module of a file."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    """All modules that a file imports, anywhere in it. Relative imports are not allowed."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: import by the absolute name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {node.module} - {"jaxquard"}
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_package_imports_only_what_it_may(path: Path) -> None:
    here = package(path)
    assert here in ALLOWED, f"{here} is new: add to ALLOWED what it may import"
    assert packages_of(imported_modules(path)) - {here, *EVERYWHERE} <= ALLOWED[here]


def packages_of(modules: set[str]) -> set[str]:
    """The top-level packages of these modules; `__init__` for jaxquard itself and its names, such as its version."""
    named = {name.split(".")[1] for name in modules if name.startswith("jaxquard.")}
    packages = {name for name in named if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()}
    return packages | ({"__init__"} if "jaxquard" in modules or named - packages else set())


@pytest.mark.parametrize(
    ("line", "packages"),
    [
        ("import jaxquard", {"__init__"}),
        ("import jaxquard as j", {"__init__"}),
        ("from jaxquard import __version__", {"__init__"}),
        ("from jaxquard import train, data", {"__init__", "data"}),
        ("from jaxquard import api", {"api"}),
        ("import jaxquard.runs.lock", {"runs"}),
        ("from jaxquard.runs.lock import locked", {"runs"}),
    ],
)
def test_an_import_of_the_package_itself_is_found(tmp_path: Path, line: str, packages: set[str]) -> None:
    (tmp_path / "file.py").write_text(line)
    assert packages_of(imported_modules(tmp_path / "file.py")) == packages


def test_there_are_no_circular_imports() -> None:
    done: set[str] = set()
    waiting = dict(ALLOWED)
    while waiting:
        free = {name for name, needs in waiting.items() if needs <= done}
        assert free, f"a circle among {sorted(waiting)}"
        done |= free
        waiting = {name: needs for name, needs in waiting.items() if name not in free}


@pytest.mark.parametrize("folder", ["nn", "optim"])
def test_the_network_imports_only_jax(folder: str) -> None:
    standard = set(sys.stdlib_module_names)
    for path in (PACKAGE / folder).rglob("*.py"):
        modules = imported_modules(path)
        assert {name.split(".")[0] for name in modules} <= standard | {"jax", "jaxquard"}, path
        assert packages_of(modules) <= {folder}, path


@pytest.mark.parametrize("folder", ["charts", "config.py", "data", "errors.py", "files.py"])
def test_some_packages_do_not_import_jax(folder: str) -> None:
    place = PACKAGE / folder
    for path in place.rglob("*.py") if place.is_dir() else [place]:
        assert "jax" not in {name.split(".")[0] for name in imported_modules(path)}, path


def test_the_command_line_loads_without_the_heavy_libraries() -> None:
    code = "import sys, jaxquard.cli; print(sorted({'jax', 'numpy', 'PIL', 'vl_convert'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
