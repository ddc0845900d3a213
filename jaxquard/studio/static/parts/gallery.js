// Pictures of the data set side by side. Each has alternative text, and may be a button or a link.

import { h } from "./dom.js";
import { percent } from "./words.js";

/** The answer of a network that diverged. */
export const SILENT = "no answer: the network’s logits are not finite";

/** A true and a predicted class, in words. */
export function outcome(truth, predicted) {
  return truth === predicted ? `${truth}, recognised` : `${truth}, taken for ${predicted}`;
}

/** A network's prediction for an image, in words. */
export function verdict({ label, predicted, confidence }) {
  return predicted === null ? `${label}, ${SILENT}` : `${outcome(label, predicted)}, ${percent(confidence)} sure`;
}

/** One picture of the data set; `words` is its alternative text. */
export function picture(png, words) {
  return h("img", { class: "pixels", src: png, alt: words, title: words });
}

/**
 * A list of pictures. `words(image)` describes a picture, `caption(image)` is shown beneath it; a click calls
 * `open(image)` or follows `href(image)`.
 */
export function gallery(images, { words, caption, open, href }) {
  const item = (image) => {
    const shown = [picture(image.png, words(image)), caption && h("span", { class: "caption", "aria-hidden": "true" }, caption(image))];
    if (open) return h("button", { type: "button", onclick: () => open(image) }, shown);
    return href ? h("a", { href: href(image) }, shown) : h("span", {}, shown);
  };
  const wrong = (image) => image.predicted !== undefined && image.predicted !== image.label;
  return h("ul", { class: "gallery" }, images.map((image) => h("li", { class: wrong(image) && "wrong" }, item(image))));
}
