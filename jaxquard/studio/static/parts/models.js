// The models that can be looked at, and the control that chooses one: shared by Inside, Mistakes and Draw.

import { field, h, select } from "./dom.js";

/** Begins a view of models: its title, every model, newest first, and the one that is `asked` for, else the newest. */
export async function begin(root, title, asked, http) {
  const { models } = await http.get("/api/models");
  root.append(h("h1", {}, title));
  const train = h("a", { href: "#/learn" }, "Train one first");
  if (!models.length) root.append(h("p", { class: "card" }, "There is no trained network yet. ", train, "."));
  return { models, found: models.find(({ model }) => model === asked) ?? models[0] };
}

/** The address of what the server knows about a model. */
export function address(model, ...rest) {
  return ["/api/models", ...[model, ...rest].map(encodeURIComponent)].join("/");
}

/** The page's own address of a view of a model. */
export function link(view, model, ...rest) {
  return [`#/${view}`, ...[model, ...rest].map(encodeURIComponent)].join("/");
}

/** A labelled choice among models; `none` names the choice of no model, where there is one. */
export function modelChoice(models, chosen, onchoose, { label = "Model", none } = {}) {
  const options = models.map(({ model, title }) => [model, title]);
  const onchange = ({ target }) => onchoose(target.value);
  return field(label, select({ onchange, value: chosen }, [...(none ? [["", none]] : []), ...options]), "field model");
}

/** What layer `k` of `count` is called: the server numbers them. */
export function layerTitle(k, count) {
  return k < count - 1 ? `Hidden layer ${k + 1}` : "Logits";
}

const allowed = new Set(); // models whose test set the reader asked for
let pressed = false; // the button that brought the view about gets the focus again

/** The end of an address: what is asked for, and the test set where the reader asked for that. */
export function query(model, fields = []) {
  const asked = new URLSearchParams([...fields, ...(allowed.has(model) ? [["on", "test"]] : [])]).toString();
  return asked && `?${asked}`;
}

/** Says which images are shown, with a button to the test set and back. `again()` shows the view again. */
export function partPanel({ model, shipped }, again) {
  const said = h("p", { class: "lead" });
  const testing = allowed.has(model);
  const choose = () => {
    if (testing) allowed.delete(model);
    else allowed.add(model);
    pressed = true;
    again();
  };
  const record = shipped ? "" : " (this is recorded)";
  const button = h("button", { type: "button", class: "small", onclick: choose },
    testing ? "Leave the test set" : `Look at the test set${record}`);
  const why = shipped
    ? "What is chosen by the test set is no longer tested by it."
    : "What is chosen by the test set is no longer tested by it: each look is noted in the run’s evaluations.jsonl.";
  const element = h("section", { class: "card part", "aria-label": "What is looked at" },
    said, h("div", { class: "row" }, button, h("span", { class: "help" }, why)));
  if (pressed) queueMicrotask(() => button.focus());
  pressed = false;
  return { element, say: (sentence) => (said.textContent = sentence) };
}
