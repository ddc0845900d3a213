"""A real browser and a real studio: Debian's Chromium, driven by Playwright, and a server in a separate process.

The data are made here, in temporary folders: three classes of shapes, and two small networks trained on them.
Screenshots go to the test's temporary folder, or to the folder in STUDIO_SCREENSHOTS.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from jaxquard.errors import RunError
from jaxquard.runs.lock import refuse_if_in_use
from jaxquard.studio.server import STATIC

PATIENCE = 30_000  # ms; the longest wait for a condition: a busy machine compiles for seconds
SIDE = 16
VERBS = "import json, sys; from jaxquard.cli import main; [main([*map(str, verb)]) for verb in json.loads(sys.argv[1])]"


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set in a file: upright bars (0), level bars (1) and frames (2), some with a wrong label."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 1000)
    images = rng.integers(0, 50, (1000, SIDE, SIDE))
    for image, label in zip(images, labels, strict=True):
        inner = image[1:-1, 1:-1]  # on a dark background, as the studio prepares a picture
        low, high = rng.integers(3, 6), rng.integers(8, 11)
        bright = rng.integers(120, 200)
        if label == 0:
            inner[:, low:high] += bright
        elif label == 1:
            inner[low:high] += bright
        else:
            inner[:] += bright
            inner[3:-3, 3:-3] -= bright
    labels = np.where(rng.random(1000) < 0.1, rng.integers(0, 3, 1000), labels)
    path = tmp_path_factory.mktemp("data") / "shapes.npz"
    sets = {"x_train": images[:800], "x_test": images[800:]}
    np.savez(path, y_train=labels[:800], y_test=labels[800:], **{k: v.astype(np.uint8) for k, v in sets.items()})
    return path


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of every process started here: they share a cache of compiled programs, but not the user's."""
    return os.environ | {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture(scope="session")
def trained(shapes: Path, home: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished runs, `careful` and `hasty`, of two networks each."""
    runs = tmp_path_factory.mktemp("trained")
    common = ["train", "--dataset", shapes, "--validation", 100, "--hidden", 24, 12, "--batch-size", 20, "--seeds", 2]
    trainings = [
        [*common, "--learning-rate", rate, "--epochs", epochs, "--name", name, "--runs", runs, "--quiet"]
        for name, rate, epochs in (("careful", 0.05, 8), ("hasty", 0.002, 4))
    ]
    command = [sys.executable, "-c", VERBS, json.dumps(trainings, default=str)]
    subprocess.run(command, env=home, check=True, stdout=subprocess.DEVNULL)
    return runs


class Server:
    """`jaxquard studio` on a folder of runs. It can be killed and started again at the same address."""

    def __init__(self, runs: Path, environment: dict[str, str]) -> None:
        self.runs, self.environment, self.port = runs, environment, 0
        self.start()

    def start(self) -> None:
        """Start it, and wait until it prints its address."""
        verb = ["studio", "--no-open", "--json", "--offline", "--port", self.port, "--runs", self.runs]
        command = [sys.executable, "-c", VERBS, json.dumps([verb], default=str)]
        self.process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.kill()
            pytest.fail("the studio did not start: see its output above", pytrace=False)
        self.url = json.loads(line)["url"]
        self.port = int(self.url.rstrip("/").rpartition(":")[2])

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()

    def trainer(self, run: str) -> int:
        """The process that trains a run."""
        return json.loads((self.runs / run / "holder.json").read_bytes())["pid"]

    def end(self) -> None:
        """Kill it, and every training that it started."""
        self.kill()
        for run in self.runs.iterdir():
            try:
                refuse_if_in_use(run)
            except RunError:
                os.kill(self.trainer(run.name), signal.SIGKILL)


@pytest.fixture(scope="module")
def server(trained: Path, home: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A studio on a copy of the trained runs."""
    runs = tmp_path_factory.mktemp("studio") / "runs"
    shutil.copytree(trained, runs)
    server = Server(runs, home)
    yield server
    server.end()


@pytest.fixture(params=["light"])
def context(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A window of the browser; for a dark one: `@pytest.mark.parametrize("context", ["dark"], indirect=True)`."""
    size = {"width": 1280, "height": 900}
    with browser.new_context(base_url=server.url, color_scheme=request.param, viewport=size) as context:
        context.set_default_timeout(PATIENCE)
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """An empty page. Any error in its console, such as an exception or a violation of its policy, fails the test."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"{message.text} {message.location['url']}")

    page.on("console", listen)
    yield page
    known = ("net::ERR_", "status of 422")  # from a killed server, and from a refused picture
    assert [words for words in complaints if not any(one in words for one in known)] == []


@pytest.fixture
def ask(page: Page) -> Callable[..., Any]:
    """`ask(body, given)`: the result of JavaScript code, in which `modules.name` is a module of the page."""
    page.goto("/#/lessons")
    paths = {path.stem: path.relative_to(STATIC) for path in STATIC.glob("*/*.js")}

    def answer(body: str, given: Any = None) -> Any:
        names = sorted(set(re.findall(r"modules\.(\w+)", body)))
        imports = "; ".join(f"modules.{name} = await import('/static/{paths[name]}')" for name in names)
        return page.evaluate(f"async (given) => {{ const modules = {{}}; {imports}; {body} }}", given)

    return answer


@pytest.fixture
def shoot(page: Page, tmp_path: Path) -> Callable[[str], None]:
    """`shoot(name)`: a screenshot of the whole page with all its charts."""
    folder = Path(os.environ.get("STUDIO_SCREENSHOTS") or tmp_path)

    def shoot(name: str) -> None:
        for plot in page.locator(".plot").all():  # charts outside the window are not drawn
            plot.scroll_into_view_if_needed()
            expect(plot.locator("svg, canvas")).to_be_visible()
        page.evaluate("() => scrollTo(0, 0)")
        page.screenshot(path=folder / f"{name}.png", full_page=True)

    return shoot
