// Run the checks against a webhook; the table fills as they come.
import * as api from './api.js';
import { badge, body, clear, copyButton, duration, h, oneLine, view, visible } from './dom.js';

const LABEL = { pass: 'pass', fail: 'fail', warn: 'warn' };

export async function show(main, _rest, parameters) {
  const parts = view('t-check');
  clear(main, parts.root);
  const [{ webhooks }, { checks }] = await Promise.all([api.get('/webhooks'), api.catalog()]);
  for (const each of webhooks) parts.webhook.append(h('option', { value: each.webhook_id }, `${each.webhook_id} · ${oneLine(each.url, 60)}`));
  parts.webhook.append(h('option', { value: '' }, 'another URL'));
  if (parameters.get('webhook')) parts.webhook.value = parameters.get('webhook');
  const other = () => { parts.urlbox.hidden = parts.secretbox.hidden = parts.webhook.value !== ''; };
  parts.webhook.addEventListener('change', other);
  other();
  let running = null, timer = 0, closed = false;
  const rows = new Map();

  const draw = (answer) => {
    const { findings, running: now } = answer;
    for (const finding of findings) rows.get(finding.id)?.show(finding, answer.check_id);
    for (const row of rows.values()) row.mark(row.id === now && !answer.done);
    const counts = {};
    for (const { verdict } of findings) counts[verdict] = (counts[verdict] ?? 0) + 1;
    const told = Object.entries(counts).map(([verdict, count]) => `${count} ${verdict}`).join(', ');
    parts.summary.textContent = answer.problem || `${findings.length} of ${rows.size} checks made${told ? `: ${told}` : ''}${answer.done ? '. Done.' : ' …'}`;
    clear(parts.table.firstChild, answer.diagnosis ? h('div', { class: 'why' }, h('strong', {}, 'Why correct events are refused'), h('p', {}, visible(answer.diagnosis.explanation)), h('p', {}, visible(answer.diagnosis.fix))) : null);
  };
  const poll = async () => {
    try {
      const answer = await api.get(`/checks/${running}`);
      if (closed) return;
      draw(answer);
      if (!answer.done) timer = setTimeout(poll, 300);
      else over();
    } catch (error) { fail(error); }
  };
  const over = () => { running = null; parts.stop.hidden = true; parts.go.disabled = false; };
  const fail = (error) => { over(); parts.problem.hidden = false; parts.problem.textContent = error.message; };

  parts.form.addEventListener('submit', async (event) => {
    event.preventDefault();
    parts.problem.hidden = true;
    parts.go.disabled = true;
    rows.clear();
    const tbody = h('tbody', {}, checks.map((each) => { const row = new Row(each); rows.set(each.id, row); return row.elements; }));
    clear(parts.table, h('div', {}), h('table', { class: 'findings' }, h('thead', {}, h('tr', {}, ['Verdict', 'Check', 'What was seen'].map((name) => h('th', { scope: 'col' }, name)))), tbody));
    const target = parts.webhook.value ? { webhook_id: parts.webhook.value } : { url: parts.url.value, secret: parts.secret.value };
    try {
      const started = await api.post('/checks', { ...target, diagnose: parts.diagnose.checked, ...(parts.probe.value ? { probe: parts.probe.value } : {}) });
      running = started.check_id;
      parts.stop.hidden = false;
      poll();
    } catch (error) { fail(error); }
  });
  parts.stop.addEventListener('click', () => running && api.remove(`/checks/${running}`).catch(fail));
  if (!webhooks.length) clear(parts.table, h('div', { class: 'empty' }, h('p', {}, 'No webhook is registered: give the URL of your handler and the secret that it verifies with, or let your application register.')));
  return { close: () => { closed = true; clearTimeout(timer); } };
}

class Row {
  #told = '';

  constructor(check) {
    this.id = check.id;
    this.verdict = h('td', {}, h('span', { class: 'muted' }, '…'));
    this.seen = h('td', { class: 'muted' }, oneLine(check.sends));
    this.row = h('tr', {}, this.verdict, h('th', { scope: 'row' }, h('span', {}, check.name.replaceAll('_', ' ')), ' ', h('small', {}, `${check.id} · ${check.severity}`)), this.seen);
    this.elements = this.row;
  }

  mark(now) { this.row.classList.toggle('now', now && !this.#told); }

  show(finding, checkId) {
    if (this.#told === finding.verdict) return;
    this.#told = finding.verdict;
    clear(this.verdict, badge(LABEL[finding.verdict] ?? 'pending', finding.verdict));
    this.seen.className = '';
    const wrong = finding.verdict === 'fail' || finding.verdict === 'warn';
    clear(this.seen, h('p', {}, oneLine(finding.summary, 1000)), wrong ? h('p', { class: 'fix' }, h('strong', {}, 'Fix: '), visible(finding.fix)) : null,
      wrong && finding.evidence ? evidence(checkId, finding) : null);
    if (wrong) this.row.classList.add(finding.verdict);
  }
}

function evidence(checkId, finding) {
  const box = h('details', {}, h('summary', {}, `${finding.evidence} ${finding.evidence === 1 ? 'delivery' : 'deliveries'} as evidence`));
  box.addEventListener('toggle', async () => {
    if (!box.open || box.dataset.loaded) return;
    box.dataset.loaded = 'yes';
    const { evidence: shown } = await api.get(`/checks/${checkId}/findings/${finding.id}`).catch((error) => ({ evidence: [], error }));
    box.append(...shown.slice(0, 5).map((delivery) => {
      const last = delivery.attempts.at(-1);
      return h('div', { class: 'proof' }, delivery.curl ? copyButton(delivery.curl, 'the curl command', 'Copy curl') : null,
        h('p', { class: 'line' }, 'Sent to ', oneLine(delivery.url), last?.response ? [', answered ', h('strong', {}, String(last.response.status)), ` in ${duration(last.total_ms)}`] : `: ${oneLine(last?.error?.message ?? 'no answer')}`),
        last?.request ? body(last.request) : null, last?.response?.body ? body(last.response) : null);
    }));
  });
  return box;
}
