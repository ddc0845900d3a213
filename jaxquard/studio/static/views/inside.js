// Inside: a list of images, one image's activations layer by layer, and single neurons.

import { field, fill, h, scrolling, select } from "../parts/dom.js";
import { gallery, picture, verdict } from "../parts/gallery.js";
import { address as addressOf, begin, layerTitle, link, modelChoice, partPanel, query } from "../parts/models.js";
import { count, decimal } from "../parts/words.js";

const PAGE = 48;
const ORDERS = [["index", "as in the file"], ["confidence", "least sure first"], ["-confidence", "surest first"]];

export async function show(root, [asked, index], { http, go, announce, again }) {
  const { models, found } = await begin(root, "Inside", asked, http);
  if (!found) return undefined;
  const { model: name, classes, networks } = found;
  const choice = modelChoice(models, name, (chosen) => go(link("inside", chosen)));
  if (networks > 1) {
    const which = `This model is the average of ${networks} networks. Choose one of them to look inside.`;
    return root.append(choice, h("p", { class: "card" }, which));
  }
  const part = partPanel(found, () => {
    history.replaceState(null, "", link("inside", name)); // the same number is another image now
    again();
  });
  const way = h("section", { class: "card journey", tabindex: -1, "aria-label": "One image" });
  const neuron = (...unit) => panel.then(({ show }) => show(...unit), () => {}); // `card` shows the error
  const open = async (image) => {
    const address = `${addressOf(name, "images", image)}${query(name)}`;
    await fill(way, async () => journey(await http.get(address), { open, neuron }));
    if (!way.isConnected) return; // the reader opened another view
    history.replaceState(null, "", link("inside", name, image)); // so that a copied address opens this image
    way.focus();
  };
  const card = h("section", { class: "card", tabindex: -1, "aria-label": "One neuron" });
  const panel = neuronPanel(card, name, { http, open, announce });
  root.append(
    choice,
    part.element,
    imagesPanel(name, classes, part, { http, open, announce }),
    way,
    card,
  );
  if (index !== undefined) open(index);
  else way.append(h("p", { class: "muted" }, "Choose an image above to see what each layer makes of it."));
  await fill(card, async () => (await panel).content);
}

/** The images that match the form, a page at a time. */
function imagesPanel(model, classes, part, { http, open, announce }) {
  const found = h("div", { class: "stack" });
  let [offset, total] = [0, 0];
  const load = async () => {
    if (!form.reportValidity()) return;
    const won = await fill(found, async () => {
      const asked = [...new FormData(form)].filter(([, value]) => value).map(asFraction);
      const page = query(model, [...asked, ["offset", offset], ["limit", PAGE]]);
      const answer = await http.get(`${addressOf(model, "images")}${page}`);
      part.say(answer.said);
      const { images } = answer;
      total = answer.total;
      const shown = total ? `${offset + 1}–${offset + images.length} of ${count(total)} images` : "No image matches.";
      announce(shown);
      return [h("p", {}, shown), gallery(images, { words: verdict, open: ({ index }) => open(index) })];
    });
    if (won) allow(offset > 0, offset + PAGE < total);
  };
  const turn = (words, by) =>
    h("button", { type: "button", class: "small", disabled: true, onclick: () => goTo(offset + by) }, words);
  const goTo = (place) => { // ignores clicks beyond the last page before an answer disables the button
    if (place < 0 || place >= total) return;
    offset = place;
    load();
  };
  const [previous, next] = [turn("Previous", -PAGE), turn("Next", PAGE)];
  const allow = (back, on) => {
    const held = document.activeElement; // a disabled button loses the focus
    [previous.disabled, next.disabled] = [!back, !on];
    if (held === previous && !back) next.focus();
    if (held === next && !on) previous.focus();
  };
  const form = filters(classes, () => ((offset = 0), load()));
  load();
  return h("section", { class: "card" }, h("h2", {}, "Images"), form,
    h("div", { class: "stack" }, found, h("p", { class: "row" }, previous, next)));
}

/** A field of the form with per cent as a fraction, as the server takes it. */
function asFraction([name, value]) {
  return [name, name === "min" || name === "max" ? value / 100 : value];
}

/** The form of filters; its fields have the server's names. */
function filters(classes, onchange) {
  const choice = (label, name, options) => field(label, select({ name }, options));
  const any = [["", "any"]];
  const named = [...any, ...classes.map((name) => [name, name])];
  const number = { type: "number", min: 0, max: 100, step: "any", placeholder: "any" };
  const share = (label, name) => field(label, h("input", { name, ...number }));
  return h(
    "form",
    { class: "row", onchange, onsubmit: (event) => event.preventDefault() },
    choice("True class", "true", named),
    choice("Predicted class", "predicted", named),
    choice("Answer", "correct", [...any, ["1", "right"], ["0", "wrong"]]),
    share("Confidence from, %", "min"),
    share("Confidence to, %", "max"),
    choice("Order", "order", ORDERS),
  );
}

const STRONGEST = 5;
const NAMES = { held_out: "Held-out image", learned: "Image learned from,", test: "Test image" };

/** The elements for one image; `image` is the server's answer. */
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
    h("h3", {}, "The most similar training images, by the last hidden layer"),
    gallery(image.neighbours, {
      words: ({ index, label, distance }) => `Training image ${index}: ${label}, at distance ${decimal(distance)}`,
      caption: ({ label }) => label,
    }),
  ];
}

function figure(png, caption, words) {
  return h("figure", {}, picture(png, words), h("figcaption", {}, caption));
}

/** A layer's activations, with buttons for its strongest units. */
function layerPart(layer, title, neuron) {
  const { name, values, channels, limit } = layer;
  const show = (unit) => neuron(name, unit);
  const words = `${inWords(layer)} ${layer.sentence}`;
  return h("div", { class: "layer" },
    h("h4", {}, title),
    channels
      ? gallery(channels.map((png, unit) => ({ png, unit })), {
        words: ({ unit }) => `channel ${unit}`,
        open: ({ unit }) => show(unit),
      })
      : cells(values, limit, words, show),
    h("p", { class: "muted" }, words),
    values && strongest(values, show));
}

function inWords({ shape, units, values }) {
  if (!values) return `${shape.join(" × ")}: a picture for each channel.`;
  const silent = values.filter((value) => value === 0).length;
  const shown = values.length < units ? `The first ${values.length} of ${units} units` : `${units} units`;
  return `${shown}${silent ? `, ${silent} of them silent` : ""}.`;
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

/** Softmax step by step. Subtracting the largest logit first does not change the result; it keeps e^z in range. */
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

const SIDE = 14;
const ACROSS = 32;
const NEGATIVE = [0, 89, 160];
const POSITIVE = [213, 94, 0];

/** A canvas of `values`, in full colour at ±`limit`; `words` is its alternative text. A click calls `pick(i)`. */
export function cells(values, limit, words, pick) {
  const across = Math.min(ACROSS, values.length);
  const size = { width: across * SIDE, height: Math.ceil(values.length / across) * SIDE };
  const canvas = h("canvas", { class: "cells", ...size, role: "img", "aria-label": words });
  const context = canvas.getContext("2d");
  values.forEach((value, i) => {
    context.fillStyle = colour(value / (limit || 1));
    context.fillRect((i % across) * SIDE, Math.floor(i / across) * SIDE, SIDE - 1, SIDE - 1);
  });
  const under = ({ offsetX, offsetY }) => {
    const side = canvas.clientWidth / across;
    return Math.min(values.length - 1, Math.floor(offsetY / side) * across + Math.floor(offsetX / side));
  };
  canvas.addEventListener("pointermove", (event) => {
    const i = under(event);
    canvas.title = `${i}: ${decimal(values[i])}`;
  });
  canvas.addEventListener("click", (event) => pick(under(event)));
  return canvas;
}

/** A value between −1 and 1 as a colour. */
function colour(value) {
  const strength = Math.min(1, Math.abs(value));
  const channels = (value < 0 ? NEGATIVE : POSITIVE).map((full) => Math.round(255 + strength * (full - 255)));
  return `rgb(${channels.join(" ")})`;
}

/** The `content` of the panel `card`, and `show(layer, unit)`, which shows that neuron in it. */
async function neuronPanel(card, model, { http, open, announce }) {
  const { layers } = await http.get(`${addressOf(model, "neurons")}${query(model)}`);
  const layer = select({ name: "layer" }, layers.map(({ name }, k) => [name, layerTitle(k, layers.length)]));
  const unit = h("input", { name: "unit", type: "number", min: 0, value: 0 });
  const shown = h("div", { class: "stack" });
  const load = () => {
    unit.max = layers[layer.selectedIndex].units - 1;
    unit.value = Math.min(Math.max(0, Math.trunc(unit.valueAsNumber) || 0), unit.max);
    return fill(shown, async () => {
      const found = await http.get(`${addressOf(model, "neurons", layer.value, unit.value)}${query(model)}`);
      announce(found.sentence);
      return neuron(found, open);
    });
  };
  const content = [
    h("h2", {}, "One neuron"),
    h(
      "form",
      { class: "row", onchange: load, onsubmit: (event) => event.preventDefault() },
      field("Layer", layer), field("Unit", unit),
    ),
    shown,
  ];
  load();
  const show = async (name, i) => {
    [layer.value, unit.value] = [name, i];
    await load();
    card.focus();
  };
  return { content, show };
}

function neuron({ weights, incoming, exciting, sentence }, open) {
  return [
    h("p", {}, sentence),
    weights && figure(weights.png, ["Its weights. ", weights.sentence], "Its weights"),
    incoming && h("h3", {}, "Its largest weights, by unit of the layer before"),
    incoming && h("ul", { class: "inline" }, // beyond the first layer, inputs are units and not pixels
      incoming.map(({ unit, weight }) => h("li", {}, `unit ${unit}: ${decimal(weight)}`))),
    h("h3", {}, "The images with its highest activations"),
    gallery(exciting, {
      words: ({ index, label, activation }) => `Image ${index}: ${label}, activation ${decimal(activation)}`,
      caption: ({ activation }) => decimal(activation),
      open: ({ index }) => open(index),
    }),
  ];
}
