// The server's events, read with fetch: unlike EventSource it can send the token in a header. After a break it asks
// for what came since the last event it saw, so nothing is missed. A hidden page lets go of the connection, of which a
// browser has only six for all its pages together.

import { request } from "./http.js";

const QUIET = 40_000; // ms; the server is heard from every 15 s, so this long a silence means that it is gone
const DELAYS = [250, 500, 1000, 2000]; // ms between attempts to come back

/** Until the page is hidden, or seen again. */
function turned() {
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

export class Events {
  #listeners = new Map();
  #last = null;
  #up = true;
  #failures = 0;

  /** `listener(data)` for every event of a type; returns the function that ends it. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.#listeners.get(type).delete(listener);
  }

  /** Reads for as long as the page lives. Besides the server's events there are `lost`, with why, and `back`. */
  async listen() {
    for (;;) {
      while (document.hidden) await turned();
      // undefined where the server went away, or fell silent
      const refused = await this.#read().catch(() => undefined);
      if (document.hidden) continue;
      this.#connected(false, refused?.said);
      const wait = refused?.wait ?? DELAYS[Math.min(this.#failures, DELAYS.length - 1)];
      this.#failures += 1;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  /** Reads one stream to its end; where the server refuses, gives what it said and the time to wait (ms). */
  async #read() {
    const end = new AbortController();
    document.addEventListener("visibilitychange", () => end.abort(), { signal: end.signal });
    try {
      const headers = this.#last === null ? {} : { "Last-Event-ID": this.#last };
      const response = await request("/api/events", { headers, signal: end.signal });
      if (!response.ok) {
        const { error } = await response.json().catch(() => ({}));
        return { said: error, wait: 1000 * Number(response.headers.get("Retry-After") ?? 2) };
      }
      return await this.#hear(response.body.pipeThrough(new TextDecoderStream()).getReader(), end);
    } finally {
      end.abort();
    }
  }

  async #hear(reader, end) {
    for (let text = ""; ; ) {
      const timer = setTimeout(() => end.abort(), QUIET);
      const { value, done } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return undefined;
      this.#connected(true);
      const blocks = (text + value).split("\n\n");
      text = blocks.pop();
      blocks.forEach((block) => this.#event(block));
    }
  }

  #connected(up, said) {
    if (up) this.#failures = 0;
    if (up !== this.#up) this.#emit(up ? "back" : "lost", { said });
    this.#up = up;
  }

  /** One event: lines `id: …`, `event: …`, `data: …`; a line that starts with a colon is the heartbeat. */
  #event(block) {
    const fields = new Map();
    for (const line of block.split("\n").filter((line) => !line.startsWith(":"))) {
      const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (name) fields.set(name, value);
    }
    if (fields.has("id")) this.#last = fields.get("id");
    if (fields.has("data")) this.#emit(fields.get("event") ?? "message", JSON.parse(fields.get("data")));
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
