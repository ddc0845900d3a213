// Trainings under way, wherever they were started, and those that wait: one at a time.

import { h, clear } from "../dom.js";
import { chip } from "./status.js";

const OPEN = new Set(["queued", "running", "pausing", "paused", "stopping"]);

export class Queue {
  /** `watch(run)` shows a run; `act(job, what)` steers one. */
  constructor(watch, act) {
    Object.assign(this, { watch, act });
    this.list = h("ol", { class: "queue" });
    this.element = h("section", { class: "card", hidden: true }, h("h2", {}, "Queue"), this.list);
  }

  show(jobs) {
    const open = jobs.filter((job) => OPEN.has(job.status) || job.error);
    this.element.hidden = open.length === 0;
    clear(this.list, open.map((job) => this.item(job)));
  }

  item(job) {
    const name = job.run ?? job.command;
    const buttons = [
      job.run && h("button", { class: "small", onclick: () => this.watch(job.run), "aria-label": `Watch ${name}` }, "Watch"),
      job.status === "queued" && h("button", { class: "small", onclick: () => this.act(job, "stop"), "aria-label": `Take ${name} out` }, "Take out"),
    ];
    const failure = job.error && h("p", { class: "error" }, job.error);
    return h("li", {}, h("div", { class: "row" }, chip(job.status), h("code", {}, name), buttons), failure);
  }
}
