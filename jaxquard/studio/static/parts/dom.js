// Elements of the studio's pages. Only lessons.js parses HTML, which the server makes.

import { clear, h } from "../web/dom.js";

export { clear, h, scrolling } from "../web/dom.js";

/** A control with its label, and elements beneath them. */
export function labelled(words, control, ...beneath) {
  return h("div", { class: "field" }, h("label", { for: control.id }, words), control, beneath);
}

/** A control inside its label. */
export function field(words, control, look = "field") {
  return h("label", { class: look }, words, control);
}

/** A select element: `options` are pairs of value and text. */
export function select(attributes, options) {
  return h("select", attributes, options.map(([value, words]) => h("option", { value }, words)));
}

/** A place for an error message, empty or with its text. */
export function fault(...words) {
  return h("p", { class: "error", role: "alert" }, words);
}

/** Do `work`; show its error in `place` until the next attempt. */
export async function attempt(place, work) {
  place.textContent = "";
  await work().catch((error) => (place.textContent = error.message));
}

const latest = new WeakMap();

/** Put the nodes that `load` resolves to into `place`, unless a later call filled it. Resolves to whether it did so. */
export async function fill(place, load) {
  const turn = Symbol("turn");
  latest.set(place, turn);
  place.setAttribute("aria-busy", "true");
  if (!place.hasChildNodes()) place.append(h("p", { class: "muted" }, "Working…"));
  const content = await load().catch((error) => fault(error.message));
  if (latest.get(place) !== turn) return false;
  clear(place, content);
  place.removeAttribute("aria-busy");
  return true;
}
