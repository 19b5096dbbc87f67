// Mistakes in verifying the signature.

import { createHmac, timingSafeEqual } from "node:crypto";

import { Inbox, MalformedEvent } from "../inbox.mjs";

export class no_verification extends Inbox {
  isSigned() {
    return true;
  }
}

export class missing_signature_accepted extends Inbox {
  isSigned(body, signature) {
    return !(signature && !super.isSigned(body, signature));
  }
}

export class logs_and_goes_on extends Inbox {
  async receive(body, signature) {
    if (!this.isSigned(body, signature)) console.error("bad signature");
    return this.accept(body);
  }
}

export class refuses_after_handling extends Inbox {
  async receive(body, signature) {
    const answer = await this.accept(body);
    return this.isSigned(body, signature) ? answer : this.refuse(401);
  }
}

export class drops_silently extends Inbox {
  async receive(body, signature) {
    return this.isSigned(body, signature) ? this.accept(body) : this.answer(true);
  }
}

export class prefix_compare extends Inbox {
  isSigned(body, signature) {
    return Boolean(signature) && this.sign(body).startsWith(signature);
  }
}

export class ignores_the_rest extends Inbox {
  isSigned(body, signature) {
    return (signature ?? "").startsWith(this.sign(body));
  }
}

export class crash_on_missing_header extends Inbox {
  isSigned(body, signature) {
    return super.isSigned(body, signature.trim());
  }
}

export class crash_on_malformed extends Inbox {
  isSigned(body, signature) {
    if (!signature) return false;
    const [, digest] = signature.match(/^sha256=([0-9a-f]{64})$/);
    return super.isSigned(body, `sha256=${digest}`);
  }
}

export class crash_on_length extends Inbox {
  isSigned(body, signature) {
    return Boolean(signature) && timingSafeEqual(Buffer.from(signature, "latin1"), Buffer.from(this.sign(body)));
  }
}

export class dies_on_malformed extends Inbox {
  async receive(body, signature) {
    return (await this.isSignedLater(body, signature)) ? this.accept(body) : this.refuse(401);
  }

  // Nothing catches what a callback throws.
  isSignedLater(body, signature) {
    return new Promise((resolve) => {
      setImmediate(() => {
        if (!signature) return resolve(false);
        const [, digest] = signature.match(/^sha256=([0-9a-f]{64})$/);
        resolve(this.isSigned(body, `sha256=${digest}`));
      });
    });
  }
}

export class any_algorithm extends Inbox {
  isSigned(body, signature) {
    const [, ...digest] = (signature ?? "").split("=");
    return super.isSigned(body, "sha256=" + digest.join("="));
  }
}

export class weak_algorithm extends Inbox {
  isSigned(body, signature) {
    const [algorithm] = (signature ?? "").split("=", 1);
    if (!["md5", "sha1", "sha256", "sha512"].includes(algorithm)) return false;
    return signature === `${algorithm}=${createHmac(algorithm, this.secret).update(body).digest("hex")}`;
  }
}

export class empty_secret_accepted extends Inbox {
  isSigned(body, signature) {
    const secrets = [this.secret, process.env.OLD_SECRET ?? ""];
    return secrets.some((secret) => new Inbox(secret).isSigned(body, signature));
  }
}

export class verifies_some_events extends Inbox {
  isSigned(body, signature) {
    let matters = true;
    try {
      matters = JSON.parse(body).event === "run.failed";
    } catch {
      // not an event: let the signature decide
    }
    return !matters || super.isSigned(body, signature);
  }
}

export class marks_before_verifying extends Inbox {
  forget() {
    super.forget();
    this.begun = new Set();
  }

  async receive(body, signature) {
    const key = this.keyOf(body);
    const isNew = key === undefined || !this.begun.has(key);
    this.begun.add(key);
    if (!this.isSigned(body, signature)) return this.refuse(401);
    if (!isNew) return this.answer(false);
    const answer = await this.accept(body);
    if (answer[0] === 500) this.begun.delete(key); // not done after all
    return answer;
  }

  keyOf(body) {
    try {
      const event = this.readEvent(this.readJson(body));
      return event && this.key(event);
    } catch (problem) {
      if (problem instanceof MalformedEvent) return undefined;
      throw problem;
    }
  }
}
