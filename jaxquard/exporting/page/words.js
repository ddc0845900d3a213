// Numbers in words, the same everywhere on the page.

export const count = (n) => n.toLocaleString("en");
export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}\u00a0%`;
export const short = (value) => (value === null ? "–" : String(Number(value.toPrecision(3))));
export const sure = (p) => (p >= 0.9995 ? `> ${percent(0.999)}` : percent(p));
