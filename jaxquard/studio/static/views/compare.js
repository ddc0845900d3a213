// Compare: all runs in one table; two or more side by side, with their differences and whether these exceed the noise.

import { draw, erase, tableOf } from "../parts/chart.js";
import { clear, fault, h, labelled, scrolling } from "../parts/dom.js";
import { chip, ends, mean, percent, spread, written } from "../parts/words.js";

const WHAT = "Tick two or more runs. Only runs with several seeds can show whether a difference is more than noise.";
const WHEN = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const SOON = 300; // ms: a burst of events loads the table once

export async function show(root, params, tools) {
  const page = new Page(root, params.query.getAll("run"), tools);
  await page.open();
  return () => page.close();
}

class Page {
  constructor(root, chosen, { http, events, announce }) {
    Object.assign(this, { root, http, events, announce, chosen: new Set(chosen), runs: [], asked: 0, charts: [] });
    this.filter = h("input", { id: "filter", type: "search", autocomplete: "off", oninput: () => this.list() });
    this.table = scrolling("Runs");
    this.result = h("div", { class: "comparison" });
  }

  async open() {
    this.root.append(
      h("h1", {}, "Compare"),
      h("p", { class: "lead muted" }, WHAT),
      h("section", { class: "card" },
        h("div", { class: "filter" }, labelled("Show only runs whose name contains", this.filter)), this.table),
      this.result);
    await this.load();
    this.offs = ["runs", "hello"].map((type) => this.events.on(type, () => this.loadSoon()));
    this.compare();
  }

  loadSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load().catch(() => {}), SOON); // app.js reports a server that does not answer
  }

  async load() {
    const { runs } = await this.http.get("/api/runs");
    if (!this.root.isConnected) return; // the reader opened another view
    this.runs = runs;
    const there = new Set(this.runs.map((run) => run.run));
    const gone = [...this.chosen].filter((run) => !there.has(run)); // they have no box that the reader could untick
    gone.forEach((run) => this.chosen.delete(run));
    this.list();
    if (gone.length) this.choiceChanged(`${gone.join(", ")}: no longer there.`);
  }

  list() {
    const wanted = this.runs.filter((run) => run.run.includes(this.filter.value.trim()));
    const held = this.table.contains(document.activeElement) && document.activeElement.id;
    const none = h("p", { class: "muted" }, "No such run yet.");
    clear(this.table, wanted.length ? runsTable(wanted, this.chosen, (run, on) => this.choose(run, on)) : none);
    if (held) document.getElementById(held)?.focus();
  }

  choose(run, on) {
    if (on) this.chosen.add(run);
    else this.chosen.delete(run);
    this.choiceChanged();
  }

  choiceChanged(news) {
    history.replaceState(null, "", `#/compare?${this.query}`);
    if (news) this.announce(news);
    this.compare();
  }

  async compare() {
    const turn = ++this.asked;
    const shown = this.chosen.size < 2 ? null : await this.answer();
    if (turn !== this.asked) return; // the choice changed, or the reader left the view
    this.charts.forEach(erase);
    this.charts = [];
    clear(this.result, shown && this.comparison(shown));
  }

  answer() {
    return this.http.get(`/api/compare?${this.query}`).catch((error) => ({ error }));
  }

  get query() {
    return new URLSearchParams([...this.chosen].map((id) => ["run", id]));
  }

  comparison({ error, verdict, settings, runs, charts }) {
    if (error) return fault(error.message);
    this.announce(verdict);
    this.charts = charts.map(() => h("section", { class: "card" }));
    charts.forEach((chart, i) => draw(this.charts[i], chart));
    return [
      h("section", { class: "card verdict" },
        h("h2", {}, "Is it more than noise?"), h("p", { class: "lead" }, verdict)),
      h("div", { class: "grid" }, this.charts),
      h("section", { class: "card" }, h("h2", {}, "Settings that differ"), differences(settings, runs)),
    ];
  }

  close() {
    this.asked += 1; // ignore a later answer
    clearTimeout(this.timer);
    this.offs.forEach((off) => off());
    this.charts.forEach(erase);
  }
}

function differences(settings, runs) {
  const columns = ["setting", ...runs.map((run) => run.run)];
  const rows = settings.map(({ name, values }) => [name, ...values.map(written)]);
  if (!rows.length) return h("p", {}, "None: the runs have the same settings.");
  return scrolling("Settings that differ", tableOf({ columns, rows }));
}

const COLUMNS = [
  ["run", (run) => h("a", { id: `watch-${run.run}`, href: `#/learn/${encodeURIComponent(run.run)}` }, run.run)],
  ["status", (run) => [chip(run.status), wrong(run) && h("p", { class: "error" }, wrong(run))]],
  ["data", (run) => run.dataset && h("span", { title: run.dataset }, run.dataset.split(/[/\\]/).at(-1))],
  ["epochs", (run) => run.epochs && `${run.epoch} of ${run.epochs}`],
  ["networks", (run) => run.networks],
  ["parameters", (run) => run.parameters?.toLocaleString("en")],
  ["validation", (run) => accuracy(run.val_accuracy, run.sweep)],
  ["test", (run) => accuracy(run.test_accuracy, run.sweep)],
  ["started", (run) => WHEN.format(1000 * run.started)],
];
const wrong = (run) => run.error ?? lost(run);
const NUMBERS = new Set(["epochs", "networks", "parameters", "validation", "test"]);

function runsTable(runs, chosen, choose) {
  const look = (name) => NUMBERS.has(name) && "number";
  const pick = (run) => h("input", {
    type: "checkbox", id: `pick-${run.run}`, "aria-label": `Compare ${run.run}`, checked: chosen.has(run.run),
    onchange: (event) => choose(run.run, event.target.checked),
  });
  const row = (run) => [pick(run), ...COLUMNS.map(([, cell]) => cell(run) ?? "–")];
  const compare = h("span", { class: "visually-hidden" }, "compare");
  const names = ["", ...COLUMNS.map(([name]) => name)];
  const cell = (tag, child, i, more) => h(tag, { ...more, class: look(names[i]) }, child);
  const line = (tag, cells, more) => h("tr", {}, cells.map((child, i) => cell(tag, child, i, more)));
  return h("table", { class: "runs" },
    h("thead", {}, line("th", [compare, ...names.slice(1)], { scope: "col" })),
    h("tbody", {}, runs.map((run) => line("td", row(run)))));
}

/** How many networks of a run diverged, and when the first one did. */
function lost({ diverged = [], networks }) {
  if (!diverged.length) return "";
  const { step, quantity } = diverged[0];
  const who = networks > 1 ? `${diverged.length} of ${networks} networks diverged, the first ` : "";
  return `${who}at step ${step}: ${quantity} not finite`;
}

/** An accuracy as text: mean and spread, or for a sweep the lowest and the highest: `80.90 … 86.41 %`. */
function accuracy(figure, sweep) {
  if (!sweep || mean(figure) === null) return spread(figure);
  const [least, greatest] = ends(figure);
  return `${(100 * least).toFixed(2)} … ${percent(greatest, 2)}`;
}
