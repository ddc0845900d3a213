// Elements without a framework. Text always becomes a text node.

const SVG = ["svg", "g", "path", "line", "text", "circle"];

/**
 * An element. Attributes: a function is a listener (`onclick: f`); true sets an attribute, false or null leaves it out;
 * `value` and `checked` are set as properties. Children: nodes, text, numbers, lists; null and false are skipped.
 */
export function h(tag, attributes = {}, ...children) {
  const create = () => document.createElementNS("http://www.w3.org/2000/svg", tag);
  const element = append(SVG.includes(tag) ? create() : document.createElement(tag), children);
  for (const [name, value] of Object.entries(attributes ?? {})) set(element, name, value);
  return element;
}

/** `element` with these children at its end. */
export function append(element, ...children) {
  element.append(...nodes(children));
  return element;
}

/** `element` with these children and no others. */
export function clear(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
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
