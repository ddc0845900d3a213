// The frame around every view: the view that the address names, the navigation, the connection's state, the token's form.

import { h, clear, fault, labelled } from "./parts/dom.js";
import { Events } from "./parts/events.js";
import * as http from "./parts/http.js";

const VIEWS = ["Learn", "Inside", "Mistakes", "Draw", "Compare", "Lessons"]; // module and address: in lower case

const root = document.getElementById("view");
const events = new Events();
const tools = { http, events, go, announce, again: () => route() };
let shown = { cleanup: null, failed: false };

function go(address) {
  location.hash = address;
}

/** Screen readers say the sentence after the one that they are saying now. */
function announce(sentence) {
  document.getElementById("announcer").textContent = sentence;
}

/** `#/inside/seed-1@0?x=1` -> ["Inside", ["seed-1@0"] with query {x: 1}]; an unknown address gives the first view. */
function where() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...params] = path.split("/").filter(Boolean).map(decoded);
  params.query = new URLSearchParams(query);
  const view = VIEWS.find((title) => title.toLowerCase() === name);
  return view ? [view, params] : [VIEWS[0], Object.assign([], { query: new URLSearchParams() })];
}

/** A decoded part of an address; unchanged if it cannot be decoded. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Show the view that the address names. `moved`: the reader followed a link, so the view gets the focus. */
async function route(moved = false) {
  const [name, params] = where();
  const mine = { cleanup: null, failed: false };
  shown.cleanup?.();
  shown = mine;
  document.title = `${name} · Jaxquard studio`;
  navigation(name);
  const section = h("section", { class: `view ${name.toLowerCase()}` });
  clear(root, section);
  if (moved) {
    root.focus({ preventScroll: true }); // at once: the reader may move the focus while the view loads
    scrollTo(0, 0);
  }
  const cleanup = await show(name, section, params, mine);
  if (shown === mine) mine.cleanup = cleanup;
  else cleanup?.(); // the reader opened another view while this one loaded
}

async function show(name, section, params, mine) {
  try {
    const view = await import(`./views/${name.toLowerCase()}.js`);
    return await view.show(section, params, tools);
  } catch (error) {
    console.error(error);
    clear(section, h("h1", {}, name), fault(error.message));
    mine.failed = true;
    return null;
  }
}

function navigation(current) {
  const link = (name) => h("a", { href: `#/${name.toLowerCase()}`, "aria-current": name === current && "page" }, name);
  clear(document.getElementById("views"), VIEWS.map(link));
}

function connection() {
  const banner = document.getElementById("connection");
  events.on("lost", ({ said }) => {
    const why = said ?? "The studio’s server does not answer. A running training continues without it";
    banner.textContent = `${why}; trying again…`;
    banner.hidden = false;
  });
  events.on("back", () => {
    banner.hidden = true;
    if (shown.failed) route();
    announce("The studio’s server is back.");
  });
}

/** Asks for the token that the server printed. There is one form at a time, however many requests wait for the token. */
let asking = null;
function askForToken(again) {
  asking ??= new Promise((resolve) => {
    const field = h("input", { id: "token", type: "password", autocomplete: "off", required: true });
    let given = null;
    const give = () => resolve((given = field.value.replace(/[^\w-]/g, ""))); // a header cannot hold every character
    const dialog = h(
      "dialog",
      { "aria-labelledby": "token-title", oncancel: (event) => event.preventDefault() },
      h("form", { method: "dialog", class: "card", onsubmit: give },
        h("h2", { id: "token-title" }, "This studio asks for its token"),
        again && fault("This token is wrong."),
        h("p", { class: "muted" }, "The terminal where the studio was started shows it."),
        labelled("Token", field),
        h("button", { class: "primary" }, "Open"),
      ),
    );
    // A second Esc closes the dialog in spite of `oncancel`. Without a token the page has nothing to show.
    dialog.addEventListener("close", () => (given === null ? dialog.showModal() : dialog.remove()));
    document.body.append(dialog);
    dialog.showModal();
  }).finally(() => (asking = null));
  return asking;
}

function start() {
  http.onToken(askForToken);
  connection();
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the part of the address after # names the view
    root.focus();
  });
  window.addEventListener("hashchange", () => route(true));
  route();
  events.listen();
}

start();
