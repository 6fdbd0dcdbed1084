/* pipeline_model.js - rates out of counters, and when something is full if it goes on like this. Pure. */

/* Something that grows, seen again and again: {at (ms), value}. */
export class Growth {
  constructor(span_ms) {
    this.span_ms = span_ms;
    this.seen = [];
  }

  note(value, at) {
    if (value === null || this.seen.at(-1)?.at === at) {
      return;
    }
    if (value < (this.seen.at(-1)?.value ?? 0)) {
      this.seen = []; /* made anew */
    }
    this.seen.push({ at, value });
    while (this.seen.length > 2 && at - this.seen[1].at >= this.span_ms) {
      this.seen.shift();
    }
  }

  /* A second; null before there are two sights. */
  get rate() {
    const [first, last] = [this.seen[0], this.seen.at(-1)];
    return first === last ? null : ((last.value - first.value) * 1000) / (last.at - first.at);
  }

  get over_ms() {
    return this.seen.length < 2 ? 0 : this.seen.at(-1).at - this.seen[0].at;
  }
}

/* How long until `used` is `most`, in ms; null: it does not grow, or nobody knows. */
export function untilFull(used, most, perSecond) {
  return perSecond === null || perSecond <= 0 || most <= 0 ? null : used >= most ? 0 : ((most - used) / perSecond) * 1000;
}

/* Bytes a second by the least squares of all samples, so that one commit's step says little; {rate, over_ms}. */
export function trend(samples) {
  const points = samples.filter((sample) => sample.store_bytes > 0).map((sample) => [sample.from_ms + sample.span_ms, sample.store_bytes]);
  if (points.length < 2) {
    return { rate: null, over_ms: 0 };
  }
  const mean = (place) => points.reduce((total, point) => total + point[place], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const [up, down] = points.reduce(([above, below], point) => [above + (point[0] - x) * (point[1] - y), below + (point[0] - x) ** 2], [0, 0]);
  return { rate: down === 0 ? null : (up / down) * 1000, over_ms: points.at(-1)[0] - points[0][0] };
}

/* The words for a shell: nothing in them is more than itself. */
export const quoted = (text) => (/^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export const replayCommand = (letter, brokers, fields, edge = "EDGE") => ["till", "dlq", "replay", letter.place, "--brokers", brokers, "--to", edge,
  ...fields.filter(({ name }) => name).flatMap(({ name, value }) => ["--set", `${name}=${value}`])].map(quoted).join(" ");
