"""The views Inside, Mistakes, Compare and Lessons."""

import json
import re
import shutil

import pytest
from playwright.sync_api import Route, expect

import jaxquard
from jaxquard.config import Config

pytestmark = pytest.mark.check


def test_one_image_and_one_neuron(page, shoot):
    page.goto("/#/inside/careful@0")
    found = page.locator("#view").get_by_text("of 100 images")
    expect(found).to_have_text("1–48 of 100 images")
    page.get_by_role("combobox", name="Answer", exact=True).select_option("wrong")
    page.get_by_role("combobox", name="Order", exact=True).select_option("surest first")
    expect(page.locator(".gallery .wrong").first).to_be_visible()
    expect(found).to_be_hidden()
    page.locator(".gallery .wrong button").first.click()
    way = page.get_by_role("region", name="One image")
    expect(way.get_by_role("heading", level=2)).to_contain_text("taken for")
    probabilities = [float(text) for text in way.locator(".numbers td:nth-child(5)").all_inner_texts()]
    assert sum(probabilities) == pytest.approx(1, abs=1e-3)
    expect(way.get_by_text("gradient × input")).to_be_visible()
    neighbour = way.locator(".gallery li > span").last  # its caption must not be cut off
    assert neighbour.evaluate("(one) => one.scrollHeight <= one.clientHeight")
    way.get_by_role("button", name=re.compile(r"^unit \d+")).first.click()
    neuron = page.get_by_role("region", name="One neuron")
    expect(neuron.get_by_text("Its weights.")).to_be_visible()
    shoot("look")
    address = page.url
    neuron.locator(".gallery button").first.click()
    expect(way).to_be_focused()
    assert page.url != address


def test_confidence_is_given_in_per_cent(page):
    page.goto("/#/inside/careful@0")
    found = page.locator("#view").get_by_text(re.compile(r"of \d+ images"))
    expect(found).to_have_text("1–48 of 100 images")
    least = page.get_by_label("Confidence from, %")
    with page.expect_request("**/images?*") as asked:
        least.fill("29")
        least.press("Enter")
    assert "min=0.29&" in asked.value.url
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    least.fill("129")
    least.press("Enter")
    assert page.evaluate("() => document.querySelector('form').checkValidity()") is False
    expect(least).to_be_focused()
    assert requests == []


def test_the_images_do_not_wait_for_the_neurons(page):
    held: list[Route] = []
    page.route("**/neurons", lambda route: held.append(route))
    page.goto("/#/inside/careful@0")
    expect(page.locator(".gallery button").first).to_be_visible()
    expect(page.get_by_role("combobox", name="Layer", exact=True)).to_be_hidden()
    held[0].continue_()
    expect(page.get_by_role("combobox", name="Layer", exact=True)).to_be_visible()


def test_the_keyboard_turns_the_pages(page):
    page.goto("/#/inside/careful@0")
    further = page.get_by_role("button", name="Next")
    expect(further).to_be_enabled()  # it can have the focus only after the first images have loaded
    further.focus()
    for first in (49, 97):
        expect(further).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#view").get_by_text(f"{first}–{min(first + 47, 100)} of 100 images")).to_be_visible()
    expect(further).to_be_disabled()
    expect(page.get_by_role("button", name="Previous")).to_be_focused()


def test_a_slow_view_does_not_take_the_focus(page):
    held: list[Route] = []
    page.route("**/api/runs", lambda route: held.append(route))
    page.goto("/#/lessons")
    page.evaluate("() => (location.hash = '#/compare')")
    expect(page.locator("#view")).to_be_focused()
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    elsewhere = page.get_by_role("link", name="Mistakes")
    elsewhere.focus()
    held[0].continue_()
    expect(page.get_by_label("Compare careful")).to_be_visible()
    expect(elsewhere).to_be_focused()


def test_the_test_set_needs_a_click_on_a_button_that_mentions_the_record(page, server):
    record = server.runs / "hasty" / "evaluations.jsonl"
    before = record.read_text()
    page.goto("/#/mistakes/hasty@1")
    part = page.get_by_role("region", name="Images shown")
    expect(part).to_contain_text("100 held-out images, not learned from, after epoch 4.")
    page.goto("/#/inside/hasty@1/3")
    expect(page.get_by_role("heading", name=re.compile("^Held-out image 3:"))).to_be_visible()
    expect(page.get_by_text("One of 100 held-out images, not learned from, after epoch 4.")).to_be_visible()
    assert record.read_text() == before
    part.get_by_role("button", name="Look at the test set (this is recorded)").click()
    expect(part).to_contain_text("200 test images, after epoch 4.")
    expect(part.get_by_role("button", name="Leave the test set")).to_be_focused()
    expect(page.locator("#view").get_by_text("1–48 of 200 images", exact=True)).to_be_visible()
    (line,) = record.read_text().removeprefix(before).splitlines()
    assert json.loads(line)["model"] == "hasty@1"
    page.goto("/#/mistakes/hasty@1")
    expect(part).to_contain_text("200 test images")
    part.get_by_role("button", name="Leave the test set").click()
    expect(part).to_contain_text("100 held-out images")
    page.reload()
    expect(part).to_contain_text("100 held-out images")


def test_a_cell_of_the_confusion_matrix_shows_its_images(page, shoot):
    page.goto("/#/mistakes/careful@0")
    cell = page.locator(".confusion button.wrong").first
    name, count = (cell.get_attribute("aria-label") or "").split(": ")
    cell.click()
    expect(page.get_by_role("heading", name=f"{name}: {count}")).to_be_visible()
    expect(page.locator(".cell-images .gallery li")).to_have_count(int(count))
    slider = page.get_by_label("Confidence it needs to answer")
    before = page.locator("output").inner_text()
    slider.press("ArrowRight")
    expect(page.locator("output")).not_to_have_text(before)
    page.get_by_label("rotation").check()
    expect(page.get_by_text(re.compile("degrees|°")).first).to_be_visible()
    shoot("mistakes")
    page.locator(".cell-images .gallery a").first.click()
    expect(page.get_by_role("heading", name=re.compile(r"^Held-out image \d"))).to_be_visible()


def test_the_average_of_a_run_has_mistakes_and_predictions_but_no_inside(page):
    page.goto("/#/mistakes/careful@all")
    model = page.get_by_role("combobox", name="Model")
    expect(model.locator("option:checked")).to_have_text("careful, average of 2 networks")
    page.locator(".confusion button.wrong").first.click()
    page.locator(".cell-images .gallery a").first.click()
    expect(page.get_by_text("is the average of 2 networks. Choose one of them to look inside.")).to_be_visible()
    model.select_option("careful@1")
    expect(page.get_by_role("region", name="One neuron")).to_be_visible()
    page.goto("/#/draw/careful@all")
    page.get_by_label("Sheet to draw on").press("Space")
    expect(page.locator(".answer strong")).to_be_visible()


def test_compare_two_runs(page, shoot):
    page.goto("/#/compare")
    for run in ("careful", "hasty"):
        page.get_by_label(f"Compare {run}").check()
    differing = page.get_by_role("group", name="Settings that differ")
    expect(differing.get_by_text("learning_rate")).to_be_visible()
    expect(differing.get_by_text("batch_size")).to_be_hidden()
    expect(page.locator("#view").get_by_text(re.compile("^By validation accuracy, .* noise"))).to_be_visible()
    expect(page.locator(".comparison svg").first).to_be_visible()
    shoot("compare")


def test_another_model_can_be_chosen_if_the_newest_has_no_data(page, server, stripes):
    arrays = (stripes.train_images, stripes.train_labels)
    run = jaxquard.train(
        Config(hidden=(), epochs=1, batch_size=20), data=arrays, runs=server.runs, name="arrays"
    ).run.path
    model = page.get_by_role("combobox", name="Model")
    for view, part in (("Inside", "One neuron"), ("Mistakes", "What if"), ("Draw", "Its background")):
        page.goto("/#/lessons")
        page.reload()  # forgets the chosen model
        page.get_by_role("link", name=view).click()
        expect(model).to_have_value("arrays")
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        model.select_option("careful@1")
        expect(page.locator(".card").filter(has_text=part)).to_be_visible()
    shutil.rmtree(run)


def test_the_links_to_the_views_keep_the_chosen_model(page):
    page.goto("/#/mistakes/hasty@1")
    model = page.get_by_role("combobox", name="Model")
    expect(model).to_have_value("hasty@1")
    page.get_by_role("link", name="Lessons").click()
    for view, before, chosen in (("Inside", "hasty@1", "careful@1"), ("Draw", "careful@1", "hasty@0")):
        page.get_by_role("link", name=view).click()
        expect(model).to_have_value(before)
        model.select_option(chosen)
    page.get_by_role("link", name="Mistakes").click()
    expect(model).to_have_value("hasty@0")


def test_the_table_of_runs_with_long_names_fits_into_the_window(page, shoot):
    def answer(route: Route) -> None:
        runs = route.fetch().json()["runs"]
        wide = {"epoch": 100, "epochs": 100, "sweep": {"l2": [0, 1]}, "test_accuracy": [0.8213, 0.9134]}
        long = {"run": "20261130-150203-fashion-mnist-cnn", "dataset": "fashion-mnist", "val_accuracy": [0.1, 0.9134]}
        route.fulfill(json={"runs": [runs[0] | wide | long, *runs]})

    page.route("**/api/runs", answer)
    page.goto("/#/compare")
    expect(page.get_by_label("Compare careful")).to_be_visible()
    shoot("runs")
    assert page.get_by_role("group", name="Runs").evaluate("(one) => one.scrollWidth <= one.clientWidth")


@pytest.mark.parametrize("address", ["%", "look/50%", "toString", "__proto__"])
def test_an_invalid_address_opens_a_view(page, address):
    page.goto(f"/#/{address}")
    expect(page.locator("#view h1")).to_be_visible()
    expect(page.locator("#views a")).not_to_have_count(0)


@pytest.mark.parametrize("view", ["inside", "mistakes", "draw"])
def test_an_address_of_an_unknown_model_names_it(page, view):
    page.goto(f"/#/{view}/gone@0")
    expect(page.get_by_role("alert").get_by_text("gone@0: there is no model of this name.")).to_be_visible()


def test_a_deleted_run_is_no_longer_compared(page):
    page.goto("/#/compare?run=gone&run=careful&run=hasty")
    expect(page.locator("#view").get_by_text(re.compile("^By validation accuracy, .* noise"))).to_be_visible()
    expect(page).to_have_url(re.compile(r"#/compare\?run=careful&run=hasty$"))


def test_read_a_lesson(page, shoot):
    page.goto("/#/lessons")
    expect(page.locator(".lessons li")).not_to_have_count(0)
    shoot("lessons")
    first = page.locator(".lessons h2 a").first
    question = first.inner_text()
    first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(question)
    expect(page.get_by_role("article")).to_contain_text("The claim.")
    shoot("lesson")
