// One run, live: its progress, accuracy, charts and weights, and the buttons that steer it.

import { draw, erase, tableOf } from "./chart.js";
import { curves } from "./curves.js";
import { attempt, clear, fault, h, labelled, scrolling, select } from "./dom.js";
import { Lazy, REST } from "./lazy.js";
import { SERIES } from "./palette.js";
import { ACTIVE, chip, count, divergence, duration, mean, percent, range, spread, written } from "./words.js";

const QUIET = 10_000; // ms between two spoken sentences on progress
const PACE = 25; // pause between frames, in times of a frame's duration: the training needs the cores
const LONGEST = 300; // ms, the longest pause: the curve must be live on a slow machine, too

export class Live {
  /** `act(what)`: pause, continue, one-epoch, stop or resume; rejects if the server refuses. */
  constructor(run, { http, announce }, act) {
    Object.assign(this, { run, http, announce, act, job: null, spoken: 0, asked: 0, heard: [] });
    this.path = `/api/runs/${encodeURIComponent(run)}`;
    this.status = h("span");
    this.progress = h("progress", { "aria-label": "Epochs trained", hidden: true });
    this.how = h("p", { class: "muted" });
    this.figures = h("dl", { class: "figures" });
    this.words = h("p", { role: "status" });
    this.buttons = h("div", { class: "row", tabindex: -1 });
    this.fault = fault();
    this.charts = h("div", { class: "grid" });
    this.elements = new Map(); // a chart's name -> its element
    this.tested = h("p");
    this.ranking = h("div", { class: "stack", hidden: true });
    const head = h("div", { class: "row spread" }, h("h2", { class: "run" }, run), this.status);
    const card = h("section", { class: "card", "aria-label": `Run ${run}` },
      head, this.progress, this.how, this.figures, this.tested, this.words, this.ranking, this.buttons, this.fault);
    this.element = h("div", { class: "watched" }, card, this.charts);
    this.lazy = new Lazy(this.element, () => this.frame().catch((error) => this.say(error.message)), PACE, LONGEST);
  }

  /** Loads everything from the server; nothing while the run has no folder. */
  async load() {
    if (this.job?.run === null) return;
    const turn = ++this.asked;
    this.heard = []; // lines that arrive during the request; the answer may lack them
    const answer = await this.http.get(this.path).catch((error) => ({ failure: error.message }));
    if (this.ended || turn !== this.asked) return; // the view was left, or a newer request is running
    if (answer.failure) this.say(answer.failure);
    else this.take(answer);
  }

  take(detail) {
    this.detail = detail;
    if (!this.weights) {
      this.weights = new Weights(this.run, detail.networks, this.http);
      this.element.append(this.weights.element);
    }
    this.lines = detail.journal.filter((line) => line.epoch !== undefined && line.event === undefined);
    this.heard.forEach((line) => this.put(line));
    this.show();
    this.refresh(true);
  }

  /** Adds an epoch line and drops older ones of the same or a later epoch: a resumed training repeats some. */
  put(line) {
    while (this.lines.at(-1)?.epoch >= line.epoch) this.lines.pop();
    this.lines.push(line);
    Object.assign(this.detail, { epoch: line.epoch, status: "running" });
  }

  /** A new line of the run's journal. */
  line(line) {
    if (line.event === undefined) this.heard.push(line);
    if (!this.detail) return;
    if (line.event !== undefined) return void this.load();
    this.put(line);
    this.refresh();
    this.speak(line);
  }

  /** Redraws figures and charts, and the weights, each when its pause is over, or `now`. */
  refresh(now = false) {
    this.lazy.ask(now);
    this.weights.ask(now);
  }

  /** The run's job, if any; `busy`: whether a training is running. */
  jobIs(job, busy) {
    this.job = job;
    if (job?.run === null) {
      clear(this.status, chip(job.status));
      this.controls(...unbegun(job, busy));
    } else if (this.detail) this.show();
    else if (!this.asked) this.load();
  }

  show() {
    const { epoch, epochs, status, sweep, error } = this.detail;
    clear(this.status, chip(this.job?.status in STEERED || hasFailed(status, this.job) ? this.job.status : status));
    if (status === "damaged") return this.say(error); // its progress and accuracy are unknown
    this.progress.hidden = false;
    this.progress.max = epochs;
    this.progress.value = epoch;
    this.how.textContent = [`Epoch ${epoch} of ${epochs}`, ...this.time(), ...size(this.detail)].join(" · ");
    const [last, atEnd] = [this.lines.at(-1), status === "finished"];
    clear(this.figures,
      atEnd && figure("test accuracy", this.detail.test_accuracy, percent, sweep),
      FIGURES.map(([name, key, how]) => figure(name, sound(last?.[key], this.detail), how, sweep)));
    this.tested.textContent = atEnd ? confused(this.detail) : "";
    this.rank();
    this.controls(...state(this.detail, this.job));
  }

  /** For a sweep that is not running: its settings, best first, and the verdict, as `train` prints them. */
  rank() {
    const { ranking = [], verdict, status } = this.detail;
    this.ranking.hidden = !ranking.length || !ranking[0].val_accuracy || status === "running";
    if (this.ranking.hidden || this.ranked === ranking) return;
    this.ranked = ranking;
    const names = Object.keys(ranking[0].settings);
    const rows = ranking.map(({ settings, val_accuracy: value, networks }) =>
      [...names.map((name) => written(settings[name])), spread(value), networks.join(" ")]);
    clear(this.ranking,
      h("h3", {}, "Its settings, best first"),
      scrolling("Ranking", tableOf({ columns: [...names, "validation accuracy", "networks"], rows })),
      h("p", {}, `${verdict[0].toUpperCase()}${verdict.slice(1)}.`));
  }

  time() {
    if (!this.lines.length) return [];
    const each = mean(this.lines.slice(-5).map((line) => line.seconds));
    const { epoch, epochs, status } = this.detail;
    const left = status === "running" ? (epochs - epoch) * each : 0;
    return [`${duration(each)} an epoch`, ...(left > 0 ? [`about ${duration(left)} left`] : [])];
  }

  controls(sentence, actions) {
    this.say(sentence);
    if (actions.join() === this.offered) return; // the reader may be pressing a button
    this.offered = actions.join();
    const { activeElement } = document;
    const held = this.buttons.contains(activeElement); // keep the focus when the buttons change
    if (held) this.buttons.focus(); // in case there are no buttons
    const steer = (name) => attempt(this.fault, () => this.act(name));
    const button = (name) => h("button", { "data-act": name, onclick: () => steer(name) }, ACTIONS[name]);
    clear(this.buttons, actions.map(button));
    const same = this.buttons.querySelector(`[data-act="${activeElement?.dataset.act}"]`);
    if (held) (same ?? this.buttons.firstElementChild)?.focus({ preventScroll: true });
  }

  say(sentence) {
    if (this.words.textContent !== sentence) this.words.textContent = sentence;
  }

  speak(line) {
    const now = Date.now();
    if (now - this.spoken < QUIET && line.epoch < this.detail.epochs) return;
    this.spoken = now;
    const accuracy = formatted(line.val_accuracy ?? line.train_accuracy, percent, this.detail.sweep) ?? "–";
    this.announce(`Epoch ${line.epoch} of ${this.detail.epochs}: ${accuracy} right.`);
  }

  /** Shows the figures and draws the curves. */
  async frame() {
    await new Promise(requestAnimationFrame);
    if (this.ended) return;
    this.show();
    const charts = curves(this.lines, this.detail.groups, this.detail.diverged);
    for (const { name } of charts.filter((chart) => !this.elements.has(chart.name))) {
      const element = h("section", { class: "card", "data-chart": name });
      this.elements.set(name, element);
      this.charts.append(element);
    }
    await Promise.all(charts.map((chart) => draw(this.elements.get(chart.name), chart))); // the browser paints once
  }

  end() {
    this.ended = true;
    this.lazy.end();
    this.weights?.end();
    this.elements.forEach(erase);
  }
}

const FIGURES = [
  ["validation accuracy", "val_accuracy", percent],
  ["training accuracy", "train_accuracy", percent],
  ["validation loss", "val_loss", (value) => value.toFixed(3)],
  ["training loss", "train_loss", (value) => value.toFixed(3)],
];

function figure(name, value, how, sweep) {
  const text = formatted(value, how, sweep);
  return text === null ? null : h("div", {}, h("dt", {}, name), h("dd", {}, text));
}

/** A figure without the values of networks that diverged: their accuracy is 0. */
function sound(value, { diverged = [] }) {
  return value?.filter((_, k) => !diverged.some(({ network }) => network === k));
}

/** A figure as text: the mean over the networks, or for a sweep the lowest and the highest. */
function formatted(value, how, sweep) {
  const middle = mean(value);
  if (middle === null) return null;
  return sweep ? range(value, how) : how(middle);
}

function size({ parameters, networks, sweep }) {
  const each = parameters === null ? [] : [`${count(parameters)} parameters`];
  const shown = sweep ? "the lowest and the highest are shown" : "their mean is shown";
  return networks.length > 1 ? [...each, `${networks.length} networks, ${shown}`] : each;
}

const ACTIONS = {
  pause: "Pause",
  continue: "Continue",
  "one-epoch": "One more epoch",
  stop: "Stop",
  resume: "Resume",
};

/** The most common confusion in the evaluation at the end of the run. */
function confused({ confusion, sweep, networks }) {
  if (!confusion || sweep) return "";
  const { true: truth, predicted, count, of, networks: same } = confusion;
  const several = networks.length > 1;
  const many = `${several ? "on average " : ""}${Math.round(count)} of ${of} images`;
  const where = several ? `; the most common confusion in ${same} of ${networks.length} networks` : "";
  return `Most common confusion in the final test: ${truth}, taken for ${predicted} (${many}${where}).`;
}

const CURE = "A smaller learning rate usually helps.";
const DIED = "The training process died. It can continue from its last checkpoint.";

/** Whether a run's training ended with a failure whose reason its job knows. */
function hasFailed(status, job) {
  return (status === "stopped" || status === "new") && job?.status === "failed" && Boolean(job.error);
}

export const WAITS = "It waits for the training before it.";
export const BEGINS = "It reads the data and compiles the network; then the first epoch starts.";
const PAUSED = "It was paused before it started.";
const OVER = "It ended before it started, or its folder is gone.";

/** The sentence for a job without a folder, and the actions it allows. */
function unbegun({ status, error }, busy) {
  if (status === "queued") return [busy ? WAITS : BEGINS, ["stop"]];
  if (status === "running") return [BEGINS, ["stop"]];
  if (status === "paused") return [PAUSED, ["continue", "stop"]];
  return [error ?? (ACTIVE.includes(status) ? BEGINS : OVER), []];
}

/** The sentence for a run's state, and the actions it allows. */
function state(detail, job) {
  const { status, epoch, error } = detail;
  const lost = divergence(detail);
  if (job?.status in STEERED) return STEERED[job.status](epoch, lost);
  if (status === "running") return [lost, []];
  if (hasFailed(status, job)) return [`Failed after epoch ${epoch}: ${job.error}`, ["resume", "one-epoch"]];
  if (status === "diverged") return [`${lost} ${CURE}`, []];
  if (status === "stopped") return [`Stopped after epoch ${epoch}; everything is saved.`, ["resume", "one-epoch"]];
  if (status === "interrupted") return [DIED, ["resume", "one-epoch"]];
  if (status === "new") return ["Its training has not started.", ["resume"]];
  return [error ?? lost, []];
}

const STEERED = {
  queued: () => [WAITS, ["stop"]],
  running: (epoch, lost) => [lost, ["pause", "stop"]],
  pausing: () => ["It saves a checkpoint, then pauses.", []],
  stopping: () => ["It saves a checkpoint, then stops.", []],
  paused: (epoch) => [`Paused after epoch ${epoch}; everything is saved.`, ["continue", "one-epoch", "stop"]],
};

export class Weights {
  constructor(run, networks, http) {
    this.path = `/api/runs/${encodeURIComponent(run)}/weights`;
    this.http = http;
    this.histograms = new Map(); // a layer's name -> the element of its chart
    this.grid = h("div", { class: "grid" });
    this.images = h("div", { class: "mosaic", role: "img", "aria-label": "The first layer’s weights" });
    this.sentence = h("p", { class: "muted note" });
    this.error = h("p", { class: "muted note" });
    this.choice = select({ id: "network", onchange: () => this.ask(true) }, networks.map(option));
    const choose = networks.length > 1 && h("div", { class: "network" }, labelled("Network", this.choice));
    this.element = h("section", { class: "card" },
      h("div", { class: "row spread" }, h("h2", {}, "The weights"), choose), this.error, this.grid,
      h("h3", {}, "What training changed in the first layer"), this.images, this.sentence);
    this.lazy = new Lazy(this.element, () => this.load(), REST);
  }

  ask(now) {
    return this.lazy.ask(now);
  }

  async load() {
    try {
      const weights = await this.http.get(`${this.path}?network=${this.choice.value || 0}`);
      if (this.ended) return;
      this.show(weights);
      this.error.textContent = "";
    } catch (error) {
      this.error.textContent = error.message;
    }
  }

  show({ epoch, layers, first_layer: first }) {
    for (const layer of layers) {
      if (!this.histograms.has(layer.name)) {
        const element = h("div");
        this.histograms.set(layer.name, element);
        this.grid.append(element);
      }
      draw(this.histograms.get(layer.name), histogram(layer, `after epoch ${epoch}`));
    }
    if (!first) return;
    this.images.setAttribute("aria-label", first.sentence);
    this.sentence.textContent = first.sentence;
    const image = (src) => h("img", { src, alt: "", width: first.width, height: first.height });
    clear(this.images, first.images.map(image));
  }

  end() {
    this.ended = true;
    this.lazy.end();
    this.histograms.forEach(erase);
  }
}

function option(network, index) {
  const { seed, ...swept } = network;
  const values = Object.entries(swept).map(([name, value]) => `, ${name} ${value}`);
  return [index, `${index}: seed ${seed}${values.join("")}`];
}

/** A histogram of a layer's weights now (line) and at the start (grey); `when` names the epoch. */
function histogram({ name, shape, histogram: { edges, start, now, std } }, when) {
  const steps = (counts) => counts.flatMap((y, i) => [{ x: edges[i], y }, { x: edges[i + 1], y }]);
  const series = [
    { color: "#59636e", fill: true, points: steps(start) },
    { color: SERIES[0], points: steps(now) },
  ];
  const sentence = `Standard deviation: ${std.start.toPrecision(2)} at the start, ${std.now.toPrecision(2)} ${when}.`;
  return {
    name,
    title: `${name}: ${shape.join(" × ")} weights`,
    note: `Grey: at the start. Line: ${when}. ${sentence}`,
    plot: { x: "value of a weight", y: "weights", aspect: 0.5, series },
    sentence,
    table: {
      columns: ["weight", "at the start", when],
      rows: now.map((count, i) => [(edges[i] + edges[i + 1]) / 2, start[i], count]),
    },
  };
}
