// Learn: choose settings, start a training, watch it. It also shows trainings that were started in a terminal.

import { attempt, clear, fault, h, labelled } from "../parts/dom.js";
import { Form } from "../parts/form.js";
import { BEGINS, Live, WAITS } from "../parts/live.js";
import { ACTIVE, chip } from "../parts/words.js";

const PAUSE = 250; // ms without a keystroke before the server checks the settings

export async function show(root, params, tools) {
  const page = new Page(root, tools, params[0]);
  await page.open();
  return () => page.close();
}

class Page {
  constructor(root, tools, run) {
    Object.assign(this, { root, tools, http: tools.http, pinned: run, jobs: [], runs: [], live: null, asked: 0 });
    this.panel = h("div", { class: "panel" });
    this.queue = new Queue((run) => this.pin(run), (run, what) => this.act(run, what));
    this.chooser = h("select", { id: "watched", onchange: () => this.pin(this.chooser.value) });
    this.command = h("code", { class: "command", id: "command", tabindex: "0" });
    [this.doubt, this.error] = [fault(), fault()]; // what is wrong with the settings; why Start was refused
    const once = (event) => event.detail > 1 && event.preventDefault(); // ignore the second click of a double click
    this.startButton = h("button", { class: "primary", onclick: once }, "Start training");
  }

  async open() {
    const [info] = await Promise.all([this.http.get("/api/info"), this.fetchJobs(), this.fetchRuns()]);
    this.form = new Form(info, () => this.checkSoon());
    const watching = h("div", { class: "watching" }, labelled("Watching", this.chooser));
    this.root.append(
      h("div", { class: "row spread end" }, h("h1", {}, "Learn"), watching),
      h("div", { class: "columns" },
        this.aside(), h("div", { class: "beside" }, this.queue.element, this.panel)));
    const { events } = this.tools;
    this.offs = [
      events.on("epoch", ({ run, line }) => run === this.live?.run && this.live.line(line)),
      events.on("runs", (run) => this.runIs(run)),
      events.on("job", (job) => this.jobIs(job)),
      events.on("hello", () => this.again()),
    ];
    this.check();
    this.update();
  }

  aside() {
    const copy = h("button", { type: "button", class: "small", onclick: () => this.copy() }, "Copy");
    return h("form", { class: "card aside", onsubmit: (event) => this.start(event), novalidate: true },
      h("h2", {}, "What to train"), this.form.element,
      h("div", { class: "launch" },
        h("div", { class: "row spread" }, h("span", { class: "help" }, "The same in a terminal"), copy),
        this.command, this.doubt, this.error, this.startButton));
  }

  /** Every job that the server lists, updated by the events that arrived during the request. */
  async fetchJobs() {
    const heard = (this.heard = new Map());
    const { jobs } = await this.http.get("/api/jobs");
    if (heard !== this.heard) return; // a newer request is running
    this.jobs = jobs;
    heard.forEach((job) => this.put(job));
  }

  async fetchRuns() {
    this.runs = (await this.http.get("/api/runs")).runs;
  }

  /** Loads everything from the server, at the start of every connection. */
  async again() {
    try {
      await Promise.all([this.fetchJobs(), this.fetchRuns()]);
      this.update();
      await this.live?.load();
    } catch (error) {
      if (error.status !== 0) throw error; // 0: no answer; app.js reports it and reconnects
    }
  }

  /** A run that is new, or whose status has changed. */
  runIs(run) {
    const known = this.runs.findIndex((old) => old.run === run.run);
    this.runs = known < 0 ? [run, ...this.runs] : this.runs.with(known, run);
    this.update();
    if (this.live?.run === run.run) this.live.load();
  }

  jobIs(job) {
    this.heard.set(job.job, job);
    this.put(job);
    this.update();
  }

  /** Replaces a job in the list or adds it; a queued one goes to the end. */
  put(job) {
    const known = this.jobs.findIndex((old) => old.job === job.job);
    const others = this.jobs.filter((old) => old.job !== job.job);
    this.jobs = known < 0 || job.status === "queued" ? [...others, job] : this.jobs.with(known, job);
  }

  get busy() {
    return this.jobs.some((job) => ACTIVE.includes(job.status));
  }

  /** Chooses the run to show: the pinned one, else the one in training, else the one shown, else the newest. */
  update() {
    if (!this.root.isConnected) return; // the reader opened another view
    const training = this.jobs.find((job) => job.status === "running");
    const run = this.pinned ?? training?.job ?? this.run ?? this.runs[0]?.run ?? null;
    this.run = run;
    const job = this.jobs.findLast((other) => other.job === run) ?? null;
    this.offer(run);
    this.queue.show(this.jobs, run);
    this.watch(run, job);
    this.live?.jobIs(job, this.busy);
  }

  /** The list of runs to watch. It is rebuilt only if it changed, because it may be open. */
  offer(run) {
    const names = this.runs.map((other) => other.run);
    if (run !== null && !names.includes(run)) names.unshift(run);
    if (names.join() !== [...this.chooser.options].map((option) => option.value).join()) {
      clear(this.chooser, names.map((name) => h("option", {}, name)));
    }
    this.chooser.value = run ?? "";
  }

  watch(run, job) {
    const isGone = job?.run === null && this.live?.detail; // the folder was removed
    if (run === this.shown && !isGone) return;
    this.shown = run;
    this.leave();
    if (run !== null) this.live = new Live(run, this.tools, (what) => this.act(run, what));
    clear(this.panel, this.live?.element ?? empty());
  }

  leave() {
    this.live?.end();
    this.live = null;
  }

  pin(run) {
    this.pinned = run;
    this.update();
  }

  async start(event) {
    event.preventDefault();
    if (this.starting) return; // the first click has no answer yet
    this.starting = true;
    this.error.textContent = "";
    const { busy } = this;
    const job = await this.http.post("/api/jobs", this.form.chosen).catch((error) => ({ refusal: error }));
    this.starting = false;
    if (!this.root.isConnected) return; // the reader opened another view
    if (job.refusal) return void this.refuse(job.refusal, this.error)?.focus();
    this.pinned = busy ? null : job.job;
    if (this.jobs.some((other) => other.job === job.job)) this.update(); // an event came first and is newer
    else this.jobIs(job);
    this.panel.scrollIntoView({ block: "nearest" }); // on a small screen it is far below the form
    this.tools.announce(busy ? WAITS : BEGINS);
  }

  /** `what`: pause, continue, one-epoch, stop or resume. A job's name is its run's name. */
  act(run, what) {
    if (what === "resume") return this.http.post("/api/jobs/resume", { run });
    return this.http.post(`/api/jobs/${encodeURIComponent(run)}/${what}`);
  }

  /** Shows an error beside the field that it names and returns the field; shows it in `place` if it names none. */
  refuse(error, place) {
    const field = error.details?.setting && this.form.refuse(error.details.setting, error.message);
    if (!field) place.textContent = error.message;
    return field;
  }

  checkSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), PAUSE);
  }

  /** Shows the command line for the form's settings, or what is wrong with them. */
  async check() {
    const turn = ++this.asked;
    const answer = await this.http.post("/api/settings/check", this.form.chosen).catch((error) => ({ error }));
    if (turn !== this.asked) return; // the form has changed
    [this.command, this.doubt].forEach((place) => clear(place));
    if (answer.error) return void this.refuse(answer.error, this.doubt);
    this.form.refuse(null, "");
    clear(this.command, answer.command.split(/ (?=--)/).map((part) => [h("span", { class: "part" }, part), " "]));
  }

  async copy() {
    getSelection().selectAllChildren(this.command);
    try {
      await navigator.clipboard.writeText(this.command.textContent.trim());
      this.tools.announce("Copied.");
    } catch { // a browser may refuse the clipboard; over plain HTTP to another machine it has none
      this.tools.announce("Selected: press Ctrl-C.");
    }
  }

  close() {
    clearTimeout(this.timer);
    this.offs?.forEach((off) => off());
    this.leave();
  }
}

function empty() {
  return h("section", { class: "card" }, h("h2", {}, "Nothing trained yet"),
    h("p", {}, "Press “Start training”: the first curve appears in a few seconds."),
    h("p", { class: "muted" }, "Trainings started in a terminal appear here, too."));
}

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
    const open = jobs.filter((job) => job.job !== watched && !["finished", "stopped"].includes(job.status));
    const said = JSON.stringify(open);
    if (said === this.said) return; // the reader may be pressing a button
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
