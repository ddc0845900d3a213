// How numbers are written: three significant digits, thousands apart, a dash for what is not finite.

const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 0.0123, 1,230, 1.2e-5. */
export function decimal(value) {
  if (value === null) return "–";
  return value && Math.abs(value) < 1e-3 ? value.toExponential(1) : three.format(value);
}

/** 60000 -> 60,000. */
export function count(value) {
  return whole.format(value);
}
