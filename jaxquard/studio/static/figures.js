// A chart's form apart from its figures. While a network trains, only the figures of its charts change: a drawing that
// knows them by name takes new ones without being made anew, which costs a fraction of it.

/**
 * `{form, params, datasets}`: the Vega-Lite spec with names in place of its data, the ends of its numeric scales and
 * the ticks of its axes, and what these names stand for. Together they are a spec that draws the same.
 */
export function apart(spec) {
  const params = {};
  const datasets = {};
  const form = walk(spec, { params, datasets });
  return { form, params, datasets };
}

/** The spec again. */
export function together({ form, params, datasets }) {
  return { ...form, params: Object.entries(params).map(([name, value]) => ({ name, value })), datasets };
}

function walk(part, figures) {
  if (Array.isArray(part)) return part.map((one) => walk(one, figures));
  if (part === null || typeof part !== "object") return part;
  const taken = ([key, value]) => [key, (TAKEN[key] ?? walk)(value, figures)];
  return Object.fromEntries(Object.entries(part).map(taken));
}

const TAKEN = {
  data(value, { datasets }) {
    if (!Array.isArray(value?.values)) return value;
    const name = `data${Object.keys(datasets).length}`;
    datasets[name] = value.values;
    return { name };
  },
  scale(value, { params }) {
    if (!isNumeric(value?.domain)) return value;
    const name = named(value.domain, params);
    return { ...value, domain: value.domain.map((_, i) => ({ expr: `${name}[${i}]` })) };
  },
  axis(value, { params }) {
    if (!isNumeric(value?.values)) return value;
    return { ...value, values: { expr: named(value.values, params) } };
  },
};

/** A name for a value; one that is there already keeps its name, so that layers that share an axis still do. */
function named(value, params) {
  const found = Object.keys(params).find((name) => params[name].join() === value.join());
  const name = found ?? `values${Object.keys(params).length}`;
  params[name] = value;
  return name;
}

function isNumeric(value) {
  return Array.isArray(value) && value.every((one) => typeof one === "number");
}
