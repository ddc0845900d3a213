// Work for a visible element, such as drawing. Requests during the work are done together afterwards, once. Work for an
// element outside the window or on a hidden page waits until the element is visible. After the work there may be a
// pause, which leaves the cores to the training; an urgent request ends it.

export const REST = 60; // times as long as drawing takes
const LONGEST = 5000; // ms of rest

const all = new Map(); // element -> Lazy

export class Lazy {
  #wanted = false;
  #busy = false;
  #seen = false;
  #urgent = false;
  #wake = () => {};

  /** `work()` may be asynchronous. Afterwards it pauses `rest` times as long as the work took, at most `longest` ms. */
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
    return this.look();
  }

  /** Does the requested work if the element is visible now. */
  async look(seen = this.#seen) {
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
    if (this.#urgent) return undefined; // requested during the work
    return new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, ms);
    });
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
document.addEventListener("visibilitychange", () => all.forEach((lazy) => lazy.look()));
