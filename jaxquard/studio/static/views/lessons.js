// Lessons: the list with its verdicts, and each lesson's page.

import { draw, erase } from "../parts/chart.js";
import { h, scrolling } from "../parts/dom.js";
import { duration } from "../parts/words.js";

const VERDICTS = {
  holds: ["good", "it holds"],
  "does not hold": ["bad", "it does not hold"],
  "cannot tell": ["warm", "cannot tell"],
};
const WHAT = "Each lesson tests a claim about training networks, with several seeds and a rule fixed before the run.";
const CHARTS_AFTER = "What came out"; // the heading above the charts

export async function show(root, [name], { http }) {
  if (name === undefined) return list(root, await http.get("/api/lessons"));
  return page(root, await http.get(`/api/lessons/${encodeURIComponent(name)}`));
}

function list(root, { lessons }) {
  root.append(
    h("h1", {}, "Lessons"),
    h("p", { class: "lead muted" }, WHAT),
    h("ol", { class: "lessons" }, lessons.map(item)));
}

function item({ name, question, claim, source, seconds, verdict }) {
  const measured = typeof seconds === "number";
  const link = h("a", { href: `#/lessons/${encodeURIComponent(name)}` }, question);
  return h("li", { class: "card" },
    h("div", { class: "row spread" }, h("h2", {}, link), verdictChip(verdict)),
    h("p", {}, claim),
    h("p", { class: "muted note" }, source, measured && ` · measured in ${duration(seconds)}`));
}

function verdictChip(verdict) {
  const [look, words] = VERDICTS[verdict] ?? ["", "not measured"];
  return h("span", { class: `chip ${look}` }, words);
}

function page(root, { question, verdict, html, charts }) {
  const { body } = new DOMParser().parseFromString(html, "text/html"); // the server escapes HTML in the text
  body.querySelectorAll("table").forEach((table) => table.replaceWith(scrolling("Table", table.cloneNode(true))));
  const places = charts.map(() => h("div"));
  const heading = [...body.children].find(({ textContent }) => textContent === CHARTS_AFTER);
  if (heading) heading.after(...places);
  else body.append(...places);
  root.append(
    h("p", {}, h("a", { href: "#/lessons" }, "← All lessons")),
    h("div", { class: "row spread" }, h("h1", {}, question), verdictChip(verdict)),
    h("article", { class: "card prose" }, [...body.childNodes]));
  charts.forEach((chart, i) => draw(places[i], chart));
  return () => places.forEach(erase);
}
