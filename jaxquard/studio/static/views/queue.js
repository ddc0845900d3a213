// The trainings beside the one that is watched: under way, wherever they were started, or waiting their turn.

import { h, clear, fault } from "../dom.js";
import { attempt } from "./fill.js";
import { chip } from "./status.js";

const OPEN = new Set(["queued", "running", "pausing", "paused", "stopping", "failed"]);

export class Queue {
  /** `watch(run)` shows a run; `act(run, what)` steers one. */
  constructor(watch, act) {
    Object.assign(this, { watch, act });
    this.list = h("ol", { class: "queue" });
    this.said = "[]";
    this.fault = fault();
    this.element = h("section", { class: "card", hidden: true }, h("h2", {}, "Queue"), this.list, this.fault);
  }

  show(jobs, watched) {
    const open = jobs.filter((job) => job.job !== watched && OPEN.has(job.status));
    const said = JSON.stringify(open);
    if (said === this.said) return; // a button is not taken from under the finger
    this.said = said;
    const held = this.list.contains(document.activeElement) && document.activeElement.id;
    this.element.hidden = open.length === 0;
    clear(this.list, open.map((job) => this.item(job)));
    if (held) (document.getElementById(held) ?? this.list.querySelector("button"))?.focus();
  }

  item(job) {
    const name = job.run ?? job.command;
    const button = (word, onclick) =>
      h("button", { class: "small", id: `${word} ${job.job}`, onclick, "aria-label": `${word}: ${name}` }, word);
    const act = (word, what) => button(word, () => attempt(this.fault, () => this.act(job.job, what)));
    const buttons = [
      job.run && button("Watch", () => this.watch(job.run)),
      job.status === "paused" && !job.run && act("Continue", "continue"),
      (job.status === "queued" || (["paused", "failed"].includes(job.status) && !job.run)) && act("Take out", "stop"),
      job.status === "running" && !job.run && act("Stop", "stop"),
      job.status === "failed" && job.run && act("Resume", "resume"),
    ];
    const failure = job.error && h("p", { class: "error" }, job.error);
    return h("li", {}, h("div", { class: "row" }, chip(job.status), h("code", {}, name), buttons), failure);
  }
}
