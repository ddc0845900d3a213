// What one or two models say about a picture, and every step by which it became what they received.

import { h, scrolling } from "../dom.js";
import { picture, SILENT } from "./gallery.js";
import { percent } from "./status.js";

/** What one prediction comes to. */
export function sentence({ label, probability }) {
  return label === null ? SILENT : `${label}, ${percent(probability)} sure`;
}

/** The parts of the page for an answer of /api/predict; `models` give the titles. */
export function answer({ predictions, steps, notes, warnings }, models) {
  const title = (name) => models.find(({ model }) => model === name).title;
  const several = predictions.length > 1;
  const line = (one) => h("p", { class: "told" }, several && `${title(one.model)}: `, h("strong", {}, sentence(one)));
  const step = ({ name, png }) => h("li", {}, h("figure", {}, picture(png, name), h("figcaption", {}, name)));
  return [
    predictions.map(line),
    warnings.map((warning) => h("p", { class: "warning" }, warning)),
    probabilities(predictions, title),
    h("h2", {}, "What the network received"),
    h("ol", { class: "steps" }, steps.map(step)),
    h("ul", {}, notes.map((note) => h("li", {}, note))),
  ];
}

/** One row a class, one column a model; a dash where a model does not know the class, or has no answer. */
function probabilities(predictions, title) {
  const classes = new Set(predictions.flatMap((one) => Object.keys(one.probabilities)));
  const cell = (name) => (one) => {
    const p = one.probabilities[name];
    if (typeof p !== "number") return h("td", {}, "–");
    const bar = h("meter", { value: p, "aria-label": `${title(one.model)}: probability of ${name}` });
    return h("td", { class: name === one.label && "chosen" }, bar, percent(p));
  };
  const head = ({ model }) => h("th", { scope: "col" }, title(model));
  const row = (name) => h("tr", {}, h("th", { scope: "row" }, name), predictions.map(cell(name)));
  return scrolling("Probabilities",
    h("table", { class: "probabilities" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "class"), predictions.map(head))),
      h("tbody", {}, [...classes].map(row))));
}
