// Lessons: claims put to the test. The list with its verdicts, and each lesson's page to read.

import { h } from "../dom.js";
import { draw, erase } from "../chart.js";
import { rendered } from "./markdown.js";
import { duration } from "./status.js";

const VERDICTS = {
  holds: ["good", "it holds"],
  "does not hold": ["bad", "it does not hold"],
  "cannot tell": ["warm", "cannot tell"],
};
const WHAT = "Each puts a claim about training networks to the test, over several seeds, by a rule fixed before the run.";
const CHARTS_AFTER = "What came out"; // the heading that the charts belong under

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

function page(root, { question, verdict, markdown, charts }) {
  const [title, text] = titled(markdown, question);
  const body = rendered(text);
  const places = charts.map(() => h("div"));
  const after = body.findIndex((block) => block.textContent === CHARTS_AFTER);
  body.splice(after < 0 ? body.length : after + 1, 0, places);
  root.append(
    h("p", {}, h("a", { href: "#/lessons" }, "← All lessons")),
    h("div", { class: "row spread" }, h("h1", {}, title), verdictChip(verdict)),
    h("article", { class: "card prose" }, body));
  charts.forEach((chart, i) => draw(places[i], chart));
  return () => places.forEach(erase);
}

/** The text's own title, taken off it. */
function titled(markdown, question) {
  const [, title, text] = /^# +(.*)\n([^]*)$/.exec(markdown.trimStart()) ?? [];
  return title ? [title, text] : [question, markdown];
}
