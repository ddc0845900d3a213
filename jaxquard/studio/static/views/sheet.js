// A sheet of paper to draw on: with mouse, finger or pen, or with the keyboard alone.

import { h } from "../dom.js";

const SIDE = 280; // pixels of the drawing, whatever its size on the screen
const STEP = 7; // what an arrow key moves the pen by; four times as much with Shift
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HELP = `With the keyboard: arrow keys move the pen (with Shift, further), the space bar puts it down and lifts it,
  Delete takes a new sheet.`;

/** The sheet with its tools. `ondrawn(blob)` is called with the drawing, a PNG, after every stroke. */
export function sheet(ondrawn) {
  const canvas = h("canvas", { width: SIDE, height: SIDE, tabindex: 0, role: "application" });
  canvas.setAttribute("aria-label", "Sheet to draw on");
  canvas.setAttribute("aria-describedby", "sheet-help");
  const cursor = h("span", { class: "cursor", "aria-hidden": "true" });
  const width = h("input", { type: "range", min: 4, max: 80, value: 24 });
  const rub = h("input", { type: "checkbox" });
  const context = canvas.getContext("2d");
  const pen = { x: SIDE / 2, y: SIDE / 2, down: false };

  const clear = () => {
    context.fillStyle = "white";
    context.fillRect(0, 0, SIDE, SIDE);
  };
  const drawn = () => canvas.toBlob(ondrawn);
  const moveTo = (x, y) => {
    const from = { ...pen };
    pen.x = Math.min(SIDE, Math.max(0, x));
    pen.y = Math.min(SIDE, Math.max(0, y));
    if (pen.down) stroke(context, from, pen, width.valueAsNumber, rub.checked ? "white" : "black");
    cursor.style.setProperty("--x", pen.x / SIDE);
    cursor.style.setProperty("--y", pen.y / SIDE);
  };
  const put = (down) => {
    pen.down = down;
    cursor.classList.toggle("down", down);
    moveTo(pen.x, pen.y);
  };

  const at = ({ offsetX, offsetY }) => [(offsetX / canvas.clientWidth) * SIDE, (offsetY / canvas.clientHeight) * SIDE];
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    put(false);
    moveTo(...at(event));
    put(true);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) (event.getCoalescedEvents?.() ?? [event]).forEach((one) => moveTo(...at(one)));
  });
  canvas.addEventListener("pointerup", () => (put(false), drawn()));
  canvas.addEventListener("keydown", (event) => {
    const [dx, dy] = (MOVES[event.key] ?? [0, 0]).map((by) => by * STEP * (event.shiftKey ? 4 : 1));
    if (event.key === " ") put(!pen.down);
    else if (event.key === "Delete") clear();
    else if (dx || dy) moveTo(pen.x + dx, pen.y + dy);
    else return;
    event.preventDefault();
    if (event.key === " " || pen.down) drawn();
  });
  clear();
  put(false);
  return [
    h("div", { class: "sheet" }, canvas, cursor),
    h("p", { id: "sheet-help", class: "muted" }, HELP),
    h(
      "div",
      { class: "row" },
      h("label", { class: "field" }, "Width of the pen", width),
      h("label", { class: "option" }, rub, "rub out"),
      h("button", { type: "button", class: "small", onclick: clear }, "New sheet"),
    ),
  ];
}

function stroke(context, from, to, width, colour) {
  Object.assign(context, { strokeStyle: colour, lineWidth: width, lineCap: "round", lineJoin: "round" });
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.lineTo(to.x, to.y);
  context.stroke();
}
