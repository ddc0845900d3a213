// A chart is a drawing, a sentence that says the same, and a table of its figures. Drawing again on the same element
// changes it in place, which is cheap where only the figures are others. Charts out of sight, and all of them while the
// page is hidden, wait until they are looked at.

import { h, clear, scrolling } from "./dom.js";
import { apart, together } from "./figures.js";
import { Lazy } from "./lazy.js";

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif";
const OPTIONS = {
  mode: "vega-lite",
  ast: true, // expressions are interpreted: the page's security policy allows no eval
  renderer: "svg",
  actions: false,
  defaultStyle: false,
  tooltip: { disableDefaultStyle: true },
  logLevel: 1, // errors alone
};

// The colours of jaxquard/charts/theme.py, and what each becomes on a dark page.
const DARK = {
  "#ffffff": "#1a1f26",
  "#1f2328": "#e8e6e1",
  "#59636e": "#a3adb8",
  "#e4e7eb": "#323a44",
  "#0072b2": "#56b4e9",
  "#d55e00": "#f29a55",
  "#009e73": "#4cc9a0",
  "#cc79a7": "#e3a3c6",
  "#000000": "#f0e442",
};
const WIDER = 100; // pixels by which a plot may exceed the width it was made to be read at
const NARROWEST = 160; // below that, the whole drawing is made smaller
const SLACK = 12; // pixels of the width that may stay empty
const dark = matchMedia("(prefers-color-scheme: dark)");
let usual = 120; // pixels for axis and labels beside a plot, as last measured: the first guess for the next one
const figures = new Map();
const gone = new WeakSet(); // elements that were let go of: what is drawn late, for a view that was left, is for nobody

/** `chart`: {spec, sentence, table: {columns, rows}}; spec is Vega-Lite, its title becomes the page's own heading. */
export async function draw(element, chart) {
  if (gone.has(element)) return;
  if (!figures.has(element)) figures.set(element, new Figure(element));
  await figures.get(element).show(chart);
}

/** Lets go of what `draw` put into `element`, for good. */
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
    this.sentence = h("p", { class: "sentence" });
    this.table = scrolling("The figures");
    this.details = h("details", { ontoggle: () => this.tabulate() }, h("summary", {}, "The figures"), this.table);
    const caption = h("figcaption", {}, this.sentence, this.details);
    clear(element, h("figure", { class: "chart" }, this.heading, this.note, this.plot, caption));
    this.beside = usual;
    this.lazy = new Lazy(this.plot, () => this.embed().catch((error) => this.fail(error)));
  }

  show(chart) {
    this.chart = chart;
    const title = chart.spec.title ?? {};
    this.heading.textContent = line(title.text) || chart.name;
    this.note.textContent = line(title.subtitle);
    this.sentence.textContent = chart.sentence;
    this.plot.setAttribute("aria-label", `${this.heading.textContent}. ${chart.sentence}`);
    this.tabulate();
    return this.lazy.ask();
  }

  tabulate() {
    if (this.details.open) clear(this.table, tableOf(this.chart.table));
  }

  async embed() {
    const embed = await library();
    this.available = this.plot.clientWidth;
    const parts = apart(fitted(this.chart.spec, this.available - this.beside));
    const form = JSON.stringify({ ...parts.form, width: 0 }); // wider or narrower is no other form
    if (form === this.form) return this.change(parts);
    const fresh = h("div", { "aria-hidden": "true" }); // drawn aside and then exchanged, so that nothing flickers
    const drawn = await embed(fresh, together(parts), OPTIONS);
    if (this.ended) return drawn.finalize();
    await this.fit(drawn.view, fresh);
    clear(this.plot, fresh);
    this.drawn?.finalize();
    Object.assign(this, { drawn, form });
    return undefined;
  }

  /** Other figures in the same form. */
  async change({ form: { width }, params, datasets }) {
    const { view } = this.drawn;
    if (typeof width === "number") view.width(width);
    Object.entries(params).forEach(([name, value]) => view.signal(name, value));
    Object.entries(datasets).forEach(([name, values]) => view.data(name, values));
    await view.resize().runAsync(); // room for labels is measured again
    await this.fit(view, this.plot);
  }

  /** How wide axes and labels are beside the plot is known once they are drawn; mostly it is as the last time. */
  async fit(view, drawing) {
    const widest = this.chart.spec.width;
    if (typeof widest !== "number") return;
    const whole = Number(drawing.querySelector("svg").getAttribute("width"));
    this.beside = usual = Math.ceil(whole - view.width());
    if (whole <= this.available && whole > this.available - SLACK) return;
    const width = Math.min(widest + WIDER, Math.max(NARROWEST, this.available - this.beside));
    if (width !== view.width()) await view.width(width).runAsync();
  }

  fail(error) {
    this.form = null;
    console.error(error);
    clear(this.plot, h("p", { class: "muted" }, "This could not be drawn. The figures are below."));
    if (!this.failed) this.details.open = true; // once: it may have been closed since
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

/** vegaEmbed, fetched when the first chart is drawn; after a failure, when the next one is. */
let loading = null;
function library() {
  loading ??= import("/static/vega.js").then((module) => module.vegaEmbed).catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

/** The spec in the page's colours and about its width, without what the page says itself. */
function fitted(spec, available) {
  const { title, description, ...rest } = dark.matches ? recoloured(spec) : spec;
  const plain = { ...rest, background: "transparent", padding: 2, config: { ...rest.config, font: FONT } };
  if (typeof plain.width !== "number") return plain;
  return { ...plain, width: Math.min(plain.width + WIDER, Math.max(NARROWEST, available)) };
}

function recoloured(spec) {
  return JSON.parse(JSON.stringify(spec).replace(/(?<=")#[0-9a-f]{6}(?=")/g, (colour) => DARK[colour] ?? colour));
}

/** A table of a chart's figures. */
export function tableOf({ columns, rows }) {
  const cell = (value) => h("td", { class: typeof value === "number" && "number" }, shown(value));
  return h("table", {},
    h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell)))));
}

/** A figure as text: four significant digits, a dash for what is missing. */
export function shown(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

const line = (text) => [text ?? ""].flat().join(" ");
