// A webhook handler in Express: the raw body is kept, verified, and only then parsed.
import { createHmac, timingSafeEqual } from "node:crypto";
import express from "express";

const secret = process.env.PLAYGENT_WEBHOOK_SECRET;
const failedRuns = new Set();

function isGenuine(body, signature) {
  const expected = Buffer.from("sha256=" + createHmac("sha256", secret).update(body).digest("hex"));
  const given = Buffer.from(signature ?? "");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function parse(body) {
  try {
    const event = JSON.parse(body);
    return typeof event?.event === "string" && event.data && typeof event.data === "object" ? event : undefined;
  } catch {
    return undefined;
  }
}

const app = express();
// Not express.json(): it would parse the body, and the bytes that were signed would be gone.
app.use(express.raw({ type: () => true, limit: "1mb", inflate: false }));

app.post("/webhooks/playgent", (request, response) => {
  // Without a body express.raw leaves an object here.
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  if (!isGenuine(body, request.headers["x-playgent-signature"])) return response.sendStatus(401);
  const event = parse(body);
  if (event === undefined) return response.sendStatus(400);
  if (event.event === "run.failed") failedRuns.add(event.data.run_id);
  response.json({ failedRuns: [...failedRuns] });
});

// Errors of the body parser have a status of their own; the default page would show the stack.
app.use((error, request, response, next) => response.sendStatus(error.status ?? 500));

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`listening on ${server.address().port}`);
});
