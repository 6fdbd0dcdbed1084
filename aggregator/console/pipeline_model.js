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

export const BRIDGE_STATES = { /* what is said first is worst */
  silent: ["bad", "Silent"], problems: ["warn", "Trouble"], ok: ["good", "Well"], stopped: ["", "Stopped"],
};
const BRIDGE_PROBLEMS = {
  silent: "Nothing was heard of it for three of its intervals.",
  no_kafka: "It can't reach Kafka.",
  stuck: "What it took has waited for Kafka for more than 30 seconds.",
  lane_waits: "A topic does not take what it writes.",
  skewed: "Its clock is a minute or more apart from Kafka's.",
  shared_name: "Two processes report under this name: set bridge.name.",
};
const BRIDGE_ORDER = Object.keys(BRIDGE_STATES);
const ERROR_WORDS = { nack: "batches sent back", rejected: "events refused", kafka: "records failed" };

/* Of what one did between its last two reports; null: nobody knows, or by now it says nothing. */
const bridgeRate = (bridge, count) => (bridge.recent === null || bridge.state === "silent" || bridge.state === "stopped" ? null
  : (bridge.recent[count] * 1000) / bridge.recent.over_ms);

/* Bridges as an answer has them, those with trouble first, with rates and words. */
export const bridgesOf = (answer) => answer.bridges.map((bridge) => ({
  ...bridge, rate: bridgeRate(bridge, "delivered"), byteRate: bridgeRate(bridge, "wire_bytes"),
  errorCount: bridge.errors.reduce((sum, error) => sum + error.count, 0),
  errorWords: bridge.errors.map((error) => `${error.count} ${ERROR_WORDS[error.class] ?? error.class}: ${error.name}`).join("; ") + (bridge.cut ? "; and more" : ""),
  words: bridge.problems.map((problem) => (BRIDGE_PROBLEMS[problem] ?? problem)
    + (problem === "lane_waits" ? ` ${Object.keys(bridge.lanes_waiting).join(", ")}` : "")).join(" "),
})).sort((left, right) => BRIDGE_ORDER.indexOf(left.state) - BRIDGE_ORDER.indexOf(right.state) || (left.bridge < right.bridge ? -1 : 1));

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
