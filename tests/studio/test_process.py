"""The studio and a training as real processes; each may be killed."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.check
MAIN = [sys.executable, "-c", "from jaxquard.cli import main; main()"]


class Page:
    """A client of the studio: it sends requests, and reads events from the last one received."""

    def __init__(self, url: str) -> None:
        self.host, self.last_id = urlsplit(url).netloc, ""

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        body = None if document is None else json.dumps(document)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def listen(self, enough: Callable[[str, dict[str, Any]], bool], seconds: float = 120) -> list[dict[str, Any]]:
        """The journal lines after the last event received, until `enough(event, data)` is true."""
        with contextlib.closing(http.client.HTTPConnection(self.host, timeout=seconds)) as connection:
            connection.request("GET", "/api/events", headers={"Last-Event-ID": self.last_id} if self.last_id else {})
            lines = []
            for event, data, self.last_id in blocks(connection.getresponse()):
                lines += [data["line"]] if event == "epoch" else []
                if enough(event, data):
                    return lines
        raise AssertionError("the stream ended")


def blocks(stream: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    fields: dict[str, str] = {}
    for raw in stream:
        name, colon, value = raw.decode().rstrip("\n").partition(": ")
        if colon:
            fields[name] = value
        elif fields:
            yield fields["event"], json.loads(fields["data"]), fields["id"]
            fields = {}


@contextlib.contextmanager
def studio(root: Path, port: int = 0) -> Iterator[tuple[Page, subprocess.Popen[str]]]:
    words = ["studio", "--no-open", "--json", "--offline", "--port", str(port), "--runs", str(root)]
    with subprocess.Popen([*MAIN, *words], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield Page(json.loads(process.stdout.readline())["url"]), process
        finally:
            process.kill()


@pytest.fixture
def npz_run(npz: Path, root: Path) -> Iterator[dict[str, Any]]:
    """A training that does not end by itself, with some hundred epochs per second; it is killed after the test."""
    settings = {"dataset": str(npz), "hidden": [5], "batch_size": 20, "epochs": 10**6, "learning_rate": 0.001}
    yield {"settings": settings, "name": "long"}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(holder(root), signal.SIGKILL)


def epochs(count: int) -> Callable[[str, dict[str, Any]], bool]:
    """A condition for `listen`: so many epochs more."""
    heard: list[Any] = []
    return lambda event, data: event == "epoch" and (heard.append(data) or len(heard) >= count)  # type: ignore[func-returns-value]


def holder(root: Path) -> int:
    return json.loads((root / "long" / "holder.json").read_text())["pid"]


def job(status: str) -> Callable[[str, dict[str, Any]], bool]:
    """A condition for `listen`: the job has this status."""
    return lambda event, data: event == "job" and data["status"] == status


def test_a_training_survives_a_killed_studio_and_the_page_misses_no_line(root, npz_run):
    with studio(root) as (page, server):
        page.ask("POST", "/api/jobs", npz_run)
        lines = page.listen(epochs(20))
        server.kill()
        server.wait()
    port = int(page.host.rpartition(":")[2])
    size = (root / "long" / "journal.jsonl").stat().st_size
    until = time.monotonic() + 60
    while (root / "long" / "journal.jsonl").stat().st_size < size + 1000 and time.monotonic() < until:
        time.sleep(0.05)
    with studio(root, port) as (again, _):
        again.last_id = page.last_id
        lines += again.listen(epochs(50))
        assert [line["epoch"] for line in lines] == list(range(lines[0]["epoch"], lines[-1]["epoch"] + 1))
        assert {one["job"]: one["status"] for one in again.ask("GET", "/api/jobs")["jobs"]} == {"long": "running"}
        again.ask("POST", "/api/jobs/long/stop", {})
        again.listen(job("stopped"))
        assert not (root / "long" / "holder.json").exists()


def test_ctrl_c_ends_the_studio_and_not_the_training(root, npz_run):
    with studio(root) as (page, server):
        page.ask("POST", "/api/jobs", npz_run)
        page.listen(epochs(5))
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 130
        pid = holder(root)
        os.kill(pid, 0)
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 30
        while (root / "long" / "holder.json").exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert not (root / "long" / "holder.json").exists()
