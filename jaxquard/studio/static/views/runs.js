// Compare: all runs in one table; two or more of them side by side, with what differs and whether it is more than noise.

import { h, clear } from "../dom.js";
import { draw, erase, shown, tableOf } from "../chart.js";
import { chip, mean, percent } from "./status.js";

const SOON = 300; // ms: a burst of events asks for the table once

export async function show(root, params, tools) {
  const page = new Page(root, params.query.getAll("run"), tools);
  await page.open();
  return () => page.close();
}

class Page {
  constructor(root, chosen, { http, events, announce }) {
    Object.assign(this, { root, http, events, announce, chosen: new Set(chosen), asked: 0, charts: [] });
    this.filter = h("input", { id: "filter", type: "search", autocomplete: "off", oninput: () => this.list() });
    this.table = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Runs" });
    this.result = h("div", { class: "comparison" });
  }

  async open() {
    this.root.append(
      h("h1", {}, "Compare"),
      h("p", { class: "lead muted" }, "Tick two runs or more. Runs of several seeds tell a difference from noise; runs of one seed cannot."),
      h("section", { class: "card" },
        h("div", { class: "field narrow" }, h("label", { for: "filter" }, "Show only runs whose name contains"), this.filter),
        this.table),
      this.result);
    this.offs = ["runs", "hello"].map((type) => this.events.on(type, () => this.loadSoon()));
    await this.load();
    this.compare();
  }

  loadSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load().catch(() => {}), SOON); // a server that is away: the shell says so
  }

  async load() {
    this.runs = (await this.http.get("/api/runs")).runs;
    this.list();
  }

  list() {
    const wanted = this.runs.filter((run) => run.run.includes(this.filter.value.trim()));
    const held = document.activeElement?.id;
    clear(this.table, wanted.length ? runsTable(wanted, this.chosen, (run, on) => this.choose(run, on)) : h("p", { class: "muted" }, "No such run yet."));
    if (held?.startsWith("pick-")) document.getElementById(held)?.focus();
  }

  choose(run, on) {
    if (on) this.chosen.add(run);
    else this.chosen.delete(run);
    const query = new URLSearchParams([...this.chosen].map((id) => ["run", id]));
    history.replaceState(null, "", `#/compare${query.size ? `?${query}` : ""}`);
    this.compare();
  }

  async compare() {
    const turn = ++this.asked;
    const query = new URLSearchParams([...this.chosen].map((id) => ["run", id]));
    const answer = this.chosen.size < 2 ? null : await this.http.get(`/api/compare?${query}`).catch((error) => ({ error }));
    if (turn !== this.asked) return; // another box was ticked meanwhile
    this.charts.forEach(erase);
    this.charts = [];
    clear(this.result, answer && (answer.error ? h("p", { class: "error", role: "alert" }, answer.error.message) : this.comparison(answer)));
  }

  comparison({ verdict, settings, runs, charts }) {
    this.announce(verdict);
    this.charts = charts.map(() => h("section", { class: "card" }));
    charts.forEach((chart, i) => draw(this.charts[i], chart));
    const names = runs.map((run) => run.run);
    const rows = settings.map(({ name, values }) => [name, ...values.map(written)]);
    return [
      h("section", { class: "card verdict", "aria-label": "Verdict" }, h("h2", {}, "Is it more than noise?"), h("p", { class: "lead" }, verdict)),
      h("div", { class: "grid" }, this.charts),
      h("section", { class: "card" }, h("h2", {}, "What differs in their settings"),
        rows.length ? h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Settings that differ" },
          tableOf({ columns: ["setting", ...names], rows })) : h("p", {}, "Nothing: they are the same training.")),
    ];
  }

  close() {
    clearTimeout(this.timer);
    this.offs?.forEach((off) => off());
    this.charts.forEach(erase);
  }
}

const COLUMNS = [
  ["run", (run) => h("a", { href: `#/train/${encodeURIComponent(run.run)}` }, run.run)],
  ["status", (run) => chip(run.status)],
  ["data", (run) => run.dataset],
  ["epochs", (run) => `${run.epoch} of ${run.epochs}`],
  ["networks", (run) => run.networks],
  ["parameters", (run) => run.parameters?.toLocaleString("en")],
  ["validation", (run) => accuracy(run.val_accuracy)],
  ["test", (run) => accuracy(run.test_accuracy)],
  ["started", (run) => started(run.started)],
];
const NUMBERS = new Set(["epochs", "networks", "parameters", "validation", "test"]);

function runsTable(runs, chosen, choose) {
  const look = (name) => NUMBERS.has(name) && "number";
  const pick = (run) => h("input", {
    type: "checkbox", id: `pick-${run.run}`, "aria-label": `Compare ${run.run}`, checked: chosen.has(run.run),
    onchange: (event) => choose(run.run, event.target.checked),
  });
  const row = (run) => h("tr", {}, h("td", {}, pick(run)), COLUMNS.map(([name, cell]) => h("td", { class: look(name) }, cell(run) ?? "–")));
  return h("table", { class: "runs" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, "compare")),
      COLUMNS.map(([name]) => h("th", { scope: "col", class: look(name) }, name)))),
    h("tbody", {}, runs.map(row)));
}

/** `88.71 %`, or `88.71 ± 0.12 %` over several networks. */
function accuracy(figure) {
  const middle = mean(figure);
  if (middle === null) return "–";
  return typeof figure?.std === "number" ? `${(100 * middle).toFixed(2)} ± ${percent(figure.std, 2)}` : percent(middle, 2);
}

function started(time) {
  if (time === null || time === undefined) return "–";
  const date = new Date(typeof time === "number" ? 1000 * time : time);
  return date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

const written = (value) => (Array.isArray(value) ? value.join(", ") : typeof value === "number" ? shown(value) : String(value ?? "automatic"));
