// The models that can be looked at, and the control that chooses one: shared by Look inside, Mistakes and Your own.

import { h } from "../dom.js";

/** Every model, newest first. */
export async function listModels(http) {
  return (await http.get("/api/models")).models;
}

/** The address of what the server knows about a model. */
export function address(model, ...rest) {
  return ["/api/models", ...[model, ...rest].map(encodeURIComponent)].join("/");
}

/** The page's own address of a view of a model. */
export function link(view, model, ...rest) {
  return [`#/${view}`, ...[model, ...rest].map(encodeURIComponent)].join("/");
}

/** A labelled choice among models; `none` names the choice of no model, where there is one. */
export function modelChoice(models, chosen, onchoose, { label = "Model", none } = {}) {
  const options = models.map(({ model, title }) => h("option", { value: model }, title));
  const onchange = ({ target }) => onchoose(target.value);
  const select = h("select", { onchange, value: chosen }, none && h("option", { value: "" }, none), options);
  return h("label", { class: "field model" }, label, select);
}

/** What layer `k` of `count` is called: the server numbers them. */
export function layerTitle(k, count) {
  return k < count - 1 ? `Hidden layer ${k + 1}` : "Logits";
}

/** What a view of models shows while there are none. */
export function noModels() {
  const train = h("a", { href: "#/train" }, "Train one first");
  return h("p", { class: "card" }, "There is no trained network yet. ", train, ".");
}
