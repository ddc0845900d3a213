"""How much the studio slows a training, and how fast it answers meanwhile: `make bench-studio`, some ten minutes.

The original network trains in a separate process, alternately alone and watched by three pages in headless Chromium,
which draws without a graphics card on the same cores. The other figures are measured over HTTP.
"""

import contextlib
import datetime
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import report
from benchmarks.arena import machine
from benchmarks.bench import PAGE, RESULTS, warn_if_busy, write
from benchmarks.rows import Bound, Row, Spread

JAXQUARD = [sys.executable, "-c", "from jaxquard.cli import main; main()"]
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
CHROMIUM += ["--disable-sync", "--no-first-run"]
ROUNDS, EPOCHS, PAGES, CLIENTS, MINUTES = 5, 120, 3, 4, 5


def main() -> None:
    """Measure, save the figures as JSON, and write the table into the page."""
    warn_if_busy()
    with tempfile.TemporaryDirectory(prefix="jaxquard-studio-") as scratch, sync_playwright() as playwright:
        runs = Path(scratch)
        train(runs, "model", 3)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        with studio(runs) as (process, port):
            rows = [predictions(port), *watched(runs, port, browser), memory(process, port)]
    date, where = datetime.date.today().isoformat(), machine(("jax", "starlette", "uvicorn", "playwright"))
    summaries = [row.summary(where, date) for row in rows]
    write(RESULTS / "studio.json", summaries)
    heading = (
        f"Measured on {date}: {where['processor']}, {where['cores']} cores. Medians, with the least and the greatest."
    )
    table = f"{heading}\n\n{report.verdicts(summaries)}"
    PAGE.write_text(report.replace_section(PAGE.read_text(encoding="utf-8"), "studio", table), encoding="utf-8")
    print(table)


@contextlib.contextmanager
def studio(runs: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The server on a folder of runs, and its port."""
    command = [*JAXQUARD, "studio", "--no-open", "--json", "--port", "0", "--runs", str(runs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        yield process, int(url.rstrip("/").rpartition(":")[2])
        process.terminate()


def training(runs: Path, name: str, epochs: int) -> subprocess.Popen[bytes]:
    """The original network, with held-out images, so that there is a validation curve."""
    words = ["train", "--json", "--quiet", "--validation", "5000", "--epochs", str(epochs), "--name", name]
    return subprocess.Popen([*JAXQUARD, *words, "--runs", str(runs)], stdout=subprocess.PIPE)


def train(runs: Path, name: str, epochs: int) -> float:
    """Train to the end; returns the seconds for an epoch, including its validation."""
    output, _ = training(runs, name, epochs).communicate()
    return json.loads(output)["seconds"]["train"] / epochs


def predictions(port: int) -> Row:
    """Predictions per second, one image in each request."""
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28)).tolist()
    body = json.dumps({"model": "model", "pixels": pixels})

    def client(count: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(count):
            connection.request("POST", "/api/predict", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200

    def rate(count: int) -> float:
        clients = [threading.Thread(target=client, args=(count,)) for _ in range(CLIENTS)]
        began = time.perf_counter()
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        return CLIENTS * count / (time.perf_counter() - began)

    rate(20)
    figures = Spread.of(rate(250) for _ in range(ROUNDS))
    return Row(
        f"predictions through POST /api/predict, {CLIENTS} clients",
        "images/s",
        figures,
        bounds=(Bound("≥ 500", 500),),
        more_is_better=True,
    )


def watched(runs: Path, port: int, browser: Browser) -> list[Row]:
    """How much three pages slow a training, and how long they wait for an answer meanwhile."""
    alone, seen, answers = [], [], []
    for k in range(ROUNDS):
        print(f"  round {k + 1} of {ROUNDS}", file=sys.stderr)
        alone.append(train(runs, f"alone-{k}", EPOCHS))
        pages = [browser.new_page() for _ in range(PAGES)]
        for page in pages:
            page.goto(f"http://127.0.0.1:{port}/#/learn")
            page.wait_for_selector(".watched")
        seen.append(train(runs, f"watched-{k}", EPOCHS))
        asked = training(runs, f"asked-{k}", EPOCHS)
        answers += ask(pages[0], runs / f"asked-{k}")
        asked.communicate()
        for page in pages:
            page.close()
    ratios = Spread.of(one / other for one, other in zip(seen, alone, strict=True))
    return [
        Row(
            f"a training of {EPOCHS} epochs that three pages watch, beside one alone",
            "× the time",
            ratios,
            bounds=(Bound("≤ 1.1", 1.1),),
        ),
        Row(
            "one image in the view Inside, while another network trains",
            "ms",
            Spread.of(answers),
            bounds=(Bound("≤ 100 ms", 100),),
        ),
    ]


def ask(page: Page, run: Path, count: int = 20) -> list[float]:
    """The milliseconds that a page waits for one image in the Inside view, while a run trains."""
    while not (run / "journal.jsonl").exists() or not (run / "journal.jsonl").stat().st_size:
        time.sleep(0.1)
    look = "number => fetch(`/api/models/model/images/${number}`).then(answer => answer.json())"
    page.evaluate(look, 0)
    times = []
    for number in range(1, count + 1):
        began = time.perf_counter()
        page.evaluate(look, number)
        times.append(1000 * (time.perf_counter() - began))
    return times


def memory(process: subprocess.Popen[bytes], port: int) -> Row:
    """How much the server's memory changes during five minutes of repeated requests."""
    sizes, until = [], time.monotonic() + 60 * MINUTES
    connection = http.client.HTTPConnection("127.0.0.1", port)
    paths = [
        "/api/runs",
        "/api/runs/model",
        "/api/models/model/summary",
        "/api/models/model/images",
    ]
    for path in paths:
        get(connection, path)
    while time.monotonic() < until:
        for path in paths:
            get(connection, path)
        sizes.append(resident(process.pid))
        time.sleep(0.5)
    middle = (max(sizes) + min(sizes)) / 2
    off = Spread(max(sizes) - middle, 0.0, max(sizes) - middle, len(sizes))
    measure = f"change of the server's memory ({middle:.0f} MB) in {MINUTES} minutes"
    return Row(measure, "± MB", off, bounds=(Bound("± 20 MB", 20),))


def get(connection: http.client.HTTPConnection, path: str) -> Any:
    """An answer of the server."""
    connection.request("GET", path)
    return json.loads(connection.getresponse().read())


def resident(pid: int) -> float:
    """A process's memory in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
