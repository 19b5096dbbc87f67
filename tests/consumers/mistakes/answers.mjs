// Mistakes in what is answered, and when.

import { setTimeout as pause } from "node:timers/promises";

import { Inbox, MalformedEvent } from "../inbox.mjs";

export class slow_handler extends Inbox {
  async receive(body, signature) {
    await pause(1500);
    return super.receive(body, signature);
  }
}

export class leaks_expected_signature extends Inbox {
  async receive(body, signature) {
    const answer = await super.receive(body, signature);
    if (answer[0] !== 401) return answer;
    return [401, { error: "invalid signature", expected: this.sign(body), given: signature }];
  }
}

export class leaks_secret extends Inbox {
  async receive(body, signature) {
    const answer = await super.receive(body, signature);
    return answer[0] === 401 ? [401, { error: `${signature} was not made with ${this.secret}` }] : answer;
  }
}

export class leaks_trace extends Inbox {
  async accept(body) {
    try {
      this.readEvent(this.readJson(body));
    } catch (problem) {
      if (!(problem instanceof MalformedEvent)) throw problem;
      this.refused += 1;
      return [400, { error: problem.stack }];
    }
    return super.accept(body);
  }
}
