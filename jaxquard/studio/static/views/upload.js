// A picture as the server takes it: at most 1 MB and 4 megapixels. A photograph is made small here, before it is sent.

const BYTES = 700_000; // a third more as base64, and the request is still under 1 MB
const PIXELS = 4_000_000;
const EDGES = [1024, 512, 256]; // the server itself works at 1024, so nothing it would see is lost by the first

/** `image` (a Blob) as it is if it is small enough, else a smaller copy of it, turned upright. */
export async function fit(image) {
  const bitmap = await createImageBitmap(image).catch(() => {
    throw new Error("This browser cannot read that file as a picture; save it as PNG, JPEG or WebP.");
  });
  try {
    if (image.size <= BYTES && bitmap.width * bitmap.height <= PIXELS) return image;
    for (const edge of EDGES) {
      const smaller = await reduced(bitmap, edge);
      if (smaller.size <= BYTES) return smaller;
    }
  } finally {
    bitmap.close();
  }
  throw new Error("This picture cannot be made small enough to be sent; save it smaller.");
}

function reduced(bitmap, edge) {
  const scale = Math.min(1, edge / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/webp", 0.9)); // keeps transparency; a PNG where unknown
}

/** The bytes of a Blob as base64. */
export function asBase64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1]);
    reader.onerror = () => reject(new Error("That file cannot be read; choose it again."));
    reader.readAsDataURL(blob);
  });
}
