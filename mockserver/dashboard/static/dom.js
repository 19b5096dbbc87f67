// Small things over the DOM. Text from outside only ever becomes a text node.

/** Make an element: attributes, on… listeners, children (texts become text nodes). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== 'list' && typeof value !== 'string') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SHOWN = 32768; // so much of a text is shown until more is asked for: a browser takes long to lay out a megabyte

const SVG = 'http://www.w3.org/2000/svg';
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Instantiate a template: its fragment, and its elements with data-ref by name. */
export function view(id) {
  const root = document.getElementById(id).content.cloneNode(true);
  return { root, ...refs(root) };
}

export function refs(root) {
  const found = {};
  for (const element of root.querySelectorAll('[data-ref]')) found[element.dataset.ref] = element;
  return found;
}

// What cannot be seen or turns the direction of text is spelled out.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
export function visible(text) {
  return String(text).replace(HIDDEN, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
export const oneLine = (text, most = 300) => {
  const shown = visible(text).replace(/[\n\t]+/g, ' ');
  return shown.length > most ? `${shown.slice(0, most)} …` : shown;
};

export function clear(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

const pad = (number, digits = 2) => String(number).padStart(digits, '0');
/** Seconds since 1970 as local wall-clock time. */
export function localTime(seconds) {
  const date = new Date(seconds * 1000);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
}
/** Seconds since 1970 as UTC, as scripts and payloads write it. */
export const utc = (seconds) => new Date(seconds * 1000).toISOString().replace('T', ' ').replace(/\.\d+Z$/, 'Z');
export function duration(ms) {
  if (ms === null || ms === undefined) return '';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 3600000 ? `${(ms / 60000).toFixed(1)} min` : `${(ms / 3600000).toFixed(1)} h`;
}

let timer;
export function toast(text) {
  const element = document.getElementById('toast');
  element.textContent = text;
  element.classList.add('on');
  clearTimeout(timer);
  timer = setTimeout(() => element.classList.remove('on'), 3500);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h('textarea', { class: 'sr' });
    area.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  toast(`Copied: ${what}`);
}

export const copyButton = (text, what, label = 'Copy') =>
  h('button', { type: 'button', class: 'small', onclick: () => copy(text, what) }, label);

/** A command to copy, as empty states show it. */
export const command = (text) => h('div', { class: 'command' }, h('code', {}, text), copyButton(text, 'the command'));

const LABELS = { pass: 'ok', fail: 'bad', warn: 'warn', delivered: 'ok', failed: 'bad', pending: 'wait' };
export const badge = (kind, text) => h('span', { class: `badge ${LABELS[kind] ?? 'wait'}` }, text ?? kind);

/** The result of a delivery in brief: a status, or why there is none. */
export function result(row) {
  if (row.outcome === 'pending') return badge('pending', row.attempts ? `${row.status ?? row.error} · waits` : 'on its way');
  return badge(row.outcome, row.error && !row.status ? row.error : String(row.status ?? row.outcome));
}

// ---------------------------------------------------------------- bodies

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/g;

/** JSON with line breaks, its values exactly as they were spelled; null if it is not JSON. */
export function indented(text) {
  try { JSON.parse(text); } catch { return null; }
  let depth = 0, out = '', previous = '';
  const line = () => `\n${'  '.repeat(depth)}`;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '}' || token === ']') { depth -= 1; out += previous === '{' || previous === '[' ? token : line() + token; }
    else if (token === ',') out += token + line();
    else if (token === ':') out += ': ';
    else {
      if (previous === '{' || previous === '[') out += line();
      out += token;
      if (token === '{' || token === '[') depth += 1;
    }
    previous = token;
  }
  return out;
}

const LONGEST_COLOURED = 30000;
export function colouredJson(text) {
  if (text.length > LONGEST_COLOURED) return plain(text);
  const pre = h('pre', { class: 'body', tabindex: '0', role: 'group', 'aria-label': 'Body' });
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const token = match[0];
    if (match.index > end) pre.append(visible(text.slice(end, match.index)));
    end = match.index + token.length;
    const isKey = token[0] === '"' && /^\s*:/.test(text.slice(end, end + 8));
    const kind = isKey ? 'k' : token[0] === '"' ? 's' : /[{}[\],:]/.test(token[0]) ? '' : 'n';
    pre.append(kind ? h('span', { class: kind }, visible(token)) : token);
  }
  pre.append(visible(text.slice(end)));
  return pre;
}

export function hex(bytes) {
  const lines = [];
  for (let start = 0; start < bytes.length; start += 16) {
    const part = [...bytes.slice(start, start + 16)];
    const digits = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = part.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${start.toString(16).padStart(6, '0')}  ${digits.padEnd(47)}  ${text}`);
  }
  return lines.join('\n');
}

/** A body with a choice of how to look at it. */
export function body(message) {
  const bytes = message.body_base64
    ? Uint8Array.from(atob(message.body_base64), (char) => char.charCodeAt(0)) : new TextEncoder().encode(message.body);
  if (!bytes.length && !message.body) return h('p', { class: 'hint' }, 'No body.');
  const pretty = message.body.length <= 2 * 1024 * 1024 ? indented(message.body) : null;
  const forms = {
    ...(pretty === null ? {} : { pretty: () => colouredJson(pretty) }),
    raw: (most) => plain(message.body, most),
    hex: (most) => plain(hex(bytes.slice(0, most ? most / 4 : bytes.length)), Infinity),
  };
  const place = h('div', {});
  const choice = h('div', { class: 'tabs small', role: 'group', 'aria-label': 'How the body is shown' });
  const show = (name) => {
    for (const button of choice.querySelectorAll('[data-form]')) button.setAttribute('aria-pressed', String(button.dataset.form === name));
    clear(place, forms[name](SHOWN));
  };
  for (const name of Object.keys(forms)) {
    choice.append(h('button', { type: 'button', 'data-form': name, onclick: () => show(name) }, name));
  }
  choice.append(h('span', { class: 'grow' }), copyButton(message.body, 'the body'));
  show(message.body_base64 ? 'hex' : Object.keys(forms)[0]);
  const size = message.body_size ?? bytes.length;
  const more = size > bytes.length ? h('p', { class: 'hint' }, `${bytes.length} of ${size} bytes are on record.`) : null;
  return h('div', {}, choice, place, more);
}

export function plain(text, most = SHOWN) {
  const box = h('pre', { class: 'body', tabindex: '0', role: 'group', 'aria-label': 'Body' }, visible(text.slice(0, most)));
  if (text.length <= most) return box;
  const all = h('button', { type: 'button', class: 'small', onclick: () => { box.textContent = visible(text); all.remove(); } },
    `Show all ${text.length.toLocaleString('en')} characters`);
  return h('div', {}, box, all);
}

/** Tabs over sections; makes each when it is first shown. */
export function tabs(label, sections) {
  const panel = h('div', { role: 'tabpanel', class: 'panel' });
  const list = h('div', { class: 'tabs', role: 'tablist', 'aria-label': label });
  const names = Object.keys(sections);
  const show = (name) => {
    for (const tab of list.children) {
      const on = tab.dataset.name === name;
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
    }
    panel.setAttribute('aria-label', name);
    clear(panel, sections[name]());
  };
  for (const name of names) {
    list.append(h('button', { type: 'button', role: 'tab', 'data-name': name, onclick: () => show(name) }, name));
  }
  list.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const tab = list.children[(names.indexOf(document.activeElement.dataset.name) + step + names.length) % names.length];
    tab.focus();
    tab.click();
  });
  show(names[0]);
  return h('div', { class: 'tabbed' }, list, panel);
}
