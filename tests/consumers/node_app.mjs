// The consumer in plain Node.js: no framework, nothing to install.

import { createServer } from "node:http";

import { ID_FIELDS } from "./inbox.mjs";
import { WEBHOOK_PATH } from "./listener.mjs";
import { makeListener } from "./mistakes/node.mjs";

const HOST = "127.0.0.1";

const { WEBHOOK_SECRET: secret, WEBHOOK_MISTAKE: mistake, PLAYGENT_URL: playgentUrl } = process.env;

// Registers the webhook at the vendor's API.
async function register(webhookUrl) {
  const response = await fetch(`${playgentUrl.replace(/\/+$/, "")}/v1/webhooks`, {
    method: "POST",
    headers: { Authorization: "Bearer test-key", "Content-Type": "application/json" },
    body: JSON.stringify({ url: webhookUrl, events: [...ID_FIELDS.keys()], secret }),
    signal: AbortSignal.timeout(60_000),
  });
  console.log(`registered ${(await response.json()).webhook_id}`);
}

const listener = makeListener(secret, mistake);
const server = createServer((request, response) => listener.serve(request, response));

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeAllConnections();
});

server.listen(0, HOST, () => {
  const ownUrl = `http://${HOST}:${server.address().port}`;
  console.log(`listening on ${ownUrl}`);
  if (playgentUrl) register(ownUrl + WEBHOOK_PATH);
});
