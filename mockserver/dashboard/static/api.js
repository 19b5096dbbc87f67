// The control API, and nothing else.

const BASE = '/_mock';

/** What went wrong, in the words of the server. */
export class ApiError extends Error {
  constructor(status, error) {
    super(error?.message ?? `The mock answered ${status}.`);
    this.status = status;
    this.problems = error?.problems ?? [];
  }
}

async function call(method, path, value) {
  const text = typeof value === 'string' ? value : value === undefined ? undefined : JSON.stringify(value);
  let answer;
  try {
    answer = await fetch(BASE + path, { method, body: text, headers: text ? { 'Content-Type': 'application/json' } : {} });
  } catch {
    throw new ApiError(0, { message: 'The mock cannot be reached. Is it still running?' });
  }
  const body = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new ApiError(answer.status, body?.error);
  return body;
}

export const get = (path) => call('GET', path);
export const post = (path, value) => call('POST', path, value);
export const patch = (path, value) => call('PATCH', path, value);
export const remove = (path) => call('DELETE', path);
export const query = (values) => {
  const text = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== '' && value !== undefined && value !== null)).toString();
  return text ? `?${text}` : '';
};

let known;
/** What can be sent: asked for once. */
export const catalog = () => (known ??= get('/catalog').catch((error) => { known = undefined; throw error; }));

/** Open the stream of what happens; returns a function that closes it. */
export function listen(q, handlers) {
  const source = new EventSource(`${BASE}/stream${query({ brief: 'true', q })}`);
  source.onopen = () => handlers.open?.();
  source.onerror = () => handlers.lost?.();
  for (const name of ['deliveries', 'gone', 'webhook', 'request', 'dropped']) {
    source.addEventListener(name, (event) => handlers[name]?.(JSON.parse(event.data)));
  }
  return () => source.close();
}
