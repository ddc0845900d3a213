// The server's events, for the views of this page. A hidden page receives none. When it becomes visible again, it
// receives `hello`, and the view loads everything again.

import { renewToken, token } from "./http.js";
import { Stream } from "./stream.js";

export class Events {
  #listeners = new Map();
  #up = true;
  #line = null;

  /** Calls `listener(data)` for every event of a type; returns the function that removes the listener. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.#listeners.get(type).delete(listener);
  }

  /** Listens until the page is closed. Besides the server's events there are `lost`, with the reason, and `back`. */
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
      if (token() === used) await renewToken(); // else a request has renewed it already
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
        reportError(error); // an error in a view must not end the stream
      }
    }
  }
}

/** A connection to the windows' shared stream or to the page's own. The function returned takes the page's visibility. */
function connected(token, hear) {
  const own = new Stream(token, hear);
  const listen = (visible) => {
    if (!visible) return void own.close();
    const standing = own.open();
    if (standing) hear(standing);
  };
  if (!window.SharedWorker) return listen;
  const worker = new SharedWorker("/static/worker.js", { type: "module", name: token });
  let send = (visible) => worker.port.postMessage(visible);
  worker.port.onmessage = ({ data }) => hear(data);
  worker.onerror = () => {
    send = listen; // the browser has no module workers
    listen(!document.hidden);
  };
  return (visible) => send(visible);
}
