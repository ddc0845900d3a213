"""The Learn view, with made-up answers and events of the server."""

import pytest

pytestmark = pytest.mark.check

# The Learn view: `old` trains, `new` is the newest run; `checks` has the answers to checks of the form, to be called.
TRAIN = """
const heard = {}, said = [], checks = [];
const job = { job: "old", run: "old", command: "jaxquard train", status: "running", error: null };
const detail = { status: "running", epoch: 0, epochs: 3, parameters: 5, networks: [{ seed: 0 }], journal: [] };
const checked = () => new Promise((resolve) => checks.push((command) => resolve({ command })));
let posted = async () => ({});
const field = { group: "Training", help: "", needs: [], first: true };
const epochs = { ...field, name: "epochs", type: "int", default: 3 };
const answers = {
  "/api/info": { recipes: [], settings: [epochs], datasets: [] },
  "/api/jobs": { jobs: [job] },
  "/api/runs": { runs: [{ run: "new" }, { run: "old" }] },
};
const tools = {
  http: {
    get: async (path) => answers[path] ?? detail,
    post: (path) => (path === "/api/settings/check" ? checked() : posted(path)),
  },
  events: { on: (type, listener) => ((heard[type] = listener), () => {}) },
  announce: (sentence) => said.push(sentence),
};
const root = document.createElement("section");
document.querySelector("main").replaceChildren(root);
const words = () => root.querySelector(".panel").textContent;
const begin = () => root.querySelector("form button.primary").click();
const settled = () => new Promise((resolve) => setTimeout(resolve, 50));
const leave = await modules.learn.show(root, [], tools);
"""


def test_a_pausing_run_stays_shown(ask):
    body = """
    const shown = () => root.querySelector("h2.run").textContent;
    const before = shown();
    heard.job({ ...job, status: "pausing" });
    return [before, shown()];
    """
    assert ask(TRAIN + body) == ["old", "old"]


def test_an_answer_older_than_an_event_does_not_undo_it(ask):
    body = """
    const { get } = tools.http;
    let answer;
    const late = new Promise((resolve) => (answer = resolve));
    tools.http.get = (path) => (path === "/api/jobs" ? late : get(path));
    heard.job({ ...job, job: "gone", run: null, status: "queued" });
    heard.hello();
    heard.job({ ...job, run: null, status: "stopping" });
    answer({ jobs: [job, { ...job, job: "next", run: null, command: "next", status: "queued" }] });
    await settled();
    return [words(), root.querySelector(".queue").textContent];
    """
    assert ask(TRAIN + body) == [
        "oldstoppingIt reads the data and compiles the network; then the first epoch starts.",
        "waitingnextTake out",
    ]


@pytest.mark.parametrize(
    ("status", "said", "offered"),
    [
        ("queued", "It reads the data", ["stop"]),  # nothing else trains: it starts at once
        ("running", "It reads the data", ["stop"]),
        ("pausing", "It reads the data", []),
        ("paused", "It was paused before it started", ["continue", "stop"]),
        ("stopping", "It reads the data", []),
        ("stopped", "It ended before it started", []),
        ("finished", "It ended before it started", []),
    ],
)
def test_a_training_without_a_directory_shows_its_state_and_actions(ask, status, said, offered):
    body = """
    const asked = [];
    posted = async (path) => asked.push(path);
    heard.job({ ...job, status: "stopped" });
    root.querySelector("#watched").dispatchEvent(new Event("change"));
    heard.job({ ...job, run: null, status: given });
    const buttons = [...root.querySelectorAll(".panel button")];
    buttons.forEach((button) => (button.focus(), button.click()));
    heard.job({ ...job, run: null, status: given });
    return [words(), asked, !buttons.length || document.activeElement === buttons.at(-1)];
    """
    seen = ask(TRAIN + body, given=status)
    assert said in seen[0]
    assert seen[1:] == [[f"/api/jobs/old/{what}" for what in offered], True]


def test_a_new_training_is_shown_in_its_newest_state(ask):
    body = """
    const mine = { job: "mine", run: null, command: "mine", status: "queued", error: null };
    heard.job({ ...job, status: "stopped" });
    posted = async () => mine;
    begin();
    await settled();
    const first = words();
    const next = { ...mine, job: "next" };
    posted = async () => (heard.job({ ...next, status: "failed", error: "full" }), next);
    begin();
    await settled();
    return [first, words()];
    """
    seen = ask(TRAIN + body)
    assert seen[0].startswith("minewaitingIt reads the data")
    assert seen[1] == "nextfailedfull"


def test_a_double_click_starts_one_training(ask):
    body = """
    const started = [];
    posted = async (path) => (started.push(path), { ...job, job: "mine", run: null });
    for (const detail of [1, 2]) {
      const click = new MouseEvent("click", { detail, bubbles: true, cancelable: true });
      root.querySelector("form button.primary").dispatchEvent(click);
      await settled();
    }
    return started;
    """
    assert ask(TRAIN + body) == ["/api/jobs"]


def test_a_refusal_stays_after_the_next_check_and_its_field_has_the_focus(ask):
    body = """
    const refuse = (words, details) => {
      posted = () => Promise.reject(Object.assign(new Error(words), { details }));
    };
    refuse("100 trainings are waiting already", {});
    begin();
    await settled();
    checks[0]("jaxquard train");
    await settled();
    const errors = [...root.querySelectorAll(".launch .error")].map((element) => element.textContent);
    refuse("epochs: must be more", { setting: "epochs" });
    begin();
    await settled();
    return [errors, document.activeElement.id, root.querySelector("#set-epochs-error").textContent];
    """
    assert ask(TRAIN + body) == [["", "100 trainings are waiting already"], "set-epochs", "epochs: must be more"]


def test_late_events_of_a_closed_view_are_ignored(ask):
    body = """
    const asked = [];
    const { get } = tools.http;
    tools.http.get = (path) => (asked.push(path), get(path));
    heard.hello();
    posted = async () => ({ job: "mine", run: null, command: "", status: "queued", error: null });
    begin();
    leave();
    root.remove();
    await settled();
    return [asked, said, words().includes("mine")];
    """
    assert ask(TRAIN + body) == [["/api/jobs", "/api/runs"], [], False]


def test_a_late_answer_does_not_replace_a_newer_command(ask):
    body = """
    root.querySelector(".knobs").dispatchEvent(new Event("input"));
    while (checks.length < 2) await settled();
    checks[1]("jaxquard train --epochs 2");
    await settled();
    checks[0]("jaxquard train --epochs 1");
    await settled();
    return root.querySelector("#command").textContent.trim();
    """
    assert ask(TRAIN + body) == "jaxquard train --epochs 2"


def test_the_page_says_copied_only_after_copying(ask):
    body = """
    const copy = [...root.querySelectorAll("button")].find((button) => button.textContent === "Copy");
    const refuse = async () => { throw new DOMException("no", "NotAllowedError"); };
    for (const clipboard of [undefined, { writeText: refuse }, { writeText: async () => {} }]) {
      Object.defineProperty(navigator, "clipboard", { value: clipboard, configurable: true });
      copy.click();
      await settled();
    }
    return said;
    """
    assert ask(TRAIN + body) == ["Selected: press Ctrl-C.", "Selected: press Ctrl-C.", "Copied."]
