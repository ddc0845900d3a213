"""Accessibility: no serious fault that axe finds, full use by keyboard, no sideways scrolling on a telephone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.check
VIEWS = {
    "learn": "#/learn/careful",
    "inside": "#/inside/careful@0/7",
    "mistakes": "#/mistakes/careful@0",
    "draw": "#/draw",
    "compare": "#/compare?run=careful&run=hasty",
    "lessons": "#/lessons",
    "lesson": "#/lessons/calibration",
}


def open_view(page: Page, address: str) -> None:
    """Go to a view and wait until it is complete."""
    page.goto(f"/{address}")
    expect(page.locator("main h1")).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


@pytest.mark.parametrize("context", ["light", "dark"], indirect=True)
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_no_serious_fault(page, view, shoot, request):
    open_view(page, VIEWS[view])
    shoot(f"{view}-{request.node.callspec.params['context']}")
    found = Axe().run(page).response["violations"]
    faults = [
        (fault["id"], [node["html"][:200] for node in fault["nodes"]])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    assert faults == []


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_scrolls_sideways_on_a_telephone(page, view, shoot):
    page.set_viewport_size({"width": 360, "height": 740})
    open_view(page, VIEWS[view])
    shoot(f"{view}-narrow")
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= 360


def test_with_only_the_keyboard(page):
    page.goto("/#/learn")
    expect(page.locator("main h1")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    press_until(page, "Tab", "Mistakes")
    page.keyboard.press("Enter")
    expect(page.locator(".confusion")).to_be_visible()
    press_until(page, "Tab", "recognised")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".cell-images")).to_be_focused()
    expect(page.locator(".cell-images h3")).to_contain_text("taken for")


@pytest.mark.parametrize("size", [(1280, 900), (360, 740)])
def test_the_bar_below_the_form_hides_no_focused_field(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto("/#/learn")
    expect(page.locator("#command")).not_to_be_empty()
    page.get_by_label("Recipe to start from").focus()
    seen = 0
    while page.locator(".knobs :focus").count():
        field, bar = page.locator(":focus").bounding_box(), page.locator(".launch").bounding_box()
        assert field["y"] + field["height"] <= bar["y"], page.locator(":focus").get_attribute("id")
        page.keyboard.press("Tab")
        seen += 1
    assert seen > 15


def press_until(page: Page, key: str, words: str) -> None:
    """Press a key until the focused element has these words."""
    for _ in range(60):
        page.keyboard.press(key)
        focused = page.locator(":focus")
        if words in f"{focused.get_attribute('aria-label')} {focused.inner_text()}":
            return
    raise AssertionError(f"{key} does not lead to {words}")
