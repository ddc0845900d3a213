"""Training from the page, and processes that are killed."""

import math
import os
import re
import signal

import pytest
from playwright.sync_api import Locator, Page, expect

from jaxquard.studio.charts import MOST

pytestmark = pytest.mark.check


def start(page: Page, epochs: int) -> str:
    """Train on the shapes from the page; returns the run's id after its first epoch. Each test has its own `epochs`."""
    page.goto("/#/learn")
    page.get_by_label("Dataset", exact=True).select_option(label="shapes.npz")
    settings = {"Validation": 100, "Hidden": 512, "Batch size": 1, "Epochs": epochs}
    for label, value in settings.items():
        page.get_by_label(label, exact=True).fill(str(value))
    page.get_by_role("button", name="Start training").dblclick()
    expect(watched(page)).to_contain_text(re.compile(rf"Epoch [1-9]\d* of {epochs}"))
    return page.locator("h2.run").inner_text()


def watched(page: Page) -> Locator:
    """The part of the page about the run shown."""
    return page.get_by_role("region", name=re.compile("^Run "))


def epoch(page: Page) -> int:
    """The epoch that the page shows."""
    return int(re.findall(r"Epoch (\d+) of", watched(page).inner_text())[0])


def press(page: Page, button: str, said: str) -> None:
    """Press a button of the run shown, and wait for a sentence."""
    page.get_by_role("button", name=button).click()
    expect(page.get_by_text(re.compile(f"^{said}"))).to_be_visible()


def stop(page: Page) -> None:
    press(page, "Stop", "Stopped after epoch")


def test_train_from_the_page_with_a_live_curve(page, shoot):
    start(page, 90_000)
    plot = page.locator("[data-chart=accuracy] .plot")
    expect(plot.locator("canvas")).to_be_visible()
    before = plot.get_attribute("aria-label") or ""
    expect(plot).not_to_have_attribute("aria-label", before)
    expect(page.locator("#command")).to_contain_text("jaxquard train")
    pairs = "() => [document.querySelector('.watched .muted'), document.querySelector('[data-chart=loss] .plot')]"
    for _ in range(20):  # the curve and the figures show the same epoch
        words, label = page.evaluate(f"(({pairs})()).map((one) => one.ariaLabel ?? one.textContent)")
        shown = int(re.findall(r"Epoch (\d+) of", words)[0])
        assert int(re.findall(r"at epoch (\d+)\.", label)[-1]) == shown
        page.wait_for_timeout(100)
    shoot("train")
    stop(page)


def test_pause_one_more_epoch_and_continue(page, wait_until):
    start(page, 90_001)
    press(page, "Pause", "Paused after epoch")
    paused = epoch(page)
    press(page, "One more epoch", f"Paused after epoch {paused + 1}")
    page.get_by_role("button", name="Continue").click()
    wait_until(lambda: epoch(page) >= paused + 2)
    stop(page)


def test_a_killed_training_is_reported_and_can_continue(page, server, shoot, wait_until):
    run = start(page, 90_002)
    os.kill(server.trainer(run), signal.SIGKILL)
    expect(page.get_by_text("The training process died.")).to_be_visible()
    shoot("killed")
    died = epoch(page)
    page.get_by_role("button", name="Resume").click()
    wait_until(lambda: epoch(page) > died)
    stop(page)


def test_a_training_survives_a_killed_server_and_the_page_misses_no_epoch(page, server, shoot, wait_until):
    run = start(page, 90_003)
    server.kill()
    expect(page.get_by_text("The studio’s server does not answer")).to_be_visible()
    journal, seen = server.runs / run / "journal.jsonl", epoch(page)
    shoot("server-gone")
    wait_until(lambda: len(journal.read_text().splitlines()) >= seen + 3)
    server.start()
    wait_until(lambda: epoch(page) >= seen + 3)
    expect(page.get_by_text("The studio’s server does not answer")).to_be_hidden()
    stop(page)
    loss = page.locator("[data-chart=loss]")
    loss.get_by_text("The figures").click()
    second = "td:nth-child(2)"  # the epoch's column
    expect(loss.locator(f"tbody tr:last-child {second}")).to_have_text(str(epoch(page)))
    epochs = {int(text) for text in loss.locator(f"tbody {second}").all_inner_texts()}
    stride = math.ceil(epoch(page) / MOST)  # a chart of a long run leaves out epochs
    assert epochs == set(range(epoch(page), 0, -stride))
