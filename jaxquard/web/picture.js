// Turns a picture into an image like those that a network was trained on: finds the object in it, and puts it on a
// plain background as in the training images. It is a translation of jaxquard/data/pictures.py, segmentation.py and
// background.py, which give the reasons. It searches in grey.
//
// A picture is {shape: [height, width, channels], values}. Its bytes are a Uint8ClampedArray, which rounds numbers.
// Masks and other planes are the values alone.

import { rint } from "./network.js";

const USUAL = { background: "dark", fill: 1, centre: "box", stands_out: true, full_contrast: true, white: 255 };
const EDGE = 256; // pixels of the longer edge in which the object is searched for
const CLOSE = 80; // pixels: a smaller object is searched for again at a higher resolution
const FITTED = 64; // pixels of the longer edge that the background is fitted to
const UNEVEN = 0.08; // share of the border that is neither background nor noise
const WIDE = 9; // pixels of a border in which lines do not count
const DARKEST_SHADOW = 0.4; // of the paper in the light
const FILTERS = {
  box: { reach: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bicubic: { reach: 2, weight: (x) => cubic(Math.abs(x)) },
};
const MARGIN = 2; // pixels around the object, for its soft edge

/**
 * The pixels of a picture (ImageData) as the network of `read` expects them, a Uint8Array for `run`. Pictures of at most
 * 1,024 pixels on a side are enough. Throws an Error if the network's images are neither grey nor in colour.
 */
export function prepare({ data, width, height }, network) {
  const [h, w, channels] = network.shape;
  if (channels !== 1 && channels !== 3) throw new Error(`Pictures have 1 or 3 channels, the network's images ${channels}.`);
  const framing = { ...USUAL, ...network.dataset.framing };
  const { picture, opaque } = onPaper(data, height, width);
  let image;
  if (opaque && height === h && width === w) {
    image = inChannels(picture, channels);
    if (image.values.every((level) => level <= framing.white)) return Uint8Array.from(image.values);
  } else if (!searches(network)) {
    image = inChannels(framing.stands_out ? padded(picture, h, w) : cropped(picture, h, w), channels);
  } else {
    image = framed(picture, network.shape, framing);
  }
  return Uint8Array.from(Uint8ClampedArray.from(image.values, (level) => (level * framing.white) / 255));
}

/** Whether `prepare` searches for an object in pictures for this network; else it uses the whole picture. */
export function searches({ dataset }) {
  const framing = { ...USUAL, ...dataset.framing };
  return !framing.as_read && framing.stands_out;
}

/** RGBA as RGB, and whether nothing is transparent. Transparent parts become white; beside light colours, black. */
function onPaper(data, height, width) {
  const pixels = height * width;
  const picture = { shape: [height, width, 3], values: new Uint8ClampedArray(3 * pixels) };
  let [alphas, light] = [0, 0];
  for (let k = 0; k < 4 * pixels; k += 4) {
    alphas += data[k + 3];
    light += ((data[k] + data[k + 1] + data[k + 2]) / 3) * data[k + 3];
  }
  const paper = light > 127.5 * alphas ? 0 : 255;
  for (let k = 0; k < 3 * pixels; k++) {
    const pixel = 4 * Math.floor(k / 3);
    const weight = data[pixel + 3] / 255;
    picture.values[k] = data[pixel + (k % 3)] * weight + paper * (1 - weight);
  }
  return { picture, opaque: alphas === 255 * pixels };
}

/** RGB unchanged, or as grey levels. */
function inChannels({ shape: [height, width], values }, channels) {
  if (channels === 3) return { shape: [height, width, 3], values };
  const grey = new Uint8ClampedArray(height * width);
  grey.forEach((_, k) => {
    grey[k] = (values[3 * k] * 19595 + values[3 * k + 1] * 38470 + values[3 * k + 2] * 7471 + 0x8000) >> 16;
  });
  return { shape: [height, width, 1], values: grey };
}

/** Resized with its proportions; the rest of the frame has the median colour of the border. */
function padded(picture, h, w) {
  const [height, width] = picture.shape;
  const scale = Math.min(h / height, w / width);
  const small = resized(picture, [height * scale, width * scale], "bicubic");
  const colour = borderColour(picture);
  const frame = { shape: [h, w, 3], values: new Uint8ClampedArray(3 * h * w).map((_, k) => colour[k % 3]) };
  return pasted(frame, small, [rint((h - small.shape[0]) / 2), rint((w - small.shape[1]) / 2)]);
}

/** The median of each channel of RGB on the border; the corners count twice. */
function borderColour({ shape: [height, width], values }) {
  const pixels = [];
  for (let x = 0; x < width; x++) pixels.push(x, (height - 1) * width + x);
  for (let y = 0; y < height; y++) pixels.push(y * width, (y + 1) * width - 1);
  return [0, 1, 2].map((c) => Math.floor(median(pixels.map((k) => values[3 * k + c]))));
}

/** The middle of a picture that has the proportions of the frame, resized. */
function cropped(picture, h, w) {
  const [height, width] = picture.shape;
  const [rows, columns] = [Math.min(height, (width * h) / w), Math.min(width, (height * w) / h)];
  return resized(picture, [h, w], "bicubic", [(height - rows) / 2, (width - columns) / 2], [rows, columns]);
}

/** The object in a picture, on the background of the training images: levels from 0 to 255. */
function framed(picture, [h, w, channels], framing) {
  const found = look(inChannels(picture, 1));
  const light = framing.background === "both" ? found.isLight : framing.background === "light";
  const ink = inked(found, reduced(picture, found.corners), channels, light, framing);
  const { shape, values } = placed(between(ink, ...found.box), h, w, framing);
  return { shape, values: values.map((value) => 255 * (light ? 1 - value : value)) };
}

/** How each pixel of the object differs from a plain background, light or dark, from 0 to 1. */
function inked({ difference, paper, mask, shape, isLight }, { values: colours }, channels, light, framing) {
  const [height, width] = shape;
  const brightest = framing.full_contrast ? Math.max(0.01, quantile(chosen(difference, mask), 0.99)) : 1;
  const values = new Float32Array(height * width * channels);
  for (const k of near(mask, width, MARGIN)) {
    if (channels === 1) values[k] = Math.min(1, difference[k] / brightest);
    for (let at = 3 * k; channels === 3 && at < 3 * k + 3; at++) {
      const colour = Math.min(1, colours[at] / (isLight ? Math.max(1, paper[k]) : 255));
      values[at] = light ? 1 - colour : colour;
    }
  }
  return { shape: [height, width, channels], values };
}

/** The pixels at most `reach` steps away from those of a mask. */
function near(mask, width, reach) {
  const found = new Set();
  mask.forEach((value, k) => {
    for (let i = -reach; value && i <= reach; i++) {
      const wide = reach - Math.abs(i);
      for (let x = (k % width) - wide; x <= (k % width) + wide; x++) {
        const place = k - (k % width) + i * width + x;
        if (x >= 0 && x < width && place >= 0 && place < mask.length) found.add(place);
      }
    }
  });
  return found;
}

/** Ink, resized and placed in a frame like the objects in the training images. */
function placed(ink, h, w, framing) {
  const [height, width, channels] = ink.shape;
  const scale = framing.fill * Math.min(h / height, w / width);
  const { shape, values } = resized(ink, [height * scale, width * scale], "bicubic");
  const clipped = values.map((value) => Math.min(1, Math.max(0, value)));
  const largest = framing.full_contrast ? clipped.reduce((a, b) => Math.max(a, b), 0.01) : 1;
  const small = { shape, values: clipped.map((value) => value / largest) };
  const corner = [h, w].map((length, axis) => start(small, axis, length, framing.centre));
  return pasted({ shape: [h, w, channels], values: new Float32Array(h * w * channels) }, small, corner);
}

/** Where an image starts on an axis of `length` pixels so that its centre, of the box or of mass, is in the middle. */
function start({ shape, values }, axis, length, centre) {
  const [, width, channels] = shape;
  let [mass, moment] = [0, 0];
  values.forEach((value, k) => {
    const pixel = Math.floor(k / channels);
    mass += value;
    moment += value * ((axis ? pixel % width : Math.floor(pixel / width)) + 0.5);
  });
  const middle = centre === "mass" && mass > 0 ? moment / mass : shape[axis] / 2;
  return Math.min(Math.max(0, rint(length / 2 - middle)), length - shape[axis]);
}

/**
 * The object in grey levels of any size: {difference: 0 … 1, paper: the background, mask, shape: of these three,
 * isLight: the background is lighter, box: the object's corners, corners: of the part of the picture that they show}.
 */
function look(grey) {
  const found = find(grey, [[0, 0], grey.shape]);
  const [first, last] = found.box;
  const edge = Math.max(last[0] - first[0], last[1] - first[1]);
  const scale = Math.max(...grey.shape) / Math.max(...found.shape);
  if (edge > CLOSE || scale === 1) return found;
  const corners = [
    first.map((k) => Math.max(0, Math.floor((k - edge) * scale))),
    last.map((k, axis) => Math.min(grey.shape[axis], Math.floor((k + edge) * scale))),
  ];
  const closely = find(grey, corners);
  return closely.mask.includes(1) ? closely : found;
}

function find(grey, corners) {
  const { shape, values } = reduced(grey, corners);
  const { paper, mask } = separated(shape, values);
  const left = Float32Array.from(values, (level, k) => level - paper[k]);
  const pixels = [...mask.keys()].filter((k) => mask[k]);
  const isLight = pixels.length ? chosen(left, mask).reduce((a, b) => a + b) < 0 : median(paper) > 127.5;
  const difference = left.map((value, k) => {
    const share = isLight ? -value / Math.max(1, paper[k]) : value / Math.max(1, 255 - paper[k]);
    return Math.min(1, Math.max(0, share));
  });
  const box = pixels.length ? boxAround(pixels, shape[1]) : [[0, 0], shape];
  return { difference, paper, mask, shape, isLight, box, corners };
}

/** The picture between two corners, reduced to EDGE pixels by averaging. */
function reduced(picture, corners) {
  const near = between(picture, ...corners);
  const [height, width] = near.shape;
  const scale = Math.max(height, width) / EDGE;
  return scale <= 1 ? near : resized(near, [height / scale, width / scale], "box");
}

/** The background of grey levels, and the object's mask. A median filter first removes lines of one or two pixels. */
function separated(shape, values) {
  const plain = medianFiltered(shape, values, Math.min(2, Math.floor(Math.min(shape[0], shape[1]) / 48)));
  const { paper, noise } = background(shape, plain);
  const away = (levels) => Float32Array.from(levels, (level, k) => Math.abs(level - paper[k]));
  const mask = standOut(shape, away(plain), noise);
  const strength = away(values);
  const thin = standOut(shape, strength, spread(strength.filter((_, k) => !mask[k])));
  const mass = (object) => strength.reduce((sum, value, k) => sum + value * object[k], 0);
  const isThin = (!touches(shape, thin) && mass(thin) > 2 * mass(mask)) || !mask.includes(1);
  return { paper, mask: isThin ? thin : mask };
}

/** The background, and its noise: a smooth surface, or several parts, some of them in a shadow. */
function background(shape, values) {
  const { paper, noise } = surface(shape, values);
  const strength = Float32Array.from(values, (level, k) => Math.abs(level - paper[k]));
  return { paper: uneven(shape, strength, noise) ? shadowed(shape, values, paper) : paper, noise };
}

/** Whether many places of the border are neither background nor noise: shadows, or the object itself. */
function uneven([height, width], strength, noise) {
  const band = [...Array(Math.min(WIDE, height, width)).keys()];
  const side = (n, place) => Array.from({ length: n }, (_, k) => median(band.map((i) => strength[place(k, i)])));
  const border = [
    ...side(width, (x, i) => i * width + x),
    ...side(width, (x, i) => (height - 1 - i) * width + x),
    ...side(height, (y, i) => y * width + i),
    ...side(height, (y, i) => (y + 1) * width - 1 - i),
  ];
  const mean = filtered([height, width], strength, [1 / 3, 1 / 3, 1 / 3]);
  const fine = spread(strength.map((value, k) => Math.abs(value - mean[k])));
  const limit = Math.max(10, 4 * Math.min(fine, noise));
  const reach = WIDE >> 1;
  const high = border.filter((_, k) => median(border.slice(Math.max(0, k - reach), k + reach + 1)) > limit);
  return high.length > UNEVEN * border.length;
}

/** The background if shadows with hard edges divide it: smooth parts that reach the border; elsewhere, the nearest. */
function shadowed(shape, values, otherwise) {
  const steep = steepness(shape, values);
  const most = Math.min(12, Math.max(3, 4 * median(steep)));
  const parts = partsOf(shape, steep.map((value) => most - value), 0);
  const lengths = parts.map((pixels) => pixels.filter((k) => onBorder(shape, k)).length);
  const long = parts.filter((_, j) => lengths[j] > 0.04 * lengths.reduce((a, b) => a + b));
  const levels = long.map((pixels) => median(pixels.map((k) => values[k])));
  const papers = long.filter((_, j) => levels[j] > DARKEST_SHADOW * Math.max(...levels));
  const paper = papers.flat();
  if (paper.length < 0.3 * values.length) return otherwise;
  const smooth = new Float32Array(values.length);
  for (const pixels of papers) {
    const part = new Float32Array(values.length);
    pixels.forEach((k) => (part[k] = 1));
    const [weight, level] = [part, part.map((one, k) => one * values[k])].map((plane) => filtered(shape, plane, bell(3)));
    pixels.forEach((k) => (smooth[k] = level[k] / weight[k]));
  }
  const nearest = nearestOf(shape, paper, shadowSide(shape, values, paper));
  return smooth.map((_, k) => smooth[nearest[k]] ?? otherwise[k]);
}

/** Whether each pixel lies in the shadow, if its edge is straight; else false everywhere. By logistic regression. */
function shadowSide([height, width], values, paper) {
  const levels = paper.map((k) => values[k]);
  const middle = (quantile(levels, 0.02) + quantile(levels, 0.98)) / 2;
  const place = (k) => terms(k, height, width).slice(0, 3);
  const every = Math.max(1, Math.floor(paper.length / 2000));
  const points = paper.filter((_, j) => j % every === 0).map((k) => ({ terms: place(k), dark: values[k] < middle }));
  let weights = [0, 0, 0];
  const isIn = (terms) => dot(terms, weights) > 0;
  for (let round = 0; round < 20; round++) { // Newton's method, as weighted least squares
    weights = fitted(points.map(({ terms, dark }) => {
      const z = Math.min(30, Math.max(-30, dot(terms, weights)));
      const chance = 1 / (1 + Math.exp(-z));
      const root = Math.sqrt(chance * (1 - chance));
      return { terms: terms.map((term) => root * term), level: root * z + (dark - chance) / root };
    }));
  }
  const divided = points.filter(({ terms, dark }) => isIn(terms) === dark).length > 0.99 * points.length;
  return Array.from(values, (_, k) => divided && isIn(place(k)));
}

/** For each pixel the nearest of some `pixels`, among those on its own side. */
function nearestOf(shape, pixels, side) {
  const nearest = new Int32Array(side.length).fill(-1);
  pixels.forEach((k) => (nearest[k] = k));
  const reached = [...pixels];
  for (const k of reached) {
    for (const next of around(shape, k)) {
      if (nearest[next] >= 0 || side[next] !== side[k]) continue;
      nearest[next] = nearest[k];
      reached.push(next);
    }
  }
  return nearest;
}

/** How steeply grey levels rise or fall at each pixel, smoothed over about a pixel. */
function steepness(shape, values) {
  const slope = bell(1).map((weight, k, { length }) => weight * (k - (length >> 1)));
  const [down, across] = [filtered(shape, values, slope, bell(1)), filtered(shape, values, bell(1), slope)];
  return down.map((value, k) => Math.hypot(value, across[k]));
}

/** A Gaussian with this standard deviation in pixels; its sum is 1. */
function bell(sigma) {
  const weights = Array.from({ length: 8 * sigma + 1 }, (_, k) => Math.exp(-((k / sigma - 4) ** 2) / 2));
  return weights.map((weight) => weight / weights.reduce((a, b) => a + b));
}

/** The background as a quadratic surface, fitted first to the border, then to all that is near it; and its noise. */
function surface([height, width], values) {
  const most = Math.ceil(Math.max(height, width) / FITTED);
  const steps = [height, width].map((n) => Math.max(1, Math.min(most, Math.floor(n / 3)))); // 3 points fix a parabola
  const [h, w] = [Math.ceil(height / steps[0]), Math.ceil(width / steps[1])];
  const wide = Math.max(1, Math.floor(Math.min(h, w) / 24));
  const points = Array.from({ length: h * w }, (_, k) => {
    const [y, x] = [Math.floor(k / w), k % w];
    const border = Math.min(y, x, h - 1 - y, w - 1 - x) < wide;
    return { terms: terms(k, h, w), level: values[steps[0] * y * width + steps[1] * x], border };
  });
  let used = points.filter(({ border }) => border);
  let coefficients = [median(used.map(({ level }) => level)), 0, 0, 0, 0, 0];
  const away = ({ terms, level }) => Math.abs(level - dot(terms, coefficients));
  const noise = () => spread(Float32Array.from(used, away));
  for (let round = 0; round < 6; round++) {
    const limit = 3 * noise();
    used = points.filter((point) => away(point) < limit && (round >= 3 || point.border));
    if (used.length < 20) break;
    coefficients = fitted(used);
  }
  const paper = Float32Array.from(values, (_, k) => dot(terms(k, height, width), coefficients));
  return { paper: paper.map((level) => Math.min(255, Math.max(0, level))), noise: noise() };
}

/** 1, y, x, y², yx, x² of the pixel number k, with y and x from -1 to 1. */
function terms(k, height, width) {
  const y = (2 * Math.floor(k / width)) / Math.max(1, height - 1) - 1;
  const x = (2 * (k % width)) / Math.max(1, width - 1) - 1;
  return [1, y, x, y * y, y * x, x * x];
}

/** The coefficients of least squares, by elimination in the normal equations. */
function fitted(points) {
  const n = points[0].terms.length;
  const rows = Array.from({ length: n }, () => new Float64Array(n + 1));
  for (const { terms, level } of points) {
    terms.forEach((a, i) => [...terms, level].forEach((b, j) => (rows[i][j] += a * b)));
  }
  rows.forEach((row, i) => (row[i] += 1e-6)); // never singular
  rows.forEach((pivot, i) => {
    rows.forEach((row, j) => {
      const factor = i === j ? 0 : row[i] / pivot[i];
      row.forEach((_, k) => (row[k] -= factor * pivot[k]));
    });
  });
  return rows.map((row, i) => row[n] / row[i]);
}

function dot(a, b) {
  return a.reduce((sum, value, k) => sum + value * b[k], 0);
}

/** The standard deviation of noise, from the median of differences from the background; at least 1.5 grey levels. */
function spread(strength) {
  return Math.max(1.5, 1.4826 * median(strength));
}

/** The pixels far enough above the noise. While they reach the border, as lines on paper do, the threshold rises. */
function standOut(shape, values, noise) {
  let [low, high] = [Math.max(4 * noise, 10), Math.max(8 * noise, 20)];
  const everything = heavyParts(shape, values, low, high);
  const most = 0.5 * quantile(chosen(values, everything), 0.98);
  let mask = everything;
  while (touches(shape, mask)) {
    low *= 1.4;
    high = Math.max(high, low);
    if (low > most) return everything;
    mask = heavyParts(shape, values, low, high);
  }
  return mask;
}

/** The parts above `low` that reach `high`, without dirt: light parts, and thin ones along the border. */
function heavyParts(shape, values, low, high) {
  const [height, width] = shape;
  const parts = partsOf(shape, values, low).filter((pixels) => pixels.some((k) => values[k] > high));
  const masses = parts.map((pixels) => {
    const [[top, left], [bottom, right]] = boxAround(pixels, width);
    const outside = top === 0 || left === 0 || bottom === height || right === width;
    const thin = Math.min(bottom - top, right - left) < 0.08 * Math.min(height, width);
    return outside && thin ? 0 : pixels.reduce((sum, k) => sum + values[k], 0);
  });
  const least = 0.04 * masses.reduce((a, b) => Math.max(a, b), 0);
  const mask = new Uint8Array(height * width);
  parts.forEach((pixels, j) => masses[j] > 0 && masses[j] >= least && pixels.forEach((k) => (mask[k] = 1)));
  return mask;
}

/** The connected parts above a limit, each a list of pixels; corners connect. */
function partsOf(shape, values, limit) {
  const left = Uint8Array.from(values, (value) => value > limit);
  const parts = [];
  left.forEach((_, first) => {
    if (!left[first]) return;
    const pixels = [first];
    left[first] = 0;
    for (const k of pixels) {
      for (const next of around(shape, k)) {
        if (left[next]) pixels.push(next);
        left[next] = 0;
      }
    }
    parts.push(pixels);
  });
  return parts;
}

/** The pixel k and its neighbours, with those at its corners. */
function around([height, width], k) {
  const [y, x] = [Math.floor(k / width), k % width];
  const found = [];
  for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
    for (let j = Math.max(0, x - 1); j <= Math.min(width - 1, x + 1); j++) found.push(row * width + j);
  }
  return found;
}

/** The values in a mask. */
function chosen(values, mask) {
  return values.filter((_, k) => mask[k]);
}

/** The corners of the box around pixels, [[top, left], [bottom, right]]. */
function boxAround(pixels, width) {
  let [top, left, bottom, right] = [Infinity, Infinity, 0, 0];
  for (const k of pixels) {
    const [y, x] = [Math.floor(k / width), k % width];
    [top, left] = [Math.min(top, y), Math.min(left, x)];
    [bottom, right] = [Math.max(bottom, y + 1), Math.max(right, x + 1)];
  }
  return [[top, left], [bottom, right]];
}

/** Whether a mask reaches the border of the picture. */
function touches(shape, mask) {
  return mask.some((value, k) => value && onBorder(shape, k));
}

function onBorder([height, width], k) {
  const [y, x] = [Math.floor(k / width), k % width];
  return Math.min(y, x, height - 1 - y, width - 1 - x) === 0;
}

/** Each pixel becomes the median of a square that reaches so many pixels to each side; the border is mirrored. */
function medianFiltered([height, width], values, reach) {
  const square = new Uint8Array((1 + 2 * reach) ** 2);
  return values.map((_, k) => {
    let count = 0;
    for (let i = -reach; i <= reach; i++) {
      const row = mirrored(Math.floor(k / width) + i, height) * width;
      for (let j = -reach; j <= reach; j++) square[count++] = values[row + mirrored((k % width) + j, width)];
    }
    return square.sort()[square.length >> 1];
  });
}

/** A place beyond the ends of an axis with n places, mirrored at the ends. */
function mirrored(k, n) {
  const place = ((k % (2 * n)) + 2 * n) % (2 * n);
  return Math.min(place, 2 * n - 1 - place);
}

/** Each pixel becomes a sum of those near it, with weights for the rows and the columns; the border is mirrored. */
function filtered([height, width], values, down, across = down) {
  const along = (plane, weights, n, step) => plane.map((_, k) => {
    const at = Math.floor(k / step) % n;
    const first = at - (weights.length >> 1);
    return weights.reduce((sum, weight, i) => sum + weight * plane[k + (mirrored(first + i, n) - at) * step], 0);
  });
  return along(along(Float32Array.from(values), down, height, width), across, width, 1);
}

function median(values) {
  return quantile(values, 0.5);
}

/** The value below which this share of the values lies, interpolated; 0 without values. */
function quantile(values, share) {
  if (!values.length) return 0;
  const sorted = Float32Array.from(values).sort();
  const at = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at % 1);
}

/** The part of a picture between two corners. */
function between({ shape: [, width, channels], values }, [top, left], [bottom, right]) {
  const rows = Array.from({ length: bottom - top }, (_, y) => ((top + y) * width + left) * channels);
  const part = new values.constructor(rows.length * (right - left) * channels);
  rows.forEach((first, y) => {
    part.set(values.subarray(first, first + (right - left) * channels), y * (right - left) * channels);
  });
  return { shape: [rows.length, right - left, channels], values: part };
}

/** The frame with a small picture on it, at a corner. */
function pasted(frame, { shape: [height, width, channels], values }, [top, left]) {
  for (let y = 0; y < height; y++) {
    const row = values.subarray(y * width * channels, (y + 1) * width * channels);
    frame.values.set(row, ((top + y) * frame.shape[1] + left) * channels);
  }
  return frame;
}

/** A picture with about this [height, width], in the way of Pillow. `first` and `size`: of the part that is used. */
function resized(picture, edges, filter, first = [0, 0], size = picture.shape) {
  const [height, width] = edges.map((edge) => Math.max(1, rint(edge)));
  return along(along(picture, 1, width, first[1], size[1], filter), 0, height, first[0], size[0], filter);
}

/** Resized on one axis. Each new pixel is a weighted mean of the old ones near it; bytes are rounded. */
function along({ shape, values }, axis, length, first, size, filter) {
  const { reach, weight } = FILTERS[filter];
  const [scale, n] = [size / length, shape[axis]];
  const stretch = Math.max(1, scale);
  const step = axis ? shape[2] : shape[1] * shape[2]; // between neighbours on the axis
  const made = shape.with(axis, length);
  const output = new values.constructor(made[0] * made[1] * made[2]);
  for (let k = 0; k < length; k++) {
    const centre = first + (k + 0.5) * scale;
    const [start, stop] = [-1, 1].map((side) => Math.floor(centre + side * reach * stretch + 0.5));
    const places = Array.from({ length: stop - start }, (_, x) => start + x).filter((x) => x >= 0 && x < n);
    const weights = places.map((x) => weight((x - centre + 0.5) / stretch));
    const total = weights.reduce((a, b) => a + b);
    for (let line = 0; line < output.length / length / step; line++) {
      for (let c = 0; c < step; c++) {
        let sum = 0;
        for (let x = 0; x < places.length; x++) sum += weights[x] * values[(line * n + places[x]) * step + c];
        output[(line * length + k) * step + c] = sum / total;
      }
    }
  }
  return { shape: made, values: output };
}

/** Keys's cubic, the usual "bicubic" filter, for x from 0 to 2. */
function cubic(x) {
  if (x >= 2) return 0;
  return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2;
}
