"""Parts of the views by themselves, told by a make-believe server what a real one says now and then."""

import pytest

pytestmark = pytest.mark.check

LIVE = """
const live = new modules["views/live"].Live("mine", { http: {}, announce() {} }, () => {});
const journal = [{ epoch: 7, seconds: 2 }];
live.take({ status: given.status, epoch: 7, epochs: 10, parameters: 5, networks: [{ seed: 0 }], journal });
live.jobIs(given.job);
return [live.status, live.words, live.how].map((element) => element.textContent);
"""
FAILED = {"job": "mine", "status": "failed", "error": "disk: cannot write: full"}
PAUSED = {"job": "mine", "status": "paused", "error": None}


@pytest.mark.parametrize(
    ("status", "job", "shown", "said"),
    [
        ("stopped", FAILED, "failed", "Failed after epoch 7: disk: cannot write: full"),
        ("stopped", PAUSED, "paused", "Paused after epoch 7; everything is saved."),
        ("stopped", None, "stopped", "Stopped after epoch 7, and saved."),
        ("finished", FAILED, "finished", ""),
        ("running", None, "training", ""),
    ],
)
def test_how_a_training_ended_is_said_and_time_left_only_while_it_goes_on(ask, status, job, shown, said):
    chip, words, how = ask(LIVE, "views/live", given={"status": status, "job": job})
    assert (chip, words) == (shown, said)
    assert ("about 6.0 s left" in how) == (status == "running")


def test_the_newest_weights_say_from_when_they_are(ask):
    text = ask(
        """
        const weights = new modules["views/weights"].Weights("mine", [{ seed: 0 }], {});
        const histogram = { edges: [0, 1, 2], start: [1, 2], now: [2, 1] };
        const first = { sentence: "", images: [], width: 1, height: 1 };
        weights.show({ epoch: 28, layers: [{ name: "layer 1", shape: [3], histogram }], first_layer: first });
        return weights.element.textContent;
        """,
        "views/weights",
    )
    assert "Line: after epoch 28." in text
    assert "now" not in text


def test_a_network_that_diverged_gives_no_answer(ask):
    said = ask("return modules['views/answer'].sentence({ label: null, probability: null })", "views/answer")
    assert said == "no answer: the network’s logits are not finite"


def test_as_many_images_are_held_out_as_suit_the_data_until_the_reader_says_how_many(ask):
    held_out = ask(
        """
        const field = { group: "Data", help: "", scalar: false };
        const settings = [
          { ...field, name: "dataset", type: "text", default: "large" },
          { ...field, name: "validation", type: "int", low: 0, default: null },
        ];
        const datasets = [["large", 60000], ["small", 1497]].map(([name, train]) => ({ name, title: name, train }));
        const recipes = [{ name: "seed", config: {} }];
        const knobs = new modules["views/knobs"].Knobs({ recipes, settings, datasets }, () => {});
        document.querySelector("main").append(knobs.element);
        const set = (name, value) => {
          const input = document.getElementById(`set-${name}`);
          input.value = value;
          input.dispatchEvent(new Event("input", { bubbles: true }));
          return knobs.chosen.settings.validation;
        };
        return [knobs.chosen.settings.validation, set("dataset", "small"), set("dataset", "large"),
          set("validation", 100), set("dataset", "small")];
        """,
        "views/knobs",
    )
    assert held_out == [5000, 249, 5000, 100, 100]


def test_a_setting_without_effect_is_neither_shown_nor_asked_for(ask):
    seen = ask(
        """
        const field = { group: "Network", help: "", scalar: false, type: "text", default: null };
        const settings = [
          { ...field, name: "model", default: "mlp" },
          { ...field, name: "widths", needs: ["model", "cnn", "resnet"] },
          { ...field, name: "teacher" },
          { ...field, name: "temperature", needs: ["teacher"] },
        ];
        const info = { recipes: [{ name: "seed", config: {} }], settings, datasets: [] };
        const knobs = new modules["views/knobs"].Knobs(info, () => {});
        document.querySelector("main").append(knobs.element);
        const set = (name, value) => {
          const input = document.getElementById(`set-${name}`);
          input.value = value;
          input.dispatchEvent(new Event("input", { bubbles: true }));
          const shown = ["widths", "temperature"].filter((one) => document.getElementById(`set-${one}`).offsetParent);
          return [shown, Object.keys(knobs.chosen.settings)];
        };
        for (const details of document.querySelectorAll("details")) details.open = true;
        return [set("temperature", "3"), set("widths", "8"), set("teacher", "run"), set("model", "cnn")];
        """,
        "views/knobs",
    )
    assert seen == [
        [[], []],
        [[], []],
        [["temperature"], ["teacher", "temperature"]],
        [["widths", "temperature"], ["model", "widths", "teacher", "temperature"]],
    ]


def test_the_queue_leaves_its_buttons_under_the_finger(ask):
    outcome = ask(
        """
        const queue = new modules["views/queue"].Queue(() => {}, () => {});
        document.querySelector("main").append(queue.element);
        const job = (name, status) => ({ job: name, run: null, command: name, status, error: null });
        const focused = () => document.activeElement.getAttribute("aria-label");
        queue.show([job("a", "queued"), job("b", "queued")], null);
        const button = queue.list.querySelectorAll("button")[1];
        button.focus();
        queue.show([job("a", "queued"), job("b", "queued")], null);
        const same = document.activeElement === button;
        queue.show([job("a", "running"), job("b", "queued")], null);
        return [same, focused()];
        """,
        "views/queue",
    )
    assert outcome == [True, "Take out: b"]


# The Train view: `old` trains, `new` is the newest run; every check of the form waits in `checks` for its answer.
TRAIN = """
const heard = {}, said = [], checks = [];
const job = { job: "old", run: "old", command: "jaxquard train", status: "running", error: null };
const detail = { status: "running", epoch: 0, epochs: 3, parameters: 5, networks: [{ seed: 0 }], journal: [] };
const answers = {
  "/api/info": { recipes: [], settings: [], datasets: [] },
  "/api/jobs": { jobs: [job] },
  "/api/runs": { runs: [{ run: "new" }, { run: "old" }] },
};
const tools = {
  http: {
    get: async (path) => (path.endsWith("/charts") ? { charts: [] } : answers[path] ?? detail),
    post: () => new Promise((resolve) => checks.push((command) => resolve({ command }))),
  },
  events: { on: (type, listener) => ((heard[type] = listener), () => {}) },
  announce: (sentence) => said.push(sentence),
};
const root = document.createElement("section");
document.querySelector("main").replaceChildren(root);
const settled = () => new Promise((resolve) => setTimeout(resolve, 50));
await modules["views/train"].show(root, [], tools);
"""


def test_a_run_that_is_to_pause_stays_in_view(ask):
    shown = ask(
        TRAIN
        + """
        const shown = () => root.querySelector("h2.run").textContent;
        const before = shown();
        heard.job({ ...job, status: "pausing" });
        return [before, shown()];
        """,
        "views/train",
    )
    assert shown == ["old", "old"]


def test_the_command_is_that_of_the_form_as_it_stands(ask):
    command = ask(
        TRAIN
        + """
        root.querySelector(".knobs").dispatchEvent(new Event("input"));
        while (checks.length < 2) await settled();
        checks[1]("jaxquard train --epochs 2");
        await settled();
        checks[0]("jaxquard train --epochs 1");
        await settled();
        return root.querySelector("#command").textContent.trim();
        """,
        "views/train",
    )
    assert command == "jaxquard train --epochs 2"


def test_only_what_was_copied_is_said_to_be(ask):
    said = ask(
        TRAIN
        + """
        const copy = [...root.querySelectorAll("button")].find((button) => button.textContent === "Copy");
        const refuse = async () => { throw new DOMException("no", "NotAllowedError"); };
        for (const clipboard of [undefined, { writeText: refuse }, { writeText: async () => {} }]) {
          Object.defineProperty(navigator, "clipboard", { value: clipboard, configurable: true });
          copy.click();
          await settled();
        }
        return said;
        """,
        "views/train",
    )
    assert said == ["Selected: press Ctrl-C.", "Selected: press Ctrl-C.", "Copied."]


def test_a_comparison_that_cannot_open_listens_to_nothing(ask):
    listening = ask(
        """
        let listening = 0;
        const events = { on: () => ((listening += 1), () => (listening -= 1)) };
        const http = { get: () => Promise.reject(new Error("away")) };
        const params = { query: new URLSearchParams("run=a") };
        const opened = modules["views/runs"].show(document.createElement("div"), params, { http, events });
        await opened.catch(() => {});
        return listening;
        """,
        "views/runs",
    )
    assert listening == 0
