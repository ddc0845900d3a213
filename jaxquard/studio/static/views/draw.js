// Draw: predictions of one or two models for a picture that is drawn, chosen, dropped or pasted, and how it is prepared.

import { field, fill, h, scrolling, select } from "../parts/dom.js";
import { picture, SILENT } from "../parts/gallery.js";
import { begin, modelChoice } from "../parts/models.js";
import { percent } from "../parts/words.js";
import { KEYS, Sheet } from "../web/sheet.js";

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
  const controls = ways((name, value) => (seeing.set(name, value), ask.again()));
  const offer = () => (controls.hidden = models.every(({ model, as_read: whole }) => whole || !chosen.includes(model)));
  offer();
  const choice = (which, options) => {
    const choose = (model) => ((chosen[which] = model), offer(), ask.again());
    return modelChoice(models, chosen[which], choose, options);
  };
  root.append(
    h("div", { class: "row" }, choice(0), choice(1, { label: "Beside it", none: "no other model" })),
    h("div", { class: "grid" },
      h("section", { class: "card" }, h("h2", {}, "Draw a picture"), drawing(drawn).element, upload(ask), controls),
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
  const onclick = ({ target }) => (target.value = ""); // so that the same file can be chosen again
  const file = h("input", { type: "file", accept: FORMATS, onclick, onchange });
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

/**
 * A sheet, and `element`, the sheet with its tools. `ondrawn(blob)` is called with the drawing, a PNG, after every
 * stroke; with null for a new sheet.
 */
export function drawing(ondrawn) {
  let sheets = 0;
  const width = h("input", { type: "range", min: 4, max: 80, value: 24 });
  const rub = h("input", { type: "checkbox" });
  const pencil = () => ({ width: width.valueAsNumber, colour: rub.checked ? "white" : "black" });
  const sheet = new Sheet(pencil, (canvas, done) => {
    if (!canvas) {
      sheets += 1;
      return ondrawn(null);
    }
    const now = sheets;
    if (done) canvas.toBlob((blob) => now === sheets && ondrawn(blob)); // not the drawing of an older sheet
  });
  const element = h("div", { class: "stack" },
    sheet.element,
    h("p", { id: "sheet-help", class: "muted" }, KEYS),
    h("div", { class: "row" },
      field("Width of the pen", width),
      h("label", { class: "option" }, rub, "rub out"),
      h("button", { type: "button", class: "small", onclick: () => sheet.clear() }, "New sheet")));
  return { sheet, element };
}
