// How one JSON value differs from another, by path.

/** The differences as [path, before, now]; undefined is what is not there. */
export function differences(before, now, path = '$', found = []) {
  if (found.length >= 1000 || Object.is(before, now)) return found;
  const nested = (value) => value !== null && typeof value === 'object';
  if (nested(before) && nested(now) && Array.isArray(before) === Array.isArray(now)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
      const place = Array.isArray(now) ? `${path}[${key}]` : /^[A-Za-z_]\w*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
      differences(Object.hasOwn(before, key) ? before[key] : undefined, Object.hasOwn(now, key) ? now[key] : undefined, place, found);
    }
  } else if (JSON.stringify(before) !== JSON.stringify(now)) found.push([path, before, now]);
  return found;
}

const kind = (value) => (value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value);

/** What data has, lacks or spells otherwise than the sample of its event: sentences for its author. */
export function notes(sample, data) {
  if (kind(data) !== 'object') return ['The data must be a JSON object.'];
  if (!sample) return [];
  const found = [];
  compare(sample, data, '', found);
  return found;
}

function compare(sample, data, path, found) {
  for (const key of Object.keys(data)) {
    const place = path + key;
    if (!Object.hasOwn(sample, key)) found.push(`${place} is not in the sample data${nearest(key, Object.keys(sample))}`);
    else if (kind(sample[key]) !== kind(data[key])) found.push(`${place} is ${kind(data[key])} here, and ${kind(sample[key])} in the sample data`);
    else if (kind(data[key]) === 'object') compare(sample[key], data[key], `${place}.`, found);
  }
  for (const key of Object.keys(sample)) if (!Object.hasOwn(data, key)) found.push(`${path}${key} is missing: the sample data has it`);
}

function nearest(word, known) {
  const distance = (a, b) => {
    let row = [...Array(b.length + 1).keys()];
    for (let i = 1; i <= a.length; i += 1) {
      row = row.reduce((next, _, j) => [...next, j === 0 ? i : Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] !== b[j - 1]))], []);
    }
    return row[b.length];
  };
  const [best] = known.map((each) => [distance(word.slice(0, 60), each.slice(0, 60)), each]).sort((a, b) => a[0] - b[0]);
  return best && best[0] <= 3 ? `; did you mean ${best[1]}?` : '';
}
