// Mistakes in what the signature is computed over, and with which secret.

import { createHmac } from "node:crypto";

import { Inbox } from "../inbox.mjs";

// Parses a body and writes it again; what is not JSON stays as it came.
function writtenAgain(body, order = (value) => value) {
  try {
    return JSON.stringify(order(JSON.parse(body)));
  } catch {
    return body;
  }
}

export class reserialised_compact extends Inbox {
  sign(body) {
    return super.sign(writtenAgain(body));
  }
}

export class reserialised_sorted extends Inbox {
  sign(body) {
    return super.sign(writtenAgain(body, sorted));
  }
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

export class strips_body extends Inbox {
  sign(body) {
    return super.sign(Buffer.from(body.toString("latin1").trim(), "latin1"));
  }
}

export class latin1_body extends Inbox {
  sign(body) {
    return super.sign(body.toString("latin1"));
  }
}

export class ascii_body extends Inbox {
  sign(body) {
    return super.sign(body.toString("ascii"));
  }
}

export class undecodable_crash extends Inbox {
  sign(body) {
    return super.sign(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  }
}

export class secret_without_prefix extends Inbox {
  constructor(secret) {
    super(secret.replace(/^whsec_/, ""));
  }
}

export class secret_base64_decoded extends Inbox {
  sign(body) {
    const key = Buffer.from(this.secret.replace(/^whsec_/, ""), "base64");
    return "sha256=" + createHmac("sha256", key).update(body).digest("hex");
  }
}

export class secret_with_newline extends Inbox {
  constructor(secret) {
    super(secret + "\n");
  }
}

export class other_header extends Inbox {
  signatureHeader = "x-hub-signature-256";
}

export class digest_without_prefix extends Inbox {
  sign(body) {
    return createHmac("sha256", this.secret).update(body).digest("hex");
  }
}

export class base64_digest extends Inbox {
  sign(body) {
    return "sha256=" + createHmac("sha256", this.secret).update(body).digest("base64");
  }
}
