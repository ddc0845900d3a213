// What happens at the server, for the views of this page. A page that is hidden hears nothing; one that can be seen
// again hears `hello`, at which a view asks for all that it shows.

import { renewToken, token } from "./http.js";
import { Stream } from "./stream.js";

export class Events {
  #listeners = new Map();
  #up = true;
  #line = null;

  /** `listener(data)` for every event of a type; returns the function that ends it. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.#listeners.get(type).delete(listener);
  }

  /** Listens for as long as the page lives. Besides the server's events there are `lost`, with why, and `back`. */
  listen() {
    this.#connect();
    document.addEventListener("visibilitychange", () => this.#line(!document.hidden));
    window.addEventListener("pagehide", () => this.#line(false));
    window.addEventListener("pageshow", ({ persisted }) => persisted && this.#line(!document.hidden));
  }

  #connect() {
    const used = token();
    this.#line = connected(used, (event) => this.#hear(event, used));
    this.#line(!document.hidden);
  }

  async #hear({ type, data }, used) {
    if (type === "denied") {
      this.#line(false);
      if (token() === used) await renewToken(); // else a request of the page has asked for it meanwhile
      this.#connect();
    } else if (type === "lost") {
      this.#connected(false, data);
    } else {
      this.#connected(true);
      this.#emit(type, data);
    }
  }

  #connected(up, why = {}) {
    if (up !== this.#up) this.#emit(up ? "back" : "lost", why);
    this.#up = up;
  }

  #emit(type, data) {
    for (const listener of this.#listeners.get(type) ?? []) {
      try {
        listener(data);
      } catch (error) {
        reportError(error); // one view's fault does not end the stream
      }
    }
  }
}

/** A connection to the stream of all windows, or to one of this page's own: a function of whether it can be seen. */
function connected(token, hear) {
  const own = new Stream(token, hear);
  const listen = (visible) => {
    if (!visible) return void own.close();
    const standing = own.open();
    if (standing) hear(standing);
  };
  if (!window.SharedWorker) return listen;
  const worker = new SharedWorker("/static/worker.js", { type: "module", name: token });
  let tell = (visible) => worker.port.postMessage(visible);
  worker.port.onmessage = ({ data }) => hear(data);
  worker.onerror = () => {
    tell = listen; // the browser has no workers that are modules
    listen(!document.hidden);
  };
  return (visible) => tell(visible);
}
