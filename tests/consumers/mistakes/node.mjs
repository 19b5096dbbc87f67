// The consumer in Node.js, correct or with one mistake.

import { Inbox } from "../inbox.mjs";
import { Listener } from "../listener.mjs";
import * as answers from "./answers.mjs";
import * as effects from "./effects.mjs";
import * as nodeLayer from "./node_layer.mjs";
import * as payload from "./payload.mjs";
import * as rawBody from "./raw_body.mjs";
import * as signature from "./signature.mjs";

const inboxes = { ...signature, ...rawBody, ...payload, ...effects, ...answers };

export function makeListener(secret, mistake) {
  const AnInbox = inboxes[mistake] ?? Inbox;
  const AListener = nodeLayer[mistake] ?? Listener;
  return new AListener(new AnInbox(secret));
}
