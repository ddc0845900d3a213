// One stream of events for all windows of a browser, because a browser opens only six connections to a server.
// The worker's name is the token. It listens while at least one window is visible.

import { Stream } from "./parts/stream.js";

const seen = new Set(); // the ports of the visible windows
const stream = new Stream(self.name, (event) => seen.forEach((port) => port.postMessage(event)));

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data: visible }) => {
    if (!visible) seen.delete(port);
    else if (!seen.has(port)) join(port);
    if (!seen.size) stream.close();
  };
};

/** A later window gets the latest state event. After `hello` it requests everything else from the server. */
function join(port) {
  const standing = stream.open();
  if (standing) port.postMessage(standing);
  seen.add(port);
}
