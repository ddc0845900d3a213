// The choice of a model and of its images: shared by Inside, Mistakes and Draw.

import { fault, field, h, select } from "./dom.js";

let kept; // the model that the reader chose last, in any of these views

/** Begins a view of models: adds its title; gives every model, newest first, and the one `asked` for, kept or newest. */
export async function begin(root, title, asked, http) {
  const { models } = await http.get("/api/models");
  root.append(h("h1", {}, title));
  const train = h("a", { href: "#/learn" }, "Train one first");
  if (!models.length) root.append(h("p", { class: "card" }, "There is no trained network yet. ", train, "."));
  const found = models.find(({ model }) => model === (asked ?? kept));
  if (asked !== undefined && !found) root.append(fault(`${asked}: there is no model of this name.`));
  kept = found?.model;
  return { models, found: found ?? models[0] };
}

/** An address of the API for a model. */
export function address(model, ...rest) {
  return ["/api/models", ...[model, ...rest].map(encodeURIComponent)].join("/");
}

/** The page's address of a view of a model. */
export function link(view, model, ...rest) {
  return [`#/${view}`, ...[model, ...rest].map(encodeURIComponent)].join("/");
}

/** A labelled choice of a model; with `none`, an option of that name for no model. */
export function modelChoice(models, chosen, onchoose, { label = "Model", none } = {}) {
  const options = models.map(({ model, title }) => [model, title]);
  const onchange = ({ target }) => {
    if (none === undefined) kept = target.value;
    onchoose(target.value);
  };
  return field(label, select({ onchange, value: chosen }, [...(none ? [["", none]] : []), ...options]), "field model");
}

/** The name of layer `k` of `count`. */
export function layerTitle(k, count) {
  return k < count - 1 ? `Hidden layer ${k + 1}` : "Logits";
}

const allowed = new Set(); // models whose test set the reader asked for
let pressed = false; // the button that was pressed gets the focus in the new view

/** The query of an address: `fields`, and the test set if the reader chose it. */
export function query(model, fields = []) {
  const asked = new URLSearchParams([...fields, ...(allowed.has(model) ? [["on", "test"]] : [])]).toString();
  return asked && `?${asked}`;
}

/** Names the images shown, with a button to the test set and back. `again()` shows the view again. */
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
    ? "If you choose a model by its test accuracy, that accuracy is too optimistic."
    : "If you choose a model by its test accuracy, that accuracy is too optimistic: evaluations.jsonl records each use.";
  const element = h("section", { class: "card part", "aria-label": "Images shown" },
    said, h("div", { class: "row" }, button, h("span", { class: "help" }, why)));
  if (pressed) queueMicrotask(() => button.focus());
  pressed = false;
  return { element, say: (sentence) => (said.textContent = sentence) };
}
