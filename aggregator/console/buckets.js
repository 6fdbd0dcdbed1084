/* buckets.js - minutes and days without a sale have no row in a view; a chart shows them as zeros. Buckets of UTC only: of others the
 * rows are shown as they came. */
const MINUTE = 60000;
const STEPS = { minute: MINUTE, day: 1440 * MINUTE };
const text = { minute: (ms) => new Date(ms).toISOString().slice(0, 16), day: (ms) => new Date(ms).toISOString().slice(0, 10) };

/* The last `count` buckets up to the one that holds `end_ms`; each its row of `rows`, or a row of zeros. */
export function filled(rows, column, count, end_ms, zeros) {
  const isPlain = rows.every((row) => /^\d{4}-\d\d-\d\d(T\d\d:\d\d)?$/.test(row[column]));
  if (!isPlain || end_ms === null || end_ms === undefined) {
    return rows;
  }
  const step = STEPS[column];
  const known = new Map(rows.map((row) => [row[column], row]));
  const last = Math.floor(end_ms / step) * step;
  return Array.from({ length: count }, (_, index) => {
    const name = text[column](last - (count - 1 - index) * step);
    return known.get(name) ?? { [column]: name, ...zeros };
  });
}
