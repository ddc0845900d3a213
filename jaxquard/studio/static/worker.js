// Shared by all windows of a browser: one stream of events for all of them, because a browser opens only six
// connections to a server. Its name is the token. It listens while at least one window can be seen.

import { Stream } from "./parts/stream.js";

const seen = new Set(); // the ports of the windows that can be seen
const stream = new Stream(self.name, (event) => seen.forEach((port) => port.postMessage(event)));

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data: visible }) => {
    if (!visible) seen.delete(port);
    else if (!seen.has(port)) join(port);
    if (!seen.size) stream.close();
  };
};

/** A window that comes later hears how things stand. After `hello` it asks the server for the rest. */
function join(port) {
  const standing = stream.open();
  if (standing) port.postMessage(standing);
  seen.add(port);
}
