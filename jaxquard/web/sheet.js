// A sheet to draw on with mouse, finger, pen or keyboard.

import { h } from "./dom.js";

const SIDE = 280; // pixels of the drawing, whatever its size on the screen
const STEP = 7; // pixels that an arrow key moves the pen; four times as many with Shift
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CANVAS = { width: SIDE, height: SIDE, tabindex: 0, role: "application", "aria-label": "Sheet to draw on" };

/** What a page says about the keys; the canvas is described by the element with the id `sheet-help`. */
export const KEYS = `With the keyboard: arrow keys move the pen (with Shift, further), the space bar puts it down and
  lifts it, Delete clears the sheet.`;

/**
 * `element` is the sheet. `pencil()` is called for each line, for its `width` and `colour`. `changed(canvas, done)` is
 * called while a pointer draws, and with `done` after its stroke or a key; with null for a new sheet.
 */
export class Sheet {
  constructor(pencil, changed) {
    this.pencil = pencil;
    this.changed = changed;
    this.canvas = h("canvas", { ...CANVAS, "aria-describedby": "sheet-help" });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.cursor = h("span", { class: "cursor", "aria-hidden": "true" });
    this.pen = { x: SIDE / 2, y: SIDE / 2, down: false };
    this.element = h("div", { class: "sheet" }, this.canvas, this.cursor);
    this.listen();
    this.wipe();
  }

  listen() {
    this.canvas.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return; // a second finger, another button
      this.pointer = event.pointerId;
      this.canvas.setPointerCapture(event.pointerId);
      this.put(false);
      this.follow(event);
      this.put(true);
      this.changed(this.canvas, false);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!(event.buttons & 1) || event.pointerId !== this.pointer) return;
      (event.getCoalescedEvents?.() ?? [event]).forEach((one) => this.follow(one));
      this.changed(this.canvas, false);
    });
    this.canvas.addEventListener("lostpointercapture", (event) => {
      if (event.pointerId !== this.pointer) return;
      this.put(false);
      this.changed(this.canvas, true);
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** Makes the sheet white and lifts the pen. */
  wipe() {
    this.put(false);
    this.context.fillStyle = "white";
    this.context.fillRect(0, 0, SIDE, SIDE);
  }

  clear() {
    this.wipe();
    this.changed(null, true);
  }

  /** Shows a picture, whole and in the middle. */
  show(picture, smooth) {
    const scale = SIDE / Math.max(picture.width, picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    this.wipe();
    this.context.imageSmoothingEnabled = smooth;
    this.context.drawImage(picture, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
  }

  /** The ImageData of the sheet, null if it is white. */
  get picture() {
    const picture = this.context.getImageData(0, 0, SIDE, SIDE);
    return new Uint32Array(picture.data.buffer).every((pixel) => pixel === 0xffffffff) ? null : picture;
  }

  /** Moves the pen to the pointer. */
  follow({ offsetX, offsetY }) {
    this.moveTo((offsetX / this.canvas.clientWidth) * SIDE, (offsetY / this.canvas.clientHeight) * SIDE);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const [dx, dy] = (MOVES[event.key] ?? [0, 0]).map((by) => by * STEP * (event.shiftKey ? 4 : 1));
    if (event.key === " ") this.put(!this.pen.down);
    else if (event.key === "Delete") this.clear();
    else if (dx || dy) this.moveTo(this.pen.x + dx, this.pen.y + dy);
    else return;
    event.preventDefault();
    if (event.key !== "Delete" && (event.key === " " || this.pen.down)) this.changed(this.canvas, true);
  }

  /** Puts the pen down, which leaves a dot, or lifts it. */
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
    const { width, colour } = this.pencil();
    Object.assign(context, { lineWidth: width, strokeStyle: colour, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
  }
}
