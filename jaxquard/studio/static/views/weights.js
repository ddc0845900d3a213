// What training does to the weights: each layer's histogram against the start, and the first layer as images.

import { h, clear, labelled } from "../dom.js";
import { draw, erase } from "../chart.js";
import { Lazy, REST } from "../lazy.js";

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
  const y = (field) => ({ field, type: "quantitative", title: "weights", axis: { tickCount: 3, format: "~s" } });
  const layer = [
    { mark: { type: "area", interpolate: "step", color: "#59636e", opacity: 0.35 }, encoding: { y: y("start") } },
    { mark: { type: "line", interpolate: "step", color: "#0072b2", strokeWidth: 2 }, encoding: { y: y("now") } },
  ];
  const x = { field: "weight", type: "quantitative", title: "value of a weight", axis: { tickCount: 5 } };
  const title = { text: `${name}: ${shape.join(" × ")} weights`, subtitle: `Grey: at the start. Line: ${when}.` };
  return {
    name,
    spec: { title, width: 420, height: 150, data: { values: rows }, encoding: { x }, layer, config: CONFIG },
    sentence: `Their spread (standard deviation) was ${spreads[0]} at the start and ${spreads[1]} ${when}.`,
    table: { columns: ["weight", "at the start", when], rows: rows.map((row) => [row.weight, row.start, row.now]) },
  };
}

const GREY = { labelColor: "#59636e", titleColor: "#59636e" };
const TEXT = { ...GREY, titleFontWeight: "normal", labelFontSize: 12, titleFontSize: 12 };
const CONFIG = {
  view: { stroke: null },
  axis: { ...TEXT, gridColor: "#e4e7eb", domain: false, ticks: false },
  axisX: { grid: false },
  axisY: { titleAngle: 0, titleAlign: "left", titleBaseline: "bottom", titleX: 0, titleY: -6 },
};

/** The standard deviation of a histogram. */
function spread(rows, field) {
  const sum = (value) => rows.reduce((total, row) => total + row[field] * value(row.weight), 0);
  const total = sum(() => 1) || 1;
  const centre = sum((weight) => weight) / total;
  return Math.sqrt(sum((weight) => (weight - centre) ** 2) / total);
}
