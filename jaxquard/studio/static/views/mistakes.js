// Mistakes: which classes the network confuses, whether its confidence is right, and what noise and shifts do.

import { draw, erase } from "../parts/chart.js";
import { field, fill, h } from "../parts/dom.js";
import { gallery, outcome, verdict } from "../parts/gallery.js";
import { address, begin, link, modelChoice, partPanel, query } from "../parts/models.js";
import { count, decimal, percent } from "../parts/words.js";

const SHOWN = 60;
const DISTURBANCES = ["noise", "rotation", "shift"];

export async function show(root, [name], { http, go, again }) {
  const { models, found } = await begin(root, "Mistakes", name, http);
  if (!found) return undefined;
  const { model } = found;
  const part = partPanel(found, again);
  const charts = [h("div"), h("div"), h("div")];
  const evaluation = h("div", { class: "view" });
  root.append(modelChoice(models, model, (chosen) => go(link("mistakes", chosen))), part.element, evaluation);
  await fill(evaluation, async () => {
    const summary = await http.get(`${address(model, "summary")}${query(model)}`);
    part.say(summary.said);
    summary.charts.forEach((chart, i) => draw(charts[i], chart)); // calibration, abstention
    return [
      confusion(model, summary, http),
      h("div", { class: "grid" }, section("Is its confidence right?", charts[0]), abstention(summary, charts[1])),
      robustness(model, charts[2], http),
    ];
  });
  return () => charts.forEach(erase);
}

function confusion(model, summary, http) {
  const { accuracy, said, loss, balanced_accuracy: balanced, macro_f1: f1 } = summary;
  const images = h("div", { class: "cell-images", tabindex: -1 });
  images.append(h("p", { class: "muted" }, "Choose a cell to see its images."));
  const open = async (truth, predicted, total) => {
    await fill(images, () => cellImages(model, truth, predicted, total, http));
    images.focus();
  };
  return section(
    "Confusion matrix",
    h("p", {}, `Accuracy: ${percent(accuracy)} of ${said} Mean loss: ${decimal(loss)}.`),
    h("p", {}, `Balanced accuracy: ${percent(balanced)}. Macro-F1: ${percent(f1)}.`),
    h("p", { class: "muted" }, "Rows: the true class. Columns: the predicted class."),
    h("div", { class: "row top-aligned" }, confusionTable(summary, open), images),
  );
}

async function cellImages(model, truth, predicted, total, http) {
  const asked = query(model, Object.entries({ true: truth, predicted, order: "-confidence", limit: SHOWN }));
  const { images } = await http.get(`${address(model, "images")}${asked}`);
  return [
    h("h3", {}, `${outcome(truth, predicted)}: ${count(total)}`, total > SHOWN && `; shown: the ${SHOWN} with the highest confidence`),
    gallery(images, { words: verdict, href: ({ index }) => link("inside", model, index) }),
  ];
}

/** How many answers, and how many right ones, are left if the network may decline to answer. */
function abstention({ abstention: trade, n }, place) {
  const result = h("output", { class: "answer" });
  const update = () => {
    const { threshold, coverage, accuracy } = trade[slider.valueAsNumber];
    const answers = `With a confidence of at least ${percent(threshold)} it answers ${percent(coverage)} of the images`;
    const right = accuracy === null ? "" : `; ${percent(accuracy)} of these answers are right`;
    result.textContent = `${answers}${right}. ${count(n * (1 - coverage))} images have no answer.`;
    slider.setAttribute("aria-valuetext", percent(threshold));
  };
  const slider = h("input", { type: "range", min: 0, max: trade.length - 1, oninput: update });
  slider.value = Math.floor(0.9 * trade.length);
  update();
  return section("What if it may decline to answer?", field("Confidence it needs to answer", slider), result, place);
}

function robustness(model, chart, http) {
  const place = h("div");
  const load = (kind) =>
    fill(place, async () => {
      const { charts } = await http.get(`${address(model, "robustness")}${query(model, [["kind", kind]])}`);
      await draw(chart, charts[0]);
      return chart;
    });
  const choices = DISTURBANCES.map((kind, i) => {
    const button = { type: "radio", name: "disturbance", checked: i === 0, onchange: () => load(kind) };
    return h("label", { class: "option" }, h("input", button), kind);
  });
  load(DISTURBANCES[0]);
  const kinds = h("fieldset", { class: "row" }, h("legend", {}, "Increasing"), choices);
  return section("Accuracy on disturbed images", kinds, place);
}

function section(title, ...parts) {
  return h("section", { class: "card" }, h("h2", {}, title), parts);
}

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** `confusion[i][j]`: how many of class i were taken for class j. A choice calls `open(truth, predicted, count)`. */
export function confusionTable({ confusion, classes }, open) {
  const cells = confusion.map((row, i) => row.map((count, j) => cell(count, row, classes[i], classes[j], open)));
  let stop = cells[0][0];
  const stopAt = (button) => {
    stop.tabIndex = -1;
    stop = button;
    stop.tabIndex = 0;
  };
  stop.tabIndex = 0;
  const move = (event) => {
    const by = MOVES[event.key];
    const i = cells.findIndex((row) => row.includes(event.target));
    const next = by && cells[i + by[0]]?.[cells[i].indexOf(event.target) + by[1]];
    if (!next) return;
    event.preventDefault();
    next.focus();
  };
  const onfocusin = ({ target }) => stopAt(target); // by an arrow key or by the mouse
  const head = (name) => h("th", { scope: "col" }, h("span", {}, name));
  const row = (buttons, i) =>
    h("tr", {}, h("th", { scope: "row" }, classes[i]), buttons.map((button) => h("td", {}, button)));
  const size = classes.length > 40 ? "tiny" : classes.length > 12 ? "small" : "";
  const table = h("div", { class: `scroll matrix ${size}`, tabindex: -1 },
    h("table", { class: "confusion", onkeydown: move, onfocusin, "aria-label": "Confusion matrix" },
      h("thead", {}, h("tr", {}, h("td"), classes.map(head))),
      h("tbody", {}, cells.map(row))));
  table.style.setProperty("--classes", classes.length);
  return table;
}

function cell(count, row, truth, predicted, open) {
  const words = `${outcome(truth, predicted)}: ${count}`;
  const kind = count === 0 ? "none" : truth === predicted ? "right" : "wrong";
  const onclick = () => open(truth, predicted, count);
  const named = { "aria-label": words, title: words };
  const button = h("button", { type: "button", class: kind, tabindex: -1, ...named, onclick }, count);
  const total = row.reduce((sum, one) => sum + one, 0);
  button.style.setProperty("--share", Math.sqrt(count / Math.max(1, total))); // the root makes rare mistakes visible
  return button;
}
