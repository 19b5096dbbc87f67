// The rows of the record that match the search, kept up to date by the stream.
import * as api from './api.js';

const MOST = 20000;
const PAGE = 1000;

class Store extends EventTarget {
  rows = new Map(); // by number; in ascending order but for what arrives late
  order = []; // numbers, ascending
  q = '';
  total = 0;
  dropped = 0;
  loading = false;
  live = false;
  #close = null;
  #turn = 0;
  #early = null;

  /** Ask for the first rows before the view that shows them is there. */
  prefetch(q) {
    this.#early = { q, rows: this.#first(q) };
    this.#early.rows.catch(() => {}); // the search reports it
  }

  #first(q) { return api.get(`/deliveries/brief${api.query({ q, limit: 100 })}`); }

  /** Begin to listen, unless that was done before. */
  start() {
    if (!this.#close) this.search(this.q).catch(() => {});
  }

  /** Search anew; when the promise is kept, the newest are there, and the rest comes page by page. */
  async search(q) {
    const turn = ++this.#turn;
    const early = this.#early;
    this.#early = null;
    const first = await (early?.q === q ? early.rows : this.#first(q));
    if (turn !== this.#turn) return;
    this.q = q;
    this.rows.clear();
    this.order = [];
    this.#count(first);
    this.#merge(first.deliveries);
    this.#listen(turn);
    this.loading = Boolean(first.next);
    this.changed('search');
    this.#rest(first.next, turn).catch(() => { this.loading = false; });
  }

  async #rest(following, turn) {
    const { q } = this;
    for (let next = following; next && this.order.length < MOST;) {
      await new Promise((done) => setTimeout(done, 30)); // between two pages the browser can draw and listen
      const page = await api.get(`/deliveries/brief${api.query({ q, limit: PAGE, before: next })}`);
      if (turn !== this.#turn) return;
      this.#merge(page.deliveries);
      next = page.next;
      this.loading = Boolean(next);
      this.changed('page');
    }
    this.loading = false;
  }

  #count(page) {
    this.total = page.on_record;
    this.dropped = page.dropped;
  }

  #listen(turn) {
    this.#close?.();
    let lost = false;
    this.#close = api.listen(this.q, {
      open: () => {
        this.live = true;
        this.changed('live');
        this.changed('opened');
        // What happened in between is not in the stream.
        (lost ? this.search(this.q) : this.#catchUp(turn)).catch(() => {});
        lost = false;
      },
      lost: () => { lost = true; this.live = false; this.changed('live'); },
      deliveries: (rows) => { this.#merge(rows); this.changed('rows', rows); },
      gone: (ids) => { for (const id of ids) this.#forget(Number(id.slice(4))); this.changed('rows', []); },
      webhook: (webhook) => this.changed('webhook', webhook),
      request: (request) => this.changed('request', request),
      dropped: () => this.changed('missed'),
    });
  }

  /** Take in what came after the first rows were asked for and before the stream was open. */
  async #catchUp(turn) {
    const page = await this.#first(this.q);
    if (turn !== this.#turn) return;
    const news = page.deliveries.filter((row) => {
      const known = this.rows.get(Number(row.delivery_id.slice(4))); // from the stream, unless it is pending: no older
      return !known || (known.outcome === 'pending' && row.outcome !== 'pending');
    });
    if (!news.length) return;
    this.#count(page);
    this.#merge(news);
    this.changed('rows', news);
    if (news.length === page.deliveries.length) await this.#rest(page.next, turn);
  }

  #forget(number) {
    if (!this.rows.delete(number)) return;
    this.order.splice(this.order.indexOf(number), 1);
  }

  #merge(rows) {
    const added = [];
    for (const row of rows) {
      row.number = Number(row.delivery_id.slice(4));
      if (!this.rows.has(row.number)) added.push(row.number);
      this.rows.set(row.number, row);
    }
    added.sort((a, b) => a - b);
    const { order } = this;
    if (!order.length || added[0] > order[order.length - 1]) order.push(...added);
    else if (added[added.length - 1] < order[0]) this.order = added.concat(order);
    else if (added.length) this.order = order.concat(added).sort((a, b) => a - b);
    if (this.order.length > MOST) {
      for (const number of this.order.splice(0, this.order.length - MOST)) this.rows.delete(number);
    }
  }

  /** The newest row older than this one, of the same event and webhook; undefined if there is none here. */
  before(delivery) {
    const number = Number(delivery.delivery_id.slice(4));
    for (let index = this.order.length - 1; index >= 0; index -= 1) {
      const row = this.rows.get(this.order[index]);
      if (row.number < number && row.event === delivery.event && row.webhook_id === delivery.webhook_id) return row;
    }
    return undefined;
  }

  changed(what, detail) {
    this.dispatchEvent(new CustomEvent('change', { detail: { what, detail } }));
  }
}

export const store = new Store();
