// What training does to the weights: each layer's histogram against the start, and the first layer as images.

import { h, clear, labelled } from "../dom.js";
import { draw, erase } from "../chart.js";
import { Lazy, REST } from "../lazy.js";
import { SERIES } from "../palette.js";

export class Weights {
  constructor(run, networks, http) {
    this.path = `/api/runs/${encodeURIComponent(run)}/weights`;
    this.http = http;
    this.histograms = new Map(); // a layer's name -> the element of its chart
    this.grid = h("div", { class: "grid" });
    this.images = h("div", { class: "mosaic", role: "img", "aria-label": "The first layer’s weights" });
    this.sentence = h("p", { class: "muted note" });
    this.error = h("p", { class: "muted note" });
    this.choice = h("select", { id: "network", onchange: () => this.ask(true) }, networks.map(option));
    const choose = networks.length > 1 && h("div", { class: "network" }, labelled("Network", this.choice));
    this.element = h("section", { class: "card" },
      h("div", { class: "row spread" }, h("h2", {}, "The weights"), choose), this.error, this.grid,
      h("h3", {}, "What training changed in the first layer"), this.images, this.sentence);
    this.lazy = new Lazy(this.element, () => this.load(), REST);
  }

  ask(now) {
    return this.lazy.ask(now);
  }

  async load() {
    try {
      const weights = await this.http.get(`${this.path}?network=${this.choice.value || 0}`);
      if (this.ended) return;
      this.show(weights);
      this.error.textContent = "";
    } catch (error) {
      this.error.textContent = error.message;
    }
  }

  show({ epoch, layers, first_layer: first }) {
    for (const layer of layers) {
      if (!this.histograms.has(layer.name)) {
        const element = h("div");
        this.histograms.set(layer.name, element);
        this.grid.append(element);
      }
      draw(this.histograms.get(layer.name), histogram(layer, `after epoch ${epoch}`));
    }
    this.images.setAttribute("aria-label", first.sentence);
    this.sentence.textContent = first.sentence;
    const image = (src) => h("img", { src, alt: "", width: first.width, height: first.height });
    clear(this.images, first.images.map(image));
  }

  end() {
    this.ended = true;
    this.lazy.end();
    this.histograms.forEach(erase);
  }
}

function option(network, index) {
  const { seed, ...swept } = network;
  const values = Object.entries(swept).map(([name, value]) => `, ${name} ${value}`);
  return h("option", { value: index }, `${index}: seed ${seed}${values.join("")}`);
}

/** A layer's weights in the newest snapshot (line) over those at the start (grey); `when` says how new that is. */
function histogram({ name, shape, histogram: { edges, start, now } }, when) {
  const rows = now.map((count, i) => ({ weight: (edges[i] + edges[i + 1]) / 2, now: count, start: start[i] }));
  const spreads = [spread(rows, "start"), spread(rows, "now")].map((value) => value.toPrecision(2));
  const steps = (counts) => counts.flatMap((y, i) => [{ x: edges[i], y }, { x: edges[i + 1], y }]);
  const series = [
    { color: "#59636e", fill: true, points: steps(start) },
    { color: SERIES[0], points: steps(now) },
  ];
  const sentence = `Standard deviation: ${spreads[0]} at the start, ${spreads[1]} ${when}.`;
  return {
    name,
    title: `${name}: ${shape.join(" × ")} weights`,
    note: `Grey: at the start. Line: ${when}. ${sentence}`,
    plot: { x: "value of a weight", y: "weights", aspect: 0.5, series },
    sentence,
    table: { columns: ["weight", "at the start", when], rows: rows.map((row) => [row.weight, row.start, row.now]) },
  };
}

/** The standard deviation of a histogram. */
function spread(rows, field) {
  const sum = (value) => rows.reduce((total, row) => total + row[field] * value(row.weight), 0);
  const total = sum(() => 1) || 1;
  const centre = sum((weight) => weight) / total;
  return Math.sqrt(sum((weight) => (weight - centre) ** 2) / total);
}
