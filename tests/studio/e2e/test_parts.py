"""Single modules of the page, with made-up answers of the server."""

import json
import math

import pytest
from playwright.sync_api import expect

from jaxquard.charts import theme
from jaxquard.runs.directory import Run
from jaxquard.studio import charts

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


@pytest.fixture
def live(ask):
    """`live(job, **detail)`: the texts of the parts of a run's view, "" for hidden ones."""
    parts = "['status', 'words', 'how', 'figures', 'tested', 'ranking', 'progress']"
    text = "live[part].hidden ? '' : live[part].textContent"
    body = f"{LIVE} return Object.fromEntries({parts}.map((part) => [part, {text}]))"
    return lambda job=None, **detail: ask(body, given={"job": job, "detail": detail})


@pytest.mark.parametrize(
    ("status", "job", "shown", "said"),
    [
        ("stopped", FAILED, "failed", "Failed after epoch 7: disk: cannot write: full"),
        ("stopped", PAUSED, "paused", "Paused after epoch 7; everything is saved."),
        ("stopped", None, "stopped", "Stopped after epoch 7; everything is saved."),
        ("finished", FAILED, "finished", ""),
        ("running", None, "training", ""),
    ],
)
def test_the_end_of_a_training_is_shown_and_the_time_left_only_while_it_runs(live, status, job, shown, said):
    seen = live(job, status=status, journal=[{"epoch": 7, "seconds": 2}])
    assert (seen["status"], seen["words"]) == (shown, said)
    assert ("about 6.0 s left" in seen["how"]) == (status == "running")


def test_a_sweep_shows_the_lowest_and_the_highest_and_no_mean(live):
    journal = [{"epoch": 1, "seconds": 2, "val_accuracy": [0.8, None, 0.9]}]
    networks = [{"seed": 0, "l2": k} for k in range(3)]
    seen = live(status="stopped", networks=networks, journal=journal, sweep={"l2": [0, 1, 2]})
    assert seen["figures"] == "validation accuracy80.0 % … 90.0 %"
    assert seen["how"].endswith("3 networks, the lowest and the highest are shown")


def test_a_diverged_run_shows_the_step_and_the_quantity(live):
    lost = {"network": 1, "step": 250, "quantity": "loss"}
    words = live(status="diverged", diverged=[lost])["words"]
    assert words.startswith("It diverged at step 250, in epoch 3: the loss was no longer finite.")
    words = live(status="finished", networks=TWO, diverged=[lost])["words"]
    assert words == "Network 1 diverged at step 250, in epoch 3: the loss was no longer finite."
    words = live(status="running", networks=TWO, diverged=[lost | {"network": k} for k in range(9)])["words"]
    assert words.endswith("So did 6 other networks.")


def test_a_finished_run_shows_its_test_accuracy_and_most_common_confusion(live):
    confusion = {"true": "Shirt", "predicted": "Coat", "count": 97.6, "of": 1000, "networks": 2}
    detail = {"confusion": confusion, "test_accuracy": [0.89, 0.91], "networks": TWO}
    seen = live(status="finished", **detail)
    assert seen["figures"] == "test accuracy90.0 %"
    assert seen["tested"] == (
        "Most common confusion in the final test: Shirt, taken for Coat "
        "(on average 98 of 1000 images; the most common confusion in 2 of 2 networks)."
    )
    seen = live(status="stopped", **detail)
    assert seen["tested"] == seen["figures"] == ""


def test_a_sweep_that_is_not_running_shows_its_ranking_and_verdict(live):
    figure = [0.91 + 0.004 / 2**0.5, 0.91 - 0.004 / 2**0.5]  # whose standard deviation is 0.004
    ranking = [
        {"settings": {"hidden": [4, 5]}, "val_accuracy": figure, "networks": ["mine@0", "mine@1"]},
        {"settings": {"hidden": None}, "val_accuracy": [None], "networks": ["mine@2"]},
    ]
    detail = {"ranking": ranking, "verdict": "within the noise, not a win"}
    shown = live(status="finished", **detail)["ranking"]
    assert "hiddenvalidation accuracynetworks4, 591.00 ± 0.40 %mine@0 mine@1not set–mine@2" in shown
    assert shown.endswith("Within the noise, not a win.")
    assert live(status="running", **detail)["ranking"] == ""


def test_a_damaged_run_shows_its_error_and_no_figures(ask, live):
    error = "evaluations.jsonl: line 1 is damaged"
    seen = live(status="damaged", epoch=0, epochs=None, parameters=None, error=error)
    assert (seen["status"], seen["words"], seen["how"]) == ("damaged", error, "")
    assert ask(f"{LIVE} return live.progress.hidden", given={"detail": {"status": "damaged"}})


def test_the_focus_stays_while_there_are_no_buttons_and_a_refusal_is_shown(ask):
    seen = ask(
        LIVE
        + """
        live.buttons.firstElementChild.focus();
        live.buttons.firstElementChild.click();
        await Promise.resolve();
        const places = [];
        for (const status of ["pausing", "paused"]) {
          live.jobIs({ job: "mine", status });
          places.push(document.activeElement === live.buttons ? "the row" : document.activeElement.textContent);
        }
        return [...places, live.fault.textContent, live.fault.getAttribute("role")];
        """,
        given={"job": {"job": "mine", "status": "running"}, "detail": {"status": "running"}},
    )
    assert seen == ["the row", "Continue", "mine: is not training", "alert"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"learning_rate": [0.1, 0.01]}, "learning_rate: 0.1, 0.01"),
        ([["l2", [0, 1]]], "l2, 0, 1"),
        (None, "not set"),
        (False, "false"),
        (0.319012167, "0.319012"),
    ],
)
def test_every_kind_of_setting_has_a_text(ask, value, words):
    assert ask("return modules.words.written(given)", given=value) == words


def test_the_newest_weights_name_their_epoch(ask):
    text = ask(
        """
        const weights = new modules.live.Weights("mine", [{ seed: 0 }], {});
        const histogram = { edges: [0, 1, 2], start: [1, 2], now: [2, 1] };
        const first = { sentence: "", images: [], width: 1, height: 1 };
        weights.show({ epoch: 28, layers: [{ name: "layer 1", shape: [3], histogram }], first_layer: first });
        return weights.element.textContent;
        """
    )
    assert "Line: after epoch 28." in text
    assert "now" not in text


def test_a_network_that_diverged_gives_no_answer(ask):
    said = ask("return modules.draw.sentence({ label: null, probability: null })")
    assert said == "no answer: the network’s logits are not finite"


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
    held_out = ask(
        FORM
        + """
        const seen = [form.chosen.settings.validation];
        for (const [name, value] of given.written) {
          set(name, value);
          seen.push(form.chosen.settings.validation);
        }
        return seen;
        """,
        given={
            "settings": settings,
            "written": [("dataset", "small"), ("dataset", "large"), ("validation", 100), ("dataset", "small")],
        },
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
"""


def test_the_queue_keeps_buttons_that_may_be_pressed(ask):
    outcome = ask(
        QUEUE
        + """
        show(["a", "queued"], ["b", "queued"]);
        const button = queue.list.querySelectorAll("button")[1];
        button.focus();
        show(["a", "queued"], ["b", "queued"]);
        const same = document.activeElement === button;
        show(["a", "running"], ["b", "queued"]);
        return [same, document.activeElement.getAttribute("aria-label")];
        """
    )
    assert outcome == [True, "Take out: b"]


def test_a_job_without_a_run_can_be_stopped_and_a_refusal_stays_visible(ask):
    seen = ask(
        QUEUE
        + """
        show(["a", "running"]);
        queue.list.querySelector("button").click();
        await new Promise((resolve) => setTimeout(resolve));
        show(["a", "stopping"], ["b", "queued"]);
        return [asked, queue.fault.textContent];
        """
    )
    assert seen == [[["a", "stop"]], "a: is not training"]


def test_a_job_paused_before_it_had_a_run_can_continue_or_be_taken_out(ask):
    clicked = "queue.list.querySelectorAll('button').forEach((button) => button.click())"
    asked = ask(f"{QUEUE} show(['a', 'paused']); {clicked}; return asked")
    assert asked == [["a", "continue"], ["a", "stop"]]


def test_a_comparison_that_cannot_open_adds_no_listeners(ask):
    listening = ask(
        """
        let listening = 0;
        const events = { on: () => ((listening += 1), () => (listening -= 1)) };
        const http = { get: () => Promise.reject(new Error("away")) };
        const params = { query: new URLSearchParams("run=a") };
        const opened = modules.compare.show(document.createElement("div"), params, { http, events });
        await opened.catch(() => {});
        return listening;
        """
    )
    assert listening == 0


# The Compare view with a sweep and a damaged run; `heard` has the listeners of `events`.
COMPARE = """
const heard = {};
const facts = { started: 1, networks: 3, parameters: 5, dataset: "a", error: null };
const sound = { ...facts, run: "sound", status: "finished", epoch: 1, epochs: 1, val_accuracy: [0.8, null, 0.9] };
const lost = { run: "lost", status: "damaged", epoch: 0, networks: null, started: 1, error: "line 1 is damaged" };
const unknown = { epochs: null, parameters: null, dataset: null, val_accuracy: null, sweep: null };
const runs = [{ ...sound, sweep: { l2: [0, 1, 2] } }, { ...lost, ...unknown }];
const http = { get: async () => ({ runs }) };
const events = { on: (type, listener) => ((heard[type] = listener), () => {}) };
const root = document.createElement("section");
document.querySelector("main").replaceChildren(root);
const settled = () => new Promise((resolve) => setTimeout(resolve, 400));
const tools = { http, events, announce() {} };
"""


def test_the_table_of_runs(ask):
    rows = ask(
        COMPARE
        + """
        await modules.compare.show(root, { query: new URLSearchParams() }, tools);
        const link = () => root.querySelector("tbody a");
        const first = link();
        first.focus();
        heard.runs();
        await settled();
        const rows = [...root.querySelectorAll("tbody tr")];
        const cells = rows.map((row) => [...row.cells].map((cell) => cell.textContent));
        return [...cells, link() !== first && document.activeElement === link()];
        """
    )
    assert rows[0][2:8] == ["finished", "a", "1 of 1", "3", "5", "80.00 … 90.00 %"]
    assert rows[1][1:5] == ["lost", "damagedline 1 is damaged", "–", "–"]
    assert rows[1][5:8] == ["–", "–", "–"]
    assert rows[2] is True


def test_a_late_table_of_a_closed_view_changes_no_address(ask):
    addresses = ask(
        COMPARE
        + """
        const before = location.href;
        const params = { query: new URLSearchParams("run=gone") };
        const opened = modules.compare.show(root, params, tools);
        root.remove();
        await opened;
        return [before, location.href];
        """
    )
    assert addresses[0] == addresses[1]


def test_logits_that_are_not_finite_have_no_difference(ask):
    text = ask(
        """
        const layer = { name: "1", shape: [2], units: 2, values: [0, 1], limit: 1, sentence: "" };
        const unknown = { exp: null, probability: null };
        const softmax = [{ ...unknown, class: "a", logit: null }, { ...unknown, class: "b", logit: 2 }];
        const image = { index: 0, label: "a", predicted: null, png: "data:,", saliency: { png: "data:," } };
        const parts = { ...image, neighbours: [], layers: [layer], softmax, largest: null, sum: null };
        const made = modules.inside.journey(parts, { open() {}, neuron() {} });
        const root = document.createElement("div");
        root.append(...made);
        return [...root.querySelectorAll(".numbers tbody tr")].map((row) => row.cells[2].textContent);
        """
    )
    assert text == ["–", "–"]


def test_an_empty_part_shows_that_it_is_loading(ask):
    seen = ask(
        """
        const place = document.createElement("div");
        const seen = [];
        for (const words of ["first", "second"]) {
          const filled = modules.dom.fill(place, async () => words);
          seen.push(place.textContent);
          await filled;
        }
        return [...seen, place.textContent];
        """
    )
    assert seen == ["Working…", "first", "second"]


def test_the_cell_that_was_clicked_is_the_tab_stop(ask):
    stops = ask(
        """
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
    )
    assert stops == [["1"], ["4"], ["2"]]


# A sheet whose drawings arrive when a function in `late` is called.
SHEET = """
const drawn = [], late = [];
const sheet = new modules.draw.Sheet((blob) => drawn.push(blob));
document.querySelector("main").append(sheet.element);
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
    seen = ask(
        SHEET
        + """
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
    )
    assert seen == [False, [True, True, 0], False, 1]


def test_a_late_drawing_of_an_old_sheet_is_dropped_and_browser_shortcuts_are_ignored(ask):
    seen = ask(
        SHEET
        + """
        const others = ["altKey", "ctrlKey", "metaKey"].map((held) => key("ArrowLeft", { [held]: true }));
        key(" ");
        key("Delete");
        late[0]("old");
        key("ArrowLeft");
        late[1]("new");
        return [others, drawn];
        """
    )
    assert seen == [[False, False, False], [None, "new"]]


def test_only_the_latest_of_many_requests_is_done(ask):
    done = ask(
        """
        const done = [];
        let wish = 0;
        const { Lazy } = modules.lazy;
        const element = document.querySelector("main");
        const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        const lazy = new Lazy(element, async () => {
          const asked = wish;
          await rest(50);
          done.push(asked);
        });
        while (wish < 20) {
          wish += 1;
          lazy.ask();
          await rest(10);
        }
        await rest(300);
        lazy.end();
        return done;
        """
    )
    assert 1 < len(done) < 20
    assert done[-1] == 20


def test_work_for_an_invisible_element_waits(ask):
    done = ask(
        """
        const element = document.createElement("p");
        element.textContent = "far below";
        const spacer = document.createElement("div");
        spacer.style.height = "9000px";
        document.querySelector("main").append(spacer, element);
        const done = [];
        const lazy = new modules.lazy.Lazy(element, () => done.push(scrollY > 5000));
        await new Promise((r) => setTimeout(r, 100));
        lazy.ask();
        await new Promise((r) => setTimeout(r, 200));
        element.scrollIntoView();
        await new Promise((r) => setTimeout(r, 300));
        lazy.end();
        return done;
        """
    )
    assert done == [True]


def journal(epochs: int, networks: int) -> list[dict]:
    """A journal with made-up figures."""

    def figures(start, epoch):
        return [start * math.exp(-epoch / 9) + 0.01 * (epoch * k % 3) for k in range(networks)]

    return [
        {
            "epoch": epoch,
            "train_loss": figures(1.0, epoch),
            "val_loss": figures(1.1, epoch),
            "train_accuracy": [1 - value for value in figures(0.5, epoch)],
            "val_accuracy": [1 - value for value in figures(0.6, epoch)],
            "grad_norm": {"0": figures(3.0, epoch), "1": figures(0.2, epoch)},
            "dead": {"0": figures(0.1, epoch)},
        }
        for epoch in range(1, epochs + 1)
    ]


@pytest.mark.parametrize("networks", [1, 3])
def test_live_and_final_charts_of_a_run_have_the_same_figures(ask, networks):
    lines = journal(7, networks)
    if networks > 1:
        lines[3]["val_loss"][1] = None  # diverged there
        lines[4]["grad_norm"]["1"] = [None] * networks
    live = ask("return modules.curves.curves(given)", given=lines)
    rest = charts.of_run(lines)
    assert [one["name"] for one in live] == [one["name"] for one in rest]
    for drawn, chart in zip(live, rest, strict=True):
        assert drawn["title"].replace("’", "'") == " ".join(chart["spec"]["title"]["text"])
        table = chart["table"]["rows"]
        rows = {(row[0], row[1]): row[2:] for row in drawn["table"]["rows"]}
        assert set(rows) == {(row[0], row[1]) for row in table}
        for series, epoch, *figures in table:
            if networks == 1:
                figures = [figures[0], None, None]
            assert rows[series, epoch] == pytest.approx(figures)


def test_live_and_final_charts_of_a_sweep_have_the_same_figures(ask):
    lines = journal(5, 4)
    groups = [{"label": "l2 0.1", "networks": [0, 2]}, {"label": "l2 0.2", "networks": [1, 3]}]
    live = ask("return modules.curves.curves(...given)", given=[lines, groups])
    rest = charts.of_run(lines, groups)
    for drawn, chart in zip(live, rest, strict=True):
        assert drawn["title"].replace("’", "'") == " ".join(chart["spec"]["title"]["text"])
        rows = {(row[0], row[1]): row[2] for row in drawn["table"]["rows"]}
        assert rows == {(row[0], row[1]): pytest.approx(row[2]) for row in chart["table"]["rows"]}
    assert {row[0] for row in live[2]["table"]["rows"]} == {"l2 0.1", "l2 0.2"}
    mean = (lines[0]["val_loss"][1] + lines[0]["val_loss"][3]) / 2
    first = next(row for row in live[1]["table"]["rows"] if row[:2] == ["l2 0.2: validation", 1])
    assert first[2] == pytest.approx(mean)


def test_live_and_final_charts_end_where_a_network_diverged(ask, tmp_path):
    lines = [line | {"step": 10 * line["epoch"]} for line in journal(4, 2)]
    event = {"event": "diverged", "step": 22, "bad_step": 21, "network": 1, "quantity": "loss"}
    run = Run(tmp_path)
    run.journal_file.write_text("".join(json.dumps(line) + "\n" for line in [*lines, event]))
    rest = charts.of_run(charts.lines_of(run))
    diverged = [{"network": 1, "step": 21, "quantity": "loss"}]
    live = ask("return modules.curves.curves(...given)", given=[lines, [], diverged])
    for drawn, chart in zip(live, rest, strict=True):
        rows = {(row[0], row[1]): row[2] for row in drawn["table"]["rows"]}
        assert rows == {(row[0], row[1]): pytest.approx(row[2]) for row in chart["table"]["rows"]}
    assert rows["layer 1", 3] == pytest.approx(100 * lines[2]["dead"]["0"][0])


def test_the_page_and_the_charts_have_the_same_colours(ask):
    assert ask("return modules.palette.SERIES", "palette") == list(theme.COLORS)


@pytest.mark.parametrize(
    ("ends", "whole", "ticks"),
    [
        ((0.5, 1.5), True, [1]),
        ((1, 2), True, [1, 2]),
        ((1, 120), True, [20, 40, 60, 80, 100, 120]),
        ((0, 0.3), False, [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]),
        ((-2, 2), False, [-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2]),
        ((1e-7, 3e-7), False, [1e-7, 1.5e-7, 2e-7, 2.5e-7, 3e-7]),
    ],
)
def test_ticks_are_round_numbers_and_epochs_are_whole(ask, ends, whole, ticks):
    found = ask("return modules.plot.linear(...given)", given=[ends, 8 if ends != (1e-7, 3e-7) else 5, whole])
    assert found == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((0.003, 20), [0.01, 0.1, 1, 10]),
        ((0.15, 0.6), [0.2, 0.3, 0.4, 0.5, 0.6]),
        ((1.5, 60), [2, 5, 10, 20, 50]),
        ((0.21, 0.24), [0.21, 0.22, 0.23, 0.24]),
    ],
)
def test_a_logarithmic_axis_always_has_ticks(ask, ends, ticks):
    assert ask("return modules.plot.logarithmic(given)", given=ends) == pytest.approx(ticks)


@pytest.mark.parametrize("epochs", [1, 2, 900])
@pytest.mark.parametrize("networks", [1, 3])
def test_every_live_chart_has_a_curve_on_the_canvas(ask, networks, epochs):
    inked = ask(
        """
        const charts = modules.curves.curves(given);
        const { SERIES, shade } = modules.palette;
        return charts.map((chart) => {
          const canvas = document.createElement("canvas");
          document.querySelector("main").replaceChildren(canvas);
          modules.plot.plot(canvas, 480, chart.plot);
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const wanted = shade(SERIES[0]).slice(1).match(/../g).map((part) => parseInt(part, 16));
          let count = 0;
          for (let i = 0; i < data.length; i += 4) count += wanted.every((value, k) => data[i + k] === value);
          return count;
        });
        """,
        given=journal(epochs, networks),
    )
    assert len(inked) >= 4
    assert min(inked) > 10


def test_an_urgent_request_during_the_work_skips_the_pause(ask):
    done = ask(
        """
        const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        let done = 0;
        const work = async () => {
          done += 1;
          await wait(100);
        };
        const lazy = new modules.lazy.Lazy(document.querySelector("main"), work, 40); // a pause of four seconds
        lazy.ask();
        while (!done) await wait(10);
        lazy.ask(true); // during the work
        for (let n = 0; n < 50 && done < 2; n += 1) await wait(20);
        lazy.end();
        return done;
        """
    )
    assert done == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.1235"), (12, "12"), (123456.7, "123500"), (None, "–"), ("a", "a"), (-1e-9, "-1e-9")],
)
def test_figures_have_four_significant_digits(ask, value, text):
    assert ask("return modules.chart.shown(given)", given=value) == text


def test_a_full_server_is_not_reported_as_gone(ask):
    said = ask(
        """
        const refusal = JSON.stringify({ error: "as many pages are open as there can be" });
        window.fetch = async () => new Response(refusal, { status: 503, headers: { "Retry-After": "60" } });
        return new Promise((resolve) => {
          const stream = new modules.stream.Stream("", ({ type, data }) => {
            stream.close();
            resolve([type, data.said]);
          });
          stream.open();
        });
        """
    )
    assert said == ["lost", "as many pages are open as there can be"]


def test_a_late_chart_of_a_closed_view_is_not_drawn(ask):
    """A late answer to a view that the reader has left."""
    drawn = ask(
        """
        const chart = { name: "x", spec: { title: "T" }, sentence: "S", table: { columns: [], rows: [] } };
        const place = () => document.querySelector("main").appendChild(document.createElement("div"));
        const [kept, left, never] = [place(), place(), place()];
        modules.chart.draw(kept, chart);
        modules.chart.draw(left, chart);
        [left, never].forEach(modules.chart.erase);
        left.replaceChildren();
        [left, never].forEach((element) => modules.chart.draw(element, chart));
        return [kept, left, never].map((element) => element.childElementCount);
        """
    )
    assert drawn == [1, 0, 0]


def test_a_chart_library_that_failed_is_loaded_again_and_closed_figures_stay_closed(page, ask):
    page.route("**/static/vega.js*", lambda route: route.abort())
    chart = charts.of_run(journal(3, 1))[0]
    failed = ask(
        """
        window.place = document.createElement("div");
        document.querySelector("main").replaceChildren(place);
        console.error = () => {}; // the page reports the error, as it should
        window.again = () => modules.chart.draw(place, given);
        again();
        const details = place.querySelector("details");
        const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        while (!place.textContent.includes("could not be drawn")) await wait(20);
        const first = details.open;
        details.open = false;
        await again();
        return [first, details.open];
        """,
        given=chart,
    )
    assert failed == [True, False]
    page.unroute("**/static/vega.js*")
    page.evaluate("again()")
    expect(page.locator(".plot svg")).to_be_visible()
