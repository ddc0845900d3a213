// A part of a view that is filled from the server: marked busy meanwhile, and what goes wrong is said in its place.

import { clear, fault, h } from "../dom.js";

/** Do `work`; what goes wrong is said in `place` until the next attempt. */
export async function attempt(place, work) {
  place.textContent = "";
  await work().catch((error) => (place.textContent = error.message));
}

const latest = new WeakMap();

/**
 * Put the nodes that `load` resolves to into `place`. If the same place is filled again meanwhile, the later wins:
 * resolves to whether it was this one.
 */
export async function fill(place, load) {
  const turn = Symbol("turn");
  latest.set(place, turn);
  place.setAttribute("aria-busy", "true");
  if (!place.hasChildNodes()) place.append(h("p", { class: "muted" }, "Working…"));
  const content = await load().catch((error) => fault(error.message));
  if (latest.get(place) !== turn) return false;
  clear(place, content);
  place.removeAttribute("aria-busy");
  return true;
}
