// One run, as it is and as it learns: how far, how good, its charts, its weights, and what can be done with it now.

import { draw, erase, tableOf } from "./chart.js";
import { curves } from "./curves.js";
import { attempt, clear, fault, h, labelled, scrolling, select } from "./dom.js";
import { Lazy, REST } from "./lazy.js";
import { SERIES } from "./palette.js";
import { chip, count, divergence, duration, ends, mean, percent, spread, written } from "./words.js";

const QUIET = 10_000; // ms between two spoken sentences on progress
const PACE = 25; // times as long as a frame took, the next one waits: the cores are the training's
const LONGEST = 300; // ms that it waits at most: a busy machine is slow to draw, and the curve is to be live there, too

export class Live {
  /** `act(what)`: pause, continue, one-epoch, stop or resume, carried out by the page; rejects where it cannot be. */
  constructor(run, { http, announce }, act) {
    Object.assign(this, { run, http, announce, act, job: null, spoken: 0, asked: 0, heard: [] });
    this.path = `/api/runs/${encodeURIComponent(run)}`;
    this.status = h("span");
    this.progress = h("progress", { "aria-label": "Epochs trained", hidden: true });
    this.how = h("p", { class: "muted" });
    this.figures = h("dl", { class: "figures" });
    this.words = h("p", { class: "said", role: "status" });
    this.buttons = h("div", { class: "row", tabindex: -1 });
    this.fault = fault();
    this.charts = h("div", { class: "grid" });
    this.elements = new Map(); // a chart's name -> its element
    this.tested = h("p", { class: "tested" });
    this.ranking = h("div", { class: "stack", hidden: true });
    const head = h("div", { class: "row spread" }, h("h2", { class: "run" }, run), this.status);
    const card = h("section", { class: "card", "aria-label": `Run ${run}` },
      head, this.progress, this.how, this.figures, this.tested, this.words, this.ranking, this.buttons, this.fault);
    this.element = h("div", { class: "watched" }, card, this.charts);
    this.lazy = new Lazy(this.element, () => this.frame().catch((error) => this.say(error.message)), PACE, LONGEST);
  }

  /** Everything from the server, anew. */
  async load() {
    const turn = ++this.asked;
    this.heard = []; // lines that come while the server answers, which may not know them yet
    const answer = await this.http.get(this.path).catch((error) => ({ failure: error.message }));
    if (this.ended || turn !== this.asked) return; // left, or asked again, meanwhile
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

  /** A line in its place: after a resumed training it may be one that was there before. */
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
    this.tell(line);
  }

  /** Figures and charts in one frame, and the weights, each when its rest is over, or `now`. */
  refresh(now = false) {
    this.lazy.ask(now);
    this.weights.ask(now);
  }

  jobIs(job) {
    this.job = job;
    if (this.detail) this.show();
  }

  show() {
    const { epoch, epochs, status, sweep, error } = this.detail;
    clear(this.status, chip(this.job?.status in STEERED || hasFailed(status, this.job) ? this.job.status : status));
    if (status === "damaged") return this.say(error); // how far it came and how good it is are not known
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
    this.controls();
  }

  /** Of a sweep that is at rest: its settings, best first, and whether the best is better, as `train` prints them. */
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

  controls() {
    const [sentence, actions] = state(this.detail, this.job);
    this.say(sentence);
    if (actions.join() === this.offered) return; // a button is not taken from under the finger
    this.offered = actions.join();
    const { activeElement } = document;
    const held = this.buttons.contains(activeElement); // the keyboard's place outlives the change of buttons
    if (held) this.buttons.focus(); // and, for as long as there are none, is theirs
    const steer = (name) => attempt(this.fault, () => this.act(name));
    const button = (name) => h("button", { "data-act": name, onclick: () => steer(name) }, ACTIONS[name]);
    clear(this.buttons, actions.map(button));
    const same = this.buttons.querySelector(`[data-act="${activeElement?.dataset.act}"]`);
    if (held) (same ?? this.buttons.firstElementChild)?.focus({ preventScroll: true }); // they read on below
  }

  say(sentence) {
    if (this.words.textContent !== sentence) this.words.textContent = sentence;
  }

  tell(line) {
    const now = Date.now();
    if (now - this.spoken < QUIET && line.epoch < this.detail.epochs) return;
    this.spoken = now;
    const accuracy = told(line.val_accuracy ?? line.train_accuracy, percent, this.detail.sweep) ?? "–";
    this.announce(`Epoch ${line.epoch} of ${this.detail.epochs}: ${accuracy} right.`);
  }

  /** While it learns, the curves are drawn from the lines that are here; at rest, once, from the server's charts. */
  async frame() {
    await new Promise(requestAnimationFrame);
    if (!this.ended) this.show();
    const learns = this.detail.status === "running";
    const { groups, diverged } = this.detail;
    const charts = learns
      ? curves(this.lines, groups, diverged)
      : (await this.http.get(`${this.path}/charts`)).charts;
    if (this.ended) return;
    for (const { name } of charts.filter((chart) => !this.elements.has(chart.name))) {
      const element = h("section", { class: "card", "data-chart": name });
      this.elements.set(name, element);
      this.charts.append(element);
    }
    await Promise.all(charts.map((chart) => draw(this.elements.get(chart.name), chart))); // painted once for all
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
  const text = told(value, how, sweep);
  return text === null ? null : h("div", {}, h("dt", {}, name), h("dd", {}, text));
}

/** A figure without those of networks that diverged: an accuracy of theirs is 0. */
function sound(value, { diverged = [] }) {
  return value?.filter((_, k) => !diverged.some(({ network }) => network === k));
}

/** A figure in words: of several networks the mean, of those of a sweep the least and the greatest. */
function told(value, how, sweep) {
  const middle = mean(value);
  if (middle === null) return null;
  return sweep ? ends(value).map((end) => how(end)).join(" … ") : how(middle);
}

function size({ parameters, networks, sweep }) {
  const each = parameters === null ? [] : [`${count(parameters)} parameters`];
  const shown = sweep ? "from the least to the greatest" : "whose mean is shown";
  return networks.length > 1 ? [...each, `${networks.length} networks, ${shown}`] : each;
}

export const ACTIONS = {
  pause: "Pause",
  continue: "Continue",
  "one-epoch": "One more epoch",
  stop: "Stop",
  resume: "Resume",
};

/** What was taken for what most often in that evaluation. */
function confused({ confusion, sweep, networks }) {
  if (!confusion || sweep) return "";
  const { true: truth, predicted, count, of, networks: same } = confusion;
  const several = networks.length > 1;
  const many = `${several ? "on average " : ""}${Math.round(count)} of ${of} images`;
  const where = several ? `; the commonest confusion in ${same} of ${networks.length} networks` : "";
  return `In the test at its end, most often confused: ${truth}, taken for ${predicted} (${many}${where}).`;
}

const CURE = "A smaller learning rate is the usual cure.";
const DIED = "The training process died. What it had saved is safe: it can go on from there.";

/** Whether what ended the training of a run that lies still was a failure, of which its job knows the reason. */
function hasFailed(status, job) {
  return (status === "stopped" || status === "new") && job?.status === "failed" && Boolean(job.error);
}

/** What there is to say of a run in its state, and what can be done. */
function state(detail, job) {
  const { status, epoch, error } = detail;
  const lost = divergence(detail);
  if (job?.status in STEERED) return STEERED[job.status](epoch, lost);
  if (status === "running") return [lost, []];
  if (hasFailed(status, job)) return [`Failed after epoch ${epoch}: ${job.error}`, ["resume", "one-epoch"]];
  if (status === "diverged") return [`${lost} ${CURE}`, []];
  if (status === "stopped") return [`Stopped after epoch ${epoch}, and saved.`, ["resume", "one-epoch"]];
  if (status === "interrupted") return [DIED, ["resume", "one-epoch"]];
  if (status === "new") return ["Its training has not begun.", ["resume"]];
  return [error ?? lost, []];
}

const STEERED = {
  queued: () => ["Waits for the training before it.", ["stop"]],
  running: (epoch, lost) => [lost, ["pause", "stop"]],
  pausing: () => ["Saves a checkpoint, then pauses.", []],
  stopping: () => ["Saves a checkpoint, then stops.", []],
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

/** A layer's weights in the newest snapshot (line) over those at the start (grey); `when` says how new that is. */
function histogram({ name, shape, histogram: { edges, start, now } }, when) {
  const rows = now.map((count, i) => ({ weight: (edges[i] + edges[i + 1]) / 2, now: count, start: start[i] }));
  const spreads = [deviation(rows, "start"), deviation(rows, "now")].map((value) => value.toPrecision(2));
  const steps = (counts) => counts.flatMap((y, i) => [{ x: edges[i], y }, { x: edges[i + 1], y }]);
  const series = [
    { color: "#59636e", fill: true, points: steps(start) },
    { color: SERIES[0], points: steps(now) },
  ];
  const sentence = `Standard deviation: ${spreads[0]} at the start, ${spreads[1]} ${when}.`;
  return {
    name,
    title: `${name}: ${shape.join(" × ")} weights`,
    note: `Grey: at the start. Line: ${when}. ${sentence}`,
    plot: { x: "value of a weight", y: "weights", aspect: 0.5, series },
    sentence,
    table: { columns: ["weight", "at the start", when], rows: rows.map((row) => [row.weight, row.start, row.now]) },
  };
}

/** The standard deviation of a histogram. */
function deviation(rows, field) {
  const sum = (value) => rows.reduce((total, row) => total + row[field] * value(row.weight), 0);
  const total = sum(() => 1) || 1;
  const centre = sum((weight) => weight) / total;
  return Math.sqrt(sum((weight) => (weight - centre) ** 2) / total);
}
