// The page about one network: try it, see what each layer makes of a picture, how good it is, and how it learned.
// The same program serves as a worker if a picture takes long. Text from outside only ever becomes a text node.

import { read, run } from "./network.js";
import { prepare } from "./picture.js";

const SLOW = 50; // ms for a picture; above it, a worker computes
const SIDE = 320; // pixels of the sheet, whatever its size on the screen
const SHOWN = 12; // classes with a bar
const TABLE = 30; // classes of a confusion matrix that is drawn as a table
const CHANNELS = 64; // shown of a layer
const UNITS = 512; // likewise
const FILTERS = 48; // units whose weights are shown

/** A question, {picture: ImageData} or {pixels: bytes}, answered: {pixels, probabilities, outputs: of every layer}. */
function look(network, { picture, pixels = prepare(picture, network) }) {
  return { pixels, ...run(network, pixels, 1, true) };
}

function serve() {
  let network;
  onmessage = ({ data: { bytes, question } }) => {
    if (bytes) return void (network = read(bytes));
    try {
      postMessage(look(network, question));
    } catch (error) {
      postMessage({ error: error.message });
    }
  };
}

/** A function from a question to a promise of the answer. From the first slow answer on, a worker computes it. */
function asking(network, bytes) {
  let worker = null;
  const begin = () => {
    const program = new Blob([document.getElementById("program").textContent], { type: "text/javascript" });
    worker = new Worker(URL.createObjectURL(program));
    worker.postMessage({ bytes });
  };
  return async (question) => {
    if (!worker) {
      const began = performance.now();
      const answer = look(network, question);
      if (performance.now() - began > SLOW) begin();
      return answer;
    }
    const answer = await new Promise((done, fail) => {
      worker.onmessage = ({ data }) => done(data);
      worker.onerror = () => fail(new Error("The network stopped. Please open the page again."));
      worker.postMessage({ question });
    });
    if (answer.error) throw new Error(answer.error);
    return answer;
  };
}

/** Calls `answer` with one question at a time; of those that arrive meanwhile, only with the last. */
function latest(answer) {
  let next = null;
  let busy = false;
  return async (question) => {
    next = question;
    if (busy) return;
    busy = true;
    while (next) {
      await new Promise(requestAnimationFrame);
      const now = next;
      next = null;
      await answer(now);
    }
    busy = false;
  };
}

const decodedBytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

// --- elements and words

const SVG = ["svg", "g", "path", "line", "text", "circle"];

/** An element. A function among the attributes is a listener, true sets one, false leaves it out. */
function h(tag, attributes = {}, ...children) {
  const element = SVG.includes(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  return add(element, children);
}

/** `element` with these children at its end; null, false and "" are left out. */
function add(element, ...children) {
  element.append(...children.flat(Infinity).filter(Boolean));
  return element;
}

const section = (id, ...children) => add(document.getElementById(id), children);

/** A box for wide content, which can be scrolled by keyboard, too. */
function scrolling(name, content) {
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": name }, content);
}

const count = (n) => n.toLocaleString("en");
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}\u00a0%`;
const short = (value) => (value === null ? "–" : String(Number(value.toPrecision(3))));
const sure = (p) => (p >= 0.9995 ? `> ${percent(0.999)}` : percent(p));
const size = (shape) => shape.reduce((a, b) => a * b, 1);

/** `{class, p}` of each class, the most probable first. */
function ranked(classes, probabilities) {
  return classes.map((name, k) => ({ name, p: probabilities[k] })).sort((a, b) => b.p - a.p);
}

/** The answer in words. */
function sentence([{ name, p }]) {
  return p < 0.5 ? `Perhaps ${name}: only ${sure(p)} sure` : `${name}: ${sure(p)} sure`;
}

// --- pixels

const dark = globalThis.matchMedia?.("screen and (prefers-color-scheme: dark)"); // none in a worker
const STEPS = 100; // of a colour, from zero to full
const LIGHT = scale([255, 255, 255], [0, 89, 160], [213, 94, 0]);
const DARK = scale([34, 41, 50], [108, 189, 240], [242, 154, 85]);

function scale(zero, negative, positive) {
  return Array.from({ length: 2 * STEPS + 1 }, (_, k) => {
    const full = k < STEPS ? negative : positive;
    return zero.map((level, c) => Math.round(level + (Math.abs(k - STEPS) / STEPS) * (full[c] - level)));
  });
}

/** A signed value as a colour; full colour at ±1. */
function colour(value) {
  const colours = dark.matches ? DARK : LIGHT;
  return colours[Math.round(STEPS * Math.min(1, Math.max(-1, value || 0))) + STEPS];
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
function paintImage(canvas, [height, width, channels], bytes) {
  return paint(canvas, height, width, (k) => [0, 1, 2].map((c) => bytes[k * channels + (channels === 3 ? c : 0)]));
}

function largest(values) {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
}

/** A picture for each channel of an output [h, w, c]; in `canvases`, as far as there are any. */
function tiles({ shape: [height, width, channels], values }, canvases) {
  const limit = largest(values);
  return Array.from({ length: Math.min(CHANNELS, channels) }, (_, c) =>
    paint(canvases[c] ?? h("canvas"), height, width, (k) => colour(values[k * channels + c] / limit)));
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

// --- try it

const STEP = 8; // pixels that an arrow key moves the pen; four times as many with Shift
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A sheet to draw on. `changed(picture, done)` gets its ImageData while and after a stroke, null for an empty one. */
class Sheet {
  constructor(network, changed) {
    this.changed = changed;
    this.pen = { x: SIDE / 2, y: SIDE / 2, down: false };
    this.canvas = h("canvas", {
      width: SIDE, height: SIDE, tabindex: 0, role: "application", "aria-label": "Sheet to draw on", "aria-describedby": "sheet-help",
    });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.cursor = h("span", { class: "cursor", "aria-hidden": "true" });
    this.invitation = h("span", { class: "invitation", "aria-hidden": "true" }, "Draw here");
    this.rubber = h("input", { type: "radio", name: "tool" });
    this.ink = h("input", { type: "color", value: "#1f2328", "aria-label": "Colour of the pen" });
    const pen = h("input", { type: "radio", name: "tool", checked: true });
    this.element = h("div", { class: "sheet" }, this.canvas, this.invitation, this.cursor);
    this.tools = [
      h("fieldset", { class: "choice" }, h("legend", { class: "visually-hidden" }, "Tool"),
        h("label", {}, pen, "Pen"), h("label", {}, this.rubber, "Eraser")),
      network.shape[2] === 3 && this.ink,
      h("button", { type: "button", onclick: () => this.clear() }, "Clear"),
    ];
    this.canvas.addEventListener("pointerdown", (event) => this.begin(event));
    this.canvas.addEventListener("pointermove", (event) => this.follow(event));
    this.canvas.addEventListener("lostpointercapture", (event) => this.end(event));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.wipe();
  }

  wipe() {
    this.context.fillStyle = "white";
    this.context.fillRect(0, 0, SIDE, SIDE);
  }

  clear() {
    this.wipe();
    this.invitation.hidden = false;
    this.changed(null, true);
  }

  /** Shows a picture, whole and in the middle. */
  show(picture, smooth = true) {
    const scale = SIDE / Math.max(picture.width, picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    this.wipe();
    this.invitation.hidden = true;
    this.context.imageSmoothingEnabled = smooth;
    this.context.drawImage(picture, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
  }

  begin(event) {
    if (!event.isPrimary || event.button !== 0) return; // a second finger, another button
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.pen.down = false;
    this.moveTo(...this.place(event));
    this.put(true);
  }

  follow(event) {
    if (!(event.buttons & 1) || event.pointerId !== this.pointer) return;
    (event.getCoalescedEvents?.() ?? [event]).forEach((one) => this.moveTo(...this.place(one)));
  }

  end(event) {
    if (event.pointerId !== this.pointer) return;
    this.put(false);
    this.drawn(true);
  }

  place({ offsetX, offsetY }) {
    return [(offsetX / this.canvas.clientWidth) * SIDE, (offsetY / this.canvas.clientHeight) * SIDE];
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const [dx, dy] = (MOVES[event.key] ?? [0, 0]).map((by) => by * STEP * (event.shiftKey ? 4 : 1));
    if (event.key === " ") this.put(!this.pen.down);
    else if (event.key === "Delete") this.clear();
    else if (dx || dy) this.moveTo(this.pen.x + dx, this.pen.y + dy);
    else return;
    event.preventDefault();
    if (event.key === " " && !this.pen.down) this.drawn(true);
  }

  /** Puts the pen down, which leaves a dot, or lifts it. */
  put(down) {
    this.pen.down = down;
    this.cursor.classList.toggle("down", down);
    this.moveTo(this.pen.x, this.pen.y);
  }

  moveTo(x, y) {
    const { context, pen, rubber, ink } = this;
    const [from, within] = [[pen.x, pen.y], (value) => Math.min(SIDE, Math.max(0, value))];
    [pen.x, pen.y] = [within(x), within(y)];
    this.cursor.style.setProperty("--x", pen.x / SIDE);
    this.cursor.style.setProperty("--y", pen.y / SIDE);
    if (!pen.down) return;
    Object.assign(context, { lineWidth: rubber.checked ? 40 : 24, lineCap: "round", lineJoin: "round" });
    context.strokeStyle = rubber.checked ? "white" : ink.value;
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(pen.x, pen.y);
    context.stroke();
    this.invitation.hidden = true;
    this.drawn(false);
  }

  drawn(done) {
    const picture = this.context.getImageData(0, 0, SIDE, SIDE);
    const isEmpty = new Uint32Array(picture.data.buffer).every((pixel) => pixel === 0xffffffff);
    this.changed(isEmpty ? null : picture, done);
  }
}

/** The ImageData of a picture file, with at most a million pixels, and a canvas with it. */
async function decoded(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error("This browser cannot read this file as a picture. PNG, JPEG and WebP always work.");
  });
  const scale = Math.min(1, 1000 / Math.sqrt(bitmap.width * bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((n) => Math.max(1, Math.round(n * scale)));
  const canvas = h("canvas", { width, height });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return { canvas, picture: context.getImageData(0, 0, width, height) };
}

function tryIt(network, ask, facts) {
  const { classes } = network;
  const verdict = h("p", { class: "verdict" });
  const fault = h("p", { class: "warning", role: "alert" });
  const spoken = h("p", { class: "visually-hidden", role: "status" });
  const bars = Array.from({ length: Math.min(SHOWN, classes.length) }, () => bar());
  const list = h("ul", { class: "bars", "aria-label": "Probabilities" }, bars.map(({ element }) => element));
  const layers = layerByLayer(network);
  let wanted = null; // the question whose answer is shown; null: none

  const nothing = () => {
    verdict.replaceChildren(h("strong", {}, "Draw or choose one of these"), h("span", { class: "muted" }, "and see what the network makes of it."));
    bars.forEach((one, k) => one.show({ name: classes[k] }, false));
    layers.clear();
    document.body.classList.remove("answered");
    spoken.textContent = "";
  };
  const show = (answer, done) => {
    const order = ranked(classes, answer.probabilities);
    const [{ name, p }] = order;
    verdict.replaceChildren(h("strong", {}, p < 0.5 ? `Perhaps ${name}` : name), h("span", { class: "muted" }, `${sure(p)} sure`));
    const few = classes.length <= SHOWN ? classes.map((one, k) => ({ name: one, p: answer.probabilities[k] })) : order;
    bars.forEach((one, k) => one.show(few[k], few[k].name === name));
    layers.show(answer, order);
    document.body.classList.add("answered");
    if (done) spoken.textContent = sentence(order);
  };
  const solve = latest(async ({ question, done }) => {
    try {
      const answer = await ask(question);
      if (wanted) show(answer, done);
    } catch (error) {
      if (wanted) nothing();
      if (done) fault.textContent = error.message;
    }
  });
  const put = (question, done) => {
    wanted = question;
    fault.textContent = "";
    if (question) solve({ question, done });
    else nothing();
  };
  const sheet = new Sheet(network, (picture, done) => put(picture && { picture }, done));
  const take = async (file) => {
    try {
      const { canvas, picture } = await decoded(file);
      sheet.show(canvas);
      put({ picture }, true);
    } catch (error) {
      fault.textContent = error.message;
    }
  };
  listen(take);
  dark.addEventListener("change", () => wanted && put(wanted, false));
  nothing();

  const file = h("input", { type: "file", accept: "image/*", onchange: ({ target }) => target.files.length && take(target.files[0]) });
  const help = `You can also drop a picture anywhere, or paste one. With the keyboard: arrow keys move the pen (with Shift, further),
    the space bar puts it down and lifts it, Delete clears the sheet.`;
  section("try",
    h("div", { class: "bench" },
      h("div", { class: "desk" }, sheet.element,
        h("div", { class: "tools" }, sheet.tools, h("label", { class: "button primary" }, file, "Choose a picture")),
        fault),
      h("div", { class: "answer" }, verdict, list, spoken,
        classes.length > SHOWN && h("p", { class: "small muted" }, `The ${SHOWN} most probable of ${count(classes.length)} classes.`)),
      h("p", { class: "help small muted", id: "sheet-help" }, help)),
    samples(facts.samples, network, (pixels, canvas) => (sheet.show(canvas, false), put({ pixels }, true))),
  );
  section("layers", layers.elements);
}

function bar() {
  const [name, length, number] = [h("span", { class: "name" }), h("span"), h("span", { class: "number" })];
  const element = h("li", {}, name, h("span", { class: "bar", "aria-hidden": "true" }, length), number);
  const show = (one, isFirst) => {
    name.textContent = name.title = one.name;
    length.style.setProperty("--p", one.p ?? 0);
    number.textContent = one.p === undefined ? "" : percent(one.p);
    element.classList.toggle("first", isFirst);
  };
  return { element, show };
}

/** Pictures that are chosen, dropped or pasted anywhere go to `take`. */
function listen(take) {
  const mark = (on) => document.body.classList.toggle("dropping", on);
  document.addEventListener("paste", ({ clipboardData: { files } }) => files.length && take(files[0]));
  document.addEventListener("dragover", (event) => (event.preventDefault(), mark(true)));
  document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || mark(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
}

/** Images of the test set to click. */
function samples(given, network, choose) {
  if (!given) return null;
  const { classes, shape } = network;
  const one = ({ label, taken, image }) => {
    const pixels = decodedBytes(image);
    const canvas = paintImage(h("canvas", { "aria-hidden": "true" }), shape, pixels);
    const words = taken === undefined ? classes[label] : `${classes[label]}, taken for ${classes[taken]}`;
    return h("li", {}, h("button", { type: "button", onclick: () => choose(pixels, canvas) }, canvas, h("span", { class: "words" }, words)));
  };
  const part = (title, list) => list.length ? [h("h3", {}, title), h("ul", { class: "samples" }, list.map(one))] : [];
  return h("div", { class: "shelf" }, part("Images of the test set, to click", given.filter(({ taken }) => taken === undefined)),
    part("Where it was surest, and wrong", given.filter(({ taken }) => taken !== undefined)));
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
const SILENT = ["standardize", "space_to_depth", "flatten", "dropout"]; // they compute nothing that is worth a picture

/** The network as stages: a layer with weights or a mean, and what follows it. `last`: the layer whose output is shown. */
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
function layerByLayer(network) {
  const [height, width, channels] = network.shape;
  const eye = h("canvas", { class: "eye", role: "img" });
  const parts = stages(network).map(({ words: [first, ...rest], last }, number) => {
    const [drawn, said] = [h("div", { role: "img" }), h("span")];
    const title = `${number + 1}. ${first}`;
    const element = h("li", {}, h("h3", {}, title), h("p", { class: "small muted" }, rest.length > 0 && `then ${rest.join(", ")}: `, said), drawn);
    return { element, drawn, said, last, title };
  });
  const end = h("p");
  const thread = h("ol", { class: "thread", hidden: true },
    h("li", {}, h("h3", {}, `What the network sees: ${height}\u00a0×\u00a0${width} pixels${channels === 3 ? " in colour" : ""}`), eye),
    parts.map(({ element }) => element),
    h("li", {}, h("h3", {}, "Softmax: numbers become probabilities"), end));
  const averaged = network.networks.length > 1 && ` Shown is the first of the ${network.networks.length} networks that it averages.`;
  const key = h("p", { class: "measure muted small", hidden: true }, "Each square is a number: orange above zero, blue below, stronger when larger.", averaged);
  const waiting = h("p", { class: "muted" }, "Draw something, or choose a picture: its way through the network appears here.");
  const toggle = (on) => ([thread.hidden, key.hidden, waiting.hidden] = [!on, !on, on]);

  const show = ({ pixels, outputs }, order) => {
    eye.setAttribute("aria-label", `The picture as ${height}\u00a0×\u00a0${width} pixels`);
    paintImage(eye, network.shape, pixels);
    for (const { drawn, said, last, title } of parts) {
      const output = outputs[last];
      const isSpatial = output.shape.length === 3;
      said.textContent = inWords(output);
      drawn.className = isSpatial ? "tiles" : "cells";
      drawn.setAttribute("aria-label", `${title}. ${said.textContent}`);
      drawn.replaceChildren(...(isSpatial ? tiles(output, drawn.children) : cells(output)));
    }
    end.textContent = `${order.slice(0, 3).map(({ name, p }) => `${name} ${sure(p)}`).join(" · ")}`;
    toggle(true);
  };
  toggle(false);
  return { elements: [waiting, key, thread], show, clear: () => toggle(false) };
}

function inWords({ shape, values }) {
  if (shape.length === 3) {
    const [height, width, channels] = shape;
    return `${channels} channels of ${height}\u00a0×\u00a0${width}${firstOf(CHANNELS, channels)}`;
  }
  const off = values.filter((value) => value === 0).length;
  return `${count(values.length)} numbers${off ? `, ${off} of them zero` : ""}${firstOf(UNITS, values.length)}`;
}

const firstOf = (shown, all) => (all > shown ? `; the first ${shown} are shown` : "");

// --- how good it is

function quality(network, { tested, test_note: note }) {
  const { n, accuracy, low, high, matrix, calibration_error: error } = tested ?? {};
  const said = tested && [
    h("p", { class: "figure" }, percent(accuracy)),
    h("p", { class: "muted" }, `of ${count(n)} test images named correctly (95\u00a0% interval: ${percent(low)} to ${percent(high)}).`),
  ];
  const { words, drawn } = matrix ? confusion(network.classes, matrix) : {};
  section("quality", h("div", { class: "beside" }, h("div", {}, said, words && h("p", {}, words),
    typeof error === "number" && h("p", {}, `On average, its confidence differs from its accuracy by ${(100 * error).toFixed(1)} points.`), note && h("p", { class: "muted" }, note)), drawn));
}

function confusion(classes, matrix) {
  const sums = matrix.map((row) => row.reduce((a, b) => a + b, 0));
  const wrong = matrix.flatMap((row, i) => row.map((n, j) => ({ i, j, n }))).filter(({ i, j, n }) => i !== j && n);
  wrong.sort((a, b) => b.n - a.n);
  const right = sums.map((sum, i) => ({ i, share: sum ? matrix[i][i] / sum : 1 })).sort((a, b) => a.share - b.share);
  const of = ({ i, j, n }) => `${classes[i]}, taken for ${classes[j]} (${count(n)} of ${count(sums[i])})`;
  const words = wrong.length
    ? `Its weakest class is ${classes[right[0].i]}: ${percent(right[0].share)} right. Most often it confuses ${of(wrong[0])}.`
    : "It made no mistake.";
  const listed = classes.length > TABLE
    ? h("table", {}, h("caption", {}, "Its most frequent confusions"), h("tbody", {}, wrong.slice(0, 12).map((one) => h("tr", {}, h("td", {}, of(one))))))
    : confusionTable(classes, matrix, sums);
  return { words, drawn: scrolling("Confusion matrix", listed) };
}

function confusionTable(classes, matrix, sums) {
  const cell = (i) => (n, j) => {
    const element = h("td", { class: !n ? "none" : i === j ? "right" : "wrong", title: `${classes[i]}, taken for ${classes[j]}` }, String(n));
    element.style.setProperty("--share", Math.sqrt(n / Math.max(1, sums[i]))); // the root makes rare mistakes visible
    return element;
  };
  const head = (name) => h("th", { scope: "col" }, h("span", {}, name));
  return h("table", { class: "confusion" },
    h("caption", {}, "A row for each true class, a column for each answer. On the diagonal, in bold, is what it got right."),
    h("thead", {}, h("tr", {}, h("td", { class: "none" }), classes.map(head))),
    h("tbody", {}, matrix.map((row, i) => h("tr", {}, h("th", { scope: "row", title: classes[i] }, classes[i]), row.map(cell(i))))));
}

// --- how it learned

function learning({ curves, curve_note: note }) {
  if (note) return section("learning", h("p", { class: "measure muted" }, note));
  const { accuracy, loss } = curves;
  const drawn = [accuracy && chart("Accuracy, %", accuracy, percent), loss && chart("Loss, cross-entropy", loss, short)];
  return section("learning", h("div", { class: "charts" }, drawn),
    h("details", {}, h("summary", {}, "The figures of each epoch"), curveTable(curves)));
}

const BOX = { left: 46, right: 330, top: 14, bottom: 232, width: 460, height: 276 };

/** A line for each split; `series`: {training, validation}, each a list of [epoch, mean, lowest, highest]. */
function chart(title, series, format) {
  const points = Object.values(series).flat();
  const ys = points.flatMap(([, ...values]) => values).filter((value) => value !== null);
  if (!ys.length) return h("p", { class: "muted" }, `${title}: no finite value.`);
  const [first, last] = [points[0][0], Math.max(...points.map(([epoch]) => epoch))];
  const y = ticks(Math.min(...ys), Math.max(...ys), 5);
  const x = ticks(first, last, 5).filter((tick) => Number.isInteger(tick) && tick >= first && tick <= last);
  const toX = (epoch) => BOX.left + ((epoch - first) / Math.max(1, last - first)) * (BOX.right - BOX.left);
  const toY = (value) => BOX.bottom - ((value - y[0]) / (y.at(-1) - y[0])) * (BOX.bottom - BOX.top);
  const ends = Object.entries(series).map(([name, list]) => ({ name, list, end: list.findLast(([, mean]) => mean !== null) }))
    .filter(({ end }) => end).sort((a, b) => b.end[1] - a.end[1]);
  const heights = ends.map(({ end }) => toY(end[1]));
  if (heights.length > 1 && heights[1] - heights[0] < 34) {
    const middle = Math.min(Math.max((heights[0] + heights[1]) / 2, BOX.top + 17), BOX.bottom - 17);
    [heights[0], heights[1]] = [middle - 17, middle + 17];
  }
  const words = ends.map(({ name, end }) => `${name} ${format(end[1])}`).join(", ");
  return h("figure", {},
    h("h3", {}, title),
    h("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", "aria-label": `${title} by epoch. After epoch ${last}: ${words}.` },
      y.map((tick) => [
        h("line", { class: "grid", x1: BOX.left, x2: BOX.right, y1: toY(tick), y2: toY(tick) }),
        h("text", { x: BOX.left - 8, y: toY(tick) + 4, "text-anchor": "end" }, format === percent ? `${short(100 * tick)}` : short(tick)),
      ]),
      h("line", { class: "axis", x1: BOX.left, x2: BOX.right, y1: BOX.bottom, y2: BOX.bottom }),
      x.map((tick) => h("text", { x: toX(tick), y: BOX.bottom + 20, "text-anchor": "middle" }, String(tick))),
      h("text", { x: (BOX.left + BOX.right) / 2, y: BOX.bottom + 40, "text-anchor": "middle" }, "epoch"),
      ends.map(({ name, list, end }, k) => h("g", { class: name },
        list.some(([, , low]) => low !== null) && h("path", { class: "band", d: band(list, toX, toY) }),
        h("path", { d: line(list, toX, toY) }),
        h("circle", { cx: toX(end[0]), cy: toY(end[1]), r: 4 }),
        h("text", { class: "end", x: BOX.right + 12, y: heights[k] - 2 }, name),
        h("text", { class: "end", x: BOX.right + 12, y: heights[k] + 14 }, format(end[1]))))));
}

const corners = (places) => places.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");

/** A line through the means, with gaps where there is none. */
function line(list, toX, toY) {
  const runs = [[]];
  for (const [epoch, mean] of list) {
    if (mean === null) runs.push([]);
    else runs.at(-1).push([toX(epoch), toY(mean)]);
  }
  return runs.filter((run) => run.length).map((run) => `M${corners(run)}`).join("");
}

function band(list, toX, toY) {
  const there = list.filter(([, , low]) => low !== null);
  const roof = there.map(([epoch, , , high]) => [toX(epoch), toY(high)]);
  const floor = there.map(([epoch, , low]) => [toX(epoch), toY(low)]).reverse();
  return `M${corners([...roof, ...floor])}Z`;
}

/** Round numbers, `about` so many, that enclose low and high. */
function ticks(low, high, about) {
  const rough = (high - low || Math.abs(high) || 1) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(12)));
}

function curveTable(curves) {
  const columns = Object.entries(curves).flatMap(([metric, series]) =>
    Object.entries(series).map(([split, list]) => ({ title: `${split} ${metric}`, values: new Map(list), percent: metric === "accuracy" })));
  const epochs = [...new Set(columns.flatMap(({ values }) => [...values.keys()]))];
  const cell = ({ values, percent: isShare }, epoch) => {
    const value = values.get(epoch) ?? null;
    return h("td", {}, value !== null && isShare ? percent(value, 2) : short(value));
  };
  return scrolling("The figures of each epoch", h("table", {},
    h("thead", {}, h("tr", {}, ["epoch", ...columns.map(({ title }) => title)].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, epochs.map((epoch) => h("tr", {}, h("th", { scope: "row" }, String(epoch)), columns.map((column) => cell(column, epoch)))))));
}

// --- the weights of the first layer

function firstWeights(network) {
  const k = network.layers.findIndex(({ arrays }) => arrays.w);
  const { shape, values } = network.networks[0][network.layers[k].arrays.w];
  const { block = 1 } = network.layers.slice(0, k).find(({ kind }) => kind === "space_to_depth")?.attributes ?? {};
  const channels = network.shape[2];
  const [rows, columns] = shape.length === 4 ? shape : network.shape;
  const units = shape.at(-1);
  const depth = channels * block * block; // the input's channels
  const [height, width] = [rows * block, columns * block];
  if (rows * columns * depth * units !== values.length) return document.getElementById("weights-drawn").remove(); // not of pixels
  // the weight of unit o for pixel (y, x) and channel c; space_to_depth turns a block of pixels into channels
  const at = (y, x, c, o) => {
    const within = ((y % block) * block + (x % block)) * channels + c;
    return values[((Math.floor(y / block) * columns + Math.floor(x / block)) * depth + within) * units + o];
  };
  const norms = Array.from({ length: units }, (_, o) => ({ o, norm: 0 }));
  values.forEach((value, i) => (norms[i % units].norm += value * value));
  const chosen = norms.sort((a, b) => b.norm - a.norm).slice(0, FILTERS);
  const limit = Float32Array.from(values, Math.abs).sort()[Math.floor(0.995 * (values.length - 1))] || 1;
  const pixel = (o) => (i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    if (channels === 3) return [0, 1, 2].map((c) => 128 + (127 * at(y, x, c, o)) / limit);
    return colour(at(y, x, 0, o) / limit);
  };
  const draw = () => chosen.map(({ o }) => paint(h("canvas"), height, width, pixel(o)));
  const words = `${units > FILTERS ? `The ${FILTERS} units with the largest weights, of ${units}` : `Its ${units} units`}, each as a picture of
    ${height}\u00a0×\u00a0${width} pixels. ${channels === 3 ? "Grey is zero." : "Where a picture is orange, light excites the unit; where it is blue, light inhibits it."}${network.networks.length > 1 ? " These are those of the first network." : ""}`;
  const drawn = h("div", { class: "tiles", role: "img", "aria-label": `Weights of the first layer. ${words}` }, draw());
  dark.addEventListener("change", () => drawn.replaceChildren(...draw()));
  section("weights-drawn", h("p", { class: "measure muted" }, words), drawn);
}

// --- how it was trained

function training({ training: rows, hashes, settings, licence }, bytes, name) {
  const link = h("a", { download: `${name}.safetensors`, href: URL.createObjectURL(new Blob([bytes])) }, "Download its weights");
  const listed = (pairs) => h("dl", { class: "facts" }, pairs.map(([term, ...words]) => [h("dt", {}, term), h("dd", {}, words)]));
  section("training",
    listed(rows),
    settings.length > 0 && [
      h("h3", {}, "The settings that differ from Jaxquard's defaults"),
      listed(settings.map(([term, value, help]) => [term, h("strong", {}, value), " ", h("span", { class: "muted" }, help)])),
    ],
    h("details", {}, h("summary", {}, "SHA-256 of its data and weights"),
      listed(hashes.map(([term, hash]) => [term, h("code", {}, hash)]))));
  section("foot",
    h("p", {}, "A network has an answer to everything, even to a picture of something it never saw. Do not use it for a decision that matters."),
    licence && h("p", {}, `This page has ${licence}.`),
    h("p", {}, "This page is a single file. It needs no network connection, and no picture leaves it. ", link, ` (safetensors, ${count(bytes.byteLength)} bytes).`));
}

function start() {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const bytes = decodedBytes(document.getElementById("weights").textContent).buffer;
  const network = read(bytes);
  tryIt(network, asking(network, bytes), facts);
  quality(network, facts);
  learning(facts);
  firstWeights(network);
  training(facts, bytes, facts.name);
}

if (globalThis.document) start();
else serve();
