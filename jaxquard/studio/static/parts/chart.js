// A chart is a drawing with alternative text and a table of its figures. The charts of a run are drawn on a canvas
// (plot.js), which is fast enough for live ones; others by Vega. Charts outside the window, and all charts of a hidden page, are drawn when they become visible.

import { clear, h, scrolling } from "./dom.js";
import { Lazy } from "./lazy.js";
import { dark, shade } from "./palette.js";
import { plot } from "./plot.js";

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif";
const OPTIONS = {
  mode: "vega-lite",
  ast: true, // interprets expressions: the page's security policy allows no eval
  renderer: "svg",
  actions: false,
  defaultStyle: false,
  tooltip: { disableDefaultStyle: true },
  logLevel: 1, // errors only
};

const WIDER = 220; // pixels by which a drawing with its labels may exceed the plot's width in the spec
const NARROWEST = 280; // below this width, the whole drawing shrinks
const figures = new Map();
const gone = new WeakSet(); // erased elements: a late `draw` ignores them

/**
 * `chart`: {sentence, table: {columns, rows}} with either `spec` (Vega-Lite; its title becomes a heading of the page),
 * or {title, note, plot} for a canvas.
 */
export async function draw(element, chart) {
  if (gone.has(element)) return;
  if (!figures.has(element)) figures.set(element, new Figure(element));
  await figures.get(element).show(chart);
}

/** Ends the chart that `draw` put into `element`. */
export function erase(element) {
  gone.add(element);
  figures.get(element)?.end();
  figures.delete(element);
}

class Figure {
  constructor(element) {
    this.heading = h("h3");
    this.note = h("p", { class: "muted note" });
    this.plot = h("div", { class: "plot", role: "img" });
    this.table = scrolling("The figures");
    this.details = h("details", { ontoggle: () => this.tabulate() }, h("summary", {}, "The figures"), this.table);
    clear(element, h("figure", { class: "chart" }, this.heading, this.note, this.plot, h("figcaption", {}, this.details)));
    const work = () => (this.chart.spec ? this.embed() : this.paint());
    this.lazy = new Lazy(this.plot, () => work().catch((error) => this.fail(error)));
  }

  show(chart) {
    this.chart = chart;
    const title = chart.spec?.title ?? {};
    write(this.heading, chart.title ?? (line(title.text) || chart.name));
    write(this.note, chart.note ?? line(title.subtitle));
    this.plot.setAttribute("aria-label", `${this.heading.textContent}. ${chart.sentence}`);
    this.tabulate();
    return this.lazy.ask();
  }

  tabulate() {
    if (this.details.open) clear(this.table, tableOf(this.chart.table));
  }

  async paint() {
    if (!this.canvas) clear(this.plot, (this.canvas = h("canvas", { "aria-hidden": "true" })));
    const read = plot(this.canvas, this.plot.clientWidth, this.chart.plot);
    this.canvas.onpointermove = ({ offsetX }) => (this.canvas.title = read(offsetX));
  }

  async embed() {
    const embed = await library();
    const grown = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16; // letters are larger on a projector
    const spec = fitted(this.chart.spec, this.plot.clientWidth / grown);
    const key = JSON.stringify([spec, grown]);
    if (this.drawn && key === this.key) return;
    const fresh = h("div", { "aria-hidden": "true" }); // drawn outside the page first, so that nothing flickers
    const drawn = await embed(fresh, spec, OPTIONS);
    if (this.ended) return void drawn.finalize();
    const svg = fresh.querySelector("svg");
    for (const side of ["width", "height"]) svg.setAttribute(side, grown * Number(svg.getAttribute(side)));
    clear(this.plot, fresh);
    this.drawn?.finalize();
    Object.assign(this, { drawn, key });
  }

  fail(error) {
    this.canvas = this.key = null;
    console.error(error);
    clear(this.plot, h("p", { class: "muted" }, "This could not be drawn. The figures are below."));
    if (!this.failed) this.details.open = true; // only once: the reader may close it
    this.failed = true;
  }

  end() {
    this.ended = true;
    this.lazy.end();
    this.drawn?.finalize();
  }
}

const redraw = () => figures.forEach((figure) => figure.lazy.ask());
dark.addEventListener("change", redraw);
let resized = 0;
window.addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(redraw, 150);
});

/** vegaEmbed, loaded for the first chart; after a failure, for the next one. */
let loading = null;
function library() {
  loading ??= import("/static/vega.js").then((module) => module.vegaEmbed).catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

/** The spec in the page's colours and at most `available` pixels wide, without the texts that the page shows itself. */
function fitted(spec, available) {
  const { title, description, ...rest } = dark.matches ? recoloured(spec) : spec;
  const plain = { ...rest, background: "transparent", padding: 2, config: { ...rest.config, font: FONT } };
  if (typeof plain.width !== "number") return plain;
  const width = Math.min(plain.width + WIDER, Math.max(NARROWEST, available));
  return { ...plain, width, autosize: { type: "fit-x", contains: "padding" } };
}

function recoloured(spec) {
  return JSON.parse(JSON.stringify(spec).replace(/(?<=")#[0-9a-f]{6}(?=")/g, shade));
}

/** A table of a chart's figures. */
export function tableOf({ columns, rows }) {
  const cell = (value) => h("td", { class: typeof value === "number" && "number" }, shown(value));
  return h("table", {},
    h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell)))));
}

/** A figure as text: four significant digits; a dash if it is missing. */
export function shown(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

const line = (text) => [text ?? ""].flat().join(" ");

function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}
