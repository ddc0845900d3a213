// One image's way through a network: what each layer makes of it, the answer worked out in numbers, and why.

import { h, scrolling } from "../dom.js";
import { cells } from "./cells.js";
import { gallery, picture, verdict } from "./gallery.js";
import { layerTitle } from "./models.js";
import { decimal } from "./numbers.js";

const STRONGEST = 5;
const NAMES = { held_out: "Held-out image", learned: "Image learned from,", test: "Test image" };

/** The parts of the page about `image`, as the server describes it. */
export function journey(image, { open, neuron }) {
  return [
    h("h2", {}, `${NAMES[image.on] ?? "Image"} ${image.index}: ${verdict(image)}`),
    h("p", { class: "muted" }, `One of ${image.said}`),
    h("div", { class: "row top-aligned" },
      figure(image.png, "What the network sees", image.label),
      figure(image.saliency.png, image.saliency.name, image.saliency.sentence),
      h("p", { class: "muted words" }, image.saliency.sentence)),
    h("div", { class: "grid" },
      h("div", { class: "stack" },
        h("h3", {}, "Layer by layer"),
        image.layers.map((layer, k) => layerPart(layer, layerTitle(k, image.layers.length), neuron))),
      h("div", { class: "stack" }, h("h3", {}, "From logits to probabilities"), softmaxTable(image))),
    h("h3", {}, "The training images most like it, in the last hidden layer"),
    gallery(image.neighbours, {
      words: ({ index, label, distance }) => `Training image ${index}: ${label}, at distance ${decimal(distance)}`,
      caption: ({ label }) => label,
    }),
  ];
}

function figure(png, caption, words) {
  return h("figure", {}, picture(png, words), h("figcaption", {}, caption));
}

/** A layer's activations, and the way to its strongest units. */
function layerPart(layer, title, neuron) {
  const { name, values, channels, limit } = layer;
  const show = (unit) => neuron(name, unit);
  const words = `${inWords(layer)} ${layer.sentence}`;
  return h("div", { class: "layer" },
    h("h4", {}, title),
    channels ? channelImages(channels, show) : cells(values, limit, words, show),
    h("p", { class: "muted" }, words),
    values && strongest(values, show));
}

function inWords({ shape, units, values }) {
  if (!values) return `${shape.join(" × ")}: a picture for each channel.`;
  const silent = values.filter((value) => value === 0).length;
  const shown = values.length < units ? `The first ${values.length} of ${units} units` : `${units} units`;
  return `${shown}${silent ? `, ${silent} of them silent` : ""}.`;
}

function channelImages(channels, show) {
  const images = channels.map((png, unit) => ({ png, unit }));
  return gallery(images, { words: ({ unit }) => `channel ${unit}`, open: ({ unit }) => show(unit) });
}

function strongest(values, show) {
  const active = [...values.keys()].filter((unit) => values[unit] > 0);
  const order = active.sort((a, b) => values[b] - values[a]).slice(0, STRONGEST);
  const button = { type: "button", class: "small" };
  const buttons = order.map((unit) =>
    h("button", { ...button, onclick: () => show(unit) }, `unit ${unit}: ${decimal(values[unit])}`),
  );
  return h("p", { class: "row" }, "Strongest:", buttons);
}

/** Softmax with its steps: the largest logit is taken off first, which changes nothing but keeps e^z in range. */
function softmaxTable({ softmax, largest, sum, predicted }) {
  const rows = softmax.map((row) =>
    h(
      "tr",
      { class: row.class === predicted && "chosen" },
      h("th", { scope: "row" }, row.class),
      h("td", {}, decimal(row.logit)),
      h("td", {}, decimal(row.logit === null || largest === null ? null : row.logit - largest)),
      h("td", {}, decimal(row.exp)),
      h("td", {}, row.probability?.toFixed(4)),
      h("td", {}, h("meter", { value: row.probability ?? 0, "aria-label": `probability of ${row.class}` })),
    ),
  );
  const heads = ["class", "logit z", "z − largest", "e to that", "÷ sum = p"];
  return scrolling("Softmax in numbers",
    h("table", { class: "numbers" },
      h("caption", {}, `The largest logit is ${decimal(largest)}; the sum of the fourth column is ${decimal(sum)}.`),
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)), h("td"))),
      h("tbody", {}, rows)));
}
