// Mistakes in reading the payload.

import { error, ID_FIELDS, Inbox, MalformedEvent } from "../inbox.mjs";

const FIELDS = ["event", "timestamp", "data"];
const RUN_FIELDS = ["run_id", "test_case_id", "test_case_name"];
const DATA_FIELDS = {
  "run.completed": [...RUN_FIELDS, "success", "summary"],
  "run.failed": [...RUN_FIELDS, "failure_summary"],
  "evaluation.completed": ["evaluation_id", "overall_pass", "results"],
  "optimization.completed": [
    "optimization_id",
    "status",
    "changes_made",
    "predicted_improvement",
    "validation_run_id",
  ],
};

export class unknown_event_400 extends Inbox {
  readEvent(payload) {
    const event = super.readEvent(payload);
    if (event === undefined) throw new MalformedEvent();
    return event;
  }
}

export class unknown_event_500 extends Inbox {
  readEvent(payload) {
    const event = super.readEvent(payload);
    if (event === undefined) throw new Error(`no handler for ${payload.event}`);
    return event;
  }
}

export class extra_fields_refused extends Inbox {
  readEvent(payload) {
    const event = super.readEvent(payload);
    if (event && (hasOthers(payload, FIELDS) || hasOthers(payload.data, DATA_FIELDS[event.event]))) {
      throw new MalformedEvent();
    }
    return event;
  }
}

function hasOthers(value, fields) {
  return Object.keys(value).some((key) => !fields.includes(key));
}

export class crash_on_null extends Inbox {
  readEvent(payload) {
    const event = super.readEvent(payload);
    if (event) subject(payload.data);
    return event;
  }
}

// What a mail about the event would have as its subject.
function subject({ test_case_name: name = "", results = {}, changes_made: changes = [] }) {
  return `${name.trim()} ${Object.keys(results)} ${changes.length}`;
}

export class crash_on_bad_json extends Inbox {
  readJson(body) {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  }
}

export class crash_on_wrong_shape extends Inbox {
  readEvent(payload) {
    payload.event.trim();
    const idField = ID_FIELDS.get(payload.event);
    if (idField !== undefined) payload.data[idField].trim();
    return super.readEvent(payload);
  }
}

export class crash_on_deep_nesting extends Inbox {
  readJson(body) {
    return withoutEmptyFields(super.readJson(body));
  }
}

// Calls itself for each level of nesting.
function withoutEmptyFields(value) {
  if (Array.isArray(value)) return value.map((child) => withoutEmptyFields(child));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, child]) => child !== undefined);
  return Object.fromEntries(kept.map(([key, child]) => [key, withoutEmptyFields(child)]));
}

export class body_limit_100kb extends Inbox {
  async receive(body, signature) {
    return body.length > 100 * 1024 ? error(413) : super.receive(body, signature);
  }
}
