// One neuron: its weights as an image, and the images that excite it most.

import { h } from "../dom.js";
import { fill } from "./fill.js";
import { gallery, picture } from "./gallery.js";
import { address, layerTitle } from "./models.js";
import { decimal } from "./numbers.js";
import { query } from "./part.js";

/** The panel (`element`), and `show(layer, unit)`, which turns it to a neuron. */
export async function neuronPanel(model, { http, open, announce }) {
  const { layers } = await http.get(`${address(model, "neurons")}${query(model)}`);
  const option = ({ name }, k) => h("option", { value: name }, layerTitle(k, layers.length));
  const layer = h("select", { name: "layer" }, layers.map(option));
  const unit = h("input", { name: "unit", type: "number", min: 0, value: 0 });
  const shown = h("div", { class: "stack" });
  const load = () => {
    unit.max = layers[layer.selectedIndex].units - 1;
    unit.value = Math.min(Math.max(0, Math.trunc(unit.valueAsNumber) || 0), unit.max);
    return fill(shown, async () => {
      const found = await http.get(`${address(model, "neurons", layer.value, unit.value)}${query(model)}`);
      announce(found.sentence);
      return neuron(found, open);
    });
  };
  const element = h(
    "section",
    { class: "card", tabindex: -1, "aria-label": "One neuron" },
    h("h2", {}, "One neuron"),
    h(
      "form",
      { class: "row", onchange: load, onsubmit: (event) => event.preventDefault() },
      h("label", { class: "field" }, "Layer", layer),
      h("label", { class: "field" }, "Unit", unit),
    ),
    shown,
  );
  load();
  const show = async (name, i) => {
    [layer.value, unit.value] = [name, i];
    await load();
    element.focus();
  };
  return { element, show };
}

function neuron({ weights, incoming, exciting, sentence }, open) {
  return [
    h("p", {}, sentence),
    weights && weightsFigure(weights),
    incoming && incomingList(incoming),
    h("h3", {}, "The images that excite it most"),
    gallery(exciting, {
      words: ({ index, label, activation }) => `Image ${index}: ${label}, activation ${decimal(activation)}`,
      caption: ({ activation }) => decimal(activation),
      open: ({ index }) => open(index),
    }),
  ];
}

function weightsFigure({ png, sentence }) {
  return h("figure", {}, picture(png, "Its weights"), h("figcaption", {}, "Its weights. ", sentence));
}

/** A neuron further in has no picture: what it listens to are neurons. */
function incomingList(incoming) {
  const items = incoming.map(({ unit, weight }) => h("li", {}, `unit ${unit}: ${decimal(weight)}`));
  return [h("h3", {}, "The units before it that it listens to most"), h("ul", { class: "inline" }, items)];
}
