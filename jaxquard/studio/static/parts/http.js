// Talking to the server: JSON out, JSON in, and the server's own sentence when it refuses.

const TOKEN = "jaxquard-token";
let askForToken = null;

/** What the server said no with: its sentence as the message, the status, and the rest of its answer as `details`. */
export class HttpError extends Error {
  constructor(status, details) {
    super(details.error ?? `The studio's server answered ${status}.`);
    this.status = status;
    this.details = details;
  }
}

/** `ask(again)` gives a token when the server wants one (it was started with --host); `again`: it wants another one. */
export function onToken(ask) {
  askForToken = ask;
}

/** A response, whatever its body; the token's header is added when the page has a token. */
export async function request(path, options = {}) {
  const response = await reach(path, options);
  if (response.status !== 401 || !askForToken) return response;
  await renewToken();
  return request(path, options);
}

/** The token that this page has, else "". */
export function token() {
  return sessionStorage.getItem(TOKEN) ?? "";
}

/** Ask the reader for the token. */
export async function renewToken() {
  sessionStorage.setItem(TOKEN, await askForToken(token() !== ""));
}

async function reach(path, options) {
  const headers = { ...options.headers, ...(token() && { "X-Jaxquard-Token": token() }) };
  try {
    return await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new HttpError(0, { error: "The studio's server does not answer." });
  }
}

async function json(path, options) {
  const response = await request(path, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new HttpError(response.status, answer);
  return answer;
}

export const get = (path) => json(path);

/** `body` goes as JSON, or, if it is an ArrayBuffer, as the picture that it holds. */
export function post(path, body = {}) {
  const raw = body instanceof ArrayBuffer; // the server looks at the picture's first bytes, not at its type
  const headers = { "Content-Type": raw ? "image/unknown" : "application/json" };
  return json(path, { method: "POST", headers, body: raw ? body : JSON.stringify(body) });
}
