"""Training from the page, and processes that are killed."""

import math
import os
import re
import signal
import time

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


def wait_for_epoch(page: Page, wanted: int) -> None:
    """Wait until the page shows that epoch or a later one."""
    end = time.monotonic() + 30
    while epoch(page) < wanted:
        assert time.monotonic() < end, f"the page stays at epoch {epoch(page)}"
        page.wait_for_timeout(50)


def test_train_from_the_page_with_a_live_curve(page, shoot):
    start(page, 90_000)
    plot = page.locator("[data-chart=accuracy] .plot")
    expect(plot.locator("canvas")).to_be_visible()
    before = plot.get_attribute("aria-label") or ""
    expect(plot).not_to_have_attribute("aria-label", before)
    expect(page.locator("#command")).to_contain_text("jaxquard train")
    shoot("train")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile("^Stopped after epoch"))).to_be_visible()


def test_the_curve_and_the_figures_show_the_same_epoch(page):
    start(page, 90_004)
    pairs = "() => [document.querySelector('.watched .muted'), document.querySelector('[data-chart=loss] .plot')]"
    expect(page.locator("[data-chart=loss] canvas")).to_be_visible()
    for _ in range(20):
        words, label = page.evaluate(f"(({pairs})()).map((one) => one.ariaLabel ?? one.textContent)")
        shown = int(re.findall(r"Epoch (\d+) of", words)[0])
        assert int(re.findall(r"at epoch (\d+)\.", label)[-1]) == shown
        page.wait_for_timeout(100)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile("^Stopped after epoch"))).to_be_visible()


def test_pause_one_more_epoch_and_continue(page):
    start(page, 90_001)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text(re.compile("^Paused after epoch"))).to_be_visible()
    paused = epoch(page)
    page.get_by_role("button", name="One more epoch").click()
    expect(page.get_by_text(f"Paused after epoch {paused + 1}")).to_be_visible()
    page.get_by_role("button", name="Continue").click()
    wait_for_epoch(page, paused + 2)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile("^Stopped after epoch"))).to_be_visible()


def test_a_killed_training_is_reported_and_can_continue(page, server, shoot):
    run = start(page, 90_002)
    os.kill(server.trainer(run), signal.SIGKILL)
    expect(page.get_by_text("The training process died.")).to_be_visible()
    shoot("killed")
    died = epoch(page)
    page.get_by_role("button", name="Resume").click()
    wait_for_epoch(page, died + 1)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile("^Stopped after epoch"))).to_be_visible()


def test_a_training_survives_a_killed_server_and_the_page_misses_no_epoch(page, server, shoot):
    run = start(page, 90_003)
    server.kill()
    expect(page.get_by_text("The studio’s server does not answer")).to_be_visible()
    journal, seen = server.runs / run / "journal.jsonl", epoch(page)
    shoot("server-gone")
    end = time.monotonic() + 30
    while len(journal.read_text().splitlines()) < seen + 3:
        assert time.monotonic() < end, "training stopped with the server"
        page.wait_for_timeout(50)
    server.start()
    wait_for_epoch(page, seen + 3)
    expect(page.get_by_text("The studio’s server does not answer")).to_be_hidden()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile("^Stopped after epoch"))).to_be_visible()
    loss = page.locator("[data-chart=loss]")
    loss.get_by_text("The figures").click()
    second = "td:nth-child(2)"  # the epoch's column
    expect(loss.locator(f"tbody tr:last-child {second}")).to_have_text(str(epoch(page)))
    epochs = {int(text) for text in loss.locator(f"tbody {second}").all_inner_texts()}
    stride = math.ceil(epoch(page) / MOST)  # a chart of a long run leaves out epochs
    assert epochs == set(range(epoch(page), 0, -stride))
