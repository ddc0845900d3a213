// The page about one network: try it, see what each layer makes of a picture, how good it is, and how it learned.
// The same program serves as a worker if a picture takes long.

import { append, clear, h } from "../../web/dom.js";
import { read, run } from "../../web/network.js";
import { prepare, searches } from "../../web/picture.js";
import { KEYS, Sheet } from "../../web/sheet.js";
import { learning, quality, training } from "./figures.js";
import { dark, firstWeights, layerByLayer, paintImage } from "./layers.js";
import { count, percent, sure } from "./words.js";

const SLOW = 50; // ms for a picture; above it, a worker computes
const SHOWN = 12; // classes with a bar
const PIXELS = 1e6; // of a picture from a file, at most; larger ones are reduced

// --- the network

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
  let limit = SLOW;
  const begin = () => {
    const program = new Blob([document.getElementById("program").textContent], { type: "text/javascript" });
    try {
      worker = new Worker(URL.createObjectURL(program));
      worker.postMessage({ bytes });
    } catch {
      limit = Infinity; // this browser allows no worker here
    }
  };
  return async (question) => {
    if (!worker) {
      const began = performance.now();
      const answer = look(network, question);
      if (performance.now() - began > limit) begin();
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

/** Calls `answer` with one question at a time, once a frame; of those that arrive meanwhile, only with the last. */
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

// --- try it

function tryIt(network, ask, facts) {
  const layers = layerByLayer(network);
  const said = answerPanel(network.classes);
  const fault = h("p", { class: "warning", role: "alert" });
  let wanted = null; // the question whose answer is shown; null: none
  let drawing = {}; // another object for each picture, which strokes only change
  let coming = null; // the file that is being read, null as soon as something else was put on the sheet
  const forget = () => {
    said.clear();
    layers.clear();
    document.body.classList.remove("answered");
  };
  const solve = latest(async ({ question, done, of }) => {
    try {
      const answer = await ask(question);
      if (of !== drawing) return;
      layers.show(answer, said.show(answer.probabilities, done));
      document.body.classList.add("answered");
    } catch (error) {
      if (of !== drawing) return;
      forget();
      if (done) fault.textContent = error.message;
    }
  });
  const put = (question, done, isStroke = false) => {
    if (!isStroke || !question) drawing = {};
    wanted = question;
    coming = null;
    fault.textContent = "";
    invitation.hidden = wanted !== null;
    if (question) solve({ question, done, of: drawing });
    else forget();
  };
  const tools = toolbar(network.shape[2] === 3, () => sheet.clear(), (file) => take(file));
  const sheet = new Sheet(tools.pencil, (canvas, done) => {
    const picture = canvas && sheet.picture;
    put(picture && { picture }, done, true);
  });
  const invitation = h("span", { class: "invitation", "aria-hidden": "true" }, "Draw here");
  append(sheet.element, invitation);
  const take = async (file) => {
    coming = file;
    fault.textContent = "";
    const found = await decoded(file).catch(() => null);
    if (coming !== file) return;
    if (found) {
      sheet.show(found.canvas, true);
      put({ picture: found.picture }, true);
    } else {
      fault.textContent = `This browser cannot read ${file.name} as a picture, so the sheet is as before. `
        + "PNG, JPEG and WebP always work.";
    }
  };
  listen(take);
  dark.addEventListener("change", () => wanted && solve({ question: wanted, done: false, of: drawing }));
  forget();

  const help = h("p", { class: "help small muted", id: "sheet-help" },
    "You can also drop a picture anywhere, or paste one. ",
    searches(network) && "The page looks for one object, drawn or photographed, on plain paper. ",
    KEYS);
  const choose = (pixels, canvas) => {
    sheet.show(canvas, false);
    put({ pixels }, true);
  };
  section("try",
    h("div", { class: "bench" }, h("div", { class: "desk" }, sheet.element, tools.element, fault), said.element, help),
    facts.samples && samples(facts.samples, network, choose));
  section("layers", layers.elements);
}

/** Controls of the sheet, and `pencil()`, the width and colour that they set. `take(file)` gets a chosen picture. */
function toolbar(inColour, clearSheet, take) {
  const rubber = h("input", { type: "radio", name: "tool" });
  const ink = h("input", { type: "color", value: "#1f2328" });
  const pencil = () => (rubber.checked ? { width: 36, colour: "white" } : { width: 21, colour: ink.value });
  const onchange = ({ target }) => {
    if (target.files.length) take(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  };
  const element = h("div", { class: "tools" },
    h("fieldset", { class: "choice" }, h("legend", { class: "visually-hidden" }, "Tool"),
      h("label", {}, h("input", { type: "radio", name: "tool", checked: true }), "Pen"),
      h("label", {}, rubber, "Eraser")),
    inColour && h("label", {}, h("span", { class: "visually-hidden" }, "Colour of the pen"), ink),
    h("button", { type: "button", onclick: clearSheet }, "Clear"),
    h("label", { class: "button primary" },
      h("input", { type: "file", accept: "image/*", onchange }), "Choose a picture"));
  return { element, pencil };
}

/** The answer in words and bars. `show` returns the classes, `{name, p}`, the most probable first. */
function answerPanel(classes) {
  const verdict = h("p", { class: "verdict" });
  const spoken = h("p", { class: "visually-hidden", role: "status" });
  const bars = Array.from({ length: Math.min(SHOWN, classes.length) }, bar);
  const say = (large, small) => clear(verdict, h("strong", {}, large), h("span", { class: "muted" }, small));
  const show = (probabilities, done) => {
    const all = classes.map((name, k) => ({ name, p: probabilities[k] }));
    const ranked = all.toSorted((a, b) => b.p - a.p);
    const [{ name, p }] = ranked;
    const shown = p < 0.5 ? `Perhaps ${name}` : name;
    say(shown, `${sure(p)} sure`);
    if (done) spoken.textContent = `${shown}: ${sure(p)} sure`;
    const few = classes.length > SHOWN ? ranked : all;
    bars.forEach((one, k) => one.show(few[k].name, few[k].p, few[k].name === name));
    return ranked;
  };
  const empty = () => {
    say("Draw or choose one of these", "and see what the network makes of it.");
    spoken.textContent = "";
    bars.forEach((one, k) => one.show(classes[k], null, false));
  };
  const element = h("div", { class: "answer" }, verdict, spoken,
    h("ul", { class: "bars", "aria-label": "Probabilities" }, bars.map((one) => one.element)),
    classes.length > SHOWN &&
      h("p", { class: "small muted" }, `The ${SHOWN} most probable of ${count(classes.length)} classes.`));
  return { element, show, clear: empty };
}

function bar() {
  const [title, length, number] = [h("span", { class: "name" }), h("span"), h("span", { class: "number" })];
  const element = h("li", {}, title, h("span", { class: "bar", "aria-hidden": "true" }, length), number);
  const show = (name, p, isFirst) => {
    title.textContent = title.title = name;
    length.style.setProperty("--p", p ?? 0);
    number.textContent = p === null ? "" : percent(p);
    element.classList.toggle("first", isFirst);
  };
  return { element, show };
}

/** The ImageData of a picture file, and a canvas with it. Rejects a file that the browser cannot read. */
async function decoded(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, Math.sqrt(PIXELS / (bitmap.width * bitmap.height)));
  const [width, height] = [bitmap.width, bitmap.height].map((n) => Math.max(1, Math.round(n * scale)));
  const canvas = h("canvas", { width, height });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return { canvas, picture: context.getImageData(0, 0, width, height) };
}

/** Pictures that are dropped or pasted anywhere go to `take`; of several files, the first picture. */
function listen(take) {
  const takeOne = (files) => files.length && take([...files].find(({ type }) => type.startsWith("image/")) ?? files[0]);
  const mark = (on) => document.body.classList.toggle("dropping", on);
  document.addEventListener("paste", ({ clipboardData: { files } }) => takeOne(files));
  document.addEventListener("dragover", (event) => {
    event.preventDefault(); // allows a drop, and keeps the browser from opening the file
    mark(true);
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || mark(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    takeOne(event.dataTransfer.files);
  });
}

/** Images of the test set; `choose(pixels, canvas)` is called with one of them. */
function samples(given, { classes, shape }, choose) {
  const one = ({ label, taken, image }) => {
    const pixels = decodedBytes(image);
    const canvas = paintImage(h("canvas", { "aria-hidden": "true" }), shape, pixels);
    const words = taken === undefined ? classes[label] : `${classes[label]}, taken for ${classes[taken]}`;
    const onclick = () => choose(pixels, canvas);
    return h("li", {}, h("button", { type: "button", onclick }, canvas, h("span", { class: "words" }, words)));
  };
  const part = (title, list) => list.length > 0 && [h("h3", {}, title), h("ul", { class: "samples" }, list.map(one))];
  return h("div", { class: "shelf" },
    part("Images of the test set: click one", given.filter(({ taken }) => taken === undefined)),
    part("Its most confident mistakes", given.filter(({ taken }) => taken !== undefined)));
}

// --- the whole page

const section = (id, ...children) => append(document.getElementById(id), children);
const decodedBytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

function foot(bytes, { name, licence }) {
  const href = URL.createObjectURL(new Blob([bytes]));
  const link = h("a", { download: `${name}.safetensors`, href }, "Download its weights");
  section("foot",
    h("p", {}, "A network gives every picture one of its classes, even a picture of something else. ",
      "Do not use it for a decision that matters."),
    licence && h("p", {}, `This page has ${licence}.`),
    h("p", {}, "This page is a single file. It needs no network connection, and no picture leaves it. ",
      link, ` (safetensors, ${count(bytes.byteLength)} bytes).`));
}

function start() {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const bytes = decodedBytes(document.getElementById("weights").textContent).buffer;
  const network = read(bytes);
  const weights = firstWeights(network);
  tryIt(network, asking(network, bytes), facts);
  section("quality", quality(network.classes, facts));
  section("learning", learning(facts));
  if (weights) section("weights-drawn", weights);
  else document.getElementById("weights-drawn").remove();
  section("training", training(facts));
  foot(bytes, facts);
  document.getElementById("hint").remove();
}

if (globalThis.document) start();
else serve();
