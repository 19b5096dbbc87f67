// What calls have made, and the rules of what becomes of it.
import * as api from './api.js';
import { badge, body, clear, command, h, oneLine, toast, view } from './dom.js';

const STATES = { completed: 'pass', failed: 'fail' };

export async function show(main) {
  const parts = view('t-resources');
  clear(main, parts.root);
  if (!(await api.catalog()).operations.includes('resources')) {
    clear(parts.resources, h('p', { class: 'hint' }, 'This mock has neither resources nor flows.'));
    return {};
  }
  const open = new Set();
  const draw = async () => {
    if (parts.flows.querySelector('details[open]')) return; // being read
    try {
      const [resources, flows] = await Promise.all([api.get('/resources'), api.get('/flows')]);
      clear(parts.resources, list(resources.resources, open, draw));
      clear(parts.flows, flows.flows.length ? flows.flows.map((each) => h('details', { class: 'card' },
        h('summary', {}, h('code', {}, oneLine(each.flow.on)), ` · ${oneLine(each.flow.outcome ?? 'completed')} · used ${each.used} times${each.left === null ? '' : `, ${each.left} left`} · ${oneLine(each.source)}`),
        body({ body: JSON.stringify(each.flow) })))
        : h('div', { class: 'empty' }, h('p', {}, 'No rule: each run, evaluation and optimization is completed at once. A rule changes that:'),
          command(`curl -s ${location.origin}/_mock/flows -d '{"on": "POST /v1/runs", "outcome": "failed"}'`)));
    } catch (error) { toast(error.message); }
  };
  await draw();
  const timer = setInterval(() => document.visibilityState === 'visible' && draw(), 2000);
  return { close: () => clearInterval(timer) };
}

function list(resources, open, draw) {
  if (!resources.length) {
    return h('div', { class: 'empty' }, h('h2', {}, 'Nothing yet'), h('p', {}, 'A run, evaluation or optimization that your application starts appears here:'),
      command(`curl -s ${location.origin}/v1/runs -H 'Authorization: Bearer key' -H 'Content-Type: application/json' -d '{"test_case_id": "tc_xyz789"}'`));
  }
  return h('ul', { class: 'cards tight' }, [...resources].reverse().map((each) => h('li', { class: 'card cardhead' },
    h('details', { class: 'grow', open: open.has(each.resource_id), ontoggle: (event) => { if (event.target.open) open.add(each.resource_id); else open.delete(each.resource_id); } },
      h('summary', {}, h('strong', {}, oneLine(each.resource_id)), ' ', h('span', { class: 'tag' }, oneLine(each.kind)), badge(STATES[each.state] ?? 'pending', oneLine(each.state)),
        h('span', { class: 'muted' }, ` ${oneLine(each.on)}`)),
      h('p', {}, each.history.map((step) => h('span', { class: 'tag' }, `${oneLine(step.state)} ${step.at.slice(11, 19)}`)),
        each.deliveries.map((id) => h('a', { href: `#/deliveries/${id}` }, `${id} `))),
      body({ body: JSON.stringify(each.data) })),
    each.state in STATES ? null : h('button', { type: 'button', onclick: async () => { try { await api.post(`/resources/${encodeURIComponent(each.resource_id)}/advance`); } catch (error) { toast(error.message); } draw(); } }, 'One state on'))));
}
