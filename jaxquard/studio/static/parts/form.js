// The form for a new run: a recipe, and every setting with its help, from the server's description.

import { h, labelled, select } from "./dom.js";
import { spread } from "./words.js";

const HELP = { dataset: "The images to learn from." }; // the server's help mentions the command line
const VALIDATION = 5000; // held-out images for the validation curve; a sixth of a small data set

/** `info`: the answer of /api/info. `changed()` is called after every change of the form. */
export class Form {
  constructor(info, changed) {
    this.recipes = new Map(info.recipes.map((recipe) => [recipe.name, recipe]));
    this.sizes = new Map(info.datasets.map(({ name, train }) => [name, train ?? Infinity]));
    this.notes = new Map(info.datasets.map(({ name, notes }) => [name, notes]));
    this.settings = info.settings;
    this.fields = new Map(this.settings.map((setting) => [setting.name, new Field(setting, info.datasets)]));
    this.about = h("p", { class: "help", id: "recipe-help" });
    const names = [...this.recipes.keys()];
    const onchange = () => this.choose(this.recipe.value);
    this.recipe = select({ id: "recipe", "aria-describedby": "recipe-help", onchange }, names.map((name) => [name, name]));
    const groups = [...new Set(this.settings.map((setting) => setting.group))].map((name) => this.group(name));
    const recipe = labelled("Recipe to start from", this.recipe, this.about);
    this.element = h("div", { class: "knobs", oninput: () => this.touched(changed) }, recipe, groups);
    if (this.recipes.size) this.choose(this.recipes.has("original") ? "original" : names[0]);
  }

  group(name) {
    const members = [...this.fields.values()].filter((field) => field.setting.group === name);
    const box = (first) => {
      const shown = members.filter((field) => field.setting.first === first);
      return h("div", { class: "fields" }, shown.map((field) => field.element));
    };
    const more = box(false);
    return h("fieldset", {}, h("legend", {}, name), box(true),
      more.hasChildNodes() && h("details", {}, h("summary", {}, `More: ${name.toLowerCase()}`), more));
  }

  /** Sets every field to the recipe's value. */
  choose(name) {
    this.recipe.value = name;
    const recipe = this.recipes.get(name);
    this.about.textContent = about(recipe);
    for (const field of this.fields.values()) field.start(recipe.config[field.setting.name] ?? field.setting.default);
    this.proposed = this.fields.get("validation")?.value;
    this.touched(() => {});
  }

  /** Proposes a number of images to hold out, unless the reader chose one. */
  propose() {
    const field = this.fields.get("validation");
    if (!field || field.value !== this.proposed) return;
    const train = this.sizes.get(this.fields.get("dataset")?.value) ?? Infinity;
    this.proposed = Math.min(VALIDATION, Math.floor(train / 6));
    field.set(this.proposed);
  }

  touched(changed) {
    this.propose();
    this.fields.get("dataset")?.note(this.notes.get(this.fields.get("dataset").value) ?? []);
    for (const field of this.fields.values()) {
      field.element.hidden = !this.matters(field.setting);
      field.mark();
    }
    changed();
  }

  /** Whether a setting has an effect, given the others: see Config.matters. */
  matters({ needs: [other, ...values] }) {
    const value = this.fields.get(other)?.value;
    return !other || (values.length ? values.includes(value) : value !== null);
  }

  /** The run as a request states it: the recipe, and the settings that differ from it. */
  get chosen() {
    const changed = [...this.fields].filter(([, field]) => field.changed && !field.element.hidden);
    const settings = Object.fromEntries(changed.map(([name, field]) => [name, field.value]));
    return { recipe: this.recipe.value || null, settings };
  }

  /** Shows the server's error beside its setting; returns the setting's control, if there is one. */
  refuse(name, sentence) {
    for (const field of this.fields.values()) field.refuse(field.setting.name === name ? sentence : "");
    const field = this.fields.get(name);
    if (field) field.element.closest("details")?.setAttribute("open", "");
    return field?.input;
  }
}

function about({ summary, test_accuracy: measured }) {
  if (!measured) return summary;
  return `${summary} Measured: ${spread(measured)} of test images right (n = ${measured.length}).`;
}

class Field {
  constructor(setting, datasets) {
    this.setting = setting;
    this.input = control(setting, datasets);
    const id = `set-${setting.name}`;
    this.input.id = id;
    this.input.setAttribute("aria-describedby", `${id}-help ${id}-error`);
    this.error = h("span", { class: "error", id: `${id}-error` });
    this.words = `${HELP[setting.name] ?? setting.help} ${range(setting)}`.trim();
    this.help = h("span", { class: "help", id: `${id}-help` }, this.words);
    this.element = labelled(spoken(setting.name), this.input, this.help, this.error);
    this.element.classList.toggle("check", setting.type === "bool");
  }

  get value() {
    const { type } = this.setting;
    const text = this.input.value.trim();
    if (type === "bool") return this.input.checked;
    if (this.input.validity.badInput) return "not a number"; // the server explains the error
    if (text === "") return type === "ints" ? [] : null;
    if (type === "ints") return text.split(/[\s,]+/).filter(Boolean).map(Number);
    return type === "int" || type === "float" ? Number(text) : text;
  }

  /** Sets the recipe's value; `changed` compares with it. */
  start(value) {
    this.set(value);
    this.base = JSON.stringify(this.value);
  }

  set(value) {
    if (this.setting.type === "bool") this.input.checked = value;
    else this.input.value = Array.isArray(value) ? value.join(", ") : (value ?? "");
  }

  /** Adds notes to the help: what is unusual about the data set chosen. */
  note(notes) {
    this.help.textContent = [this.words, ...notes.map((note) => `Note: ${note}.`)].join(" ");
  }

  get changed() {
    return JSON.stringify(this.value) !== this.base;
  }

  mark() {
    this.element.classList.toggle("changed", this.changed);
  }

  refuse(sentence) {
    this.error.textContent = sentence;
    this.input.setAttribute("aria-invalid", String(sentence !== ""));
  }
}

function control({ name, type, choices, low, high, default: value }, datasets) {
  if (type === "choice") return select({}, choices.map((choice) => [choice, choice]));
  if (type === "bool") return h("input", { type: "checkbox" });
  if (name === "dataset") return select({}, datasets.map((set) => [set.name, set.title]));
  const placeholder = value === null ? "automatic" : null;
  if (type !== "int" && type !== "float") return h("input", { autocomplete: "off", spellcheck: "false", placeholder });
  return h("input", { type: "number", step: type === "int" ? 1 : "any", min: low, max: high, placeholder });
}

/** `From 0 to 1024.`: the range of a number, if it has a useful upper end. */
function range({ type, low, high, above, below }) {
  if (type === "ints" || (below ?? high ?? Infinity) > 1e5) return "";
  return `From ${low ?? above} ${below === null ? `to ${high}` : `to below ${below}`}.`;
}

/** `learning_rate` -> `Learning rate`. */
function spoken(name) {
  const words = name.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}
