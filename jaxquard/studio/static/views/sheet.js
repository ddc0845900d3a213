// A sheet of paper to draw on: with mouse, finger or pen, or with the keyboard alone.

import { h } from "../dom.js";

const SIDE = 280; // pixels of the drawing, whatever its size on the screen
const STEP = 7; // what an arrow key moves the pen by; four times as much with Shift
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HELP = `With the keyboard: arrow keys move the pen (with Shift, further), the space bar puts it down and lifts it,
  Delete takes a new sheet.`;
const CANVAS = { width: SIDE, height: SIDE, tabindex: 0, role: "application" };

export class Sheet {
  /** `ondrawn(blob)` is called with the drawing, a PNG, after every stroke; with null when a new sheet is taken. */
  constructor(ondrawn) {
    this.ondrawn = ondrawn;
    this.canvas = h("canvas", { ...CANVAS, "aria-label": "Sheet to draw on", "aria-describedby": "sheet-help" });
    this.context = this.canvas.getContext("2d");
    this.cursor = h("span", { class: "cursor", "aria-hidden": "true" });
    this.width = h("input", { type: "range", min: 4, max: 80, value: 24 });
    this.rub = h("input", { type: "checkbox" });
    this.pen = { x: SIDE / 2, y: SIDE / 2, down: false };
    this.sheets = 0;
    this.element = h("div", { class: "stack" },
      h("div", { class: "sheet" }, this.canvas, this.cursor),
      h("p", { id: "sheet-help", class: "muted" }, HELP),
      h("div", { class: "row" },
        h("label", { class: "field" }, "Width of the pen", this.width),
        h("label", { class: "option" }, this.rub, "rub out"),
        h("button", { type: "button", class: "small", onclick: () => this.anew() }, "New sheet")));
    this.listen();
    this.clear();
    this.put(false);
  }

  listen() {
    this.canvas.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return; // a second finger, another button
      this.pointer = event.pointerId;
      this.canvas.setPointerCapture(event.pointerId);
      this.put(false);
      this.follow(event);
      this.put(true);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!(event.buttons & 1) || event.pointerId !== this.pointer) return;
      (event.getCoalescedEvents?.() ?? [event]).forEach((one) => this.follow(one));
    });
    this.canvas.addEventListener("lostpointercapture", (event) => {
      if (event.pointerId !== this.pointer) return;
      this.put(false);
      this.drawn();
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  clear() {
    this.context.fillStyle = "white";
    this.context.fillRect(0, 0, SIDE, SIDE);
  }

  anew() {
    this.sheets += 1;
    this.clear();
    this.ondrawn(null);
  }

  drawn() {
    const sheet = this.sheets;
    this.canvas.toBlob((blob) => sheet === this.sheets && this.ondrawn(blob)); // of an older sheet: too late
  }

  /** The pen goes where a pointer is. */
  follow({ offsetX, offsetY }) {
    this.moveTo((offsetX / this.canvas.clientWidth) * SIDE, (offsetY / this.canvas.clientHeight) * SIDE);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const [dx, dy] = (MOVES[event.key] ?? [0, 0]).map((by) => by * STEP * (event.shiftKey ? 4 : 1));
    if (event.key === " ") this.put(!this.pen.down);
    else if (event.key === "Delete") this.anew();
    else if (dx || dy) this.moveTo(this.pen.x + dx, this.pen.y + dy);
    else return;
    event.preventDefault();
    if (event.key !== "Delete" && (event.key === " " || this.pen.down)) this.drawn(); // on a new sheet nothing is yet
  }

  /** The pen is put down, which leaves a dot, or lifted. */
  put(down) {
    this.pen.down = down;
    this.cursor.classList.toggle("down", down);
    this.moveTo(this.pen.x, this.pen.y);
  }

  moveTo(x, y) {
    const from = { ...this.pen };
    this.pen.x = Math.min(SIDE, Math.max(0, x));
    this.pen.y = Math.min(SIDE, Math.max(0, y));
    if (this.pen.down) this.stroke(from, this.pen);
    this.cursor.style.setProperty("--x", this.pen.x / SIDE);
    this.cursor.style.setProperty("--y", this.pen.y / SIDE);
  }

  stroke(from, to) {
    const { context } = this;
    Object.assign(context, { lineWidth: this.width.valueAsNumber, lineCap: "round", lineJoin: "round" });
    context.strokeStyle = this.rub.checked ? "white" : "black";
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
  }
}
