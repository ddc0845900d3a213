"""Many windows of one browser: they share a stream of events, because a browser opens six connections to a server."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

pytestmark = pytest.mark.check

WINDOWS = 8


@pytest.fixture
def journal(server: Any, trained: Path) -> Iterator[Any]:
    """`journal(epoch)` writes an epoch's line, as training does, into the journal of a separate run, `live`.

    A test names it first, so that its pages are closed before the run is removed.
    """
    run = server.runs / "live"
    shutil.copytree(trained / "careful", run)
    file = run / "journal.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("")

    def write(epoch: int) -> None:
        line = json.loads(lines[0]) | {"epoch": epoch, "step": 35 * epoch}
        with open(file, "a", encoding="utf-8") as journal:
            journal.write(json.dumps(line) + "\n")

    write(1)
    yield write
    shutil.rmtree(run)


def heard(page: Page, epoch: int) -> None:
    expect(page.get_by_text(f"Epoch {epoch} of 8 ·")).to_be_visible()


def test_many_windows_are_live_even_after_the_first_is_closed(journal, context: BrowserContext):
    pages = [context.new_page() for _ in range(WINDOWS)]
    for page in pages:
        page.goto("/#/learn/live")
        heard(page, 1)
    journal(2)
    for page in pages:
        heard(page, 2)
    pages.pop(0).close()
    journal(3)
    for page in pages:
        heard(page, 3)
    pages[-1].goto("/#/compare")  # connections are left for other requests
    expect(pages[-1].get_by_label("Compare live")).to_be_visible()


def test_a_browser_without_shared_workers_has_a_stream_for_each_page(journal, page: Page):
    page.add_init_script("delete window.SharedWorker")
    page.goto("/#/learn/live")
    heard(page, 1)
    journal(2)
    heard(page, 2)


def test_a_page_that_becomes_visible_again_shows_what_it_missed(journal, page: Page, context: BrowserContext):
    other = context.new_page()
    other.goto("/#/learn/live")  # its stream stays open
    page.goto("/#/learn/live")
    heard(page, 1)
    turn = "(hidden) => {{ {} }}".format(
        "Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange'));"
    )
    page.evaluate(turn, True)
    journal(2)
    heard(other, 2)
    expect(page.get_by_text("Epoch 1 of 8 ·")).to_be_visible()
    page.evaluate(turn, False)
    heard(page, 2)
