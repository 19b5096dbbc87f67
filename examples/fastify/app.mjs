// A webhook handler in Fastify: a parser of its own hands over the raw body.
import { createHmac, timingSafeEqual } from "node:crypto";
import fastify from "fastify";

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

const app = fastify({ bodyLimit: 1024 * 1024 });
// The default parser would hand over an object, and the bytes that were signed would be gone.
app.removeAllContentTypeParsers();
app.addContentTypeParser("*", { parseAs: "buffer" }, (request, body, done) => done(null, body));

app.post("/webhooks/playgent", (request, reply) => {
  const body = request.body ?? Buffer.alloc(0);
  if (!isGenuine(body, request.headers["x-playgent-signature"])) return reply.code(401).send();
  const event = parse(body);
  if (event === undefined) return reply.code(400).send();
  if (event.event === "run.failed") failedRuns.add(event.data.run_id);
  return { failedRuns: [...failedRuns] };
});

await app.listen({ port: Number(process.env.PORT ?? 3000), host: "127.0.0.1" });
console.log(`listening on ${app.server.address().port}`);
