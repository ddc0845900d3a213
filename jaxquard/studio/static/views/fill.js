// A part of a view that is filled from the server: marked busy meanwhile, and what goes wrong is said in its place.

import { clear, h } from "../dom.js";

const latest = new WeakMap();

/**
 * Put the nodes that `load` resolves to into `place`. If the same place is filled again meanwhile, the later wins:
 * resolves to whether it was this one.
 */
export async function fill(place, load) {
  const turn = Symbol("turn");
  latest.set(place, turn);
  place.setAttribute("aria-busy", "true");
  const content = await load().catch((error) => h("p", { class: "error", role: "alert" }, error.message));
  if (latest.get(place) !== turn) return false;
  clear(place, content);
  place.removeAttribute("aria-busy");
  return true;
}
