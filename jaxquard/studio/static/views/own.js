// Your own: a picture drawn, chosen, dropped or pasted; every step of what the network received; what one or two models say.

import { h } from "../dom.js";
import { answer, sentence } from "./answer.js";
import { fill } from "./fill.js";
import { listModels, modelChoice, noModels } from "./models.js";
import { Sheet } from "./sheet.js";

const BYTES = 64_000_000; // what the server takes
const BACKGROUNDS = { auto: "as it looks", light: "light", dark: "dark" };
const FORMATS = "image/*,.heic,.heif,.avif,.tif,.tiff,.bmp";

export async function show(root, [name], { http, announce }) {
  const models = await listModels(http);
  root.append(h("h1", {}, "Your own picture"));
  if (!models.length) return root.append(noModels());
  const chosen = [(models.find(({ model }) => model === name) ?? models[0]).model, ""];
  const seeing = new Map(); // how the picture is to be seen, as the server understands it
  const said = h("section", { class: "card", "aria-label": "What it says" });
  const nothing = async () => h("p", { class: "muted" }, "What the network makes of your picture appears here.");
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
      h("section", { class: "card" }, h("h2", {}, "Draw"), new Sheet(drawn).element, upload(ask),
        ways((name, value) => (seeing.set(name, value), ask.again()))),
      said),
  );
  const listeners = {
    paste: ({ clipboardData: { files } }) => files.length && ask(files[0]),
    dragover: (event) => event.preventDefault(), // so that a drop is possible, and the browser does not go to the file
    drop: (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) ask(event.dataTransfer.files[0]);
    },
  };
  for (const [name, listener] of Object.entries(listeners)) document.addEventListener(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) document.removeEventListener(name, listener);
  };
}

/** The bytes of a file or a drawing. */
async function bytes(image) {
  if (image.size > BYTES) throw new Error("This file is larger than 64 MB; save the picture smaller.");
  return image.arrayBuffer().catch(() => {
    throw new Error("That cannot be read as a file; choose a picture.");
  });
}

/** A function that asks `answer` about pictures, one at a time: of those that come meanwhile only the last counts. */
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

/** Controls for how a picture is seen; `choose` gets the option of the server and its value. */
function ways(choose) {
  const option = ([value, words]) => h("option", { value }, words);
  const background = h("select", { onchange: ({ target }) => choose("background", target.value) },
    Object.entries(BACKGROUNDS).map(option));
  const whole = h("input", { type: "checkbox", onchange: ({ target }) => choose("as_is", target.checked) });
  return h("div", { class: "row" },
    h("label", { class: "field" }, "Its background is", background),
    h("label", { class: "option" }, whole, "look for no object, and invert nothing"));
}
