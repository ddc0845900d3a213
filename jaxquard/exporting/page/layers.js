// What the layers make of a picture, and the weights of the first one: numbers as colours.

import { h } from "../../web/dom.js";
import { count, short, sure } from "./words.js";

const CHANNELS = 64; // shown of a layer
const UNITS = 512; // likewise
const FILTERS = 48; // units whose weights are shown

// --- numbers as colours

export const dark = globalThis.matchMedia?.("screen and (prefers-color-scheme: dark)"); // a worker has none
const STEPS = 100; // of a colour, from zero to full
const LIGHT = colours([255, 255, 255], [0, 89, 160], [213, 94, 0]);
const DARK = colours([34, 41, 50], [108, 189, 240], [242, 154, 85]);

function colours(zero, negative, positive) {
  return Array.from({ length: 2 * STEPS + 1 }, (_, k) => {
    const full = k < STEPS ? negative : positive;
    return zero.map((level, c) => Math.round(level + (Math.abs(k - STEPS) / STEPS) * (full[c] - level)));
  });
}

/** A signed value as a colour; full colour at ±1. */
function colour(value) {
  const within = Math.min(1, Math.max(-1, value || 0));
  return (dark.matches ? DARK : LIGHT)[Math.round(STEPS * within) + STEPS];
}

/** A canvas of height × width pixels; `rgb(k)` is the colour of pixel k. */
function paint(canvas, height, width, rgb) {
  Object.assign(canvas, { height, width });
  const image = new ImageData(width, height);
  image.data.fill(255);
  for (let k = 0; k < height * width; k++) rgb(k).forEach((level, c) => (image.data[4 * k + c] = level));
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** An image of the network in grey levels or colours, (h, w, c) bytes. */
export function paintImage(canvas, [height, width, channels], bytes) {
  return paint(canvas, height, width, (k) => [0, 1, 2].map((c) => bytes[k * channels + (channels === 3 ? c : 0)]));
}

function largest(values) {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
}

/** A picture for each channel of an output [h, w, c]; on these canvases, as far as there are any. */
function tiles({ shape: [height, width, channels], values }, canvases) {
  const limit = largest(values);
  return Array.from({ length: Math.min(CHANNELS, channels) }, (_, c) => {
    const canvas = canvases[c] ?? h("canvas");
    return paint(canvas, height, width, (k) => colour(values[k * channels + c] / limit));
  });
}

/** A cell for each unit of an output [units]. */
function cells({ values }) {
  const limit = largest(values);
  return Array.from(values.subarray(0, UNITS), (value) => {
    const cell = h("i", { title: short(value) });
    cell.style.background = `rgb(${colour(value / limit).join(" ")})`;
    return cell;
  });
}

// --- layer by layer

const WORDS = {
  dense: () => "Fully connected",
  conv2d: ({ shape }) => `Convolution, ${shape[0]}\u00a0×\u00a0${shape[1]}`,
  batch_norm: () => "batch normalisation",
  add: () => "added to an earlier output",
  activation: ({ function: name }) => ({ relu: "ReLU", leaky_relu: "leaky ReLU", gelu: "GELU" })[name] ?? name,
  max_pool: ({ window }) => `maximum of each ${window}\u00a0×\u00a0${window}`,
  global_avg_pool: () => "Mean of each channel",
};
const SILENT = ["standardize", "space_to_depth", "flatten", "dropout"]; // nothing to see

/** The network as stages: a layer with weights or a mean, and what follows it. `last`: the layer that is shown. */
function stages({ layers }) {
  const found = [];
  layers.forEach(({ kind, arrays, attributes }, k) => {
    if (arrays.w || kind === "global_avg_pool") found.push({ words: [] });
    if (!found.length || SILENT.includes(kind)) return;
    found.at(-1).words.push(WORDS[kind]?.(attributes) ?? kind.replaceAll("_", " "));
    found.at(-1).last = k;
  });
  return found;
}

/** The elements, and functions that show an answer in them, or nothing. */
export function layerByLayer(network) {
  const [height, width, channels] = network.shape;
  const pixels = `${height}\u00a0×\u00a0${width} pixels`;
  const eye = h("canvas", { class: "eye", role: "img", "aria-label": `The picture as ${pixels}` });
  const parts = stages(network).map(stage);
  const end = h("p");
  const thread = h("ol", { class: "thread" },
    h("li", {}, h("h3", {}, `What the network sees: ${pixels}${channels === 3 ? " in colour" : ""}`), eye),
    parts.map(({ element }) => element),
    h("li", {}, h("h3", {}, "Softmax: numbers become probabilities"), end));
  const first = `Shown is the first of the ${network.networks.length} networks that it averages.`;
  const key = h("p", { class: "measure muted small" },
    "Each square is a number: orange above zero, blue below, stronger when larger. ",
    network.networks.length > 1 && first);
  const waiting = h("p", { class: "muted" },
    "Draw something, or choose a picture: its way through the network appears here.");
  const toggle = (on) => ([thread.hidden, key.hidden, waiting.hidden] = [!on, !on, on]);
  const show = (answer, ranked) => {
    paintImage(eye, network.shape, answer.pixels);
    parts.forEach((part) => part.show(answer.outputs));
    end.textContent = ranked.slice(0, 3).map(({ name, p }) => `${name} ${sure(p)}`).join(" · ");
    toggle(true);
  };
  toggle(false);
  return { elements: [waiting, key, thread], show, clear: () => toggle(false) };
}

/** The element of a stage, and a function that shows its output. */
function stage({ words: [first, ...rest], last }, number) {
  const [drawn, said] = [h("div", { role: "img" }), h("span")];
  const title = `${number + 1}. ${first}`;
  const then = rest.length > 0 && `then ${rest.join(", ")}: `;
  const element = h("li", {}, h("h3", {}, title), h("p", { class: "small muted" }, then, said), drawn);
  const show = (outputs) => {
    const output = outputs[last];
    const isSpatial = output.shape.length === 3;
    said.textContent = inWords(output, rest.includes(WORDS.activation({ function: "gelu" })));
    drawn.className = isSpatial ? "tiles" : "cells";
    drawn.setAttribute("aria-label", `${title}. ${said.textContent}`);
    drawn.replaceChildren(...(isSpatial ? tiles(output, drawn.children) : cells(output)));
  };
  return { element, show };
}

/** `nearly`: the activation is nearly zero where ReLU is zero. */
function inWords({ shape, values }, nearly) {
  const firstOf = (shown, all) => (all > shown ? `; the first ${shown} are shown` : "");
  if (shape.length === 3) {
    const [height, width, channels] = shape;
    return `${channels} channels of ${height}\u00a0×\u00a0${width}${firstOf(CHANNELS, channels)}`;
  }
  const off = values.filter((value) => Math.abs(value) <= (nearly ? 0.001 : 0)).length;
  const zeros = off ? `, ${count(off)} of them ${nearly ? "almost zero" : "zero"}` : "";
  return `${count(values.length)} numbers${zeros}${firstOf(UNITS, values.length)}`;
}

// --- the weights of the first layer

/** A picture of the weights of each unit of the first layer, with words; null if its input is not the pixels. */
export function firstWeights(network) {
  const { networks, shape: [, , channels] } = network;
  const found = weightsByPixel(network);
  if (!found) return null;
  const { height, width, units, values, at } = found;
  const limit = Float32Array.from(values, Math.abs).sort()[Math.floor(0.995 * (values.length - 1))] || 1;
  const pixel = (o) => (i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    if (channels === 3) return [0, 1, 2].map((c) => 128 + (127 * at(y, x, c, o)) / limit);
    return colour(at(y, x, 0, o) / limit);
  };
  const draw = () => strongest(values, units).map((o) => paint(h("canvas"), height, width, pixel(o)));
  const meaning = channels === 3
    ? "Grey is zero."
    : "Where a picture is orange, light excites the unit; where it is blue, light inhibits it.";
  const which = units > FILTERS ? `The ${FILTERS} units with the largest weights, of ${units}` : `Its ${units} units`;
  const words = `${which}, each as a picture of ${height}\u00a0×\u00a0${width} pixels. ${meaning}`;
  const drawn = h("div", { class: "tiles", role: "img", "aria-label": `Weights of the first layer. ${words}` }, draw());
  dark.addEventListener("change", () => drawn.replaceChildren(...draw()));
  const first = networks.length > 1 && " These are those of the first network.";
  return [h("p", { class: "measure muted" }, words, first), drawn];
}

/** The first layer's weights; `at(y, x, c, o)`: that of unit o for channel c of pixel (y, x). */
function weightsByPixel({ layers, networks, shape: [imageHeight, imageWidth, channels] }) {
  const k = layers.findIndex(({ arrays }) => arrays.w);
  const { shape, values } = networks[0][layers[k].arrays.w];
  const { block = 1 } = layers.slice(0, k).find(({ kind }) => kind === "space_to_depth")?.attributes ?? {};
  const [rows, columns] = shape.length === 4 ? shape : [imageHeight, imageWidth];
  const units = shape.at(-1);
  const depth = channels * block * block; // space_to_depth turns a block of pixels into channels
  if (rows * columns * depth * units !== values.length) return null;
  const at = (y, x, c, o) => {
    const within = ((y % block) * block + (x % block)) * channels + c;
    const position = Math.floor(y / block) * columns + Math.floor(x / block);
    return values[(position * depth + within) * units + o];
  };
  return { height: rows * block, width: columns * block, units, values, at };
}

/** The units with the longest vectors of weights, the longest first. */
function strongest(values, units) {
  const norms = Array.from({ length: units }, (_, o) => ({ o, norm: 0 }));
  values.forEach((value, i) => (norms[i % units].norm += value * value));
  return norms.sort((a, b) => b.norm - a.norm).slice(0, FILTERS).map(({ o }) => o);
}
