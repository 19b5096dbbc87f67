// The registered webhooks, and what can be done with each.
import * as api from './api.js';
import { clear, command, h, oneLine, toast, view } from './dom.js';
import { openSend } from './send.js';
import { store } from './store.js';

export async function show(main) {
  const parts = view('t-webhooks');
  clear(main, parts.root);
  const { events } = await api.catalog();
  for (const { event } of events) parts.events.append(h('label', { class: 'tick' }, h('input', { type: 'checkbox', value: event, checked: true }), h('span', {}, event)));
  let turn = 0, shown = 0, drawn = '';
  const draw = async () => {
    const mine = turn += 1;
    try {
      const { webhooks } = await api.get('/webhooks');
      if (mine < shown) return; // a later answer is there already
      shown = mine;
      const news = JSON.stringify(webhooks);
      if (news === drawn) return; // no button changes under the mouse for nothing
      drawn = news;
      clear(parts.table, table(webhooks, draw));
    } catch (error) { toast(error.message); }
  };
  parts.form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const chosen = [...parts.events.querySelectorAll('input:checked')].map((box) => box.value);
    try {
      await api.post('/webhooks', { url: parts.form.elements.url.value, secret: parts.form.elements.secret.value, events: chosen });
      parts.problem.hidden = true;
      parts.more.open = false;
      await draw();
    } catch (error) {
      parts.problem.hidden = false;
      parts.problem.textContent = error.message;
    }
  });
  const listener = ({ detail }) => ['webhook', 'opened'].includes(detail.what) && draw();
  store.addEventListener('change', listener);
  await draw();
  return { close: () => store.removeEventListener('change', listener) };
}

function table(webhooks, draw) {
  if (!webhooks.length) {
    return h('div', { class: 'empty' }, h('h2', {}, 'No webhook is registered'),
      h('p', {}, 'Point your application at this mock instead of https://api.playgent.com, and let it register as in production:'),
      command(`curl -s ${location.origin}/v1/webhooks -H 'Authorization: Bearer key' -H 'Content-Type: application/json' -d '{"url": "http://localhost:3000/webhooks/playgent", "events": ["run.failed"], "secret": "whsec_test"}'`));
  }
  const act = (work) => async () => { try { await work(); await draw(); } catch (error) { toast(error.message); } };
  return h('ul', { class: 'cards' }, webhooks.map((webhook) => {
    const id = webhook.webhook_id;
    const path = `/webhooks/${encodeURIComponent(id)}`;
    return h('li', { class: webhook.active ? 'card' : 'card off' },
      h('div', { class: 'cardhead' }, h('strong', {}, h('bdi', {}, oneLine(webhook.url))), h('code', {}, id),
        h('label', { class: 'switch' }, h('input', { type: 'checkbox', role: 'switch', checked: webhook.active, onchange: act(() => api.patch(path, { active: !webhook.active })) }), h('span', {}, 'active'))),
      h('p', {}, webhook.events.map((event) => h('span', { class: 'tag' }, oneLine(event)))),
      h('div', { class: 'actions' },
        h('button', { type: 'button', class: 'primary', onclick: () => openSend({ webhook: id, event: webhook.events[0] }) }, 'Send a test event'),
        h('a', { class: 'button', href: `#/deliveries${api.query({ q: `webhook:${id}` })}` }, 'Its deliveries'),
        h('a', { class: 'button', href: `#/check?webhook=${encodeURIComponent(id)}` }, 'Check it'),
        h('button', { type: 'button', class: 'danger', onclick: act(() => api.remove(path)) }, 'Delete')));
  }));
}
