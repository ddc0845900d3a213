// How good the network is, how it learned, and how it was trained.

import { h, scrolling } from "../../web/dom.js";
import { count, percent, short } from "./words.js";

const TABLE = 30; // classes of a confusion matrix that is drawn as a table
const LISTED = 12; // confusions in a list

// --- how good it is

/** The recorded evaluation on test images. */
export function quality(classes, { tested, test_note: note }) {
  const { n, accuracy, low, high, matrix, calibration_error: error } = tested ?? {};
  const interval = `95\u00a0% interval: ${percent(low)} to ${percent(high)}`;
  const said = tested && [
    h("p", { class: "figure" }, percent(accuracy)),
    h("p", { class: "muted" }, `of ${count(n)} test images named correctly (${interval}).`),
    matrix && h("p", {}, weakness(classes, matrix)),
    typeof error === "number" &&
      h("p", {}, `On average, its confidence differs from its accuracy by ${(100 * error).toFixed(1)} points.`),
  ];
  const unknown = note && h("p", { class: "muted" }, note);
  const drawn = matrix && scrolling("Confusion matrix", (classes.length > TABLE ? confusions : table)(classes, matrix));
  return h("div", { class: "beside" }, h("div", {}, said, unknown), drawn);
}

const sum = (row) => row.reduce((a, b) => a + b, 0);

/** The mistakes, the most frequent first: n of `all` images of one class were taken for another. */
function mistakes(classes, matrix) {
  const one = (row, i) => row.map((n, j) => ({ i, j, n, of: classes[i], as: classes[j], all: sum(row) }));
  const found = matrix.flatMap(one).filter(({ i, j, n }) => i !== j && n);
  return found.sort((a, b) => b.n - a.n).slice(0, LISTED);
}

function weakness(classes, matrix) {
  const [commonest] = mistakes(classes, matrix);
  if (!commonest) return "It made no mistake.";
  const recall = matrix.map((row, i) => ({ name: classes[i], share: sum(row) ? row[i] / sum(row) : 1 }));
  const { name, share } = recall.reduce((worst, one) => (one.share < worst.share ? one : worst));
  const { of, as, n, all } = commonest;
  const often = `Most often it takes ${of} for ${as} (${count(n)} of ${count(all)} ${all === 1 ? "image" : "images"}).`;
  return `Its weakest class is ${name}: ${percent(share)} right. ${often}`;
}

function confusions(classes, matrix) {
  const words = ({ of, as, n, all }) => `${of}, taken for ${as} (${count(n)} of ${count(all)})`;
  const rows = mistakes(classes, matrix).map((one) => h("tr", {}, h("td", {}, words(one))));
  return h("table", {}, h("caption", {}, "Its most frequent confusions"), h("tbody", {}, rows));
}

function table(classes, matrix) {
  const cell = (n, i, j) => {
    const look = n === 0 ? "none" : i === j ? "right" : "wrong";
    const element = h("td", { class: look, title: `${classes[i]}, taken for ${classes[j]}` }, n);
    element.style.setProperty("--share", Math.sqrt(n / Math.max(1, sum(matrix[i])))); // the root shows rare mistakes
    return element;
  };
  const head = (name) => h("th", { scope: "col" }, h("span", {}, name));
  const row = (counts, i) =>
    h("tr", {}, h("th", { scope: "row", title: classes[i] }, classes[i]), counts.map((n, j) => cell(n, i, j)));
  return h("table", { class: "confusion" },
    h("caption", {}, h("span", {}, "A row for each true class, a column for each predicted class. Correct predictions are bold.")),
    h("thead", {}, h("tr", {}, h("td", { class: "none" }), classes.map(head))),
    h("tbody", {}, matrix.map(row)));
}

// --- how it learned

/** The learning curves; `curves` has for each metric and part of the data [epoch, mean, lowest, highest] by epoch. */
export function learning({ curves, curve_note: note }) {
  if (!curves) return h("p", { class: "measure muted" }, note);
  const { accuracy, loss } = curves;
  return [
    h("div", { class: "charts" },
      accuracy && chart("Accuracy, %", accuracy, percent, (share) => short(100 * share)),
      loss && chart("Loss, cross-entropy", loss, (value) => value.toPrecision(3), short)),
    h("details", {}, h("summary", {}, "The figures of each epoch"), curveTable(curves)),
  ];
}

const BOX = { left: 46, right: 330, top: 14, bottom: 232, width: 460, height: 276 };
const APART = 34; // pixels between two labels

/** A line for each part of the data. `format`: of a figure; `tick`: of a number on the axis. */
function chart(title, series, format, tick) {
  const points = Object.values(series).flat();
  const ys = points.flatMap(([, ...values]) => values).filter((value) => value !== null);
  if (!ys.length) return h("p", { class: "muted" }, `${title}: no finite value.`);
  const [first, last] = [points[0][0], Math.max(...points.map(([epoch]) => epoch))];
  const y = ticks(Math.min(...ys), Math.max(...ys), 5);
  const x = ticks(first, last, 5).filter((epoch) => Number.isInteger(epoch) && epoch >= first && epoch <= last);
  const to = {
    x: (epoch) => BOX.left + ((epoch - first) / Math.max(1, last - first)) * (BOX.right - BOX.left),
    y: (value) => BOX.bottom - ((value - y[0]) / (y.at(-1) - y[0])) * (BOX.bottom - BOX.top),
  };
  const lines = ended(series, to.y);
  const said = lines.map(({ name, end }) => `${name} ${format(end[1])}`).join(", ");
  const words = `${title}, by epoch. After epoch ${last}: ${said}.`;
  return h("figure", {}, h("h3", {}, title),
    h("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", "aria-label": words },
      axes(x, y, to, tick), lines.map((line) => curve(line, to, format))));
}

/** The lines with their last points, the highest first, and the places of their labels, which do not overlap. */
function ended(series, toY) {
  const lines = Object.entries(series)
    .map(([name, list]) => ({ name, list, end: list.findLast(([, mean]) => mean !== null) }))
    .filter(({ end }) => end)
    .sort((a, b) => b.end[1] - a.end[1]);
  const heights = lines.map(({ end }) => toY(end[1]));
  if (heights.length > 1 && heights[1] - heights[0] < APART) {
    const middle = (heights[0] + heights[1]) / 2;
    const within = Math.min(Math.max(middle, BOX.top + APART / 2), BOX.bottom - APART / 2);
    [heights[0], heights[1]] = [within - APART / 2, within + APART / 2];
  }
  return lines.map((line, k) => ({ ...line, label: heights[k] }));
}

function axes(x, y, to, tick) {
  const [left, right] = [BOX.left, BOX.right];
  const level = (at, look) => h("line", { class: look, x1: left, x2: right, y1: at, y2: at });
  const text = (words, x, y, anchor) => h("text", { x, y, "text-anchor": anchor }, words);
  return [
    y.map((value) => [level(to.y(value), "grid"), text(tick(value), left - 8, to.y(value) + 4, "end")]),
    level(BOX.bottom, "axis"),
    x.map((epoch) => text(epoch, to.x(epoch), BOX.bottom + 20, "middle")),
    text("epoch", (left + right) / 2, BOX.bottom + 40, "middle"),
  ];
}

function curve({ name, list, end, label }, to, format) {
  const banded = list.filter(([, , low]) => low !== null);
  const x = BOX.right + 12;
  return h("g", { class: name },
    banded.length > 0 && h("path", { class: "band", d: band(banded, to) }),
    h("path", { d: line(list, to) }),
    h("circle", { cx: to.x(end[0]), cy: to.y(end[1]), r: 4 }),
    h("text", { class: "end", x, y: label - 2 }, name),
    h("text", { class: "end", x, y: label + 14 }, format(end[1])));
}

const corners = (places) => places.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");

/** A line through the means, with gaps where there is none. */
function line(list, to) {
  const runs = [[]];
  for (const [epoch, mean] of list) {
    if (mean === null) runs.push([]);
    else runs.at(-1).push([to.x(epoch), to.y(mean)]);
  }
  return runs.filter((run) => run.length).map((run) => `M${corners(run)}`).join("");
}

/** The area between the lowest and the highest. */
function band(list, to) {
  const roof = list.map(([epoch, , , high]) => [to.x(epoch), to.y(high)]);
  const floor = list.map(([epoch, , low]) => [to.x(epoch), to.y(low)]);
  return `M${corners([...roof, ...floor.reverse()])}Z`;
}

/** Round numbers, `about` so many, from below `low` to above `high`. */
function ticks(low, high, about) {
  const rough = (high - low || Math.abs(high) || 1) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(12)));
}

function curveTable({ accuracy = {}, loss = {} }) {
  const share = (value) => (value === null ? "–" : percent(value, 2));
  const of = (series, metric, write) =>
    Object.entries(series).map(([name, list]) => ({ title: `${name} ${metric}`, list: new Map(list), write }));
  const columns = [...of(accuracy, "accuracy", share), ...of(loss, "loss", short)];
  const epochs = [...new Set(columns.flatMap(({ list }) => [...list.keys()]))];
  const cell = ({ list, write }, epoch) => h("td", {}, write(list.get(epoch) ?? null));
  const heads = ["epoch", ...columns.map(({ title }) => title)].map((title) => h("th", { scope: "col" }, title));
  const row = (epoch) => h("tr", {}, h("th", { scope: "row" }, epoch), columns.map((column) => cell(column, epoch)));
  return scrolling("The figures of each epoch",
    h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, epochs.map(row))));
}

// --- how it was trained

/** The data, the settings and the hashes; first, what the network lacks: the rest of its training, say. */
export function training({ lacks, training: rows, settings, hashes }) {
  const listed = (pairs) =>
    h("dl", { class: "facts" }, pairs.map(([term, ...words]) => [h("dt", {}, term), h("dd", {}, words)]));
  const explained = ([name, value, help]) => [name, h("strong", {}, value), " ", h("span", { class: "muted" }, help)];
  return [
    lacks && h("p", { class: "warning" }, lacks),
    listed(rows),
    settings.length > 0 && h("h3", {}, "The settings that differ from Jaxquard's defaults"),
    settings.length > 0 && listed(settings.map(explained)),
    h("details", {}, h("summary", {}, "SHA-256 of its data and weights"),
      listed(hashes.map(([term, hash]) => [term, h("code", {}, hash)]))),
  ];
}
