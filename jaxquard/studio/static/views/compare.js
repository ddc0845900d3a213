// Compare: all runs in one table; two or more side by side, with their differences and whether these exceed the noise.

import { draw, erase, tableOf } from "../parts/chart.js";
import { clear, fault, h, labelled, scrolling } from "../parts/dom.js";
import { chip, divergence, percent, range, spread, written } from "../parts/words.js";

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
    const none = h("p", { class: "muted" }, "No runs to show.");
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

/** Each column's name, the content of its cells, and their class. */
const COLUMNS = [
  ["run", (run) => h("a", { id: `watch-${run.run}`, href: `#/learn/${encodeURIComponent(run.run)}` }, run.run)],
  ["status", (run) => [chip(run.status), h("p", { class: "error" }, run.error ?? divergence(run))]],
  ["data", (run) => run.dataset && h("span", { title: run.dataset }, run.dataset.split(/[/\\]/).at(-1))],
  ["epochs", (run) => run.epochs && `${run.epoch} of ${run.epochs}`, "number"],
  ["networks", (run) => run.networks, "number"],
  ["parameters", (run) => run.parameters?.toLocaleString("en"), "number"],
  ["validation", (run) => accuracy(run.val_accuracy, run.sweep), "number"],
  ["test", (run) => accuracy(run.test_accuracy, run.sweep), "number"],
  ["started", (run) => WHEN.format(1000 * run.started)],
];

function runsTable(runs, chosen, choose) {
  const pick = (run) => h("input", {
    type: "checkbox", id: `pick-${run.run}`, "aria-label": `Compare ${run.run}`, checked: chosen.has(run.run),
    onchange: (event) => choose(run.run, event.target.checked),
  });
  const heads = COLUMNS.map(([name, , look]) => h("th", { scope: "col", class: look }, name));
  const cells = (run) => COLUMNS.map(([, cell, look]) => h("td", { class: look }, cell(run) ?? "–"));
  const compare = h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, "compare"));
  return h("table", { class: "runs" },
    h("thead", {}, h("tr", {}, compare, heads)),
    h("tbody", {}, runs.map((run) => h("tr", {}, h("td", {}, pick(run)), cells(run)))));
}

/** An accuracy as text: mean and spread, or for a sweep the lowest and the highest. */
function accuracy(figure, sweep) {
  return sweep ? range(figure, (value) => percent(value, 2)) : spread(figure);
}
