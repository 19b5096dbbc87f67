// What the consumer in Node.js does with a delivery: verify, parse, handle once, answer.
//
// An answer is its status and the value that makes its JSON body.

import { createHmac, timingSafeEqual } from "node:crypto";

// The events that this application understands, each with the field of `data` that names its object.
export const ID_FIELDS = new Map([
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
  500: "internal error",
};

export function error(status) {
  return [status, { error: ERRORS[status] }];
}

export class MalformedEvent extends Error {}

// The place where effects are kept cannot be reached.
export class StoreError extends Error {}

export class Inbox {
  signatureHeader = "x-playgent-signature";

  constructor(secret) {
    this.secret = secret;
    this.forget();
  }

  forget() {
    this.seen = new Set();
    this.effects = [];
    this.refused = 0;
    this.storeIsAway = false;
  }

  async receive(body, signature) {
    return this.isSigned(body, signature) ? this.accept(body) : this.refuse(401);
  }

  isSigned(body, signature) {
    const expected = Buffer.from(this.sign(body));
    const given = Buffer.from(signature ?? "", "latin1");
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  // The header that the vendor sends with a body.
  sign(body) {
    return "sha256=" + createHmac("sha256", this.secret).update(body).digest("hex");
  }

  async accept(body) {
    let event;
    try {
      event = this.readEvent(this.readJson(body));
    } catch (problem) {
      if (problem instanceof MalformedEvent) return this.refuse(400);
      throw problem;
    }
    if (event === undefined) return [200, { status: "ignored" }];
    try {
      return this.answer(await this.handleOnce(event));
    } catch (problem) {
      if (problem instanceof StoreError) return error(500); // the vendor may deliver it again
      throw problem;
    }
  }

  readJson(body) {
    try {
      return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
    } catch {
      throw new MalformedEvent();
    }
  }

  // Returns undefined for an event of a type that this application does not know.
  readEvent(payload) {
    if (!isObject(payload) || typeof payload.event !== "string") throw new MalformedEvent();
    const idField = ID_FIELDS.get(payload.event);
    return idField === undefined ? undefined : knownEvent(payload, idField);
  }

  // Handles an event unless that was done before; one that failed was not done. Nothing is awaited between the look
  // and the mark: copies that arrive at the same time cannot come in between.
  handleOnce(event) {
    if (this.seen.has(this.key(event))) return false;
    this.handle(event);
    this.seen.add(this.key(event));
    return true;
  }

  // What makes two deliveries copies of each other: the payload has no event id, so type and object are it.
  key({ event, id }) {
    return `${event} ${id}`;
  }

  handle(event) {
    this.reachStore();
    this.effects.push(event);
  }

  // Fails if that was asked for, as if the database were away for a moment.
  reachStore() {
    if (!this.storeIsAway) return;
    this.storeIsAway = false;
    throw new StoreError();
  }

  answer(handled) {
    return [200, { status: handled ? "handled" : "duplicate" }];
  }

  refuse(status) {
    this.refused += 1;
    return error(status);
  }

  report() {
    return [200, { count: this.count(), events: this.effects, refused: this.refused }];
  }

  count() {
    return this.effects.length;
  }

  // What the events about one object come to, in whichever order they arrived.
  state(id) {
    const events = this.effects.filter((event) => event.id === id);
    const types = new Set(events.map(({ event }) => event));
    return [200, { id, latest: events.length ? this.latest(events).event : null, events: [...types].sort() }];
  }

  // The event that happened last; the vendor's timestamps, all of one form and in UTC, sort as text.
  latest(events) {
    return events.reduce((last, event) => (happenedAfter(event, last) ? event : last));
  }

  failNext() {
    this.storeIsAway = true;
    return [200, { status: "the next event will fail" }];
  }

  clear() {
    this.forget();
    return this.report();
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

function happenedAfter(one, other) {
  return one.timestamp === other.timestamp ? one.event > other.event : one.timestamp > other.timestamp;
}
