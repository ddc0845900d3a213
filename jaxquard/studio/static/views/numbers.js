// How numbers are written: three significant digits, percentages with one decimal, thousands apart, a dash for none.

const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const share = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 0.0123, 1,230, 1.2e-5. */
export function decimal(value) {
  if (value === null) return "–"; // what was not finite
  return value && Math.abs(value) < 1e-3 ? value.toExponential(1) : three.format(value);
}

/** 0.1234 -> 12.3%. */
export function percent(fraction) {
  return share.format(fraction);
}

/** 60000 -> 60,000. */
export function count(value) {
  return whole.format(value);
}
