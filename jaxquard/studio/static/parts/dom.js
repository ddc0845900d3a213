// Elements without a framework. Text always becomes a text node; only lessons.js parses HTML, which the server makes.

/**
 * An element. Attributes: a function is a listener (`onclick: f`); true sets an attribute, false or null leaves it out;
 * `value` and `checked` are set as properties. Children: nodes, text, numbers, lists; null is skipped.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  element.append(...nodes(children));
  for (const [name, value] of Object.entries(attributes ?? {})) set(element, name, value);
  return element;
}

/** `element` with these children and no others. */
export function clear(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

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

/** A box for wide content, which can be scrolled by keyboard, too. */
export function scrolling(name, ...children) {
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": name }, children);
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

function set(element, name, value) {
  if (typeof value === "function") element.addEventListener(name.slice(2), value);
  else if (name === "value" || name === "checked") element[name] = value;
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
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
