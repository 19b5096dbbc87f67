// What calls have made, and the rules of what becomes of it.
import * as api from './api.js';
import { body, clear, command, h, oneLine, toast, view } from './dom.js';

export async function show(main) {
  const parts = view('t-resources');
  clear(main, parts.root);
  if (!(await api.catalog()).operations.includes('resources')) {
    clear(parts.resources, h('p', { class: 'hint' }, 'This mock has neither resources nor flows.'));
    return {};
  }
  const draw = async () => {
    try {
      const [resources, flows] = await Promise.all([api.get('/resources'), api.get('/flows')]);
      clear(parts.resources, list(Object.values(resources).find(Array.isArray) ?? [], draw));
      const rules = Object.values(flows).find(Array.isArray) ?? [];
      clear(parts.flows, rules.length ? rules.map((rule) => body({ body: JSON.stringify(rule) }))
        : h('div', { class: 'empty' }, h('p', {}, 'No rule: each run, evaluation and optimization is completed at once. A rule changes that:'),
          command(`curl -s ${location.origin}/_mock/flows -d '{"on": "POST /v1/runs", "outcome": "failed"}'`)));
    } catch (error) { toast(error.message); }
  };
  await draw();
  const timer = setInterval(() => document.visibilityState === 'visible' && draw(), 2000);
  return { close: () => clearInterval(timer) };
}

function list(resources, draw) {
  if (!resources.length) {
    return h('div', { class: 'empty' }, h('h2', {}, 'Nothing yet'), h('p', {}, 'A run, evaluation or optimization that your application starts appears here:'),
      command(`curl -s ${location.origin}/v1/runs -H 'Authorization: Bearer key' -H 'Content-Type: application/json' -d '{"test_case_id": "tc_xyz789"}'`));
  }
  const name = (each) => each.id ?? each.resource_id ?? Object.entries(each).find(([key]) => key.endsWith('_id'))?.[1] ?? '';
  return h('ul', { class: 'cards tight' }, [...resources].reverse().map((each) => h('li', { class: 'card' },
    h('details', {}, h('summary', {}, h('strong', {}, oneLine(name(each))), ' ', each.kind ? h('span', { class: 'tag plain' }, oneLine(each.kind)) : null, ' ', each.state ?? each.status ? h('span', { class: 'tag' }, oneLine(each.state ?? each.status)) : null),
      body({ body: JSON.stringify(each) })),
    each.done || each.settled ? null : h('button', { type: 'button', onclick: async () => { try { await api.post(`/resources/${encodeURIComponent(name(each))}/advance`); } catch (error) { toast(error.message); } draw(); } }, 'One state on'))));
}
