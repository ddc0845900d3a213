// Which images a network is looked at with. Held-out ones do no harm; each look at the test set is put on record, so it
// waits for a click, which counts for this model until the page is loaded again.

import { h } from "../dom.js";

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
