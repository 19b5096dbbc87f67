// A webhook handler in plain Node.js, which registers itself when it starts, as it does in production.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = process.env.PLAYGENT_WEBHOOK_SECRET;
const failedRuns = [];

function isGenuine(body, signature) {
  const expected = Buffer.from("sha256=" + createHmac("sha256", secret).update(body).digest("hex"));
  const given = Buffer.from(signature ?? "");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

async function receive(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (request.method !== "POST") return response.writeHead(405).end();
  if (!isGenuine(body, request.headers["x-playgent-signature"])) return response.writeHead(401).end();
  try {
    const event = JSON.parse(body);
    if (event.event === "run.failed") failedRuns.push(event.data.run_id);
  } catch {
    return response.writeHead(400).end(); // not an event: it is not sent again in vain
  }
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ failedRuns }));
}

// A request that breaks off rejects the promise: without the catch it would end the process.
const server = createServer((request, response) => receive(request, response).catch(() => response.destroy()));

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", async () => {
  console.log(`listening on ${server.address().port}`);
  await fetch(`${process.env.PLAYGENT_URL}/v1/webhooks`, {
    method: "POST",
    headers: { Authorization: `Bearer ${process.env.PLAYGENT_API_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify({ url: "https://your-app.com/webhooks/playgent", events: ["run.failed"], secret }),
  });
});
