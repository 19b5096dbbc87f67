// Mistakes in handling an event exactly once.

import { setTimeout as pause } from "node:timers/promises";

import { error, Inbox, StoreError } from "../inbox.mjs";

const DATABASE_TAKES = 50; // milliseconds

export class no_dedupe extends Inbox {
  handleOnce(event) {
    this.handle(event);
    return true;
  }
}

export class duplicate_refused extends Inbox {
  answer(handled) {
    return handled ? super.answer(true) : error(409);
  }
}

export class check_then_act extends Inbox {
  async handleOnce(event) {
    if (this.seen.has(this.key(event))) return false;
    await pause(DATABASE_TAKES);
    this.handle(event);
    this.seen.add(this.key(event));
    return true;
  }
}

export class dedupe_by_object extends Inbox {
  key({ id }) {
    return id;
  }
}

export class dedupe_by_timestamp extends Inbox {
  key({ event, timestamp }) {
    return `${event} ${timestamp}`;
  }
}

export class lost_updates extends Inbox {
  forget() {
    super.forget();
    this.counted = 0;
  }

  async handleOnce(event) {
    if (!super.handleOnce(event)) return false;
    const { counted } = this;
    await pause(DATABASE_TAKES);
    this.counted = counted + 1;
    return true;
  }

  count() {
    return this.counted;
  }
}

export class marks_before_success extends Inbox {
  handleOnce(event) {
    if (this.seen.has(this.key(event))) return false;
    this.seen.add(this.key(event));
    this.handle(event);
    return true;
  }
}

export class swallows_errors extends Inbox {
  handle(event) {
    try {
      super.handle(event);
    } catch (problem) {
      if (!(problem instanceof StoreError)) throw problem;
      console.error(`could not handle ${event.event} of ${event.id}`);
    }
  }
}

export class half_done extends Inbox {
  handle(event) {
    this.effects.push(event);
    this.reachStore();
  }
}

export class last_write_wins extends Inbox {
  latest(events) {
    return events.at(-1);
  }
}

export class order_matters_500 extends Inbox {
  handle(event) {
    const completed = this.effects.some((one) => one.id === event.id && one.event === "run.completed");
    if (completed && event.event === "run.failed") throw new Error("invalid transition from completed to failed");
    super.handle(event);
  }
}
