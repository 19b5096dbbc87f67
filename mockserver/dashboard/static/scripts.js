// Bundled scripts and an editor; problems beside the text; start, watch, stop.
import * as api from './api.js';
import { badge, clear, duration, h, oneLine, toast, view } from './dom.js';

const DRAFT = 'script-draft';

export async function show(main, rest, parameters) {
  const parts = view('t-scripts');
  clear(main, parts.root);
  const { scripts } = await api.catalog();
  const draft = sessionStorage.getItem(DRAFT);
  if (draft !== null) parts.script.append(h('option', { value: '' }, 'your draft'));
  for (const each of scripts) parts.script.append(h('option', { value: each.name }, each.name));
  const wanted = rest[0] ? decodeURIComponent(rest[0]) : draft !== null ? '' : scripts[0]?.name;
  parts.script.value = wanted;
  if (parts.script.selectedIndex < 0) parts.script.selectedIndex = 0;

  let turn = 0, timer = 0;
  const check = async () => {
    const mine = turn += 1;
    try {
      const { planned, seconds } = await api.post('/scripts/validate', parts.text.value || ' ');
      if (mine !== turn) return;
      problems([]);
      parts.state.textContent = `${planned} ${planned === 1 ? 'event' : 'events'} in ${seconds ? duration(seconds * 1000) : 'no time'}`;
      parts.start.disabled = false;
    } catch (error) {
      if (mine !== turn) return;
      problems(error.problems?.length ? error.problems : [{ line: 0, column: 0, message: error.message }]);
      parts.state.textContent = '';
      parts.start.disabled = true;
    }
  };
  const problems = (found) => {
    const bad = new Map(found.map((each) => [each.line, each]));
    const count = parts.text.value.split('\n').length;
    clear(parts.gutter, Array.from({ length: count }, (_, index) => h('span', { class: bad.has(index + 1) ? 'bad' : '' }, `${index + 1}\n`)));
    clear(parts.problems, found.length ? found.map((each) => h('li', {}, each.line
      ? h('button', { type: 'button', class: 'link', onclick: () => jump(each.line, each.column) }, `${each.line}:${each.column}`) : null, ' ', h('span', {}, oneLine(each.message, 600))))
      : h('li', { class: 'fine' }, 'None: the script can be started.'));
  };
  const jump = (line, column) => {
    const before = parts.text.value.split('\n').slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0);
    parts.text.focus();
    parts.text.setSelectionRange(before + column - 1, before + column - 1);
    parts.text.scrollTop = Math.max(0, (line - 5) * 19);
  };
  const load = () => {
    parts.text.value = parts.script.value === '' ? draft : scripts.find((each) => each.name === parts.script.value)?.source ?? '';
    parts.text.scrollTop = 0;
    return check();
  };
  parts.script.addEventListener('change', load);
  parts.text.addEventListener('scroll', () => { parts.gutter.scrollTop = parts.text.scrollTop; });
  parts.text.addEventListener('input', () => {
    sessionStorage.setItem(DRAFT, parts.text.value);
    clearTimeout(timer);
    timer = setTimeout(check, 250);
  });

  const drawReplays = async () => {
    try { clear(parts.replays, table((await api.get('/replays')).replays, drawReplays)); } catch { /* the frame says that the mock is gone */ }
  };
  parts.start.addEventListener('click', async () => {
    try {
      const started = await api.post(`/replays${api.query({ speed: parts.speed.value })}`, parts.text.value);
      toast(`${started.replay_id} has started`);
      await drawReplays();
    } catch (error) { toast(error.message); }
  });
  await load();
  await drawReplays();
  if (parameters.get('line')) jump(Number(parameters.get('line')), 1);
  const watch = setInterval(() => document.visibilityState === 'visible' && drawReplays(), 700);
  return { close: () => { clearInterval(watch); clearTimeout(timer); } };
}

function table(replays, draw) {
  if (!replays.length) return h('p', { class: 'hint' }, 'None yet. Start a script: its deliveries appear in the list and on the time line.');
  return h('ul', { class: 'cards tight' }, replays.map((each) => {
    const over = each.delivered + each.failed + each.not_sent;
    const state = !each.done ? badge('pending', 'running') : each.ok ? badge('pass', 'as expected') : badge('fail', 'not as expected');
    return h('li', { class: 'card cardhead' }, state, h('strong', {}, oneLine(each.name)), h('code', {}, each.replay_id),
      h('progress', { max: String(Math.max(each.planned, 1)), value: String(each.done ? Math.max(each.planned, 1) : over), 'aria-label': `${over} of ${each.planned} events` }),
      h('span', {}, `${each.delivered} delivered, ${each.failed} failed, ${each.not_sent} not sent of ${each.planned}${each.unmet ? `; ${each.unmet} not as expected` : ''}`),
      h('a', { class: 'button', href: `#/timeline?replay=${each.replay_id}` }, 'Time line'),
      each.done ? null : h('button', { type: 'button', onclick: async () => { await api.remove(`/replays/${each.replay_id}`).catch((error) => toast(error.message)); draw(); } }, 'Stop'));
  }));
}
