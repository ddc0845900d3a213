// Look inside: held-out images, the way of one of them through the network, and what single neurons look for.

import { h } from "../dom.js";
import { fill } from "./fill.js";
import { gallery, verdict } from "./gallery.js";
import { journey } from "./journey.js";
import { address as addressOf, link, listModels, modelChoice, noModels } from "./models.js";
import { neuronPanel } from "./neuron.js";
import { count } from "./numbers.js";
import { partPanel, query } from "./part.js";

const PAGE = 48;
const ORDERS = [["index", "as in the file"], ["confidence", "least sure first"], ["-confidence", "surest first"]];

export async function show(root, [asked, index], { http, go, announce, again }) {
  const models = await listModels(http);
  root.append(h("h1", {}, "Look inside"));
  if (!models.length) return root.append(noModels());
  const model = models.find((one) => one.model === asked) ?? models[0];
  const { model: name, classes, networks } = model;
  const choice = modelChoice(models, name, (chosen) => go(link("look", chosen)));
  if (networks > 1) {
    const which = `This model is the average of ${networks} networks: choose one of them to look inside.`;
    return root.append(choice, h("p", { class: "card" }, which));
  }
  const part = partPanel(model, () => {
    history.replaceState(null, "", link("look", name)); // the image of that number is another one
    again();
  });
  const way = h("section", { class: "card journey", tabindex: -1, "aria-label": "One image" });
  const neuron = async (...unit) => (await panel).show(...unit);
  const open = async (image) => {
    const address = `${addressOf(name, "images", image)}${query(name)}`;
    await fill(way, async () => journey(await http.get(address), { open, neuron }));
    if (!way.isConnected) return; // the reader went elsewhere meanwhile
    history.replaceState(null, "", link("look", name, image)); // a copy of the address leads to this image
    way.focus();
  };
  const panel = neuronPanel(name, { http, open, announce });
  root.append(
    choice,
    part.element,
    imagesPanel(name, classes, part, { http, open, announce }),
    way,
  );
  if (index !== undefined) open(index);
  else way.append(h("p", { class: "muted" }, "Choose an image above: its way through the network appears here."));
  root.append((await panel).element);
}

/** The images that a form lets through, a page at a time. */
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
      const shown = total ? `${offset + 1}–${offset + images.length} of ${count(total)} images` : "No such image.";
      announce(shown);
      return [h("p", {}, shown), gallery(images, { words: verdict, open: ({ index }) => open(index) })];
    });
    if (won) allow(offset > 0, offset + PAGE < total);
  };
  const turn = (words, by) =>
    h("button", { type: "button", class: "small", disabled: true, onclick: () => goTo(offset + by) }, words);
  const goTo = (place) => { // a click too many, before the answer came, leads nowhere
    if (place < 0 || place >= total) return;
    offset = place;
    load();
  };
  const [previous, next] = [turn("Previous", -PAGE), turn("Next", PAGE)];
  const allow = (back, on) => {
    const held = document.activeElement; // a button that cannot be pressed any more loses the keyboard's place
    [previous.disabled, next.disabled] = [!back, !on];
    if (held === previous && !back) next.focus();
    if (held === next && !on) previous.focus();
  };
  const form = filters(classes, () => ((offset = 0), load()));
  load();
  return h("section", { class: "card" }, h("h2", {}, "Images"), form,
    h("div", { class: "stack" }, found, h("p", { class: "row" }, previous, next)));
}

/** What was given in per cent, as the server takes it. */
function asFraction([name, value]) {
  return [name, name === "min" || name === "max" ? value / 100 : value];
}

/** The form whose fields are the server's own names for what it can filter by. */
function filters(classes, onchange) {
  const field = (label, control) => h("label", { class: "field" }, label, control);
  const option = ([value, words]) => h("option", { value }, words);
  const choice = (label, name, options) => field(label, h("select", { name }, options.map(option)));
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
