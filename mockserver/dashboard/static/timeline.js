// Deliveries and their attempts on the script's clock, as a chart.
import * as api from './api.js';
import { clear, duration, h, oneLine, s, utc, view } from './dom.js';
import { store } from './store.js';

const LEFT = 190, TOP = 34, LANE = 16, MOST_STACKED = 6;

export async function show(main, _rest, parameters) {
  const parts = view('t-timeline');
  clear(main, parts.root);
  const chart = new Chart(parts);
  await chart.choose(parameters.get('replay') ?? '');
  return chart;
}

class Chart {
  #bars = [];
  #from = 0;
  #to = 1;
  #range = [0, 1];
  #drag = null;
  #listener;
  #timer = 0;

  constructor(parts) {
    Object.assign(this, parts);
    this.svg = s('svg', { class: 'timeline', role: 'group', 'aria-label': 'Deliveries and attempts over time' });
    this.chart.append(this.svg);
    this.in.addEventListener('click', () => this.zoom(0.5));
    this.out.addEventListener('click', () => this.zoom(2));
    this.all.addEventListener('click', () => { [this.#from, this.#to] = this.#range; this.draw(); });
    this.lane.addEventListener('change', () => this.draw());
    this.replay.addEventListener('change', () => this.load());
    this.svg.addEventListener('wheel', (event) => { event.preventDefault(); this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.#timeAt(event.clientX)); }, { passive: false });
    this.svg.addEventListener('pointerdown', (event) => { this.#drag = { x: event.clientX, from: this.#from, to: this.#to }; });
    this.svg.addEventListener('pointermove', (event) => this.#move(event));
    this.svg.addEventListener('pointerup', () => { this.#drag = null; });
    this.svg.addEventListener('pointerleave', () => { this.#drag = null; });
    this.#listener = ({ detail }) => {
      if (detail.what === 'rows' && !this.#timer) this.#timer = setTimeout(() => { this.#timer = 0; this.load(true); }, 1000);
    };
    store.addEventListener('change', this.#listener);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.chart);
  }

  close() {
    store.removeEventListener('change', this.#listener);
    this.observer.disconnect();
    clearTimeout(this.#timer);
  }

  async choose(replayId) {
    const { replays } = await api.get('/replays');
    this.replay.append(h('option', { value: '' }, store.q ? `what matches ${oneLine(store.q, 40)}` : 'everything on record'),
      ...replays.map((each) => h('option', { value: each.replay_id }, `${each.replay_id} · ${oneLine(each.name, 50)}`)));
    this.replay.value = replayId;
    await this.load();
  }

  async load(keep = false) {
    const replayId = this.replay.value;
    const { deliveries, left_out: left } = await api.get(`/timeline${api.query({ replay_id: replayId, q: replayId ? '' : store.q, limit: 1000 })}`);
    this.#bars = deliveries.filter((each) => each.attempts.length);
    const starts = this.#bars.flatMap((bar) => bar.attempts.map((attempt) => attempt.at));
    const ends = this.#bars.flatMap((bar) => bar.attempts.map((attempt) => attempt.at + attempt.ms / 1000));
    const from = Math.min(...starts), to = Math.max(...ends);
    const margin = Math.max((to - from) * 0.03, 0.05);
    const whole = this.#from === this.#range[0] && this.#to === this.#range[1];
    this.#range = starts.length ? [from - margin, to + margin] : [0, 1];
    if (!keep || whole) [this.#from, this.#to] = this.#range;
    this.left = left;
    this.draw();
  }

  zoom(factor, around = (this.#from + this.#to) / 2) {
    const width = Math.max(0.01, (this.#to - this.#from) * factor);
    const part = (around - this.#from) / (this.#to - this.#from);
    this.#from = around - width * part;
    this.#to = this.#from + width;
    this.draw();
  }

  #timeAt(clientX) {
    const { left, width } = this.svg.getBoundingClientRect();
    return this.#from + Math.max(0, (clientX - left - LEFT) / (width - LEFT)) * (this.#to - this.#from);
  }

  #move(event) {
    if (!this.#drag) return;
    const perPixel = (this.#drag.to - this.#drag.from) / (this.svg.clientWidth - LEFT);
    const by = (this.#drag.x - event.clientX) * perPixel;
    this.#from = this.#drag.from + by;
    this.#to = this.#drag.to + by;
    this.draw();
  }

  draw() {
    const width = Math.max(this.chart.clientWidth, 320);
    const left = width < 560 ? 10 : LEFT;
    const x = (at) => left + ((at - this.#from) / (this.#to - this.#from)) * (width - left - 12);
    const lanes = new Map();
    for (const bar of this.#bars) {
      const key = bar[this.lane.value];
      if (!lanes.has(key)) lanes.set(key, []);
      lanes.get(key).push(bar);
    }
    const marks = [];
    let y = TOP;
    for (const [key, bars] of lanes) {
      const rows = [];
      const top = y + (left === 10 ? 16 : 0);
      for (const bar of bars) {
        const begin = x(bar.attempts[0].at), last = bar.attempts.at(-1);
        const end = Math.max(x(last.at + last.ms / 1000), begin + 6);
        let row = rows.findIndex((taken) => taken < begin - 2);
        if (row === -1) row = rows.length < MOST_STACKED ? rows.push(0) - 1 : bar.delivery_id.charCodeAt(9) % MOST_STACKED;
        rows[row] = Math.max(rows[row], end);
        if (end >= left && begin <= width) marks.push(this.#bar(bar, x, top + 4 + row * LANE, left));
      }
      const height = top - y + Math.max(rows.length, 1) * LANE + 10;
      const label = s('text', { x: 10, y: y + 16, class: 'lane' });
      label.textContent = oneLine(key, 26);
      marks.unshift(s('line', { x1: 0, x2: width, y1: y + height - 1, y2: y + height - 1, class: 'rule' }), label);
      y += height;
    }
    const height = Math.max(y + 8, 120);
    this.svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.svg.setAttribute('height', height);
    this.svg.replaceChildren(...this.#axis(x, left, width, height), ...marks);
    if (!this.#bars.length) this.tip.textContent = 'No delivery yet. Start a script, or send an event; each attempt becomes a bar.';
    else this.tip.textContent = `${this.#bars.length} deliveries${this.left ? `, the last ones; ${this.left} more are not drawn` : ''}`;
  }

  #bar(bar, x, y, left) {
    const attempts = bar.attempts.map((attempt) => {
      const begin = x(attempt.at);
      return s('rect', { x: Math.max(begin, left - 4), y, width: Math.max(x(attempt.at + attempt.ms / 1000) - begin, 5), height: 10, rx: 2, class: attempt.delivered ? 'ok' : 'bad' });
    });
    const words = `${bar.delivery_id} ${bar.event}: ${bar.outcome}; ${bar.attempts.map((each) => `${utc(each.at)} ${each.status ?? each.error ?? ''} in ${duration(each.ms)}`).join(', then ')}`;
    const link = s('a', { href: `#/deliveries/${bar.delivery_id}`, 'aria-label': words, class: 'bar',
      onpointerenter: () => { this.tip.textContent = words; }, onfocus: () => { this.tip.textContent = words; } });
    const begin = x(bar.attempts[0].at), end = x(bar.attempts.at(-1).at);
    if (bar.attempts.length > 1) link.append(s('line', { x1: Math.max(begin, left), x2: end, y1: y + 5, y2: y + 5, class: 'join' }));
    link.append(...attempts);
    return link;
  }

  #axis(x, left, width, height) {
    const span = this.#to - this.#from;
    const steps = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 604800, 2592000];
    const step = steps.find((each) => span / each <= Math.max(2, (width - left) / 110)) ?? steps.at(-1);
    const marks = [];
    for (let at = Math.ceil(this.#from / step) * step; at < this.#to && marks.length < 60; at += step) {
      const text = s('text', { x: x(at), y: 18, class: 'tick' });
      const time = new Date(at * 1000).toISOString();
      text.textContent = step >= 86400 ? time.slice(5, 10) : step >= 60 ? time.slice(11, 16) : step >= 1 ? time.slice(11, 19) : time.slice(14, 23);
      marks.push(s('line', { x1: x(at), x2: x(at), y1: 26, y2: height, class: 'rule' }), text);
    }
    return marks;
  }
}
