// A stream of the server's events, read with fetch, which unlike EventSource can send the token in a header. After a
// break it begins again with `hello`. It runs in the worker that all windows share, or in the page if the browser has no
// such workers.

const QUIET = 40_000; // ms without data until the server counts as gone; it sends something every 15 s
const DELAYS = [250, 500, 1000, 2000]; // ms between attempts to come back

export class Stream {
  #end = null; // aborts the stream; null if it is closed
  #standing = null; // the latest state event: `hello`, `lost` or `denied`
  #failures = 0;

  /** Calls `listener({type, data})` for every event, also for `lost`, with the reason, and `denied`. */
  constructor(token, listener) {
    Object.assign(this, { headers: token ? { "X-Jaxquard-Token": token } : {}, listener });
  }

  /** Opens the stream. If it is open already, returns the latest state event, for a page that joins. */
  open() {
    if (this.#end) return this.#standing;
    this.#end = new AbortController();
    this.#listen(this.#end.signal);
    return null;
  }

  close() {
    this.#end?.abort();
    this.#end = this.#standing = null;
  }

  async #listen(signal) {
    while (!signal.aborted) {
      // undefined if the connection broke or the server was silent
      const refused = await this.#read(signal).catch(() => undefined);
      if (signal.aborted) return;
      if (refused?.denied) return void this.#emit("denied", {});
      if (this.#standing?.type !== "lost") this.#emit("lost", { said: refused?.said });
      const wait = refused?.wait ?? DELAYS[Math.min(this.#failures, DELAYS.length - 1)];
      this.#failures += 1;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  /** Reads one stream to its end. If the server refuses, returns its message and the time to wait (ms). */
  async #read(closed) {
    const silent = new AbortController();
    const signal = AbortSignal.any([closed, silent.signal]);
    try {
      const response = await fetch("/api/events", { headers: this.headers, signal });
      if (response.status === 401) return { denied: true };
      if (!response.ok) {
        const { error } = await response.json().catch(() => ({}));
        return { said: error, wait: 1000 * Number(response.headers.get("Retry-After") ?? 2) };
      }
      await this.#hear(response.body.pipeThrough(new TextDecoderStream()).getReader(), silent, closed);
      return undefined;
    } finally {
      silent.abort();
    }
  }

  async #hear(reader, silent, closed) {
    for (let text = ""; ; ) {
      const timer = setTimeout(() => silent.abort(), QUIET);
      const { value, done } = await reader.read().finally(() => clearTimeout(timer));
      if (done || closed.aborted) return;
      this.#failures = 0;
      const blocks = (text + value).split("\n\n");
      text = blocks.pop();
      blocks.forEach((block) => this.#event(block));
    }
  }

  /** One event, with a line `event: …` and a line `data: …`; a heartbeat has neither. */
  #event(block) {
    const [type, data] = ["event", "data"].map((name) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1]);
    if (data) this.#emit(type, JSON.parse(data));
  }

  #emit(type, data) {
    const event = { type, data };
    if (["hello", "lost", "denied"].includes(type)) this.#standing = event;
    this.listener(event);
  }
}
