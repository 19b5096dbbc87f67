// Edit and send: an event, its data, faults from a menu, a retry policy.
import * as api from './api.js';
import { clear, h, oneLine, toast, view } from './dom.js';
import { notes } from './difference.js';

/** Open the form, filled with what is given; `sent` gets the delivery when there is one. */
export async function openSend({ event, data, faults = [], webhook, sent }) {
  let catalog, webhooks;
  try {
    [catalog, { webhooks }] = await Promise.all([api.catalog(), api.get('/webhooks')]);
  } catch (error) { toast(error.message); return; }
  const parts = view('t-send');
  const dialog = h('dialog', { class: 'wide', 'aria-label': 'Send an event' }, parts.root);
  document.body.append(dialog);
  dialog.addEventListener('close', () => dialog.remove());
  const chosen = new Set(faults);
  const sample = () => catalog.events.find((each) => each.event === parts.event.value)?.data ?? null;
  const write = (value) => { parts.data.value = JSON.stringify(value ?? {}, null, 2); check(); };

  for (const each of catalog.events) parts.event.append(h('option', { value: each.event }, each.event));
  parts.webhook.append(h('option', { value: '' }, 'every webhook that is subscribed'));
  for (const each of webhooks) parts.webhook.append(h('option', { value: each.webhook_id }, `${each.webhook_id} · ${oneLine(each.url, 60)}`));
  parts.retry.append(h('option', { value: '' }, "the mock's own"));
  for (const each of catalog.retries) parts.retry.append(h('option', { value: each.name }, each.name === 'none' ? 'none' : `${each.name} (${each.delays.length + 1} attempts)`));
  if (event) parts.event.value = event;
  if (webhooks.some((each) => each.webhook_id === webhook)) parts.webhook.value = webhook;
  if (data !== undefined) parts.title.textContent = 'Edit and send';

  const layers = Object.groupBy ? Object.groupBy(catalog.faults, (fault) => fault.layer) : { faults: catalog.faults };
  for (const [layer, members] of Object.entries(layers)) {
    parts.faults.append(h('p', { class: 'layer' }, layer), ...members.map((fault) => h('label', { class: 'tick', 'data-words': `${fault.name} ${fault.doc}`.toLowerCase() },
      h('input', { type: 'checkbox', value: fault.name, checked: chosen.has(fault.name) }), h('span', {}, h('strong', {}, fault.name), ' ', fault.doc))));
  }
  const tellFaults = () => { parts.chosen.textContent = [...chosen].join(', ') || 'none'; };
  parts.faults.addEventListener('change', ({ target }) => { if (target.checked) chosen.add(target.value); else chosen.delete(target.value); tellFaults(); });
  parts.find.addEventListener('input', () => {
    for (const label of parts.faults.querySelectorAll('label')) label.hidden = !label.dataset.words.includes(parts.find.value.toLowerCase());
  });
  tellFaults();

  function check() {
    let value;
    try { value = JSON.parse(parts.data.value); } catch (error) {
      clear(parts.notes, h('li', { class: 'bad' }, `Not JSON: ${error.message}`));
      parts.go.disabled = true;
      return null;
    }
    parts.go.disabled = value === null || typeof value !== 'object' || Array.isArray(value);
    clear(parts.notes, notes(sample(), value).slice(0, 8).map((note) => h('li', {}, oneLine(note))));
    return value;
  }
  parts.data.addEventListener('input', check);
  parts.event.addEventListener('change', () => write(sample()));
  parts.cancel.addEventListener('click', () => dialog.close());
  parts.form.addEventListener('submit', async (submitted) => {
    submitted.preventDefault();
    const value = check();
    if (value === null) return;
    const step = { event: parts.event.value, data: value };
    if (chosen.size) step.fault = chosen.size === 1 ? [...chosen][0] : [...chosen];
    if (parts.retry.value) step.retry = parts.retry.value;
    parts.go.disabled = true;
    try {
      const answer = await api.post(`/events${api.query({ webhook_id: parts.webhook.value })}`, step);
      if (!answer.deliveries.length) throw new Error(answer.explanation);
      dialog.close();
      const [delivery] = answer.deliveries;
      toast(`${delivery.delivery_id}: ${delivery.outcome}`);
      if (sent) sent(delivery);
      else location.hash = `#/deliveries/${delivery.delivery_id}`;
    } catch (error) {
      parts.problem.hidden = false;
      parts.problem.textContent = error.message;
    }
    parts.go.disabled = false;
  });
  write(data === undefined ? sample() : data);
  dialog.showModal();
  parts.data.focus();
}
