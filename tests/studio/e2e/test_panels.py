"""The page's forms, tables and panels, with made-up answers of the server."""

import pytest

pytestmark = pytest.mark.check

# The view of a run with its `detail` and its job; every request to steer it is refused.
LIVE = """
const refuse = async () => { throw new Error("mine: is not training"); };
const live = new modules.live.Live("mine", { http: {}, announce() {} }, refuse);
document.querySelector("main").append(live.element);
const facts = { epoch: 7, epochs: 10, parameters: 5, networks: [{ seed: 0 }], journal: [], steps_per_epoch: 100 };
live.take({ ...facts, ...given.detail });
live.jobIs(given.job);
"""
FAILED = {"job": "mine", "status": "failed", "error": "disk: cannot write: full"}
PAUSED = {"job": "mine", "status": "paused", "error": None}
TWO = [{"seed": 0}, {"seed": 1}]
LOST = {"network": 1, "step": 250, "quantity": "loss"}
AT = "at step 250, in epoch 3: the loss was no longer finite."
TIMED = {"journal": [{"epoch": 7, "seconds": 2}]}
CONFUSION = {"true": "Shirt", "predicted": "Coat", "count": 97.6, "of": 1000, "networks": 2}
TESTED = {"confusion": CONFUSION, "test_accuracy": [0.89, 0.91], "networks": TWO}
SWEEP = {
    "networks": [{"seed": 0, "l2": k} for k in range(3)],
    "journal": [{"epoch": 1, "seconds": 2, "val_accuracy": [0.8, None, 0.9]}],
    "sweep": {"l2": [0, 1, 2]},
}
RANKED = {
    "verdict": "within the noise, not a win",
    "ranking": [  # the standard deviation of the first accuracy is 0.004
        {"settings": {"hidden": [4, 5]}, "val_accuracy": [0.912828427, 0.907171573], "networks": ["mine@0", "mine@1"]},
        {"settings": {"hidden": None}, "val_accuracy": [None], "networks": ["mine@2"]},
    ],
}
DAMAGED = {"epoch": 0, "epochs": None, "parameters": None, "error": "evaluations.jsonl: line 1 is damaged"}


@pytest.mark.parametrize(
    ("status", "job", "detail", "shown"),
    [
        ("stopped", FAILED, {}, {"status": "failed", "words": "Failed after epoch 7: disk: cannot write: full"}),
        ("stopped", PAUSED, {}, {"status": "paused", "words": "Paused after epoch 7; everything is saved."}),
        ("stopped", None, TIMED, {"how": "Epoch 7 of 10 · 2.0 s an epoch · 5 parameters"}),
        ("stopped", None, {}, {"status": "stopped", "words": "Stopped after epoch 7; everything is saved."}),
        ("stopped", None, TESTED, {"tested": "", "figures": ""}),
        ("finished", FAILED, {}, {"status": "finished", "words": ""}),
        ("finished", None, TESTED, {"figures": "test accuracy90.0 %", "tested": (
            "Most common confusion in the final test: Shirt, taken for Coat "
            "(on average 98 of 1000 images; the most common confusion in 2 of 2 networks)."
        )}),
        ("running", None, TIMED, {"status": "training", "words": "", "how": (
            "Epoch 7 of 10 · 2.0 s an epoch · about 6.0 s left · 5 parameters"
        )}),
        ("stopped", None, SWEEP, {"figures": "validation accuracy80.0 % … 90.0 %", "how": (
            "Epoch 7 of 10 · 2.0 s an epoch · 5 parameters · 3 networks, the lowest and the highest are shown"
        )}),
        ("finished", None, RANKED, {"ranking": (
            "Its settings, best firsthiddenvalidation accuracynetworks"
            "4, 591.00 ± 0.40 %mine@0 mine@1not set–mine@2Within the noise, not a win."
        )}),
        ("running", None, RANKED, {"ranking": None}),
        ("diverged", None, {"diverged": [LOST]}, {"words": f"It diverged {AT} A smaller learning rate usually helps."}),
        ("finished", None, {"diverged": [LOST], "networks": TWO}, {"words": f"Network 1 diverged {AT}"}),
        ("running", None, {"diverged": [LOST | {"network": k} for k in range(9)], "networks": TWO}, {"words": (
            " ".join(f"Network {k} diverged {AT}" for k in range(3)) + " So did 6 other networks."
        )}),
        ("damaged", None, DAMAGED, {"status": "damaged", "words": DAMAGED["error"], "how": "", "progress": None}),
    ],
)  # fmt: skip
def test_what_the_view_of_a_run_shows(ask, status, job, detail, shown):
    text = "live[part].hidden ? null : live[part].textContent"
    body = f"{LIVE} return Object.fromEntries(given.parts.map((part) => [part, {text}]))"
    assert ask(body, given={"job": job, "detail": detail | {"status": status}, "parts": list(shown)}) == shown


def test_the_focus_stays_while_there_are_no_buttons_and_a_refusal_is_shown(ask):
    body = """
    live.buttons.firstElementChild.focus();
    live.buttons.firstElementChild.click();
    await Promise.resolve();
    const places = [];
    for (const status of ["pausing", "paused"]) {
      live.jobIs({ job: "mine", status });
      places.push(document.activeElement === live.buttons ? "the row" : document.activeElement.textContent);
    }
    return [...places, live.fault.textContent, live.fault.getAttribute("role")];
    """
    seen = ask(LIVE + body, given={"job": {"job": "mine", "status": "running"}, "detail": {"status": "running"}})
    assert seen == ["the row", "Continue", "mine: is not training", "alert"]


def test_the_newest_weights_name_their_epoch(ask):
    body = """
    const weights = new modules.live.Weights("mine", [{ seed: 0 }], {});
    const histogram = { edges: [0, 1, 2], start: [1, 2], now: [2, 1], std: { start: 0.25, now: 0.5 } };
    const first = { sentence: "", images: [], width: 1, height: 1 };
    weights.show({ epoch: 28, layers: [{ name: "layer 1", shape: [3], histogram }], first_layer: first });
    return weights.element.textContent;
    """
    text = ask(body)
    assert "Line: after epoch 28. Standard deviation: 0.25 at the start, 0.50 after epoch 28." in text
    assert "now" not in text


# A form with some settings; `set` writes into a field, as a reader would.
FORM = """
const field = { group: "Network", help: "", needs: [], first: true, type: "text", default: null };
const settings = given.settings.map((setting) => ({ ...field, ...setting }));
const datasets = [["large", 60000], ["small", 1497]].map(([name, train]) => ({ name, title: name, train }));
const form = new modules.form.Form({ recipes: [{ name: "original", config: {} }], settings, datasets }, () => {});
document.querySelector("main").append(form.element);
for (const details of document.querySelectorAll("details")) details.open = true;
const set = (name, value) => {
  const input = document.getElementById(`set-${name}`);
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
};
"""


def test_the_form_proposes_a_number_of_held_out_images_until_the_reader_chooses_one(ask):
    settings = [{"name": "dataset", "default": "large"}, {"name": "validation", "type": "int", "low": 0}]
    written = [("dataset", "small"), ("dataset", "large"), ("validation", 100), ("dataset", "small")]
    body = "return [held(), ...given.written.map(([name, value]) => (set(name, value), held()))]"
    held_out = ask(
        f"{FORM} const held = () => form.chosen.settings.validation; {body}",
        given={"settings": settings, "written": written},
    )
    assert held_out == [5000, 249, 5000, 100, 100]


def test_a_setting_without_effect_is_neither_shown_nor_sent(ask):
    settings = [
        {"name": "model", "default": "mlp"},
        {"name": "widths", "needs": ["model", "cnn", "resnet"], "first": False},
        {"name": "teacher"},
        {"name": "temperature", "needs": ["teacher"]},
    ]
    seen = ask(
        FORM
        + """
        return given.written.map(([name, value]) => {
          set(name, value);
          const shown = ["widths", "temperature"].filter((one) => document.getElementById(`set-${one}`).offsetParent);
          return [shown, Object.keys(form.chosen.settings)];
        });
        """,
        given={
            "settings": settings,
            "written": [("temperature", "3"), ("widths", "8"), ("teacher", "run"), ("model", "cnn")],
        },
    )
    assert seen == [
        [[], []],
        [[], []],
        [["temperature"], ["teacher", "temperature"]],
        [["widths", "temperature"], ["model", "widths", "teacher", "temperature"]],
    ]


def test_text_in_a_number_field_is_not_an_empty_field(page, ask):
    ask(f"{FORM} window.form = form", given={"settings": [{"name": "epochs", "type": "int", "default": 3}]})
    page.locator("#set-epochs").press_sequentially("e")
    assert page.evaluate("form.chosen.settings") == {"epochs": "not a number"}


# The queue; `asked` has its requests, and all are refused.
QUEUE = """
const asked = [];
const refuse = async (...what) => { asked.push(what); throw new Error("a: is not training"); };
const queue = new modules.learn.Queue(() => {}, refuse);
document.querySelector("main").append(queue.element);
const show = (...jobs) =>
  queue.show(jobs.map(([name, status]) => ({ job: name, run: null, command: name, status, error: null })), null);
const buttons = () => [...queue.list.querySelectorAll("button")];
"""


def test_the_queue_keeps_buttons_that_may_be_pressed(ask):
    body = """
    show(["a", "queued"], ["b", "queued"]);
    const button = buttons()[1];
    button.focus();
    show(["a", "queued"], ["b", "queued"]);
    const same = document.activeElement === button;
    show(["a", "running"], ["b", "queued"]);
    return [same, document.activeElement.getAttribute("aria-label")];
    """
    assert ask(QUEUE + body) == [True, "Take out: b"]


def test_jobs_without_a_run_can_be_steered_and_a_refusal_stays_visible(ask):
    body = """
    show(["a", "running"], ["b", "paused"]);
    buttons().forEach((button) => button.click());
    await new Promise((resolve) => setTimeout(resolve));
    show(["a", "stopping"], ["b", "queued"]);
    return [asked, queue.fault.textContent];
    """
    assert ask(QUEUE + body) == [[["a", "stop"], ["b", "continue"], ["b", "stop"]], "a: is not training"]


# The Compare view with a sweep and a damaged run; `heard` has the listeners of `events`.
COMPARE = """
const heard = {};
const facts = { started: 1, networks: 3, parameters: 5, dataset: "a", error: null };
const sound = { ...facts, run: "sound", status: "finished", epoch: 1, epochs: 1, val_accuracy: [0.8, null, 0.9] };
const lost = { run: "lost", status: "damaged", epoch: 0, networks: null, started: 1, error: "line 1 is damaged" };
const unknown = { epochs: null, parameters: null, dataset: null, val_accuracy: null, sweep: null };
const runs = [{ ...sound, sweep: { l2: [0, 1, 2] } }, { ...lost, ...unknown }];
const http = { get: async () => ({ runs }) };
const events = { on: (type, listener) => ((heard[type] = listener), () => delete heard[type]) };
const root = document.createElement("section");
document.querySelector("main").replaceChildren(root);
const open = (address) =>
  modules.compare.show(root, { query: new URLSearchParams(address) }, { http, events, announce() {} });
"""


def test_the_table_of_runs(ask):
    body = """
    await open("");
    const link = () => root.querySelector("tbody a");
    const first = link();
    first.focus();
    heard.runs();
    await new Promise((resolve) => setTimeout(resolve, 400));
    const rows = [...root.querySelectorAll("tbody tr")].map((row) => [...row.cells]);
    const cells = rows.map((row) => row.map((cell) => cell.textContent));
    return [...cells, link() !== first && document.activeElement === link()];
    """
    rows = ask(COMPARE + body)
    assert rows[0][2:8] == ["finished", "a", "1 of 1", "3", "5", "80.00 % … 90.00 %"]
    assert rows[1][1:8] == ["lost", "damagedline 1 is damaged", *"–––––"]
    assert rows[2] is True


def test_a_late_table_of_a_closed_view_changes_no_address(ask):
    body = "const before = location.href; const opened = open('run=gone'); root.remove(); await opened"
    before, after = ask(f"{COMPARE} {body}; return [before, location.href]")
    assert before == after


def test_a_comparison_that_cannot_open_adds_no_listeners(ask):
    body = "http.get = () => Promise.reject(new Error('away')); await open('run=a').catch(() => {})"
    assert ask(f"{COMPARE} {body}; return Object.keys(heard)") == []


def test_logits_that_are_not_finite_have_no_difference(ask):
    body = """
    const layer = { name: "1", shape: [2], units: 2, values: [0, 1], limit: 1, sentence: "" };
    const unknown = { exp: null, probability: null };
    const softmax = [{ ...unknown, class: "a", logit: null }, { ...unknown, class: "b", logit: 2 }];
    const image = { index: 0, label: "a", predicted: null, png: "data:,", saliency: { png: "data:," } };
    const parts = { ...image, neighbours: [], layers: [layer], softmax, largest: null, sum: null };
    const root = document.createElement("div");
    root.append(...modules.inside.journey(parts, { open() {}, neuron() {} }));
    return [...root.querySelectorAll(".numbers tbody tr")].map((row) => row.cells[2].textContent);
    """
    assert ask(body) == ["–", "–"]


def test_the_cell_that_was_clicked_is_the_tab_stop(ask):
    body = """
    const confusion = [[1, 2], [3, 4]];
    const table = modules.mistakes.confusionTable({ confusion, classes: ["a", "b"] }, () => {});
    document.querySelector("main").append(table);
    const stops = () => [...table.querySelectorAll("[tabindex='0']")].map((button) => button.textContent);
    const [first, , , last] = table.querySelectorAll("button");
    const before = stops();
    last.focus();
    const then = stops();
    last.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true }));
    return [before, then, stops()];
    """
    assert ask(body) == [["1"], ["4"], ["2"]]


@pytest.mark.parametrize("classes", [2, 26, 100])
@pytest.mark.parametrize("width", [360, 1280])
def test_a_confusion_matrix_of_few_or_many_classes(page, ask, classes, width):
    page.set_viewport_size({"width": width, "height": 740})
    body = """
    const name = (k) => `class ${k}, of which the name is long enough to be cut off somewhere`;
    const classes = Array.from({ length: given }, (_, k) => name(k));
    const confusion = classes.map((_, i) => classes.map((_, j) => (i + j) % 3));
    const table = modules.mistakes.confusionTable({ confusion, classes }, () => {});
    const card = Object.assign(document.createElement("section"), { className: "card" });
    card.append(table);
    document.querySelector("main").replaceChildren(card);
    const [inner, outer] = [table.scrollWidth, table.clientWidth];
    const page = document.documentElement.scrollWidth - innerWidth;
    return [inner - outer, page, table.querySelectorAll("button").length];
    """
    seen = ask(body, given=classes)
    assert seen[1:] == [0, classes**2]
    if width == 1280 and classes < 100:
        assert seen[0] <= 0  # every column is visible without scrolling


# A sheet whose drawings arrive when a function in `late` is called.
SHEET = """
const drawn = [], late = [];
const { sheet, element } = modules.draw.drawing((blob) => drawn.push(blob));
document.querySelector("main").append(element);
sheet.canvas.setPointerCapture = () => {};
sheet.canvas.toBlob = (done) => late.push(done);
const point = (type, pointerId, more) =>
  sheet.canvas.dispatchEvent(new PointerEvent(type, { pointerId, isPrimary: true, buttons: 1, ...more }));
const key = (key, more) => {
  const event = new KeyboardEvent("keydown", { key, cancelable: true, ...more });
  sheet.canvas.dispatchEvent(event);
  return event.defaultPrevented;
};
"""


def test_one_pointer_draws(ask):
    body = """
    point("pointerdown", 1, { button: 2, buttons: 2 });
    point("pointerdown", 2, { isPrimary: false });
    const before = sheet.pen.down;
    point("pointerdown", 3);
    const { x } = sheet.pen;
    point("pointermove", 2, { clientX: 99, isPrimary: false });
    point("pointermove", 3, { clientX: 99, buttons: 2 });
    point("lostpointercapture", 2);
    const during = [sheet.pen.down, sheet.pen.x === x, late.length];
    point("lostpointercapture", 3);
    return [before, during, sheet.pen.down, late.length];
    """
    assert ask(SHEET + body) == [False, [True, True, 0], False, 1]


def test_a_late_drawing_of_an_old_sheet_is_dropped_and_browser_shortcuts_are_ignored(ask):
    body = """
    const others = ["altKey", "ctrlKey", "metaKey"].map((held) => key("ArrowLeft", { [held]: true }));
    key(" ");
    key("Delete");
    late[0]("old");
    key(" "); // clearing has lifted the pen
    late[1]("new");
    return [others, drawn];
    """
    assert ask(SHEET + body) == [[False, False, False], [None, "new"]]
