// One stream of the server's events, read with fetch: unlike EventSource it can send the token in a header. After a
// break it asks for what came since the last event it saw. It runs in the worker that all windows of a browser share,
// or in the page itself where a browser has no such workers.

const QUIET = 40_000; // ms; the server is heard from every 15 s, so this long a silence means that it is gone
const DELAYS = [250, 500, 1000, 2000]; // ms between attempts to come back

export class Stream {
  #last = null; // the id of the last event
  #end = null; // aborts the stream; null while nobody listens
  #standing = null; // the event that says how things stand: `hello`, `lost` or `denied`
  #failures = 0;

  /** `tell({type, data})` for every event; besides the server's there are `lost`, with why, and `denied`. */
  constructor(token, tell) {
    Object.assign(this, { headers: token ? { "X-Jaxquard-Token": token } : {}, tell });
  }

  /** Begin to listen. If it has begun: send the current state, for a page that came later. */
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
      // undefined where the server went away, or fell silent
      const refused = await this.#read(signal).catch(() => undefined);
      if (signal.aborted) return;
      if (refused?.denied) return void this.#emit("denied", {});
      if (this.#standing?.type !== "lost") this.#emit("lost", { said: refused?.said });
      const wait = refused?.wait ?? DELAYS[Math.min(this.#failures, DELAYS.length - 1)];
      this.#failures += 1;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  /** Reads one stream to its end; where the server refuses, gives what it said and the time to wait (ms). */
  async #read(closed) {
    const silent = new AbortController();
    const signal = AbortSignal.any([closed, silent.signal]);
    const headers = { ...this.headers, ...(this.#last !== null && { "Last-Event-ID": this.#last }) };
    try {
      const response = await fetch("/api/events", { headers, signal });
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
    const event = { type, data };
    if (["hello", "lost", "denied"].includes(type)) this.#standing = event;
    this.tell(event);
  }
}
