// What the application has asked the vendor API, what was wrong in it, and bad answers on demand.
import * as api from './api.js';
import { badge, clear, command, h, body, localTime, oneLine, toast, view } from './dom.js';
import { store } from './store.js';

export async function show(main) {
  const parts = view('t-calls');
  clear(main, parts.root);
  const open = new Set();
  let timer = 0, turn = 0, shown = 0;
  const draw = async () => {
    timer = 0;
    const mine = turn += 1;
    try {
      const [{ requests, dropped }, { pending }] = await Promise.all([api.get('/requests'), api.get('/faults')]);
      if (mine < shown) return; // a later answer is there already
      shown = mine;
      parts.pending.textContent = pending ? `${pending} more calls will be answered badly` : 'answering as usual';
      parts.off.disabled = !pending;
      clear(parts.table, table(requests, dropped, open));
    } catch (error) { toast(error.message); }
  };
  const act = (work) => async (event) => { event.preventDefault(); try { await work(); await draw(); } catch (error) { toast(error.message); } };
  const fields = parts.form.elements;
  parts.form.addEventListener('submit', act(() => api.post('/faults', { status: Number(fields.status.value), times: Number(fields.times.value) })));
  parts.off.addEventListener('click', act(() => api.remove('/faults')));
  const listener = ({ detail }) => { if (['request', 'opened'].includes(detail.what) && !timer) timer = setTimeout(draw, 300); };
  store.addEventListener('change', listener);
  await draw();
  return { close: () => { clearTimeout(timer); store.removeEventListener('change', listener); } };
}

function table(requests, dropped, open) {
  if (!requests.length) {
    return h('div', { class: 'empty' }, h('h2', {}, 'No call yet'), h('p', {}, `Point your application at ${location.origin}/v1. Each call appears here, with what was wrong in it:`),
      command(`curl -s ${location.origin}/v1/webhooks -H 'Authorization: Bearer key' -H 'Content-Type: application/json' -d '{"url": "http://localhost:3000/hooks", "events": ["run.faild"], "secret": "whsec_test"}'`));
  }
  const shown = requests.slice(-200).reverse();
  return [h('ul', { class: 'cards tight' }, shown.map((call) => h('li', {}, h('details', { class: 'card', open: open.has(call.number), ontoggle: (event) => { if (event.target.open) open.add(call.number); else open.delete(call.number); } },
    h('summary', {}, badge(call.status < 400 ? 'pass' : 'fail', String(call.status)), h('strong', {}, ` ${oneLine(call.method)} `), h('bdi', {}, oneLine(call.path + (call.query ? `?${call.query}` : ''), 120)),
      h('span', { class: 'muted' }, ` ${localTime(Date.parse(call.received_at) / 1000).slice(0, 8)}`),
      call.problem ? h('p', { class: 'problem' }, oneLine(call.problem)) : null),
    h('table', { class: 'plain' }, h('tbody', {}, call.headers.map(([name, text]) => h('tr', {}, h('th', { scope: 'row' }, oneLine(name)), h('td', {}, oneLine(text, 2000)))))),
    call.body === null ? h('p', { class: 'hint' }, call.body_size ? `${call.body_size} bytes that are not JSON.` : 'No body.') : body({ body: JSON.stringify(call.body) }))))),
  requests.length > shown.length || dropped ? h('p', { class: 'foot' }, `The last ${shown.length} of ${requests.length + dropped} calls.`) : null];
}
