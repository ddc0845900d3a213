// Work for what is in sight. Asked for again and again, it is done once at a time, and the latest wish in the end;
// out of sight, or while the whole page is hidden, it waits until somebody looks. Work that a training asks for may
// rest afterwards, for the cores are the training's; a wish that cannot wait ends the rest.

export const REST = 60; // times as long as drawing takes
const LONGEST = 5000; // ms of rest

const all = new Map(); // element -> Lazy

export class Lazy {
  #wanted = false;
  #busy = false;
  #seen = false;
  #urgent = false;
  #wake = () => {};

  /** `work()` may be asynchronous; `element` must be in sight for it; it rests `rest` times as long, `longest` ms at most. */
  constructor(element, work, rest = 0, longest = LONGEST) {
    Object.assign(this, { element, work, rest, longest });
    all.set(element, this);
    observer.observe(element);
  }

  ask(now = false) {
    this.#wanted = true;
    if (now) {
      this.#urgent = true;
      this.#wake();
    }
    return this.look(this.#seen);
  }

  /** Does what is wanted, if it can be seen now. */
  async look(seen) {
    this.#seen = seen;
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#wanted && this.#seen && !document.hidden) {
        this.#wanted = this.#urgent = false;
        const began = performance.now();
        await this.work();
        await this.#rest(Math.min(this.rest * (performance.now() - began), this.longest));
      }
    } finally {
      this.#busy = false;
    }
  }

  #rest(ms) {
    if (this.#urgent) return undefined; // wished for while the work was being done
    return new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, ms);
    });
  }

  again() {
    return this.look(this.#seen);
  }

  end() {
    this.#seen = this.#wanted = false;
    this.#wake();
    observer.unobserve(this.element);
    all.delete(this.element);
  }
}

const observer = new IntersectionObserver(
  (entries) => entries.forEach((entry) => all.get(entry.target)?.look(entry.isIntersecting)),
  { rootMargin: "200px" },
);
document.addEventListener("visibilitychange", () => all.forEach((lazy) => lazy.again()));
