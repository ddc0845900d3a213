// Your own: a picture drawn, chosen or pasted; every step of what the network received; what one or two models say.

import { h } from "../dom.js";
import { answer, sentence } from "./answer.js";
import { fill } from "./fill.js";
import { listModels, modelChoice, noModels } from "./models.js";
import { Sheet } from "./sheet.js";
import { asBase64, fit } from "./upload.js";

export async function show(root, [name], { http, announce }) {
  const models = await listModels(http);
  root.append(h("h1", {}, "Your own picture"));
  if (!models.length) return root.append(noModels());
  const chosen = [(models.find(({ model }) => model === name) ?? models[0]).model, ""];
  const said = h("section", { class: "card", "aria-label": "What it says" });
  const nothing = async () => h("p", { class: "muted" }, "What the network makes of your picture appears here.");
  fill(said, nothing);
  const ask = asking((image) =>
    fill(said, async () => {
      const sent = await asBase64(await fit(image));
      const answered = await http.post("/api/predict", { models: chosen.filter(Boolean), image: sent });
      announce([...answered.predictions.map(sentence), answered.warning ?? ""].join(". "));
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
      h("section", { class: "card" }, h("h2", {}, "Draw"), new Sheet(drawn).element, upload(ask)),
      said),
  );
  const onpaste = ({ clipboardData: { files } }) => files.length && ask(files[0]);
  document.addEventListener("paste", onpaste);
  return () => document.removeEventListener("paste", onpaste);
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
  const file = h("input", { type: "file", accept: "image/png,image/jpeg,image/webp", onchange });
  const help = h("span", { class: "help" }, "PNG, JPEG or WebP, of any size. You can also paste one here.");
  return [h("h2", {}, "Or take a picture you have"), h("label", { class: "field" }, "Picture", file, help)];
}
