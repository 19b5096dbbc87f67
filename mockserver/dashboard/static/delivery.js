// One delivery: what was sent, what came back, why, and what can be done about it.
import * as api from './api.js';
import { badge, body, clear, command, copy, copyButton, duration, h, localTime, oneLine, plain, result, s, tabs, toast, utc, view, visible } from './dom.js';
import { differences } from './difference.js';
import { openSend } from './send.js';
import { store } from './store.js';

/** Show a delivery in a place; returns what can be done with it. */
export function openDelivery(place, id, close) {
  const shown = new Shown(place, id, close);
  shown.load();
  return shown;
}

class Shown {
  #closed = false;
  #attempt = 0;

  constructor(place, id, close) {
    this.place = place;
    this.id = id;
    this.parts = view('t-delivery');
    const { parts } = this;
    parts.close.addEventListener('click', close);
    parts.resend.addEventListener('click', () => this.resend(false));
    parts.fresh.addEventListener('click', () => this.resend(true));
    parts.edit.addEventListener('click', () => this.edit());
    parts.curl.addEventListener('click', () => this.copyCurl());
  }

  close() { this.#closed = true; clear(this.place); }

  async load() {
    try {
      const [delivery, code] = await Promise.all([api.get(`/deliveries/${this.id}`), api.get(`/deliveries/${this.id}/snippets`)]);
      if (this.#closed) return;
      this.delivery = delivery;
      this.code = code;
      this.#attempt = delivery.attempts.length - 1;
      this.draw();
    } catch (error) {
      if (!this.#closed) clear(this.place, h('p', { class: 'problem' }, error.message), h('a', { href: '#/deliveries' }, 'Back to the list'));
    }
  }

  /** Rows have changed: if this delivery is one of them, show it anew. */
  update(rows) {
    if (rows.some((row) => row.delivery_id === this.id) && this.delivery?.outcome === 'pending') this.load();
  }

  act(key) {
    if (!this.delivery) return;
    if (key === 'r') this.resend(false);
    else if (key === 'e') this.edit();
    else this.copyCurl();
  }

  // ---------------------------------------------------------------- doing something

  async resend(fresh) {
    try {
      const again = await api.post(`/deliveries/${this.id}/resend`, { fresh });
      clear(this.parts.outcome, compared(this.delivery, again));
      toast(`${again.delivery_id}: ${verdict(this.delivery, again)}`);
    } catch (error) {
      clear(this.parts.outcome, h('p', { class: 'problem', role: 'alert' }, error.message));
    }
  }

  edit() {
    const { delivery } = this;
    openSend({ event: delivery.event, data: delivery.payload?.data, faults: delivery.faults, webhook: delivery.webhook_id,
      sent: (again) => clear(this.parts.outcome, compared(delivery, again)) });
  }

  copyCurl() {
    if (this.code.curl) copy(this.code.curl, 'the curl command');
    else toast(`There is no curl command: ${this.code.no_curl}.`);
  }

  // ---------------------------------------------------------------- showing it

  draw() {
    const { delivery, parts, code } = this;
    const last = delivery.attempts.at(-1);
    const row = { outcome: delivery.outcome, status: last?.response?.status ?? null, error: last?.error?.kind, attempts: delivery.attempts.length };
    parts.title.textContent = oneLine(delivery.event);
    clear(parts.badge, result(row), delivery.faults.map((fault) => h('span', { class: 'tag' }, oneLine(fault))));
    clear(parts.sub, h('code', {}, delivery.delivery_id), ' to ', h('bdi', {}, oneLine(delivery.url)), ' · ', source(delivery.source));
    clear(parts.why, why(delivery, last));
    clear(parts.attempts, this.attempts());
    clear(parts.exchange, this.exchange());
    clear(parts.signature, signature(code, delivery));
    clear(parts.code, h('h3', {}, 'Use it elsewhere'), tabs('As code', {
      pytest: () => snippet(code.pytest, 'the pytest test'),
      'node:test': () => snippet(code.node, 'the node:test test'),
      'script step': () => snippet(code.step, 'the script step'),
      curl: () => (code.curl ? snippet(code.curl, 'the curl command') : h('p', { class: 'hint' }, `There is no curl command: ${code.no_curl}.`)),
    }));
    if (!parts.title.isConnected) clear(this.place, ...parts.root.children);
    this.difference();
  }

  attempts() {
    const { attempts } = this.delivery;
    if (!attempts.length) return h('p', { class: 'hint' }, 'Not yet attempted.');
    const title = attempts.length === 1 ? 'Attempt' : `${attempts.length} attempts`;
    const rows = attempts.map((attempt, index) => h('li', {},
      h('button', { type: 'button', class: 'attempt', 'aria-pressed': String(index === this.#attempt), onclick: () => { this.#attempt = index; this.draw(); } },
        h('span', {}, `#${attempt.number}`), badge(attempt.delivered ? 'delivered' : 'failed', String(attempt.response?.status ?? attempt.error?.kind ?? '')),
        h('span', {}, attempt.real_at ? localTime(Date.parse(attempt.real_at) / 1000).slice(0, 8) : ''),
        h('span', { class: 'muted', title: "The script's clock" }, utc(Date.parse(attempt.at) / 1000)),
        h('span', { class: 'num' }, duration(attempt.total_ms)), phases(attempt))));
    return [h('h3', {}, title), h('ol', { class: 'attempts' }, rows)];
  }

  exchange() {
    const attempt = this.delivery.attempts[this.#attempt];
    if (!attempt) return null;
    const { request, response, error } = attempt;
    return tabs('Request and answer', {
      Answer: () => [
        error ? h('p', { class: 'problem' }, visible(error.message)) : null,
        error?.detail ? h('pre', { class: 'body', tabindex: '0', role: 'group', 'aria-label': 'Details' }, visible(error.detail)) : null,
        response ? [h('p', { class: 'line' }, h('strong', {}, String(response.status)), ` ${oneLine(response.reason)}`), headers(response.headers), body(response)] : error ? null : h('p', { class: 'hint' }, 'No answer.'),
      ].flat(),
      Request: () => (request ? [h('p', { class: 'line' }, h('strong', {}, 'POST'), ' ', oneLine(request.url, 2000)), headers(request.headers), body(request)] : h('p', { class: 'hint' }, 'No request could be made.')),
    });
  }

  async difference() {
    const previous = store.before(this.delivery);
    const { parts } = this;
    if (!previous) { clear(parts.difference); return; }
    try {
      const before = await api.get(`/deliveries/${previous.delivery_id}`);
      const found = differences(before.payload, this.delivery.payload);
      const shown = found.slice(0, 100);
      clear(parts.difference, h('details', {},
        h('summary', {}, `Difference to ${previous.delivery_id}, the ${oneLine(this.delivery.event)} before: ${found.length || 'none'}`),
        shown.length ? h('table', { class: 'plain' }, h('thead', {}, h('tr', {}, ['Path', 'Before', 'Now'].map((name) => h('th', { scope: 'col' }, name)))),
          h('tbody', {}, shown.map(([path, old, now]) => h('tr', {}, h('th', { scope: 'row' }, h('code', {}, oneLine(path))),
            h('td', { class: 'old' }, value(old)), h('td', { class: 'new' }, value(now)))))) : null));
    } catch { clear(parts.difference); }
  }
}

const value = (item) => (item === undefined ? h('em', {}, 'not there') : oneLine(JSON.stringify(item)));

function source(text) {
  const resent = /^resend of (dlv_\d+)$/.exec(text);
  if (resent) return h('span', {}, 're-sent from ', h('a', { href: `#/deliveries/${resent[1]}` }, resent[1]));
  const step = /^(.*):(\d+)$/.exec(text);
  if (step && !/^[\w./\\-]+$/.test(step[1])) return h('span', {}, 'step at ', h('code', {}, oneLine(text)));
  if (!step) return h('span', {}, text === 'send' ? 'sent on its own' : oneLine(text));
  const name = step[1].replace(/^.*[\\/]/, '').replace(/\.yaml$/, '');
  return h('span', {}, 'step at ', h('a', { href: `#/scripts/${encodeURIComponent(name)}?line=${step[2]}` }, oneLine(text)));
}

function why(delivery, last) {
  const reasons = [];
  if (delivery.outcome === 'failed' && last) {
    if (last.error) reasons.push(last.error.message);
    else if (last.response) reasons.push(hint(delivery, last.response));
  }
  reasons.push(...delivery.unmet);
  if (!reasons.length) return null;
  return h('div', { class: 'why' }, h('strong', {}, 'Why it failed'), h('ul', {}, reasons.map((reason) => h('li', {}, visible(reason)))));
}

function hint(delivery, response) {
  const { status } = response;
  if (delivery.faults.length && status >= 400 && status < 500) return `It was refused with ${status}, as a delivery with ${delivery.faults.join(' and ')} may have to be.`;
  if (status === 401 || status === 403) return `Your handler refused it with ${status}: does it verify the raw body, with the secret that was registered?`;
  if (status === 404 || status === 405) return `Your application answered ${status}: is this the path, and the method POST, that it listens on?`;
  if (status >= 500) return `Your handler failed with ${status}: its own log says why.`;
  if (status >= 300 && status < 400) return `Your application answered ${status}: redirects are not followed.`;
  return `Your application answered ${status}, and only 2xx means that it took the event.`;
}

function phases(attempt) {
  const total = Math.max(attempt.total_ms, 0.001), width = 120;
  const x = (ms) => Math.min(width, (ms / total) * width);
  const connect = x(attempt.connect_ms), wait = x(attempt.connect_ms + attempt.first_byte_ms);
  const title = `connect ${duration(attempt.connect_ms)}, first byte ${duration(attempt.first_byte_ms)}, in all ${duration(attempt.total_ms)}`;
  const bar = s('svg', { viewBox: `0 0 ${width} 8`, class: 'phases', role: 'img', 'aria-label': title },
    s('rect', { x: 0, y: 0, width, height: 8, class: 'rest' }), s('rect', { x: connect, y: 0, width: Math.max(0, wait - connect), height: 8, class: 'wait' }),
    s('rect', { x: 0, y: 0, width: connect, height: 8, class: 'connect' }));
  const text = s('title');
  text.textContent = title;
  bar.prepend(text);
  return bar;
}

function headers(list) {
  return h('details', { class: 'headers' }, h('summary', {}, `${list.length} headers`),
    h('table', { class: 'plain' }, h('tbody', {}, list.map(([name, text]) => h('tr', {}, h('th', { scope: 'row' }, oneLine(name)), h('td', {}, oneLine(text, 4000)))))));
}

function signature(code, delivery) {
  const { signature: signed } = code;
  const request = delivery.attempts.at(-1)?.request;
  if (!request) return null;
  const state = signed.valid === null ? badge('pending', 'not checked: the secret is not kept') : signed.valid ? badge('pass', 'fits the body') : badge('fail', delivery.faults.length ? 'does not fit, on purpose' : 'does not fit');
  return [h('h3', {}, 'Signature'),
    h('p', { class: 'line' }, state),
    h('table', { class: 'plain' }, h('tbody', {}, h('tr', {}, h('th', { scope: 'row' }, signed.header), h('td', {}, signed.value === null ? h('em', {}, 'not sent') : oneLine(signed.value, 2000))))),
    h('details', {}, h('summary', {}, 'How to verify it'),
      h('p', {}, 'Signed are the raw bytes of the body and nothing else, with HMAC-SHA256 and the secret that was registered, in lower-case hex. Verify before parsing, and compare in constant time.'),
      command(code.verify))];
}

const snippet = (text, what) => h('div', { class: 'snippet' }, copyButton(text, what), plain(text));

// ---------------------------------------------------------------- before and after

export function verdict(before, after) {
  if (after.outcome === 'pending') return 'on its way';
  if (before.outcome === 'failed') return after.outcome === 'delivered' ? 'fixed' : 'still failing';
  return after.outcome === 'delivered' ? 'delivered again' : 'regressed';
}

function compared(before, after) {
  const word = verdict(before, after);
  const good = { fixed: 'ok', 'still failing': 'bad', regressed: 'bad', 'delivered again': 'ok' }[word] ?? 'wait';
  const side = (title, delivery) => {
    const last = delivery.attempts.at(-1);
    const text = last?.error?.message ?? last?.response?.body ?? '';
    return h('div', {}, h('p', { class: 'who' }, title, ' ', h('a', { href: `#/deliveries/${delivery.delivery_id}` }, delivery.delivery_id)),
      h('p', {}, result({ outcome: delivery.outcome, status: last?.response?.status ?? null, error: last?.error?.kind }), ' ', duration(last?.total_ms)),
      h('p', { class: 'excerpt' }, oneLine(text, 160)));
  };
  return h('div', { class: `compared ${good}`, role: 'status' }, h('strong', {}, word[0].toUpperCase() + word.slice(1)),
    h('div', { class: 'sides' }, side('Before:', before), side('Now:', after)));
}
