// A trained network in plain JavaScript: `read` takes the file that `jaxquard export MODEL --to safetensors` writes,
// and `run` classifies images. The list of layers in the file says what to compute; docs/EXPORT.md describes the file,
// and jaxquard/nn/sequential.py the kinds of layers. The names here are those of jaxquard/nn.
//
// One image passes through the layers at a time. A tensor is {shape, values}: its shape is [height, width, channels]
// or [units], and its values are ordered by rows, then columns, then channels.

const FORMAT = "jaxquard-model-2";

export const ACTIVATIONS = {
  relu: (z) => Math.max(0, z),
  leaky_relu: (z) => (z <= 0 ? 0.01 * z : z),
  sigmoid: (z) => 1 / (1 + Math.exp(-z)),
  tanh: Math.tanh,
  gelu: (z) => 0.5 * z * (1 + erf(z * Math.SQRT1_2)),
  identity: (z) => z,
};

// kind of layer -> function of its input `a`, its arrays, its attributes, and the outputs of the layers before it
export const LAYERS = {
  standardize: (a, _, { mean, std }) => map(a, (pixel) => (pixel / 255 - mean) / std),
  space_to_depth,
  flatten: (a) => ({ shape: [a.values.length], values: a.values }),
  dense,
  conv2d,
  batch_norm,
  add,
  activation: (a, _, about) => map(a, named(ACTIVATIONS, about.function, "activation")),
  max_pool,
  global_avg_pool,
  dropout: (a) => a, // only in training
};

/** The error function erf(x), with an error of at most 1.5e-7 (Abramowitz and Stegun, formula 7.1.26). */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

/** Each block × block of pixels becomes one pixel with block² times the channels. Zeros fill incomplete blocks. */
function space_to_depth(a, _, { block }) {
  const [height, width, channels] = a.shape;
  const output = zeros([Math.ceil(height / block), Math.ceil(width / block), block * block * channels]);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const pixel = Math.floor(y / block) * output.shape[1] + Math.floor(x / block);
      const start = (pixel * block * block + (y % block) * block + (x % block)) * channels;
      for (let c = 0; c < channels; c++) output.values[start + c] = a.values[(y * width + x) * channels + c];
    }
  }
  return output;
}

/** z = a·w + b: [in] -> [out]. */
function dense(a, { w, b }) {
  check(a.shape.length === 1 && a.shape[0] === w.shape[0], "the weights of a dense layer have another shape");
  const z = biases([w.shape[1]], b);
  addProducts(z.values, 0, a.values, 0, w, 0);
  return z;
}

/** z[p, q, o] = b[o] + Σ a[s·p + i, s·q + j, c] · w[i, j, c, o], s the stride: [h, w, in] -> [h', w', out]. */
function conv2d(a, { w, b }, { stride, padding }) {
  const [height, width, n_in] = a.shape;
  const [rows, columns, , n_out] = w.shape;
  check(n_in === w.shape[2], "the weights of a convolution have another shape");
  const [h, top] = extent(height, rows, stride, padding);
  const [v, left] = extent(width, columns, stride, padding);
  const z = biases([h, v, n_out], b);
  for (let p = 0; p < h; p++) {
    for (let q = 0; q < v; q++) {
      for (let i = 0; i < rows; i++) {
        const y = stride * p + i - top;
        if (y < 0 || y >= height) continue; // the padding is zero
        for (let j = 0; j < columns; j++) {
          const x = stride * q + j - left;
          if (x < 0 || x >= width) continue;
          addProducts(z.values, (p * v + q) * n_out, a.values, (y * width + x) * n_in, w, i * columns + j);
        }
      }
    }
  }
  return z;
}

/** On one axis of n pixels: the length of a convolution's output, and the number of zeros before the first pixel. */
function extent(n, window, stride, padding) {
  if (padding === "VALID") return [Math.floor((n - window) / stride) + 1, 0];
  const length = Math.ceil(n / stride);
  return [length, Math.max(0, (length - 1) * stride + window - n) >> 1];
}

/** z[to + o] += Σ a[from + c] · w[c, o] over c, for every o. `w` is the matrix number k of an array (…, in, out). */
function addProducts(z, to, a, from, w, k) {
  const [n_in, n_out] = [w.shape.at(-2), w.shape.at(-1)];
  const { values } = w;
  let at = k * n_in * n_out;
  for (let c = 0; c < n_in; c++, at += n_out) {
    const value = a[from + c];
    if (value === 0) continue; // often so after ReLU
    for (let o = 0; o < n_out; o++) z[to + o] += value * values[at + o];
  }
}

/** (a - mean)/√(var + ε)·scale + bias for each channel. */
function batch_norm(a, { mean, var: variance, scale, bias }, { epsilon }) {
  const factor = map(scale, (value, c) => value / Math.sqrt(variance.values[c] + epsilon)).values;
  const n = factor.length;
  check(n === a.shape.at(-1), "a batch normalisation has another number of channels");
  return map(a, (value, k) => (value - mean.values[k % n]) * factor[k % n] + bias.values[k % n]);
}

/** a + the output of an earlier layer. */
function add(a, _, { layer }, outputs) {
  check(String(outputs[layer].shape) === String(a.shape), "the two parts of a sum have different shapes");
  return map(a, (value, k) => value + outputs[layer].values[k]);
}

/** The largest of each window × window block; surplus rows and columns are cut off. */
function max_pool(a, _, { window }) {
  const [height, width, channels] = a.shape;
  const [h, w] = [Math.floor(height / window), Math.floor(width / window)];
  const output = zeros([h, w, channels]);
  output.values.fill(-Infinity);
  for (let y = 0; y < h * window; y++) {
    for (let x = 0; x < w * window; x++) {
      const to = (Math.floor(y / window) * w + Math.floor(x / window)) * channels;
      const from = (y * width + x) * channels;
      for (let c = 0; c < channels; c++) {
        output.values[to + c] = Math.max(output.values[to + c], a.values[from + c]);
      }
    }
  }
  return output;
}

/** The mean over all pixels: [height, width, channels] -> [channels]. */
function global_avg_pool(a) {
  const [height, width, channels] = a.shape;
  const sums = zeros([channels]);
  a.values.forEach((value, k) => (sums.values[k % channels] += value));
  return map(sums, (sum) => sum / (height * width));
}

function zeros(shape) {
  return { shape, values: new Float32Array(size(shape)) };
}

/** A tensor that has the vector b at every pixel; zeros without b. */
function biases(shape, b) {
  const z = zeros(shape);
  return b ? map(z, (_, k) => b.values[k % b.values.length]) : z;
}

function map({ shape, values }, change) {
  return { shape, values: values.map((value, k) => change(value, k)) };
}

/** eᶻⁱ / Σⱼ eᶻʲ. Subtracting the maximum prevents overflow. */
function softmax(logits) {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const exponentials = Array.from(logits, (z) => Math.exp(z - largest));
  const sum = exponentials.reduce((a, b) => a + b);
  return exponentials.map((value) => value / sum);
}

/**
 * The probabilities of the classes, {probabilities: Float32Array(n·classes), outputs}, for n images (n, h, w, c).
 * A Uint8Array has 255 for white; a Float32Array has the range of the training images, or 1 for white.
 * watch: whether `outputs` are those of every layer for the first image, [{kind, shape, values}]; otherwise it is
 * empty. If the network averages several, they are those of the first.
 */
export function run(network, images, n = 1, watch = false) {
  const { shape, classes, layers, networks } = network;
  const length = size(shape);
  check(images.length === n * length, `${n} × ${shape.join("×")} numbers are needed, not ${images.length}`);
  const levels = grey_levels(network, images);
  const probabilities = new Float32Array(n * classes.length);
  let outputs = [];
  for (let k = 0; k < n; k++) {
    const image = { shape, values: levels.subarray(k * length, (k + 1) * length) };
    networks.forEach((arrays, number) => {
      const found = forward(network, arrays, image);
      softmax(found.at(-1).values).forEach((p, c) => (probabilities[k * classes.length + c] += p / networks.length));
      if (watch && k + number === 0) outputs = found.map((output, j) => ({ kind: layers[j].kind, ...output }));
    });
  }
  return { probabilities, outputs };
}

/** The output of every layer for one image; the last are the logits. */
function forward({ layers, classes }, arrays, image) {
  const outputs = [];
  for (const { kind, arrays: paths, attributes } of layers) {
    const own = Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, arrays[path]]));
    outputs.push(named(LAYERS, kind, "kind of layer")(outputs.at(-1) ?? image, own, attributes, outputs));
  }
  const { length } = outputs.at(-1).values;
  check(length === classes.length, `it has ${classes.length} classes, but ${length} outputs`);
  return outputs;
}

/** Pixels with 255 for white. Bytes that are as dim as the training set's file are scaled as the training set was. */
function grey_levels({ dataset }, images) {
  if (images instanceof Float32Array) {
    const [black, white] = dataset.value_range ?? [0, 1];
    return images.map((value) => (255 * (value - black)) / (white - black));
  }
  const white = dataset.scaled_from ?? 255;
  const dim = images.every((level) => level <= white);
  return Float32Array.from(images, (level) => (dim ? rint((level * 255) / white) : level));
}

/** A number rounded; halves to the even number, as in NumPy. */
export function rint(x) {
  const near = Math.round(x);
  return near - x === 0.5 && near % 2 ? near - 1 : near;
}

/**
 * The network in a file, an ArrayBuffer: {classes: names, shape: [height, width, channels] of its images, layers:
 * [{kind, arrays: {name: path}, attributes}], networks: for each network that it averages its tensors by path, floats:
 * whether it was trained on floats, dataset: facts of the training data, config: settings of the training}.
 * Throws an Error with one sentence if it cannot be read.
 */
export function read(bytes) {
  try {
    const network = parsed(bytes);
    const { probabilities } = run(network, new Uint8Array(size(network.shape))); // finds what does not fit together
    check(probabilities.every(Number.isFinite), "its outputs are not finite");
    return network;
  } catch (error) {
    const why = error.constructor === Error ? error.message : "its contents do not fit together";
    throw new Error(`The file holds no network of Jaxquard, or is damaged: ${why}.`);
  }
}

function parsed(bytes) {
  const length = bytes.byteLength < 8 ? Infinity : Number(new DataView(bytes).getBigUint64(0, true));
  check(8 + length <= bytes.byteLength, "it is not a safetensors file, or its end is missing");
  const { __metadata__: facts = {}, ...places } = json(new TextDecoder().decode(bytes.slice(8, 8 + length)), "header");
  check(facts.format === FORMAT, `its format is not ${FORMAT}`);
  check(facts.layers, "it has no list of layers; write it with jaxquard export MODEL --to safetensors");
  const [layers, dataset, config] = ["layers", "dataset", "config"].map((name) => json(facts[name], name));
  const { class_names: classes, image_shape: shape, value_range: range } = dataset;
  const names = layers.flatMap(([, arrays]) => Object.values(arrays));
  const data = bytes.slice(8 + length);
  const arrays = names.map((name) => [name, float32(data, named(places, name, "array"), name)]);
  const count = arrays[0][1].shape[0];
  check(count > 0 && arrays.every(([, { shape }]) => shape[0] === count), "its arrays differ in the number of networks");
  const networks = Array.from({ length: count }, (_, k) =>
    Object.fromEntries(arrays.map(([name, array]) => [name, part(array, k)])),
  );
  const listed = layers.map(([kind, arrays, attributes]) => ({ kind, arrays, attributes }));
  return { classes, shape, layers: listed, networks, floats: (range ?? null) !== null, dataset, config };
}

function json(text, name) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`its ${name} is not JSON`);
  }
}

/** The tensor at a place in the data of a safetensors file. */
function float32(data, { dtype, shape, data_offsets: [start, end] }, name) {
  const whole = dtype === "F32" && end <= data.byteLength && end - start === 4 * size(shape);
  check(whole, `its array ${name} is incomplete`);
  const values = new Float32Array(data.slice(start, end)); // little-endian, as every machine that runs a browser
  check(values.every(Number.isFinite), `its array ${name} has values that are not finite`);
  return { shape, values };
}

/** The tensor number k of those in an array. */
function part({ shape, values }, k) {
  const length = size(shape.slice(1));
  return { shape: shape.slice(1), values: values.subarray(k * length, (k + 1) * length) };
}

function size(shape) {
  return shape.reduce((product, n) => product * n, 1);
}

function named(table, name, what) {
  check(Object.hasOwn(table, name), `no ${what} is called ${name}`);
  return table[name];
}

function check(sound, fault) {
  if (!sound) throw new Error(fault);
}
