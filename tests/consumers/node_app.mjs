// The consumer in plain Node.js: no framework, nothing to install.

import { createServer } from "node:http";

import { ID_FIELDS } from "./inbox.mjs";
import { WEBHOOK_PATH } from "./listener.mjs";
import { knownMistakes, makeListener } from "./mistakes/node.mjs";

const HOST = "127.0.0.1";

const ATTEMPTS = 6;
const BACK_OFF = 100; // milliseconds before the second attempt, twice as long before each one after it
const LONGEST_WAIT = 30_000; // milliseconds, whatever Retry-After asks for

// --- settings -------------------------------------------------------------------------------------------------------

function readSettings(env) {
  if (!env.WEBHOOK_SECRET) stop("WEBHOOK_SECRET is not set: without it no delivery can be verified");
  const port = env.PORT || "0";
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) stop(`PORT is '${port}', which is not a port number`);
  const mistake = env.WEBHOOK_MISTAKE || undefined;
  if (mistake !== undefined && !knownMistakes.includes(mistake)) {
    stop(`WEBHOOK_MISTAKE: the consumer 'node' knows no mistake '${mistake}'; it knows: ${knownMistakes.join(", ")}`);
  }
  const events = (env.EVENTS ?? "").split(",").filter(Boolean);
  return {
    secret: env.WEBHOOK_SECRET,
    playgentUrl: (env.PLAYGENT_URL ?? "").replace(/\/+$/, ""),
    publicUrl: env.PUBLIC_URL ?? "",
    apiKey: env.PLAYGENT_API_KEY || "test-key",
    events: events.length ? events : [...ID_FIELDS.keys()],
    port: Number(port),
    mistake,
  };
}

function stop(message) {
  console.error(message);
  process.exit(2);
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
const listener = makeListener(settings.secret, settings.mistake);
const server = createServer((request, response) => listener.serve(request, response));

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeAllConnections();
});

server.listen(settings.port, HOST, () => {
  const ownUrl = `http://${HOST}:${server.address().port}`;
  console.log(`listening on ${ownUrl}`);
  if (settings.playgentUrl) register(settings, settings.publicUrl || ownUrl + WEBHOOK_PATH);
});
