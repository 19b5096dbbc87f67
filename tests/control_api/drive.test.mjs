// A consumer suite in another language: everything it needs of the mock, it gets over HTTP.
//
// Run by test_drive.py, or by hand against a mock whose clock is stepped:
//   PLAYGENT_URL=http://127.0.0.1:8484 node --test tests/control_api/drive.test.mjs

import assert from "node:assert/strict";
import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";

const url = process.env.PLAYGENT_URL;
const SECRET = "whsec_node_secret";

async function call(method, path, body) {
  const headers = path.startsWith("/v1") ? { authorization: "Bearer k", "content-type": "application/json" } : {};
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(url + path, { method, headers, body: text });
  const answer = await response.text();
  return { status: response.status, headers: response.headers, json: answer ? JSON.parse(answer) : null };
}

async function control(method, path, body) {
  const answer = await call(method, `/_mock${path}`, body);
  assert.ok(answer.status < 300, JSON.stringify(answer.json));
  return answer.json;
}

// The application under test: it verifies each delivery, and handles each run once.
class Consumer {
  received = [];
  handled = new Set();
  statuses = [];

  async start() {
    this.server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      this.received.push(body.toString());
      response.statusCode = this.statuses.shift() ?? this.handle(request.headers["x-playgent-signature"] ?? "", body);
      response.end("{}");
    });
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.url = `http://127.0.0.1:${this.server.address().port}/hooks`;
  }

  handle(signature, body) {
    const good = Buffer.from(`sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`);
    const given = Buffer.from(signature);
    if (given.length !== good.length || !timingSafeEqual(given, good)) return 401;
    this.handled.add(JSON.parse(body).data.run_id);
    return 200;
  }

  async register() {
    const body = { url: this.url, events: ["run.failed", "run.completed"], secret: SECRET };
    return call("POST", "/v1/webhooks", body);
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

// Reads server-sent events.
class Stream {
  static async open() {
    const stream = new Stream();
    stream.abort = new AbortController();
    const response = await fetch(`${url}/_mock/stream`, { signal: stream.abort.signal });
    stream.reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    stream.text = "";
    await stream.block();
    return stream;
  }

  async block() {
    for (;;) {
      const end = this.text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.text.slice(0, end);
        this.text = this.text.slice(end + 2);
        return block;
      }
      const { value, done } = await this.reader.read();
      assert.ok(!done, "the stream ended");
      this.text += value;
    }
  }

  async next(wanted) {
    for (;;) {
      const [event, data] = (await this.block()).split("\n");
      if (event === `event: ${wanted}`) return JSON.parse(data.slice("data: ".length));
    }
  }
}

let consumer;
before(async () => {
  consumer = new Consumer();
  await consumer.start();
});
after(() => consumer.stop());
beforeEach(async () => {
  await control("POST", "/reset");
  consumer.received = [];
  consumer.handled.clear();
  consumer.statuses = [];
});

test("the application registers, and the suite sees what it sent", async () => {
  const { status, json } = await consumer.register();
  assert.equal(status, 201);
  assert.deepEqual((await control("GET", "/webhooks")).webhooks, [json]);
  const [request] = (await control("GET", "/requests")).requests;
  assert.deepEqual(request.body, { url: consumer.url, events: ["run.failed", "run.completed"], secret: "***" });
});

test("an event arrives, signed", async () => {
  await consumer.register();
  const sent = await control("POST", "/events", { event: "run.failed", override: { run_id: "run_1" } });
  assert.equal(sent.delivered, true);
  assert.deepEqual([...consumer.handled], ["run_1"]);
  assert.equal(sent.deliveries[0].attempts[0].request.body, consumer.received[0]);
});

test("a forged event is refused", async () => {
  await consumer.register();
  const { deliveries } = await control("POST", "/events", { event: "run.failed", fault: "wrong_secret" });
  assert.deepEqual(deliveries[0].unmet, []);
  assert.equal(consumer.handled.size, 0);
});

test("a script is replayed in the background, and waited for on the stream", async () => {
  await consumer.register();
  const stream = await Stream.open();
  const script = `
version: 1
steps:
  - event: run.failed
    override: {run_id: run_a}
  - event: run.completed
    after: 1h
    override: {run_id: run_b}
`;
  const replay = await control("POST", "/replays", script);
  assert.equal((await stream.next("delivery")).payload.data.run_id, "run_a");
  assert.equal((await control("GET", `/replays/${replay.replay_id}`)).done, false);
  await control("POST", "/clock/advance", { by: "1h" });
  assert.equal((await stream.next("delivery")).payload.data.run_id, "run_b");
  stream.abort.abort();
  const { done, report } = await control("GET", `/replays/${replay.replay_id}`);
  assert.deepEqual([done, report.ok, report.planned, report.delivered], [true, true, 2, 2]);
});

test("an outage: the mock tries again when the time has come, with the same bytes", async () => {
  await consumer.register();
  consumer.statuses = [503, 500];
  const { deliveries } = await control("POST", "/events", { event: "run.failed", retry: ["0s", "5s", "5m"] });
  assert.equal(deliveries[0].outcome, "pending");
  await control("POST", "/clock/advance", { by: "5s" });
  assert.equal(consumer.received.length, 2);
  await control("POST", "/clock/advance", { by: "5m" });
  const delivery = await control("GET", `/deliveries/${deliveries[0].delivery_id}`);
  assert.deepEqual(delivery.attempts.map((attempt) => attempt.response.status), [503, 500, 200]);
  assert.equal(new Set(consumer.received).size, 1);
});

test("a delivery that comes twice is handled once", async () => {
  await consumer.register();
  const { deliveries } = await control("POST", "/events", { event: "run.failed" });
  await control("POST", `/deliveries/${deliveries[0].delivery_id}/resend`);
  assert.equal(consumer.received[0], consumer.received[1]);
  assert.equal(consumer.handled.size, 1);
  await control("POST", "/clock/advance", { by: "1h" });
  const fresh = await control("POST", `/deliveries/${deliveries[0].delivery_id}/resend`, { fresh: true });
  assert.equal(fresh.outcome, "delivered");
  assert.notEqual(consumer.received[2], consumer.received[0]);
});

test("the record, page by page", async () => {
  await consumer.register();
  await control("POST", "/events", { event: "run.failed", repeat: 5 });
  await control("POST", "/events", { event: "run.failed", fault: "empty_signature" });
  const ids = [];
  let next = "dlv_000000";
  while (next) {
    const page = await control("GET", `/deliveries?status=2xx&limit=2&after=${next}`);
    ids.push(...page.deliveries.map((delivery) => delivery.delivery_id));
    next = page.next;
  }
  assert.equal(new Set(ids).size, 5);
  assert.equal((await control("GET", "/deliveries?status=401")).deliveries.length, 1);
});

test("the vendor API fails as planned, and the application's retry gets through", async () => {
  await control("POST", "/faults", { status: 429, times: 2, headers: { "Retry-After": "3" } });
  const answers = [await consumer.register(), await consumer.register(), await consumer.register()];
  assert.deepEqual(answers.map((answer) => answer.status), [429, 429, 201]);
  assert.equal(answers[0].headers.get("retry-after"), "3");
  assert.deepEqual((await control("GET", "/requests")).requests.map((request) => request.status), [429, 429, 201]);
});

test("a typing error says what was meant", async () => {
  const { status, json } = await call("POST", "/_mock/replays", "version: 1\nsteps: [event: run.faild]\n");
  assert.equal(status, 400);
  assert.deepEqual([json.error.problems[0].line, json.error.problems[0].column], [2, 16]);
  assert.match(json.error.message, /did you mean 'run.failed'/);
});

test("a web page cannot do any of this", async () => {
  const response = await fetch(`${url}/_mock/reset`, { method: "POST", headers: { origin: "https://evil.example" } });
  assert.equal(response.status, 403);
});
