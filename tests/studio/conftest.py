"""A few finished and unfinished runs, a studio on a copy of them, and exact requests to it."""

import asyncio
import dataclasses
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from starlette.applications import Starlette

from jaxquard.config import Config
from jaxquard.data import Dataset
from jaxquard.runs import environment, train
from jaxquard.runs.directory import Run
from jaxquard.runs.models import TrainedModel
from jaxquard.studio import Studio, watch
from jaxquard.studio.models import Subject
from jaxquard.studio.server import create_app
from jaxquard.training.data import prepare
from jaxquard.training.task import make_model, make_spec

HOST = "127.0.0.1:8765"


@pytest.fixture(scope="session")
def made_runs(npz: Path, stripes: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`slow` and `fast`, two seeds each, finished; `part`, one network, stopped after its first epoch of three."""
    root = tmp_path_factory.mktemp("studio")
    several = Config(dataset=str(npz), hidden=(5,), batch_size=20, epochs=3, learning_rate=0.01, seeds=2, validation=20)
    train.train(several, stripes, runs=root, name="slow")
    train.train(several.replace(learning_rate=0.3), stripes, runs=root, name="fast")
    train.train(several.replace(seeds=1, validation=0), stripes, runs=root, name="part", until=1)
    return root


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes are seen at once."""
    monkeypatch.setattr(watch, "TICK", 0)
    monkeypatch.setattr(watch, "ROUND", 0)


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], Any]], Any]:
    """`wait_until(condition)`: the condition's first true value, for a minute at most."""

    def wait(condition: Callable[[], Any]) -> Any:
        end = time.monotonic() + 60
        while not (found := condition()):
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.01)
        return found

    return wait


@pytest.fixture
def root(made_runs: Path, tmp_path: Path) -> Path:
    """A copy of `made_runs` that a test may change."""
    return Path(shutil.copytree(made_runs, tmp_path / "runs"))


@pytest.fixture
def swept(root: Path, npz: Path, stripes: Dataset) -> Run:
    """A sweep of two learning rates, two seeds each, beside the other runs."""
    sweep = (("learning_rate", (0.01, 0.3)),)
    config = Config(dataset=str(npz), hidden=(5,), batch_size=20, epochs=2, seeds=2, validation=20, sweep=sweep)
    return train.train(config, stripes, runs=root, name="swept").run


@pytest.fixture
def studio(root: Path) -> Studio:
    """A studio on `root` that never uses the network."""
    return Studio(root, offline=True, hosts=frozenset({HOST}))


@pytest.fixture
def app(studio: Studio) -> Starlette:
    """The studio's application."""
    return create_app(studio)


class Answer(NamedTuple):
    """The answer to a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, as JSON."""
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


@pytest.fixture
def ask(app: Starlette) -> Callable[..., Answer]:
    """`ask(method, path, headers, body)`: one request, unchanged, with the studio's own Host unless another is given.

    A header with a tuple of values is sent once for each. The body is sent in the pieces of `body`.
    """

    def one(method: str, path: str, headers: dict[str, Any] | None = None, body: Any = (), *, to: Any = app) -> Answer:
        named = {name: (value,) if isinstance(value, str) else value for name, value in (headers or {}).items()}
        pairs = [(name, value) for name, values in ({"host": (HOST,)} | named).items() for value in values]
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs]
        place, _, query = path.partition("?")
        scope = {"type": "http", "method": method, "path": place, "query_string": query.encode(), "headers": raw}
        scope |= {"asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": ""}
        pieces: list[Any] = [{"type": "http.request", "body": piece, "more_body": True} for piece in body]
        pieces += [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]
        sent: list[Any] = []

        async def receive() -> Any:
            return pieces.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(to(scope, receive, send))
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))

    return one


@pytest.fixture
def get(ask: Callable[..., Answer]) -> Callable[[str], Any]:
    """`get(path)`: the JSON document at `path`."""

    def one(path: str) -> Any:
        answer = ask("GET", path)
        assert answer.status == 200, answer.body
        return answer.json

    return one


@pytest.fixture
def post(ask: Callable[..., Answer]) -> Callable[..., Answer]:
    """`post(path, document)`, as the page does."""

    def one(path: str, document: Any = None) -> Answer:
        headers = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin", "content-type": "application/json"}
        return ask("POST", path, headers, [json.dumps(document or {}).encode()])

    return one


@pytest.fixture(scope="session")
def coloured(stripes: Dataset) -> Dataset:
    """`stripes` in colour; each channel is another image."""
    train, test = (
        np.concatenate([x, x[::-1], x[:, ::-1]], axis=-1) for x in (stripes.train_images, stripes.test_images)
    )
    return dataclasses.replace(stripes, name="coloured", train_images=train, test_images=test)


@pytest.fixture(scope="session")
def subject(stripes: Dataset) -> Callable[..., Subject]:
    """`subject(dataset, **settings)`: an untrained network as a `Subject`."""

    def make(dataset: Dataset = stripes, **settings: Any) -> Subject:
        config, _ = prepare(Config(dataset="made up", batch_size=20, **settings), dataset)
        model = make_model(make_spec(config, dataset.image_shape, dataset.classes))
        weights = jax.tree.map(lambda leaf: leaf[None], model.init(jax.random.key(1)))
        facts = environment.describe(dataset)["dataset"]
        return Subject(TrainedModel("made-up", config, facts, weights, None), lambda _: dataset, set())

    return make
