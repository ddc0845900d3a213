// The confusion matrix as a table whose every cell is a button. Arrow keys move among them: it is a single tab stop.

import { h } from "../dom.js";

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** `confusion[i][j]`: how many of class i were taken for class j. A choice calls `open(truth, predicted, count)`. */
export function confusionTable({ confusion, classes }, open) {
  const cells = confusion.map((row, i) => row.map((count, j) => cell(count, row, classes[i], classes[j], open)));
  let stop = cells[0][0];
  const stopAt = (button) => {
    stop.tabIndex = -1;
    stop = button;
    stop.tabIndex = 0;
  };
  stop.tabIndex = 0;
  const move = (event) => {
    const by = MOVES[event.key];
    const i = cells.findIndex((row) => row.includes(event.target));
    const next = by && cells[i + by[0]]?.[cells[i].indexOf(event.target) + by[1]];
    if (!next) return;
    event.preventDefault();
    next.focus();
  };
  const onfocusin = ({ target }) => stopAt(target); // by an arrow key or by the mouse
  const head = (name) => h("th", { scope: "col" }, h("span", {}, name));
  const row = (buttons, i) =>
    h("tr", {}, h("th", { scope: "row" }, classes[i]), buttons.map((button) => h("td", {}, button)));
  const size = classes.length > 40 ? "tiny" : classes.length > 12 ? "small" : "";
  const table = h("div", { class: `scroll matrix ${size}`, tabindex: -1 },
    h("table", { class: "confusion", onkeydown: move, onfocusin, "aria-label": "Confusion matrix" },
      h("thead", {}, h("tr", {}, h("td"), classes.map(head))),
      h("tbody", {}, cells.map(row))));
  table.style.setProperty("--classes", classes.length);
  return table;
}

function cell(count, row, truth, predicted, open) {
  const words = truth === predicted ? `${truth}, recognised: ${count}` : `${truth}, taken for ${predicted}: ${count}`;
  const kind = count === 0 ? "none" : truth === predicted ? "right" : "wrong";
  const onclick = () => open(truth, predicted, count);
  const named = { "aria-label": words, title: words };
  const button = h("button", { type: "button", class: kind, tabindex: -1, ...named, onclick }, count);
  const total = row.reduce((sum, one) => sum + one, 0);
  button.style.setProperty("--share", Math.sqrt(count / Math.max(1, total))); // the root brings rare mistakes out
  return button;
}
