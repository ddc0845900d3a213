// Draw: predictions of one or two models for a picture that is drawn, chosen, dropped or pasted, and how it is prepared.

import { field, fill, h, scrolling, select } from "../parts/dom.js";
import { picture, SILENT } from "../parts/gallery.js";
import { begin, modelChoice } from "../parts/models.js";
import { percent } from "../parts/words.js";

const BYTES = 64_000_000; // the server's limit
const BACKGROUNDS = { auto: "automatic", light: "light", dark: "dark" };
const FORMATS = "image/*,.heic,.heif,.avif,.tif,.tiff,.bmp";

export async function show(root, [name], { http, announce }) {
  const { models, found } = await begin(root, "Draw", name, http);
  if (!found) return undefined;
  const chosen = [found.model, ""];
  const seeing = new Map(); // options of /api/predict
  const said = h("section", { class: "card", "aria-label": "Prediction" });
  const nothing = async () => h("p", { class: "muted" }, "The prediction for your picture appears here.");
  fill(said, nothing);
  const ask = asking((image) =>
    fill(said, async () => {
      const asked = new URLSearchParams([...chosen.filter(Boolean).map((model) => ["model", model]), ...seeing]);
      const answered = await http.post(`/api/predict?${asked}`, await bytes(image));
      announce([...answered.predictions.map(sentence), ...answered.warnings].join(". "));
      return answer(answered, models);
    }),
  );
  const drawn = (image) => {
    if (image) return ask(image);
    ask.forget();
    return fill(said, nothing);
  };
  const choice = (which, options) => {
    const choose = (model) => ((chosen[which] = model), ask.again());
    return modelChoice(models, chosen[which], choose, options);
  };
  root.append(
    h("div", { class: "row" }, choice(0), choice(1, { label: "Beside it", none: "no other model" })),
    h("div", { class: "grid" },
      h("section", { class: "card" }, h("h2", {}, "Draw a picture"), new Sheet(drawn).element, upload(ask),
        ways((name, value) => (seeing.set(name, value), ask.again()))),
      said),
  );
  const listeners = {
    paste: ({ clipboardData: { files } }) => files.length && ask(files[0]),
    dragover: (event) => event.preventDefault(), // allows a drop, and keeps the browser from opening the file
    drop: (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) ask(event.dataTransfer.files[0]);
    },
  };
  const left = new AbortController();
  Object.entries(listeners).forEach(([type, listener]) => document.addEventListener(type, listener, left));
  return () => left.abort();
}

/** The bytes of a file or a drawing. */
async function bytes(image) {
  if (image.size > BYTES) throw new Error("This file is larger than 64 MB; save the picture smaller.");
  return image.arrayBuffer().catch(() => {
    throw new Error("This cannot be read as a file; choose a picture.");
  });
}

/** A function that calls `answer` with one picture at a time; of those that arrive meanwhile, only with the last. */
function asking(answer) {
  let last = null;
  let next = null;
  let busy = false;
  const ask = async (image) => {
    last = next = image;
    if (busy) return;
    busy = true;
    while (next) {
      const now = next;
      next = null;
      await answer(now);
    }
    busy = false;
  };
  ask.again = () => last && ask(last);
  ask.forget = () => (last = next = null);
  return ask;
}

function upload(ask) {
  const onchange = ({ target: { files } }) => files.length && ask(files[0]);
  const file = h("input", { type: "file", accept: FORMATS, onchange });
  const help = h("span", { class: "help" },
    "PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC, of any size. You can also drop one anywhere here, or paste it.");
  return [h("h2", {}, "Or take a picture you have"), h("label", { class: "field" }, "Picture", file, help)];
}

/** Controls for the preparation of a picture; `choose` gets the option of /api/predict and its value. */
function ways(choose) {
  const onchange = ({ target }) => choose("background", target.value);
  const background = select({ onchange }, Object.entries(BACKGROUNDS));
  const whole = h("input", { type: "checkbox", onchange: ({ target }) => choose("as_is", target.checked) });
  return h("div", { class: "row" },
    field("Its background is", background),
    h("label", { class: "option" }, whole, "use it as it is: no search for an object, no inversion"));
}

/** One prediction in words. */
export function sentence({ label, probability }) {
  return label === null ? SILENT : `${label}, ${percent(probability)} sure`;
}

/** The elements for an answer of /api/predict; `models` have the titles. */
export function answer({ predictions, steps, notes, warnings }, models) {
  const title = (name) => models.find(({ model }) => model === name).title;
  const several = predictions.length > 1;
  const line = (one) => h("p", { class: "answer" }, several && `${title(one.model)}: `, h("strong", {}, sentence(one)));
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

/** A row for each class, a column for each model; a dash if a model does not have the class, or has no answer. */
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

const SIDE = 280; // pixels of the drawing, whatever its size on the screen
const STEP = 7; // pixels that an arrow key moves the pen; four times as many with Shift
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HELP = `With the keyboard: arrow keys move the pen (with Shift, further), the space bar puts it down and lifts it,
  Delete clears the sheet.`;
const CANVAS = { width: SIDE, height: SIDE, tabindex: 0, role: "application" };

export class Sheet {
  /** `ondrawn(blob)` is called with the drawing, a PNG, after every stroke; with null for a new sheet. */
  constructor(ondrawn) {
    this.ondrawn = ondrawn;
    this.canvas = h("canvas", { ...CANVAS, "aria-label": "Sheet to draw on", "aria-describedby": "sheet-help" });
    this.context = this.canvas.getContext("2d");
    this.cursor = h("span", { class: "cursor", "aria-hidden": "true" });
    this.width = h("input", { type: "range", min: 4, max: 80, value: 24 });
    this.rub = h("input", { type: "checkbox" });
    this.pen = { x: SIDE / 2, y: SIDE / 2, down: false };
    this.sheets = 0;
    this.element = h("div", { class: "stack" },
      h("div", { class: "sheet" }, this.canvas, this.cursor),
      h("p", { id: "sheet-help", class: "muted" }, HELP),
      h("div", { class: "row" },
        field("Width of the pen", this.width),
        h("label", { class: "option" }, this.rub, "rub out"),
        h("button", { type: "button", class: "small", onclick: () => this.newSheet() }, "New sheet")));
    this.listen();
    this.clear();
    this.put(false);
  }

  listen() {
    this.canvas.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return; // a second finger, another button
      this.pointer = event.pointerId;
      this.canvas.setPointerCapture(event.pointerId);
      this.put(false);
      this.follow(event);
      this.put(true);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!(event.buttons & 1) || event.pointerId !== this.pointer) return;
      (event.getCoalescedEvents?.() ?? [event]).forEach((one) => this.follow(one));
    });
    this.canvas.addEventListener("lostpointercapture", (event) => {
      if (event.pointerId !== this.pointer) return;
      this.put(false);
      this.drawn();
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  clear() {
    this.context.fillStyle = "white";
    this.context.fillRect(0, 0, SIDE, SIDE);
  }

  newSheet() {
    this.sheets += 1;
    this.clear();
    this.ondrawn(null);
  }

  drawn() {
    const sheet = this.sheets;
    this.canvas.toBlob((blob) => sheet === this.sheets && this.ondrawn(blob)); // not the drawing of an older sheet
  }

  /** Moves the pen to the pointer. */
  follow({ offsetX, offsetY }) {
    this.moveTo((offsetX / this.canvas.clientWidth) * SIDE, (offsetY / this.canvas.clientHeight) * SIDE);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const [dx, dy] = (MOVES[event.key] ?? [0, 0]).map((by) => by * STEP * (event.shiftKey ? 4 : 1));
    if (event.key === " ") this.put(!this.pen.down);
    else if (event.key === "Delete") this.newSheet();
    else if (dx || dy) this.moveTo(this.pen.x + dx, this.pen.y + dy);
    else return;
    event.preventDefault();
    if (event.key !== "Delete" && (event.key === " " || this.pen.down)) this.drawn(); // a new sheet is empty
  }

  /** Puts the pen down, which leaves a dot, or lifts it. */
  put(down) {
    this.pen.down = down;
    this.cursor.classList.toggle("down", down);
    this.moveTo(this.pen.x, this.pen.y);
  }

  moveTo(x, y) {
    const from = { ...this.pen };
    this.pen.x = Math.min(SIDE, Math.max(0, x));
    this.pen.y = Math.min(SIDE, Math.max(0, y));
    if (this.pen.down) this.stroke(from, this.pen);
    this.cursor.style.setProperty("--x", this.pen.x / SIDE);
    this.cursor.style.setProperty("--y", this.pen.y / SIDE);
  }

  stroke(from, to) {
    const { context } = this;
    Object.assign(context, { lineWidth: this.width.valueAsNumber, lineCap: "round", lineJoin: "round" });
    context.strokeStyle = this.rub.checked ? "white" : "black";
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
  }
}
