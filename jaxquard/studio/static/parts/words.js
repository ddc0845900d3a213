// The words for statuses and figures, the same in every view.

import { h } from "./dom.js";

const LOOKS = {
  running: ["live", "training"],
  finished: ["good", "finished"],
  stopped: ["warm", "stopped"],
  interrupted: ["bad", "interrupted"],
  diverged: ["bad", "diverged"],
  damaged: ["bad", "damaged"],
  new: ["", "not begun"],
  queued: ["", "waiting"],
  pausing: ["warm", "pausing"],
  paused: ["warm", "paused"],
  stopping: ["warm", "stopping"],
  failed: ["bad", "failed"],
};

/** The statuses of a job whose process is running. */
export const ACTIVE = ["running", "pausing", "stopping"];

export function chip(status) {
  const [look, word] = LOOKS[status] ?? ["", status];
  return h("span", { class: `chip ${look}` }, word);
}

/** `0.8871` -> `88.7 %`. */
export function percent(fraction, digits = 1) {
  return typeof fraction === "number" ? `${(100 * fraction).toFixed(digits)} %` : "–";
}

/** A duration in s, min or h. */
export function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** The lowest and the highest of a figure over a sweep's networks, whose mean would say little: `80.0 % … 86.4 %`. */
export function range(figure, how) {
  const values = numbers(figure);
  return values.length ? [Math.min(...values), Math.max(...values)].map((end) => how(end)).join(" … ") : "–";
}

const numbers = (figure) => (figure ?? []).filter((value) => typeof value === "number");

/** The mean of a figure over the networks; null if there are no values. */
export function mean(figure) {
  const values = numbers(figure);
  return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
}

/** `88.71 %`, or `88.71 ± 0.12 %` over several networks. */
export function spread(figure) {
  const [values, middle] = [numbers(figure), mean(figure)];
  if (values.length < 2) return percent(middle, 2);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return `${(100 * middle).toFixed(2)} ± ${percent(Math.sqrt(squares / (values.length - 1)), 2)}`;
}

/** A setting's value as text; an object as its parts. */
export function written(value) {
  if (value === null || value === undefined) return "not set";
  if (Array.isArray(value)) return value.map(written).join(", ");
  if (typeof value === "object") return Object.entries(value).map(([name, one]) => `${name}: ${written(one)}`).join("; ");
  return typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value);
}

/** Which networks of a run diverged, at which step, and which quantity; "" if none did. */
export function divergence({ diverged = [], networks, steps_per_epoch: perEpoch }) {
  const several = (networks?.length ?? networks) > 1;
  const sentences = diverged.map(({ network, step, quantity }) => {
    const epoch = perEpoch ? `, in epoch ${Math.floor(step / perEpoch) + 1}` : "";
    return `${several ? `Network ${network} diverged` : "It diverged"} at step ${step}${epoch}: the ${quantity} was no longer finite.`;
  });
  const shown = sentences.slice(0, 3).join(" ");
  return sentences.length > 3 ? `${shown} So did ${sentences.length - 3} other networks.` : shown;
}

const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 0.0123, 1,230, 1.2e-5. */
export function decimal(value) {
  if (value === null) return "–";
  return value && Math.abs(value) < 1e-3 ? value.toExponential(1) : three.format(value);
}

/** 60000 -> 60,000. */
export function count(value) {
  return whole.format(value);
}
