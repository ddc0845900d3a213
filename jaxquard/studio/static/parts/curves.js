// The learning curves of a run, from the lines of its journal.

import { SERIES } from "./palette.js";
import { mean } from "./words.js";

const MOST = 400; // points: a chart of this size cannot show more
const DASHED = [6, 3];
const SPLITS = [["val", "validation"], ["train", "training"]];
const MEASURES = [
  ["accuracy", "accuracy (%)", 100, "Accuracy by epoch"],
  ["loss", "loss (cross-entropy)", 1, "Loss by epoch"],
];
const LAYERS = [
  ["gradients", "grad_norm", "gradient", 1, "How large the gradient is in each layer"],
  ["updates", "update_norm", "update", 1, "How far each layer’s weights move in a step"],
  ["dead", "dead", "share of dead units (%)", 100, "Units that no longer react to any image"],
];

/**
 * Every chart that the epoch lines have figures for. `groups`: a sweep's settings, each with its networks' numbers;
 * `diverged`: the networks that diverged and at which step; they have no figures after it.
 */
export function curves(lines, groups = [], diverged = []) {
  const stride = Math.max(1, Math.ceil(lines.length / MOST));
  const epochs = lines.filter((_, i) => (lines.length - 1 - i) % stride === 0);
  const lost = new Map(diverged.map(({ network, step }) => [network, step]));
  const members = (groups.length ? groups : [{ label: "", networks: null }]).map((group) => ({ ...group, lost }));
  const charts = [
    ...MEASURES.map((measure) => learning(epochs, members, ...measure)),
    ...LAYERS.map((layer) => byLayer(epochs, members, ...layer)),
  ];
  return charts.filter(({ plot }) => plot.series.some(({ points }) => points.some(({ y }) => y !== null)));
}

function learning(epochs, members, name, unit, factor, title) {
  const several = members.length > 1;
  const series = members.flatMap((member, i) =>
    SPLITS.map(([split, words], j) => ({
      name: [member.label, words].filter(Boolean).join(": "),
      who: member.label || words,
      points: pointsOf(epochs, (line) => line[`${split}_${name}`], member, factor),
      color: colour(several ? i : j),
      dash: j ? DASHED : [],
    }))).filter(({ points }) => points.length);
  const digits = name === "accuracy" ? (y) => `${y.toFixed(1)} %` : (y) => y.toFixed(3);
  const named = new Set();
  for (const line of series) {
    const last = line.points.findLast(({ y }) => y !== null);
    if (last && !named.has(line.who)) line.label = `${line.who} ${digits(last.y)}`;
    named.add(line.who);
  }
  const both = several && new Set(series.map((line) => line.dash.length)).size > 1;
  return chart(name, title, unit, series, [...means(series, several), both && "Solid: validation; dashed: training."]);
}

function byLayer(epochs, members, name, field, unit, factor, title) {
  const layers = Object.keys(epochs.at(-1)?.[field] ?? {});
  const log = name !== "dead";
  const several = members.length > 1;
  const shown = several ? members.map((member) => ({ ...member, layer: layers[0] }))
    : layers.map((layer) => ({ ...members[0], label: `layer ${Number(layer) + 1}`, layer }));
  const series = shown.map((member, i) => {
    const points = pointsOf(epochs, (line) => line[field]?.[member.layer], member, factor, log);
    return { name: member.label, label: member.label, points, color: colour(i) };
  });
  const words = several ? title.replace(/each layer|any image/, (found) => FIRST[found]) : title;
  return chart(name, words, unit, series, means(series, several), log);
}

const FIRST = { "each layer": "the first layer", "any image": "any image, in the first layer" };
const colour = (i) => SERIES[i % SERIES.length];

/** Mean, lowest and highest of a figure over the networks, of finite values only (on a logarithmic axis: positive). */
function pointsOf(epochs, figure, { networks, lost }, factor, log) {
  const usable = (value) => (log && value <= 0 ? null : value);
  return epochs.filter(figure).map((line) => {
    const all = figure(line);
    const given = (networks ?? [...all.keys()]).map((k) => (line.step > lost.get(k) ? null : all[k]));
    const values = given.filter((value) => typeof value === "number").map((value) => factor * value);
    const banded = given.length > 1 && values.length;
    const [low, high] = banded ? [Math.min(...values), Math.max(...values)] : [null, null];
    return { x: line.epoch, y: usable(mean(values)), low: usable(low), high: usable(high), of: given.length };
  });
}

/** The note that explains line and band. */
function means(series, several) {
  const most = Math.max(0, ...series.flatMap(({ points }) => points.map((point) => point.of)));
  if (most > 1) return [`Mean of ${most} networks; band: from the lowest to the highest.`];
  return [several && "One network for each."];
}

function chart(name, title, y, series, notes, log = false) {
  const rows = series.flatMap((line) => line.points.map((point) => [line.name, point.x, point.y, point.low, point.high]));
  return {
    name,
    title,
    note: notes.filter(Boolean).join(" "),
    plot: { x: "epoch", y, log, whole: true, series },
    sentence: described(y, series),
    table: { columns: ["series", "epoch", y, "lowest", "highest"], rows },
  };
}

/** The first, last, lowest and highest point of each line, in words. */
function described(y, series) {
  const sentences = series.map(({ name, points }) => {
    const own = points.filter((point) => point.y !== null);
    if (!own.length) return `${name || y}: not finite.`;
    const ys = own.map((point) => point.y);
    const [lowest, highest] = [Math.min(...ys), Math.max(...ys)].map((value) => own[ys.indexOf(value)]);
    const turns = own.filter((point, i) => i === 0 || i === own.length - 1 || point === lowest || point === highest);
    return `${name || y}: ${turns.map((point) => `${Number(point.y.toPrecision(4))} at epoch ${point.x}`).join(", ")}.`;
  });
  return [`Line chart: ${y} by epoch.`, ...sentences].join(" ");
}
