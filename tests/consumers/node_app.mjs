// The consumer in plain Node.js: no framework, nothing to install.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const HOST = "127.0.0.1";
const WEBHOOK_PATH = "/webhooks/playgent";
const EVENTS_PATH = "/debug/events";

// The largest body that is accepted, and how much of a larger one is still read, so that its sender sees the 413.
const BODY_LIMIT = 2 * 1024 * 1024;
const DRAIN_LIMIT = 16 * 1024 * 1024;

const ATTEMPTS = 6;
const BACK_OFF = 100; // milliseconds before the second attempt, twice as long before each one after it
const LONGEST_WAIT = 30_000; // milliseconds, whatever Retry-After asks for

// The events that this application understands, each with the field of `data` that names its object.
const ID_FIELDS = new Map([
  ["run.completed", "run_id"],
  ["run.failed", "run_id"],
  ["evaluation.completed", "evaluation_id"],
  ["optimization.completed", "optimization_id"],
]);

const ERRORS = {
  400: "not a valid event",
  401: "invalid signature",
  404: "not found",
  405: "method not allowed",
  413: "body too large",
};

class MalformedEvent extends Error {}

// --- settings -------------------------------------------------------------------------------------------------------

function readSettings(env) {
  if (!env.WEBHOOK_SECRET) stop("WEBHOOK_SECRET is not set: without it no delivery can be verified");
  const port = env.PORT || "0";
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) stop(`PORT is '${port}', which is not a port number`);
  const events = (env.EVENTS ?? "").split(",").filter(Boolean);
  return {
    secret: env.WEBHOOK_SECRET,
    playgentUrl: (env.PLAYGENT_URL ?? "").replace(/\/+$/, ""),
    publicUrl: env.PUBLIC_URL ?? "",
    apiKey: env.PLAYGENT_API_KEY || "test-key",
    events: events.length ? events : [...ID_FIELDS.keys()],
    port: Number(port),
  };
}

function stop(message) {
  console.error(message);
  process.exit(2);
}

// --- one delivery: verify, parse, handle once, answer ---------------------------------------------------------------

const inbox = { seen: new Set(), effects: [], refused: 0 };

function isSigned(body, signature, secret) {
  const expected = Buffer.from("sha256=" + createHmac("sha256", secret).update(body).digest("hex"));
  const given = Buffer.from(signature ?? "", "latin1");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

// Returns undefined for an event of a type that this application does not know.
function parseEvent(body) {
  const payload = parseJson(body);
  if (!isObject(payload) || typeof payload.event !== "string") throw new MalformedEvent();
  const idField = ID_FIELDS.get(payload.event);
  return idField === undefined ? undefined : knownEvent(payload, idField);
}

function parseJson(body) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    throw new MalformedEvent();
  }
}

function knownEvent({ event, timestamp, data }, idField) {
  if (typeof timestamp !== "string" || !isObject(data)) throw new MalformedEvent();
  const id = Object.hasOwn(data, idField) ? data[idField] : undefined;
  if (typeof id !== "string" || id === "") throw new MalformedEvent();
  return { event, id, timestamp };
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// The payload has no event id, so type and object are the key. Nothing is awaited between the look and the mark:
// copies that arrive at the same time cannot come in between.
function handleOnce(event) {
  const key = `${event.event} ${event.id}`;
  if (inbox.seen.has(key)) return false;
  inbox.effects.push(event);
  inbox.seen.add(key);
  return true;
}

function receive(body, signature, secret) {
  if (!isSigned(body, signature, secret)) return refuse(401);
  let event;
  try {
    event = parseEvent(body);
  } catch (problem) {
    if (problem instanceof MalformedEvent) return refuse(400);
    throw problem;
  }
  if (event === undefined) return [200, { status: "ignored" }];
  return [200, { status: handleOnce(event) ? "handled" : "duplicate" }];
}

function refuse(status) {
  inbox.refused += 1;
  return error(status);
}

function error(status) {
  return [status, { error: ERRORS[status] }];
}

function report() {
  return [200, { count: inbox.effects.length, events: inbox.effects, refused: inbox.refused }];
}

function clear() {
  inbox.seen.clear();
  inbox.effects = [];
  inbox.refused = 0;
  return report();
}

// --- HTTP -----------------------------------------------------------------------------------------------------------

async function answer(request, secret) {
  const { method } = request;
  const path = request.url.split("?", 1)[0];
  if (path === WEBHOOK_PATH) {
    if (method !== "POST") return error(405);
    const body = await rawBody(request);
    return body === undefined ? error(413) : receive(body, request.headers["x-playgent-signature"], secret);
  }
  if (path !== EVENTS_PATH) return error(404);
  if (method === "GET" || method === "HEAD") return report();
  return method === "DELETE" ? clear() : error(405);
}

// Returns undefined for a body over the limit.
async function rawBody(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= BODY_LIMIT) chunks.push(chunk);
    else if (size > DRAIN_LIMIT) break;
  }
  return size > BODY_LIMIT ? undefined : Buffer.concat(chunks);
}

function createWebhookServer(secret) {
  return createServer(async (request, response) => {
    try {
      const [status, value] = await answer(request, secret);
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
    } catch (problem) {
      if (request.complete) console.error(problem);
      response.destroy(); // the sender went away in the middle of its request
    }
  });
}

// --- registering at the vendor's API --------------------------------------------------------------------------------

async function register(settings, webhookUrl) {
  let problem = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    let wait = BACK_OFF * 2 ** attempt;
    try {
      const response = await postRegistration(settings, webhookUrl);
      if (response.ok) return console.log(`registered ${(await response.json()).webhook_id}`);
      problem = `HTTP ${response.status}`;
      await response.arrayBuffer();
      if (response.status !== 429 && response.status < 500) break;
      wait = retryAfter(response.headers.get("Retry-After"), wait);
    } catch (trouble) {
      problem = trouble.cause?.message ?? trouble.message;
    }
    if (attempt < ATTEMPTS - 1) await new Promise((resolve) => setTimeout(resolve, wait));
  }
  console.error(`registration failed: ${problem}`);
}

function postRegistration({ playgentUrl, apiKey, events, secret }, webhookUrl) {
  return fetch(`${playgentUrl}/v1/webhooks`, {
    method: "POST",
    headers: { Authorization: `Bearer ${apiKey}`, "Content-Type": "application/json" },
    body: JSON.stringify({ url: webhookUrl, events, secret }),
    signal: AbortSignal.timeout(10_000),
  });
}

function retryAfter(header, otherwise) {
  const seconds = Number(header || NaN);
  return Number.isNaN(seconds) ? otherwise : Math.min(Math.max(seconds * 1000, 0), LONGEST_WAIT);
}

// --- the program ----------------------------------------------------------------------------------------------------

const settings = readSettings(process.env);
const server = createWebhookServer(settings.secret);

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeAllConnections();
});

server.listen(settings.port, HOST, () => {
  const ownUrl = `http://${HOST}:${server.address().port}`;
  console.log(`listening on ${ownUrl}`);
  if (settings.playgentUrl) register(settings, settings.publicUrl || ownUrl + WEBHOOK_PATH);
});
