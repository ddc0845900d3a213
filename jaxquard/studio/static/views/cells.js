// A layer's values as a strip of coloured squares: blue below zero, white at zero, orange above, as in every picture.

import { h } from "../dom.js";
import { decimal } from "./numbers.js";

const SIDE = 14;
const ACROSS = 32;
const NEGATIVE = [0, 89, 160];
const POSITIVE = [213, 94, 0];

/** A canvas of `values`, colours full at ±`limit`; `words` stand for it. A click calls `pick(i)`. */
export function cells(values, limit, words, pick) {
  const across = Math.min(ACROSS, values.length);
  const size = { width: across * SIDE, height: Math.ceil(values.length / across) * SIDE };
  const canvas = h("canvas", { class: "cells", ...size, role: "img", "aria-label": words });
  const context = canvas.getContext("2d");
  values.forEach((value, i) => {
    context.fillStyle = colour(value / (limit || 1));
    context.fillRect((i % across) * SIDE, Math.floor(i / across) * SIDE, SIDE - 1, SIDE - 1);
  });
  const under = ({ offsetX, offsetY }) => {
    const side = canvas.clientWidth / across;
    return Math.min(values.length - 1, Math.floor(offsetY / side) * across + Math.floor(offsetX / side));
  };
  canvas.addEventListener("pointermove", (event) => {
    const i = under(event);
    canvas.title = `${i}: ${decimal(values[i])}`;
  });
  canvas.addEventListener("click", (event) => pick(under(event)));
  return canvas;
}

/** A value between −1 and 1 as a colour. */
function colour(value) {
  const strength = Math.min(1, Math.abs(value));
  const channels = (value < 0 ? NEGATIVE : POSITIVE).map((full) => Math.round(255 + strength * (full - 255)));
  return `rgb(${channels.join(" ")})`;
}
