"""The take-home page: what is in the file, and what it does in a real browser, opened from the disk."""

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

import jaxquard
from jaxquard import api
from jaxquard.config import Config
from jaxquard.errors import DataError, UsageError
from jaxquard.exporting import html
from jaxquard.runs.directory import Run
from jaxquard.runs.models import TrainedModel, file_content, load_model

from .networks import made

HOSTILE = ("</script><img src=x onerror=alert(1)>", "<!-- <b>", "a'\"&amp;", "名前 " * 40, "{{x}} $facts")


@pytest.fixture(scope="module")
def root(npz, tmp_path_factory):
    """A folder of runs with `two`, a run of two networks."""
    root = tmp_path_factory.mktemp("runs")
    config = Config(dataset=str(npz), hidden=(5,), batch_size=20, epochs=3, seeds=2, validation=20)
    jaxquard.train(config, runs=root, name="two")
    return root


def part(page: bytes, name: str) -> str:
    """The text of an element of the page by its id."""
    (found,) = re.findall(rf'<script [^>]*?id="{name}">(.*?)</script>|(?!)', page.decode(), re.S)
    return found


def facts(page: bytes) -> dict[str, Any]:
    return json.loads(part(page, "facts"))


# --- the file


@pytest.mark.parametrize("name", ["mlp", "cnn-small"])
def test_a_page_is_small_and_may_run_its_own_script_and_nothing_else(name, tmp_path):
    model = load_model(name, tmp_path)
    page = html.content(model)
    assert len(page) < 3_000_000
    assert base64.b64decode(part(page, "weights")) == file_content(model)
    text = page.decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', text)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    program = part(page.replace(b'<script id="program"', b'<script _ id="program"'), "program")
    hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in (program, style)]
    allowed = ["script-src 'sha256-{}'", "style-src 'sha256-{}'"]
    assert policy.split("; ")[:3] == ["default-src 'none'", *map(str.format, allowed, hashes)]
    assert set(re.findall(r"\w+://[\w./-]*", text)) <= {"http://www.w3.org/2000/svg"}
    found = facts(page)
    assert found["tested"]["n"] == 10_000
    assert np.sum(found["tested"]["matrix"]) == 10_000
    assert f"--recipe {name}" in found["curve_note"]
    assert found["samples"] is None


def test_names_from_strangers_stay_text():
    model = made(classes=5, facts={"name": HOSTILE[0], "class_names": list(HOSTILE)})
    page = html.content(model)
    assert b"<img" not in page
    assert page.lower().count(b"<script") == page.lower().count(b"</script") == 3


def test_the_curves_are_those_of_the_networks(root):
    lines = Run(root / "two").epochs()
    one = facts(html.content(load_model("two@1", root)))["curves"]
    assert one["loss"]["training"] == [[line["epoch"], line["train_loss"][1], None, None] for line in lines]
    both = facts(html.content(load_model("two@all", root)))["curves"]
    for point, line in zip(both["accuracy"]["validation"], lines, strict=True):
        values = line["val_accuracy"]
        assert point == [line["epoch"], pytest.approx(np.mean(values)), min(values), max(values)]


def test_a_page_says_what_is_not_known(root, tmp_path):
    average = facts(html.content(load_model("two@all", root)))
    assert average["tested"] is None
    assert "jaxquard evaluate two@all records one" in average["test_note"]
    file = jaxquard.export("two@0", to="safetensors", out=tmp_path / "net.safetensors", runs=root).file
    bare = facts(html.content(load_model(str(file), root)))
    assert (bare["tested"], bare["curves"]) == (None, None)
    assert "comes from a file" in bare["curve_note"]
    assert bare["lacks"] is None
    assert dict(bare["training"])["Epochs"] == "at most 3"  # the file does not say


def test_a_finished_average_without_a_network_that_diverged_is_not_unfinished(root, tmp_path):
    shutil.copytree(root / "two", tmp_path / "two")
    *lines, last = (tmp_path / "two" / "journal.jsonl").read_text().splitlines()
    lines += ['{"event": "diverged", "network": 1, "step": 10}', last]
    (tmp_path / "two" / "journal.jsonl").write_text("".join(f"{line}\n" for line in lines))
    found = facts(html.content(load_model("two@all", tmp_path)))
    assert found["lacks"] == "two@all is an average without two@1, which diverged"
    assert dict(found["training"])["Epochs"] == "3"


def test_a_page_says_that_the_training_is_unfinished(root, tmp_path):
    shutil.copytree(root / "two", tmp_path / "new")
    journal = tmp_path / "new" / "journal.jsonl"
    line = json.loads(journal.read_text().splitlines()[0])
    for lines, took in ((json.dumps(line | {"seconds": 0.04}) + "\n", ", in less than 0.1 seconds,"), ("", "")):
        journal.write_text(lines)
        found = facts(html.content(load_model("new@0", tmp_path)))
        assert found["lacks"].startswith("new is unfinished: these are its weights after step 15, epoch 3 of 3")
        training = dict(found["training"])
        assert training["Epochs"] == "3 of 3"
        assert (took or " 2 networks together") in training["Trained"]
        assert ("seconds" in training["Trained"]) == bool(took)
    assert "no finished epoch" in found["curve_note"]


def test_images_are_put_in_if_asked_for_and_the_look_is_recorded(root, stripes, tmp_path, monkeypatch):
    shutil.copytree(root / "two", tmp_path / "two")
    found = jaxquard.export("two@0", to="html", out=tmp_path / "a.html", runs=tmp_path, with_images=True)
    assert "images of the test set of stripes (licence: unknown)" in found.note
    samples = facts(found.file.read_bytes())["samples"]
    for k, one in enumerate(samples[:3]):
        assert (one["label"], "taken" in one) == (k, False)
        first = stripes.test_images[np.flatnonzero(stripes.test_labels == k)[0]]
        assert base64.b64decode(one["image"]) == first.tobytes()
    assert all(one["taken"] != one["label"] for one in samples[3:])
    assert Run(tmp_path / "two").evaluations()[-1]["why"] == "export --to html --with-images"
    for to in ("safetensors", "csv"):
        with pytest.raises(UsageError, match=f"with_images: only for the format html, not for {to}"):
            jaxquard.export("two@0", to=to, out=tmp_path / "b", runs=tmp_path, with_images=True)
    monkeypatch.setattr(api, "_load", lambda *_, **__: replace(stripes, sha256={}))
    with pytest.raises(DataError, match="trained on other data than stripes now holds"):
        jaxquard.export("two@0", to="html", out=tmp_path / "b.html", runs=tmp_path, with_images=True)
    monkeypatch.undo()
    config = jaxquard.Config(hidden=(5,), batch_size=20, epochs=1)
    run = jaxquard.train(config, data=stripes, runs=tmp_path, name="one").run
    for place, fault in {
        "arrays": "these were arrays in Python$",
        "/gone": "/gone: no such folder or file, .*$",
    }.items():
        run.record_place(place)
        with pytest.raises((DataError, UsageError), match=f"^--with-images needs the data of the training: {fault}"):
            jaxquard.export("one", to="html", out=tmp_path / "b.html", runs=tmp_path, with_images=True)
    assert not (tmp_path / "b.html").exists()


@pytest.mark.parametrize(
    "line",
    ['import x from "./b.js";', 'import { b } from "./b.js";', 'import "./b.js";', "export default 3;", "  import("],
)
def test_modules_that_cannot_be_put_into_a_page_are_refused(line):
    assert "module_a" in html.bundle({"a": "export const a = 1;", "c": 'import { a } from "./a.js";'})
    with pytest.raises(ValueError, match="cannot be put into a page"):
        html.bundle({"a": line, "b": "export const a = 1;"})
    with pytest.raises(ValueError, match="must not contain"):
        html.bundle({"a": "const a = '</SCRIPT>';"})


# --- in a browser


@pytest.fixture(params=[{}])
def open_page(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """`open_page(model)`: its page, from a file. An error, a violation of its policy or a request fails the test."""
    complaints, requests = [], set()
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | request.param)

    def open_page(model: TrainedModel | bytes) -> Page:
        file = tmp_path / "page.html"
        file.write_bytes(model if isinstance(model, bytes) else html.content(model))
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: requests.add(request.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    context.close()
    assert complaints == []
    assert {url for url in requests if not url.startswith("blob:")} == {(tmp_path / "page.html").as_uri()}


@pytest.fixture
def shoot(tmp_path: Path) -> Callable[[Page, str], None]:
    """`shoot(page, name)`: a screenshot of the whole page, as of the studio."""
    folder = Path(os.environ.get("STUDIO_SCREENSHOTS") or tmp_path)
    return lambda page, name: page.screenshot(path=folder / f"{name}.png", full_page=True) and None


TROUSER = [(0.42, 0.9), (0.36, 0.9), (0.36, 0.1), (0.64, 0.1), (0.64, 0.9), (0.58, 0.9), (0.57, 0.16), (0.43, 0.16)]


def draw_trouser(page: Page) -> None:
    """Draw in one stroke with the mouse, and wait until its end is answered."""
    sheet = page.get_by_label("Sheet to draw on")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    assert box
    for x, y in [*TROUSER, TROUSER[0]]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)
        page.mouse.down()
    page.mouse.up()
    expect(page.get_by_role("status")).not_to_be_empty()
    page.evaluate("() => scrollTo(0, 0)")


def said(page: Page) -> str:
    """The answer."""
    return page.locator(".verdict strong").inner_text()


def probabilities(page: Page) -> list[float]:
    """Those beside the bars, in per cent."""
    return [float(text.removesuffix("\u00a0%")) for text in page.locator(".bars .number").all_inner_texts()]


LOOKS = {
    "desktop": {},
    "phone": {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "has_touch": True},
    "dark": {"color_scheme": "dark"},
}


@pytest.mark.check
@pytest.mark.parametrize("open_page", LOOKS.values(), ids=LOOKS, indirect=True)
def test_a_drawing_is_recognised_and_the_page_is_accessible(open_page, shoot, request, tmp_path):
    model = load_model("mlp", tmp_path)
    page = open_page(model)
    draw_trouser(page)
    assert said(page) == "Trouser"
    assert page.locator("#hint").count() == 0
    pixels = page.locator(".eye").evaluate("eye => [...eye.getContext('2d').getImageData(0, 0, 28, 28).data]")
    seen = np.reshape(pixels, (1, 28, 28, 4))[..., :1].astype(np.uint8)
    np.testing.assert_allclose(probabilities(page), 100 * model.predict_proba(seen)[0], atol=0.051)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= page.viewport_size["width"]
    shoot(page, f"page-{request.node.callspec.id}")
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []


@pytest.mark.check
def test_pictures_are_uploaded_pasted_and_dropped(open_page, shoot, tmp_path):
    page = open_page(load_model("cnn-small", tmp_path))
    picture = Image.new("RGB", (500, 700), "#e8e0d0")
    pen = ImageDraw.Draw(picture)
    for box in ((150, 80, 220, 640), (280, 80, 350, 640), (150, 80, 350, 170)):
        pen.rectangle(box, "#303848")
    picture.save(tmp_path / "trouser.jpg", quality=90)
    expected = jaxquard.predict("cnn-small", [tmp_path / "trouser.jpg"])[0].label
    chooser = page.get_by_label("Choose a picture")
    chooser.set_input_files(tmp_path / "trouser.jpg")
    expect(page.get_by_role("status")).to_contain_text(f"{expected}")
    expect(chooser).to_have_value("")  # so that the same file can be chosen again
    shoot(page, "page-upload")
    file = list((tmp_path / "trouser.jpg").read_bytes())
    for event, key in (("ClipboardEvent('paste'", "clipboardData"), ("DragEvent('drop'", "dataTransfer")):
        page.get_by_role("button", name="Clear").click()
        expect(page.locator(".thread")).to_be_hidden()
        page.evaluate(
            f"""bytes => {{
                const data = new DataTransfer();
                data.items.add(new File(["no picture"], "a.txt", {{ type: "text/plain" }}));
                data.items.add(new File([new Uint8Array(bytes)], "a.jpg", {{ type: "image/jpeg" }}));
                document.body.dispatchEvent(new {event}, {{ {key}: data, bubbles: true, cancelable: true }}));
            }}""",
            file,
        )
        expect(page.get_by_role("status")).to_contain_text(f"{expected}")
    chooser.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no"})
    expect(page.get_by_role("alert")).to_contain_text("cannot read a.png as a picture, so the sheet is as before")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download its weights").click()
    assert download.value.suggested_filename == "cnn-small.safetensors"


@pytest.mark.check
@pytest.mark.parametrize("open_page", [{"java_script_enabled": False}], indirect=True)
def test_without_scripts_the_page_says_so(open_page):
    page = open_page(made(hidden=()))
    expect(page.get_by_text("The network does not start here.")).to_be_visible()
    expect(page.locator("h2:visible")).to_have_count(0)


HELD = """() => {
    const [decode, ask] = [createImageBitmap, Worker.prototype.postMessage];
    window.held = [];
    createImageBitmap = async (file) => {
        if (file.name === "slow.png") await new Promise((done) => held.push(done));
        return decode(file);
    };
    Worker.prototype.postMessage = function (...given) { held.push(() => ask.apply(this, given)); };
}"""


@pytest.mark.check
def test_a_slow_network_computes_in_a_worker_and_only_the_newest_answer_is_shown(open_page, monkeypatch, tmp_path):
    bundle = html.bundle
    monkeypatch.setattr(html, "bundle", lambda modules: bundle(modules).replace("const SLOW = 50", "const SLOW = -1"))
    page = open_page(load_model("mlp", tmp_path))
    draw_trouser(page)
    assert said(page) == "Trouser"
    assert len(page.workers) == 1
    page.evaluate(HELD)
    chooser, thread = page.get_by_label("Choose a picture"), page.locator(".thread")
    clear = page.get_by_role("button", name="Clear").click

    def choose(name: str, level: int, held: int) -> None:
        Image.new("L", (28, 28), level).save(tmp_path / name)
        chooser.set_input_files(tmp_path / name)
        page.wait_for_function(f"() => held.length === {held}")

    def go_on(k: int) -> None:
        page.evaluate("async (k) => { held[k](); await new Promise((done) => setTimeout(done, 100)); }", k)

    choose("slow.png", 255, 1)  # is decoded after the next
    choose("quick.png", 0, 2)
    clear()
    go_on(1)  # answered after Clear
    expect(thread).to_be_hidden()
    choose("quick.png", 0, 3)
    go_on(2)
    expect(thread).to_be_visible()
    answer = said(page)
    go_on(0)
    assert page.evaluate("() => held.length") == 3
    assert said(page) == answer
    choose("slow.png", 255, 4)
    clear()
    go_on(3)
    expect(thread).to_be_hidden()


CASES = {
    "hostile": made(classes=5, facts={"name": HOSTILE[0], "class_names": list(HOSTILE)}),
    "colour": made(model="cnn", widths=(3, 4), blocks=1, stem=2, facts={"framing": {"stands_out": False}}),
    "many classes": made(classes=300, image_shape=(9, 7, 1), hidden=(600,), activation="gelu"),
    "average of floats": made(3, facts={"value_range": [-1, 1]}, hidden=()),
}


@pytest.mark.check
@pytest.mark.parametrize("model", CASES.values(), ids=CASES)
def test_every_kind_of_network_has_a_page(open_page, model, shoot, request):
    page = open_page(model)
    sheet = page.get_by_label("Sheet to draw on")
    sheet.focus()
    for key in [*["Shift+ArrowUp"] * 3, "Space", *["Shift+ArrowDown"] * 6]:
        sheet.press(key)
    expect(page.get_by_role("status")).not_to_be_empty()
    names = page.locator(".bars .name").all_text_contents()
    assert set(names) <= set(model.class_names)
    assert len(names) == min(12, len(model.class_names))
    assert page.locator("#weights-drawn canvas").count() > 2
    assert page.get_by_text("on plain paper").count() == model.framing.stands_out
    assert page.get_by_text("of them almost zero").count() == (model.config.activation == "gelu")
    shoot(page, f"page-{request.node.callspec.id.replace(' ', '-')}")
    sheet.press("Delete")
    expect(page.locator(".thread")).to_be_hidden()
    assert page.locator(".cursor.down").count() == 0  # the pen is lifted


@pytest.mark.check
def test_a_run_with_images(open_page, root, stripes, shoot, tmp_path):
    found = jaxquard.export("two@all", to="html", out=tmp_path / "two.html", runs=root, with_images=True)
    page = open_page(found.file.read_bytes().replace(b'"lacks": null', b'"lacks": "two is unfinished"'))
    expect(page.locator("#training h2 + .warning")).to_have_text("two is unfinished")
    page.locator(".samples button").first.click()
    probability = load_model("two@all", root).predict_proba(stripes.test_images[:1]).max()
    expect(page.locator(".verdict")).to_contain_text(f"{100 * probability:.1f}\u00a0% sure")
    expect(page.locator(".charts path.band")).to_have_count(4)
    expect(page.locator(".confusion tbody tr")).to_have_count(3)
    assert page.locator(".confusion caption").evaluate("caption => caption.clientWidth") > 350  # a small table's, too
    expect(page.locator("#quality")).to_contain_text(
        re.compile(r"Most often it takes \w+ for \w+ \(\d+ of \d+ images\)")
    )
    shoot(page, "page-run")
    page.emulate_media(media="print")
    for hidden in (".tools", ".shelf"):
        expect(page.locator(hidden)).to_be_hidden()
    shoot(page, "page-print")
