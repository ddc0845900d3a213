// What a run's or a job's status is called, and how it looks: the same words in every view.

import { h } from "../dom.js";

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

/** What a job is while its process lives. */
export const ACTIVE = ["running", "pausing", "stopping"];

export function chip(status) {
  const [look, word] = LOOKS[status] ?? ["", status];
  return h("span", { class: `chip ${look}` }, word);
}

/** `0.8871` -> `88.7 %`. */
export function percent(fraction, digits = 1) {
  return typeof fraction === "number" ? `${(100 * fraction).toFixed(digits)} %` : "–";
}

/** Seconds as people say them. */
export function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** The least and the greatest of a figure over a sweep's networks, which have no common mean. */
export function ends(values) {
  const sound = values.filter((value) => typeof value === "number");
  return [Math.min(...sound), Math.max(...sound)];
}

/** One figure of one network or of several (a number, a list, or {mean, …}): its mean, null where there is none. */
export function mean(figure) {
  const values = Array.isArray(figure) ? figure.filter((value) => typeof value === "number") : [];
  if (values.length) return values.reduce((sum, value) => sum + value, 0) / values.length;
  return typeof figure === "number" ? figure : (figure?.mean ?? null);
}
