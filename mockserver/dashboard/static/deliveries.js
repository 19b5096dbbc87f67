// The list of deliveries: live, searchable, as long as it gets.
import * as api from './api.js';
import { clear, command, duration, h, localTime, oneLine, result, utc, view } from './dom.js';
import { openDelivery } from './delivery.js';
import { openSend } from './send.js';
import { store } from './store.js';

const QUICK = [['Failed', 'is:failed'], ['Pending', 'is:pending'], ['Retried', 'attempts:>1'], ['Faults', 'is:faulty']];
const SPARE = 4; // rows beyond the edges

export async function show(main, rest, parameters) {
  const parts = view('t-deliveries');
  clear(main, parts.root);
  const list = new List(parts);
  list.go(rest);
  await list.search(parameters.get('q') ?? store.q);
  return list;
}

class List {
  #unsubscribe;
  #frame = 0;
  #pool = [];
  #lines = []; // what is shown: rows by number, or {label, count, failed, key} of a group
  #frozen = null; // the newest number that is shown while paused
  #closed = new Set();
  #detail = null;
  #reveal = false; // whether the selected row is still to be brought into view
  selected = null;

  constructor(parts) {
    Object.assign(this, parts);
    this.rowHeight = 38;
    this.rows.append(this.spacer = h('div', { class: 'spacer', role: 'presentation' }));
    this.grid.addEventListener('scroll', () => this.draw(), { passive: true });
    this.grid.addEventListener('click', (event) => this.#clicked(event));
    this.grid.addEventListener('keydown', (event) => this.#gridKey(event));
    this.form.addEventListener('submit', (event) => { event.preventDefault(); this.#typed(); });
    let timer;
    this.q.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(() => this.#typed(), 250); });
    this.group.addEventListener('change', () => this.refresh());
    this.follow.addEventListener('click', () => this.setFollowing(this.#frozen !== null));
    this.send.addEventListener('click', () => openSend({}));
    for (const [label, q] of QUICK) {
      this.quick.append(h('button', { type: 'button', class: 'chip', 'data-q': q, onclick: () => this.search(this.q.value.trim() === q ? '' : q) }, label));
    }
    const listener = ({ detail }) => this.#changed(detail.what, detail.detail);
    store.addEventListener('change', listener);
    const observer = new ResizeObserver(() => this.draw());
    observer.observe(this.grid);
    this.#unsubscribe = () => { store.removeEventListener('change', listener); observer.disconnect(); };
  }

  close() { this.#unsubscribe(); }

  // ---------------------------------------------------------------- search

  #typed() {
    if (this.q.value.trim() !== store.q) this.search(this.q.value.trim());
  }

  async search(q) {
    if (this.q.value.trim() !== q) this.q.value = q;
    for (const chip of this.quick.children) chip.setAttribute('aria-pressed', String(chip.dataset.q === q));
    try {
      await store.search(q);
      this.problem.hidden = true;
      this.q.removeAttribute('aria-invalid');
      history.replaceState(null, '', `#/deliveries${this.selected ? `/${this.selected}` : ''}${q ? api.query({ q }) : ''}`);
    } catch (error) {
      this.problem.hidden = false;
      this.problem.textContent = error.message;
      this.q.setAttribute('aria-invalid', 'true');
    }
    this.refresh();
  }

  // ---------------------------------------------------------------- what is shown

  #changed(what, detail) {
    if (what === 'search') this.#frozen = this.selected ? store.order[store.order.length - 1] ?? 0 : null; // selecting pauses
    if (what === 'rows' && this.#detail) this.#detail.update(detail);
    if (what === 'search' && this.#detail?.delivery) this.#detail.difference();
    if (['search', 'page', 'rows', 'missed'].includes(what)) this.refresh();
  }

  refresh() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => { this.#frame = 0; this.#arrange(); this.draw(); });
  }

  setFollowing(following) {
    this.#frozen = following ? null : store.order[store.order.length - 1] ?? 0;
    if (following) this.grid.scrollTop = 0;
    this.refresh();
  }

  #arrange() {
    const { order, rows } = store;
    let end = order.length;
    if (this.#frozen !== null) while (end && order[end - 1] > this.#frozen) end -= 1;
    const waiting = order.length - end;
    this.follow.setAttribute('aria-pressed', String(this.#frozen === null));
    this.follow.textContent = this.#frozen === null ? 'Following' : waiting ? `Paused · ${waiting} new` : 'Paused';
    const by = this.group.value;
    const lines = this.#lines = [];
    if (!by) for (let index = end - 1; index >= 0; index -= 1) lines.push(order[index]);
    else {
      const groups = new Map();
      for (let index = end - 1; index >= 0; index -= 1) {
        const row = rows.get(order[index]);
        const key = row[by];
        if (!groups.has(key)) groups.set(key, { key, label: by === 'event' ? key : `${key} · ${row.url}`, members: [], failed: 0 });
        const group = groups.get(key);
        group.members.push(order[index]);
        if (row.outcome === 'failed') group.failed += 1;
      }
      for (const group of groups.values()) {
        lines.push(group);
        if (!this.#closed.has(group.key)) for (const number of group.members) lines.push(number);
      }
    }
    this.#tell();
    if (this.#reveal && this.selected) this.#show(this.#lines.indexOf(Number(this.selected.slice(4))));
  }

  /** Bring a line into view; -1 is one that is not there yet. */
  #show(index) {
    if (index < 0) return;
    this.#reveal = false;
    const top = index * this.rowHeight;
    const { scrollTop, clientHeight } = this.grid;
    this.spacer.style.height = `${this.#lines.length * this.rowHeight}px`;
    if (top < scrollTop) this.grid.scrollTop = top;
    else if (top + this.rowHeight * 2 > scrollTop + clientHeight) this.grid.scrollTop = top + this.rowHeight * 2 - clientHeight;
  }

  #tell() {
    const { length } = store.order;
    this.grid.setAttribute('aria-rowcount', String(this.#lines.length + 1));
    const none = !length && !store.loading;
    this.empty.hidden = !none;
    this.grid.hidden = none;
    if (none && this.empty.dataset.q !== store.q) this.#explainEmptiness();
    if (!none) delete this.empty.dataset.q;
    const dropped = store.dropped ? `, ${store.dropped.toLocaleString('en')} older ones are no longer on record` : '';
    const what = `${length.toLocaleString('en')} ${length === 1 ? 'delivery' : 'deliveries'}`;
    this.foot.textContent = none ? '' : `${what}${store.q ? ' found' : ''}${store.loading ? ', loading more …' : ''}${dropped}`;
  }

  #explainEmptiness() {
    this.empty.dataset.q = store.q;
    if (store.q) {
      clear(this.empty, h('h2', {}, 'Nothing matches'), h('p', {}, 'No delivery on record matches the search. New ones appear here as they come.'),
        h('button', { type: 'button', onclick: () => this.search('') }, 'Clear the search'));
      return;
    }
    const { origin } = location;
    clear(this.empty, h('h2', {}, 'No delivery yet'),
      h('p', {}, 'Let your application register its webhook with ', h('code', {}, `${origin}/v1`), ', or register it yourself:'),
      command(`curl -s ${origin}/v1/webhooks -H 'Authorization: Bearer key' -H 'Content-Type: application/json' -d '{"url": "http://localhost:3000/webhooks/playgent", "events": ["run.failed"], "secret": "whsec_test"}'`),
      h('p', {}, 'Then send it an event. It appears here at once:'),
      command(`curl -s ${origin}/_mock/events -d '{"event": "run.failed"}'`),
      h('p', {}, h('button', { type: 'button', class: 'primary', onclick: () => openSend({}) }, 'Send an event'), ' ',
        h('a', { href: '#/webhooks' }, 'See the webhooks'), ' · ', h('a', { href: '#/scripts' }, 'Start a script')));
  }

  // ---------------------------------------------------------------- drawing: only what can be seen

  draw() {
    const narrow = this.grid.clientWidth < 660;
    this.rowHeight = narrow ? 58 : 38;
    this.grid.classList.toggle('narrow', narrow);
    this.spacer.style.height = `${this.#lines.length * this.rowHeight}px`;
    const first = Math.max(0, Math.floor(this.grid.scrollTop / this.rowHeight) - SPARE);
    const wanted = Math.min(this.#lines.length - first, Math.ceil(this.grid.clientHeight / this.rowHeight) + 2 * SPARE);
    while (this.#pool.length < wanted) this.#pool.push(this.spacer.appendChild(new Line().element).line);
    this.#pool.forEach((line, index) => {
      line.element.hidden = index >= wanted;
      if (index >= wanted) return;
      const content = this.#lines[first + index];
      line.element.style.transform = `translateY(${(first + index) * this.rowHeight}px)`;
      line.element.setAttribute('aria-rowindex', String(first + index + 2));
      if (typeof content === 'number') line.showRow(store.rows.get(content), this.selected);
      else line.showGroup(content, this.#closed.has(content.key));
    });
    const active = this.#pool.find((line) => !line.element.hidden && line.row?.delivery_id === this.selected);
    if (active && this.selected) this.grid.setAttribute('aria-activedescendant', active.element.id);
    else this.grid.removeAttribute('aria-activedescendant');
  }

  #clicked(event) {
    const line = event.target.closest('[data-line]')?.line;
    if (!line) return;
    if (line.row) location.hash = `#/deliveries/${line.row.delivery_id}`;
    else {
      if (!this.#closed.delete(line.group.key)) this.#closed.add(line.group.key);
      this.refresh();
    }
  }

  // ---------------------------------------------------------------- selecting

  go(rest) {
    const id = rest[0] ?? null;
    if (id === this.selected) return;
    this.selected = id;
    this.#reveal = true;
    if (id && this.#frozen === null) this.setFollowing(false); // selecting pauses
    this.#detail?.close();
    this.#detail = id ? openDelivery(this.detail, id, () => this.back()) : null;
    this.detail.hidden = !id;
    this.detail.parentElement.classList.toggle('open', Boolean(id));
    this.refresh();
  }

  back() {
    location.hash = '#/deliveries';
    this.grid.focus();
  }

  #step(by) {
    const numbers = this.#lines.filter((line) => typeof line === 'number');
    if (!numbers.length) return;
    const at = this.selected ? numbers.indexOf(Number(this.selected.slice(4))) : -1;
    const next = numbers[Math.min(numbers.length - 1, Math.max(0, at === -1 ? 0 : at + by))];
    this.#show(this.#lines.indexOf(next));
    location.hash = `#/deliveries/${store.rows.get(next).delivery_id}`;
  }

  #gridKey(event) {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (by) { event.preventDefault(); this.#step(by); }
    else if (event.key === 'Enter' && this.selected) { event.preventDefault(); this.detail.focus(); }
  }

  key(key) {
    if (key === '/') { this.q.focus(); this.q.select(); }
    else if (key === 'j' || key === 'k') this.#step(key === 'j' ? 1 : -1);
    else if (key === 'f') this.setFollowing(this.#frozen !== null);
    else if (key === 'Escape') { if (this.selected) this.back(); else document.activeElement.blur(); }
    else if (['r', 'e', 'c'].includes(key) && this.#detail) this.#detail.act(key);
    else return false;
    return true;
  }
}

let ids = 0;
class Line {
  constructor() {
    this.cells = ['result', 'event', 'time', 'target', 'num', 'num'].map((kind) => h('span', { role: 'gridcell', class: kind }));
    this.element = h('div', { class: 'row', role: 'row', id: `line-${ids += 1}`, 'data-line': '' }, this.cells);
    this.element.line = this;
  }

  showRow(row, selected) {
    const chosen = row.delivery_id === selected;
    this.element.setAttribute('aria-selected', String(chosen));
    if (this.row === row) return; // rows are replaced when they change
    this.row = row;
    this.group = null;
    this.element.className = `row ${row.outcome}`;
    const [outcome, event, time, target, took, attempts] = this.cells;
    clear(outcome, result(row));
    clear(event, h('span', { class: 'name' }, oneLine(row.event)), row.unmet && row.outcome !== 'failed' ? h('span', { class: 'badge bad', title: 'Not what its step expects' }, 'unmet') : null, row.faults.map((fault) => h('span', { class: 'tag' }, oneLine(fault))),
      row.source.startsWith('resend') ? h('span', { class: 'tag plain' }, 're-sent') : null);
    const scripted = row.at !== null && row.real_at && Math.abs(row.at - row.real_at) > 1;
    clear(time, row.real_at ? localTime(row.real_at) : '', scripted ? h('small', { title: "The script's clock" }, utc(row.at)) : null);
    clear(target, oneLine(row.url));
    target.title = oneLine(row.url, 2000);
    clear(took, duration(row.ms));
    clear(attempts, row.attempts > 1 ? `${row.attempts} attempts` : row.attempts ? '1' : '');
  }

  showGroup(group, closed) {
    this.row = null;
    this.group = group;
    this.element.className = 'row group';
    this.element.removeAttribute('aria-selected');
    const [first, second, ...others] = this.cells;
    clear(first, h('span', { class: 'fold' }, closed ? '▸' : '▾'), String(group.members.length));
    clear(second, oneLine(group.label), group.failed ? h('span', { class: 'badge bad' }, `${group.failed} failed`) : null);
    for (const cell of others) clear(cell);
  }
}
