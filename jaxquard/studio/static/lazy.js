// Work for what is in sight. Asked for again and again, it is done once at a time, and the latest wish in the end;
// out of sight, or while the whole page is hidden, it waits until somebody looks.

const all = new Map(); // element -> Lazy

export class Lazy {
  #wanted = false;
  #busy = false;
  #seen = false;

  /** `work()` may be asynchronous; `element` is what must be in sight for it. */
  constructor(element, work) {
    this.element = element;
    this.work = work;
    all.set(element, this);
    observer.observe(element);
  }

  ask() {
    this.#wanted = true;
    return this.look(this.#seen);
  }

  /** Does what is wanted, if it can be seen now. */
  async look(seen) {
    this.#seen = seen;
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#wanted && this.#seen && !document.hidden) {
        this.#wanted = false;
        await this.work();
      }
    } finally {
      this.#busy = false;
    }
  }

  again() {
    return this.look(this.#seen);
  }

  end() {
    this.#seen = this.#wanted = false;
    observer.unobserve(this.element);
    all.delete(this.element);
  }
}

const observer = new IntersectionObserver(
  (entries) => entries.forEach((entry) => all.get(entry.target)?.look(entry.isIntersecting)),
  { rootMargin: "200px" },
);
document.addEventListener("visibilitychange", () => all.forEach((lazy) => lazy.again()));
