// The frame: which view is shown, the clock, the keyboard, the theme.
import * as api from './api.js';
import { h, refs, toast, utc, clear } from './dom.js';
import { store } from './store.js';

if (/^(#\/deliveries(\?|$)|$)/.test(location.hash)) store.prefetch(new URLSearchParams(location.hash.split('?')[1] ?? '').get('q') ?? '');

const VIEWS = {
  deliveries: ['Deliveries', () => import('./deliveries.js')],
  timeline: ['Time line', () => import('./timeline.js')],
  webhooks: ['Webhooks', () => import('./webhooks.js')],
  calls: ['Vendor calls', () => import('./calls.js')],
  resources: ['Resources', () => import('./resources.js')],
  scripts: ['Scripts', () => import('./scripts.js')],
  check: ['Check', () => import('./check.js')],
};
const main = document.getElementById('main');
let current = { name: '', shown: null };

async function route() {
  const [, name = 'deliveries', ...rest] = location.hash.split('?')[0].split('/');
  const known = VIEWS[name] ? name : 'deliveries';
  for (const link of document.querySelectorAll('#nav a')) {
    if (link.hash.slice(2) === known) {
      link.setAttribute('aria-current', 'page');
      link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    }
    else link.removeAttribute('aria-current');
  }
  const parameters = new URLSearchParams(location.hash.split('?')[1] ?? '');
  document.title = `${VIEWS[known][0]} · playgent-mockserver`;
  if (current.name === known && current.shown?.go) return current.shown.go(rest, parameters);
  current.shown?.close?.();
  current = { name: known, shown: null };
  try {
    const module = await VIEWS[known][1]();
    if (current.name !== known) return undefined;
    current.shown = await module.show(main, rest, parameters);
    store.start();
  } catch (error) {
    clear(main, h('section', { class: 'page' }, h('h1', {}, 'This view cannot be shown'), h('p', { class: 'problem' }, error.message)));
  }
  return undefined;
}

// ---------------------------------------------------------------- the clock, and whether the stream is there

const live = document.getElementById('live');
const clock = document.getElementById('clock');
const advance = document.getElementById('advance');

async function showClock() {
  try {
    const [health, catalog] = await Promise.all([api.get('/health'), api.catalog()]);
    const { speed } = catalog;
    const kind = speed === 'stepped' ? 'stepped' : speed === 'max' ? 'no waits' : speed === 1 ? 'real time' : `${speed}×`;
    clear(clock, h('span', { class: 'kind' }, kind), ' ', h('time', {}, utc(Date.parse(health.time) / 1000)));
    advance.hidden = speed !== 'stepped';
  } catch { /* the stream says that the mock is gone */ }
}
advance.addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    await api.post('/clock/advance', { by: advance.elements.by.value });
    await showClock();
  } catch (error) { toast(error.message); }
});
setInterval(() => document.visibilityState === 'visible' && showClock(), 2000);

store.addEventListener('change', ({ detail: { what } }) => {
  if (what !== 'live') return;
  live.className = store.live ? 'live on' : 'live off';
  live.textContent = store.live ? 'live' : 'connection lost';
});

// ---------------------------------------------------------------- theme, help, keyboard

const theme = document.getElementById('theme');
const root = document.documentElement;
root.dataset.theme = localStorage.getItem('theme') ?? '';
theme.addEventListener('click', () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  localStorage.setItem('theme', root.dataset.theme);
});

const helpbox = document.getElementById('helpbox');
async function help() {
  if (helpbox.open) return;
  helpbox.showModal();
  const { terms } = refs(helpbox);
  const { search } = await api.catalog();
  clear(terms, search.map((term) => h('div', {}, h('dt', {}, h('code', {}, term.example)), h('dd', {}, term.doc))));
}
document.getElementById('help').addEventListener('click', help);

document.addEventListener('keydown', (event) => {
  const typing = event.target.closest?.('input, textarea, select, [contenteditable]');
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  if (typing && event.key !== 'Escape') return;
  if (event.key === '?') { event.preventDefault(); help(); return; }
  if (event.key === '/' && current.name !== 'deliveries') { event.preventDefault(); location.hash = '#/deliveries'; return; }
  if (current.shown?.key?.(event.key)) event.preventDefault();
});

addEventListener('hashchange', route);
route().then(showClock).then(() => api.catalog()).then(({ operations }) => {
  document.querySelector('#nav a[href="#/resources"]').hidden = !operations.includes('resources');
  document.querySelector('#nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}, () => {});
