"""The wheel, in an environment with only its requirements, can do everything that the README shows.

Without a network: the required packages are links to those of the tests' environment.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

from jaxquard.data import load
from jaxquard.exporting import FORMATS

pytestmark = pytest.mark.check
ROOT = Path(__file__).parents[1]
SHIPPED = ("jaxquard", "docs", "mlp_fashion_mnist.py", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md")
SHIPPED += ("Makefile", "pyproject.toml", "setup.py", "MANIFEST.in", "requirements.txt")
QUICK = "--epochs 1 --batch-size 50 --validation 100 --dataset 'made up.npz'"
FORMS = (  # pattern of a command in the README -> its quick form, with the groups in {}; the first match is used
    (
        r"jaxquard train --dataset pets(.*) --batch-size 16 --epochs 30(.*)",
        "jaxquard train --dataset pets{} --batch-size 5 --epochs 1{} --data-dir cache",
    ),
    (r"jaxquard train(.*?)(?: --epochs \d+)?(?: --validation \d+)?", f"jaxquard train{{}} {QUICK}"),
    (r"jaxquard evaluate RUN", "jaxquard evaluate RUN0"),
    (r"jaxquard predict cnn-small shoe\.jpg", "jaxquard predict cnn-small shoe.jpg"),
    (r"jaxquard predict RUN photos --csv answers.csv", "jaxquard predict RUN0 photos --csv answers.csv"),
    (r"jaxquard compare RUN RUN --chart (\S+)", "jaxquard compare RUN0 RUN1 --chart {}"),
    (r"jaxquard export cnn-small --to (\S+)", "jaxquard export cnn-small --to {}"),
    (r"jaxquard lesson (\S+)", "jaxquard lesson {} --quick --no-predict"),
    (r"jaxquard studio", "jaxquard studio --no-open --port 0 --json"),
    (r"jaxquard doctor", "jaxquard doctor"),
    ("", ""),  # a comment alone
    (r"pip install -r requirements\.txt", ""),  # how the wheel was built
    (r"python mlp_fashion_mnist\.py", "python mlp_fashion_mnist.py --epochs 1"),
)
NEEDS = {"--chart": "charts", " lesson ": "charts", " studio ": "studio"}  # part of a command -> the extra it needs


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> str:
    """The README's code blocks in this language ("": for a shell)."""
    return "".join(re.findall(rf"^```{language}\n(.*?)^```", readme(), re.M | re.S))


def quick_form(line: str) -> str:
    """The quick form of a line in the README."""
    command = f" {line}".partition(" #")[0].strip()
    for known, form in FORMS:
        if found := re.fullmatch(known, command):
            return form.format(*found.groups())
    raise AssertionError(f"the README shows a new command: {command}; add its quick form to FORMS")


class Installed:
    """An environment with the wheel, and a folder to work in."""

    def __init__(self, home: Path, wheel: Path) -> None:
        self.home, self.here = home / "environment", home / "an empty folder"
        self.here.mkdir()
        venv.create(self.home, with_pip=False)
        self.bin = self.home / ("Scripts" if os.name == "nt" else "bin")
        self.site = Path(sysconfig.get_path("purelib", "venv", {"base": str(self.home)}))
        pip("--python", str(self.home), "install", "--no-deps", "--no-index", str(wheel), at=home)
        self.link("")

    def link(self, extra: str, package: str = "jaxquard") -> None:
        """Link the requirements of a package with this extra, and their requirements."""
        names, seen = [(package, extra)], set()
        while names:
            name, extra = names.pop()
            seen.add((name, extra))
            found = distribution(name)
            for wanted in map(Requirement, found.requires or ()):
                if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                    names += {(wanted.name, one) for one in wanted.extras | {""}} - seen
            if name != "jaxquard":
                for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
                    with contextlib.suppress(FileExistsError):
                        (self.site / top).symlink_to(Path(str(found.locate_file(top))))

    def start(self, command: str, at: Path | None = None, **options) -> subprocess.Popen[str]:
        program, *arguments = shlex.split(command)
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "JAXQUARD_RUNS"))}
        environment = ours | {"JAXQUARD_OFFLINE": "1"}
        pipe = subprocess.PIPE
        at = at or self.here
        return subprocess.Popen(
            [self.bin / program, *arguments], cwd=at, env=environment, text=True, stdout=pipe, stderr=pipe, **options
        )

    def run(self, command: str, code: int = 0, at: Path | None = None) -> str:
        """Run a command. Returns its stdout, or its stderr if it should fail."""
        with self.start(command, at) as process:
            out, err = process.communicate()
        assert process.returncode == code, (command, out, err)
        assert "Traceback" not in err
        return err if code else out

    def try_studio(self, command: str) -> None:
        """Start the studio, load its page, and stop it."""
        with self.start(command) as process:
            assert process.stdout
            try:
                url = json.loads(process.stdout.readline())["url"]
                with urllib.request.urlopen(url) as answer:
                    assert b"<html" in answer.read()
            finally:
                process.send_signal(signal.SIGINT)
                process.communicate()


def pip(*arguments: str, at: Path) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], cwd=at, check=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    home = tmp_path_factory.mktemp("source")
    (tree := home / "tree").mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_dir():  # other tests may write compiled files at the same time
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree)
    code = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, home], cwd=tree, check=True, capture_output=True)
    with tarfile.open(next(home.glob("*.tar.gz"))) as archive:
        archive.extractall(home, filter="data")
    return next(home.glob("jaxquard-*/"))


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    """The wheel, built from the sdist like the README's first command does."""
    assert quick_form("pip install -r requirements.txt") == ""
    pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "-r", "requirements.txt", "-w", "..", at=source)
    return next(source.parent.glob("*.whl"))


def test_the_wheel_has_all_of_the_package_and_a_readme_without_links_into_the_repository(wheel: Path) -> None:
    paths = [path.relative_to(ROOT) for path in (ROOT / "jaxquard").rglob("*") if path.is_file()]
    files = {path.as_posix() for path in paths if "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert {name for name in names if ".dist-info/" not in name} == files
    links = re.findall(r"\]\(([^)]*)\)", metadata)
    assert all(link.startswith("https://") for link in links)
    assert "What the code teaches" in metadata


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    load("fashion-mnist")  # into the cache, for the lesson and the script
    installed = Installed(tmp_path_factory.mktemp("installed"), wheel)
    rng = np.random.default_rng(0)
    labels = np.arange(1200) % 10
    images = rng.integers(0, 90, (1200, 28, 28), dtype=np.uint8)
    for k in range(10):
        images[labels == k, 2 * k : 2 * k + 6] += 150
    np.savez(installed.here / "made up.npz", images=images, labels=labels)
    pets = [f"pets/{kind}/{k}.png" for kind in ("cat", "dog") for k in range(6)]
    for name in ("shoe.jpg", "photos/1.png", *pets):
        (installed.here / name).parent.mkdir(parents=True, exist_ok=True)
        Image.linear_gradient("L").save(installed.here / name)
    return installed


def test_all_that_the_readme_shows_works_with_the_wheel_alone(installed: Installed, source: Path) -> None:
    where = installed.run("python -c 'import jaxquard; print(jaxquard.__file__)'")
    assert Path(where).is_relative_to(installed.site)
    assert 'pip install "jaxquard[studio]"' in installed.run("jaxquard studio", code=1)
    for line in blocks("").splitlines():
        command = quick_form(line)
        for part, extra in NEEDS.items():
            if part in f"{command} ":
                installed.link(extra)
        found = sorted(path.name for path in (installed.here / "runs").glob("*"))
        for k, run in enumerate(found):
            command = command.replace(f"RUN{k}", run)
        if "studio" in command:
            installed.try_studio(command)
        elif command:
            installed.run(command, at=source if "mlp_fashion_mnist" in command else None)
    assert {path.name for path in installed.here.iterdir()} == {
        *("made up.npz", "shoe.jpg", "photos", "pets", "cache", "answers.csv", "runs"),
        *("cnn-small.safetensors", "cnn-small.html", "curves.svg", "lessons"),
    }


def test_the_python_that_the_readme_shows_works_with_the_wheel_alone(installed: Installed) -> None:
    code = blocks("python")
    quick = re.sub(r"epochs=\d+", "epochs=1, dataset='made up.npz'", code)
    assert quick != code
    trained, *evaluated, shoe, photo = installed.run(f"python -c {shlex.quote(quick)}").splitlines()
    accuracy, path = trained.split(maxsplit=1)
    assert 0 <= float(accuracy) <= 1
    assert (installed.here / path).is_dir()
    assert 0 <= float(evaluated[0].split()[0]) <= 1
    assert [line.split()[0] for line in (shoe, photo)] == ["shoe.jpg", "photos/1.png"]


def test_a_grid_search_and_a_notebook_work_with_the_wheel_alone(installed: Installed, tmp_path: Path, monkeypatch):
    installed.link("sklearn")
    page = (ROOT / "docs" / "SKLEARN.md").read_text(encoding="utf-8")
    (search,) = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    assert "'hidden': " in installed.run(f"python -c {shlex.quote(search)}")
    installed.link("notebooks")
    installed.link("", "nbclient")  # which runs the notebook
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    notebook = ROOT / "docs" / "notebooks" / "inside.ipynb"
    code = "import nbclient, nbformat, sys; nbclient.execute(nbformat.read(sys.argv[1], 4))"
    installed.run(f"python -c {shlex.quote(code)} {shlex.quote(str(notebook))}")


def test_every_export_works_with_the_wheel_alone(installed: Installed, tmp_path: Path) -> None:
    installed.run(f"jaxquard train --name run --runs {tmp_path} {QUICK}")
    missing = {form.extra for form in FORMATS.values()} - {""}
    for to, form in FORMATS.items():
        command = f"jaxquard export run --to {to} --runs {tmp_path} --out {tmp_path / 'out'}{form.suffix} --json"
        if form.extra in missing:
            assert f'pip install "jaxquard[{form.extra}]"' in installed.run(command, code=1)
            installed.link(form.extra)
            missing.remove(form.extra)
        assert json.loads(installed.run(command))["bytes"] > 100
