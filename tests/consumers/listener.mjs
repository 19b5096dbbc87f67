// What is between Node's HTTP server and the inbox: addresses, methods, bodies and answers.

import { error } from "./inbox.mjs";

export const WEBHOOK_PATH = "/webhooks/playgent";
const EVENTS_PATH = "/debug/events";
const OBJECTS_PATH = "/debug/objects/"; // and the id of one
const FAIL_NEXT_PATH = "/debug/fail-next";

// The largest body that is accepted, and how much of a larger one is still read, so that its sender sees the 413.
const BODY_LIMIT = 2 * 1024 * 1024;
const DRAIN_LIMIT = 16 * 1024 * 1024;

export class Listener {
  constructor(inbox) {
    this.inbox = inbox;
  }

  async serve(request, response) {
    try {
      send(response, await this.route(request));
    } catch (problem) {
      if (!request.complete) return response.destroy(); // the sender went away in the middle of its request
      console.error(problem);
      send(response, error(500));
    }
  }

  async route(request) {
    const path = pathOf(request);
    const reads = request.method === "GET" || request.method === "HEAD";
    if (path === WEBHOOK_PATH) return request.method === "POST" ? this.receive(request) : error(405);
    if (path === EVENTS_PATH && request.method === "DELETE") return this.inbox.clear();
    if (path === EVENTS_PATH) return reads ? this.inbox.report() : error(405);
    if (path === FAIL_NEXT_PATH) return request.method === "POST" ? this.inbox.failNext() : error(405);
    const id = objectId(path);
    if (id === undefined) return error(404);
    return reads ? this.inbox.state(id) : error(405);
  }

  async receive(request) {
    const body = await this.rawBody(request);
    return body === undefined ? error(413) : this.inbox.receive(body, this.signature(request));
  }

  // Returns undefined for a body over the limit.
  async rawBody(request) {
    const chunks = [];
    let size = 0;
    for await (const chunk of request) {
      size += chunk.length;
      if (size <= BODY_LIMIT) chunks.push(chunk);
      else if (size > DRAIN_LIMIT) break;
    }
    return size > BODY_LIMIT ? undefined : Buffer.concat(chunks);
  }

  signature(request) {
    return request.headers[this.inbox.signatureHeader];
  }
}

export function pathOf(request) {
  return request.url.split("?", 1)[0];
}

// Returns undefined if the path is not that of an object.
function objectId(path) {
  const quoted = path.startsWith(OBJECTS_PATH) ? path.slice(OBJECTS_PATH.length) : "";
  if (quoted === "" || quoted.includes("/")) return undefined;
  try {
    return decodeURIComponent(quoted);
  } catch {
    return undefined;
  }
}

function send(response, [status, value]) {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
}
