// Line charts on a canvas: drawing takes about a millisecond.

import { shade } from "./palette.js";
import { decimal } from "./words.js";

const INK = "#1f2328";
const MUTED = "#59636e";
const RULE = "#e4e7eb";

/**
 * Draw `{x, y, log, whole, aspect, series: [{name, label, color, dash, fill, points: [{x, y, low, high}]}]}` on a canvas
 * of `width` pixels. `x` and `y` name the axes; `whole`: x is whole; `aspect`: height ÷ width. A missing y is a gap.
 * Returns a function that gives the figures at a place of the canvas, in words.
 */
export function plot(canvas, width, chart) {
  const em = Math.max(10, 0.75 * parseFloat(getComputedStyle(document.documentElement).fontSize));
  const height = Math.round(Math.min(30 * em, Math.max(15 * em, (chart.aspect ?? 0.8) * width)));
  const pen = sized(canvas, width, height);
  pen.font = `${em}px ${getComputedStyle(canvas).fontFamily}`;
  const points = chart.series.flatMap((line) => line.points);
  const ys = points.flatMap(({ y, low, high }) => [y, low, high]).filter((value) => isNumber(value));
  if (!ys.length) return () => "";
  const domains = { x: widened(extent(points.map(({ x }) => x))), y: roomy(extent(ys), chart.log) };
  const ticks = {
    x: linear(domains.x, width / (7 * em), chart.whole),
    y: chart.log ? logarithmic(domains.y) : linear(domains.y, height / (4 * em)),
  };
  const widest = (texts) => Math.max(0, ...texts.map((text) => pen.measureText(text).width));
  const labels = chart.series.map((line) => line.label).filter(Boolean);
  const left = widest(ticks.y.map(String)) + 0.8 * em;
  const right = Math.min(0.4 * width, widest(labels) + 1.2 * em);
  const box = { left, top: 2 * em, right: width - right, bottom: height - 3 * em };
  const to = {
    x: scale(domains.x, box.left, box.right - 2),
    y: scale(domains.y, box.bottom, box.top, chart.log),
  };
  axes(pen, box, ticks, to, chart, em);
  chart.series.forEach((line) => curve(pen, line, to, box, chart.whole));
  names(pen, chart.series, to, box, em, right - 1.2 * em);
  const near = (offset) => points.reduce((a, b) => (Math.abs(to.x(b.x) - offset) < Math.abs(to.x(a.x) - offset) ? b : a));
  return (offset) => (chart.whole ? figures(chart, near(offset).x) : "");
}

function figures({ x, series }, place) {
  const at = ({ name, points }) => [name, points.find((point) => point.x === place)?.y ?? null];
  return `${x} ${place}: ${series.map(at).map(([name, y]) => `${name} ${decimal(y)}`).join(", ")}`;
}

function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return pen;
}

function axes(pen, box, ticks, to, { x, y }, em) {
  pen.fillStyle = shade(MUTED);
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  pen.fillText(y, 0, 0.7 * em);
  for (const tick of ticks.y) {
    rule(pen, shade(RULE), [box.left, to.y(tick)], [box.right, to.y(tick)]);
    pen.textAlign = "right";
    pen.fillText(tick, box.left - 0.5 * em, to.y(tick));
  }
  rule(pen, shade(MUTED), [box.left, box.bottom], [box.right, box.bottom]);
  pen.textAlign = "center";
  for (const tick of ticks.x) {
    rule(pen, shade(MUTED), [to.x(tick), box.bottom], [to.x(tick), box.bottom + 0.35 * em]);
    pen.fillText(tick, to.x(tick), box.bottom + 1.1 * em);
  }
  pen.fillText(x, (box.left + box.right) / 2, box.bottom + 2.4 * em);
}

function rule(pen, colour, from, to) {
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.setLineDash([]);
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(...to);
  pen.stroke();
}

function curve(pen, { color, dash = [], fill, points }, to, box, whole) {
  const at = ({ x, y }) => [to.x(x), to.y(y)];
  const there = points.filter(({ y }) => isNumber(y));
  if (!there.length) return;
  pen.fillStyle = pen.strokeStyle = shade(color);
  const banded = there.filter(({ low, high }) => isNumber(low) && isNumber(high));
  const floor = fill ? there.map(({ x }) => [to.x(x), box.bottom]) : banded.map(({ x, low }) => [to.x(x), to.y(low)]);
  const roof = fill ? there.map(at) : banded.map(({ x, high }) => [to.x(x), to.y(high)]);
  pen.globalAlpha = fill ? 0.35 : 0.2;
  pen.fill(path([...roof, ...floor.reverse()]));
  pen.globalAlpha = 1;
  if (fill) return;
  pen.lineWidth = 2.2;
  pen.lineJoin = "round";
  pen.setLineDash(dash);
  runs(points).forEach((run) => pen.stroke(path(run.map(at))));
  pen.setLineDash([]);
  if (!whole) return; // a dot marks the last epoch; a histogram needs none
  const end = new Path2D();
  end.arc(...at(there.at(-1)), 3.2, 0, 2 * Math.PI);
  pen.fill(end);
}

/** The points between gaps, as lists. */
function runs(points) {
  const found = [[]];
  for (const point of points) {
    if (isNumber(point.y)) found.at(-1).push(point);
    else if (found.at(-1).length) found.push([]);
  }
  return found;
}

function path(places) {
  const made = new Path2D();
  places.forEach((place, i) => (i ? made.lineTo(...place) : made.moveTo(...place)));
  return made;
}

/** Each line's name at its end; names that would overlap are moved apart. */
function names(pen, series, to, box, em, room) {
  const ends = series.filter((line) => line.label && line.points.some(({ y }) => isNumber(y))).map((line) => {
    const { x, y } = line.points.findLast((point) => isNumber(point.y));
    return { text: line.label, color: line.color, x: to.x(x) + 0.7 * em, y: to.y(y) };
  });
  ends.sort((a, b) => a.y - b.y);
  const step = Math.min(1.3 * em, (box.bottom - box.top + em) / Math.max(1, ends.length));
  ends.forEach((end, i) => i && (end.y = Math.max(end.y, ends[i - 1].y + step)));
  let most = box.bottom;
  ends.toReversed().forEach((end) => (most = (end.y = Math.min(end.y, most)) - step));
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  for (const { text, color, x, y } of ends) {
    pen.fillStyle = shade(color);
    pen.fillRect(x - 0.1 * em, y - 0.35 * em, 0.25 * em, 0.7 * em);
    pen.fillStyle = shade(INK);
    pen.fillText(text, x + 0.4 * em, y, Math.max(room, box.right + room - x));
  }
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

function extent(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

/** The range itself, or a range of width 1 around a single value. */
export function widened([low, high]) {
  if (high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high))) return [low, high];
  return [low - 0.5, high + 0.5];
}

/** The range with some space above and below, from zero if zero is near. */
function roomy([low, high], log) {
  if (log) {
    const air = high > low * (1 + 1e-9) ? (high / low) ** 0.05 : 2;
    return [low / air, high * air];
  }
  const flat = high - low <= 1e-9 * Math.max(Math.abs(low), Math.abs(high));
  const air = flat ? 0.1 * Math.abs(high) || 1 : 0.05 * (high - low);
  return [low < 0 || low > air ? low - air : 0, high + air];
}

function scale([low, high], from, to, log) {
  const into = log ? Math.log : (value) => value;
  return (value) => from + ((into(value) - into(low)) / (into(high) - into(low))) * (to - from);
}

/** `about` so many round numbers between the ends; whole numbers if `whole`. */
export function linear([low, high], about, whole) {
  const rough = (high - low) / Math.max(2, Math.min(8, about));
  const power = 10 ** Math.floor(Math.log10(rough));
  const nice = [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * power;
  const step = whole ? Math.max(1, Math.round(nice)) : nice;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toFixed(Math.min(20, digits))));
}

/** Powers of ten; if these are too few, also 2 and 5 times each, or evenly spaced numbers. */
export function logarithmic([low, high]) {
  const exponents = Array.from({ length: 700 }, (_, i) => i - 350)
    .filter((e) => 10 ** e >= low / 10 && 10 ** e <= high);
  const within = (factors) =>
    exponents.flatMap((e) => factors.map((factor) => Number((factor * 10 ** e).toPrecision(3))))
      .filter((value) => value >= low && value <= high);
  const decades = within([1]);
  if (decades.length > 1) return decades.filter((_, i) => i % Math.ceil(decades.length / 6) === 0);
  const finer = within([1, 2, 5]);
  return finer.length > 2 ? finer : linear([low, high], 5);
}
