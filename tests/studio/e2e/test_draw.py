"""Draw: a picture drawn with mouse or keys, uploaded, dropped, pasted."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.check


@pytest.fixture
def own(page: Page) -> Page:
    """The view, with one model chosen."""
    page.goto("/#/draw/careful@0")
    expect(page.get_by_label("Sheet to draw on")).to_be_visible()
    return page


def said(page: Page) -> str:
    """The label that the network gives."""
    return page.locator(".answer strong").first.inner_text().split(",")[0]


def photograph(turned: bool = True) -> bytes:
    """12 megapixels of an upright dark bar on grainy white paper, stored sideways with an EXIF orientation."""
    rng = np.random.default_rng(0)
    upright = np.full((4000, 3000), 220, np.uint8)
    upright[400:3600, 1300:1750] = 60
    grain = rng.integers(-9, 10, upright.shape)
    image = Image.fromarray((upright + grain).astype(np.uint8)).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


def test_draw_and_predict_with_two_models_side_by_side(own, shoot):
    box = own.get_by_label("Sheet to draw on").bounding_box()
    left, right, middle = box["x"] + 15, box["x"] + box["width"] - 15, box["y"] + box["height"] / 2
    own.mouse.move(left, middle)
    own.mouse.down()
    own.mouse.move(right, middle, steps=8)
    own.mouse.up()
    expect(own.locator(".answer strong")).to_have_count(1)
    assert said(own) == "1"
    expect(own.locator(".steps figcaption").last).to_have_text("fitted")
    own.get_by_role("combobox", name="Beside it").select_option("hasty@0")
    expect(own.locator(".answer strong")).to_have_count(2)
    expect(own.locator(".probabilities meter")).to_have_count(6)
    shoot("own")


def test_a_new_sheet_removes_the_answer(own):
    sheet = own.get_by_label("Sheet to draw on")
    sheet.focus()
    sheet.press("Space")
    expect(own.locator(".answer strong")).to_have_count(1)
    own.get_by_role("button", name="New sheet").click()
    expect(own.get_by_text("appears here")).to_be_visible()
    own.get_by_role("combobox", name="Beside it").select_option("hasty@0")
    own.wait_for_timeout(200)
    expect(own.locator(".answer strong")).to_have_count(0)


def test_draw_with_only_the_keyboard(own):
    sheet = own.get_by_label("Sheet to draw on")
    sheet.focus()
    for key in [*["Shift+ArrowUp"] * 4, "Space", *["Shift+ArrowDown"] * 8, "Space"]:
        sheet.press(key)
    expect(own.locator(".answer strong")).to_have_text(re.compile("^0,"))  # after that to the first dot


def test_a_photograph_is_sent_unchanged(own, shoot):
    photo = photograph()
    with own.expect_request("**/api/predict**") as asked:
        own.get_by_label("Picture").set_input_files({"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo})
    assert asked.value.post_data_buffer == photo
    expect(own.locator(".answer strong")).to_have_count(1)
    assert said(own) == "0"
    shoot("photograph")


def test_a_file_that_is_no_picture_is_refused(own):
    own.get_by_label("Picture").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(own.get_by_role("alert").get_by_text("not a picture in a supported format")).to_be_visible()


def bar(form: str) -> list[int]:
    """The bytes of a picture of a level light bar."""
    file = io.BytesIO()
    Image.fromarray(np.pad(np.full((6, 40), 255, np.uint8), ((20, 20), (4, 4)))).save(file, form)
    return list(file.getvalue())


def test_drop_a_picture_that_the_browser_cannot_show(own):
    own.evaluate(
        """bytes => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([new Uint8Array(bytes)], "bar.tif", { type: "image/tiff" }));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        bar("TIFF"),
    )
    expect(own.locator(".answer strong")).to_have_count(1)
    assert said(own) == "1"
    with own.expect_request("**/api/predict**") as asked:
        own.get_by_label("use it as it is").check()
    assert "as_is=true" in asked.value.url
    with own.expect_request("**/api/predict**") as asked:
        own.get_by_label("Its background is").select_option("light")
    assert "as_is=true&background=light" in asked.value.url


def test_only_networks_that_use_the_controls_of_the_preparation_show_them(own):
    def answer(route: Route) -> None:
        models = route.fetch().json()["models"]
        folders = [line | {"as_read": line["model"].startswith("hasty")} for line in models]
        route.fulfill(json={"models": folders})

    own.route("**/api/models", answer)
    own.goto("/#/draw/hasty@0")
    whole = own.get_by_label("use it as it is")
    expect(own.get_by_role("combobox", name="Model")).to_have_value("hasty@0")
    expect(whole).to_be_hidden()
    beside = own.get_by_role("combobox", name="Beside it")
    for model, shown in (("careful@0", True), ("hasty@1", False)):
        beside.select_option(model)
        expect(whole).to_be_visible(visible=shown)


def test_paste_a_picture(own):
    own.evaluate(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "bar.png", { type: "image/png" }));
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
        }""",
        bar("PNG"),
    )
    expect(own.locator(".answer strong")).to_have_count(1)
    assert said(own) == "1"
