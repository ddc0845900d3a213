// Requests to the server, in JSON; an error has the server's own message.

const TOKEN = "jaxquard-token";
let askForToken = null;

/** The server's refusal: its sentence as the message, the status (0: no answer), and its whole answer as `details`. */
class HttpError extends Error {
  constructor(status, details) {
    super(details.error ?? `The studio's server answered ${status}.`);
    Object.assign(this, { status, details });
  }
}

/** `ask(again)` gives a token if the server needs one (it was started with --host); `again`: the last one was wrong. */
export function onToken(ask) {
  askForToken = ask;
}

/** The page's token, or "". */
export function token() {
  return sessionStorage.getItem(TOKEN) ?? "";
}

/** Ask the reader for the token. */
export async function renewToken() {
  sessionStorage.setItem(TOKEN, await askForToken(token() !== ""));
}

/** The JSON at an address; the request has the page's token, if there is one. */
export async function get(path, options = {}) {
  const headers = { ...options.headers, ...(token() && { "X-Jaxquard-Token": token() }) };
  const response = await fetch(path, { ...options, headers }).catch(() => {
    throw new HttpError(0, { error: "The studio's server does not answer." });
  });
  if (response.status === 401) {
    await renewToken();
    return get(path, options);
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new HttpError(response.status, answer);
  return answer;
}

/** Sends `body` as JSON, or, if it is an ArrayBuffer, as a picture. */
export function post(path, body = {}) {
  const raw = body instanceof ArrayBuffer; // the server recognises the format by the picture's first bytes
  const headers = { "Content-Type": raw ? "image/unknown" : "application/json" };
  return get(path, { method: "POST", headers, body: raw ? body : JSON.stringify(body) });
}
