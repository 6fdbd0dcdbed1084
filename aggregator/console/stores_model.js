/* stores_model.js - answers to `edges` and `ledger` as one line for each store. No elements here. */

export const STATES = { /* what is said first is worst */
  silent: ["bad", "Silent", "Nothing was heard of it for three of its intervals, and it did not say that it stops."],
  full: ["bad", "Full", "Its spool is nearly full, or its disk: it will refuse what its tills send."],
  damaged: ["bad", "Damaged", "Blocks of its spool were set aside as damaged."],
  buffering: ["warn", "Buffering", "It keeps events on its disk that it could not hand on for more than a minute."],
  skewed: ["warn", "Clock off", "Its clock is a minute or more apart from Kafka's."],
  stopped: ["", "Stopped", "It was stopped in order."],
  unheard: ["", "No reports", "It was counted, but no report of it came: an older edge, or telemetry is off."],
  live: ["good", "Live", "It reports, and hands on what it takes."],
};
const ORDER = Object.keys(STATES);

const stateOf = (report) => {
  if (!report) {
    return "unheard";
  }
  return ORDER.find((state) => report.problems.includes(state)) ?? (report.stopping ? "stopped" : "live");
};

/* The bridge's letters bear the certificates of what they are about: no events of their own. */
const isOwn = (stream) => !stream.kind.endsWith(".refused");

/* By the edge's own clock, when it reported. */
const backlogAge = (report) => (report && report.oldest_ms !== null ? Math.max(0, report.reported_ms + report.clock_skew_ms - report.oldest_ms) : null);

const sum = (streams, part) => streams.reduce((total, stream) => total + (stream[part] ?? 0), 0);

/* The books of some streams: do they add up, and what is missing. `isKnown`: the edge has reported how far it numbered. */
export function booksOf(streams) {
  const own = streams.filter(isOwn);
  const reported = own.filter((stream) => stream.numbered !== null);
  const balanced = reported.every((stream) => stream.numbered
    === stream.counted + stream.rejected + stream.unread + stream.on_disk + stream.damaged + stream.missing_count);
  return {
    isKnown: reported.length === own.length && own.length > 0, balanced,
    ...Object.fromEntries(["numbered", "counted", "rejected", "unread", "on_disk", "damaged", "missing_count"].map((part) => [part, sum(own, part)])),
  };
}

/* Stores, those with trouble first. `ledger` may be null, while it is not there yet. */
export function storesOf(edges, ledger) {
  const names = new Set([...edges.edges.map((stream) => stream.edge), ...edges.reports.map((report) => report.edge)]);
  return [...names].map((edge) => {
    const report = edges.reports.find((each) => each.edge === edge) ?? null;
    const streams = edges.edges.filter((stream) => stream.edge === edge && isOwn(stream));
    const books = ledger?.ledger.filter((stream) => stream.edge === edge);
    return {
      edge, report, state: stateOf(report), events: sum(streams, "counted") + sum(streams, "rejected"),
      age_ms: backlogAge(report), books: books ? booksOf(books) : null,
    };
  }).sort((left, right) => ORDER.indexOf(left.state) - ORDER.indexOf(right.state) || (left.edge < right.edge ? -1 : 1));
}

const WINDOW_MS = 30000;

/* Events a second of each store over the last half minute, of what answers said. */
export class Rates {
  constructor() {
    this.samples = new Map();
  }

  note(stores, now) {
    for (const { edge, events } of stores) {
      const list = this.samples.get(edge) ?? [];
      list.push([now, events]);
      while (list.length > 2 && now - list[1][0] >= WINDOW_MS) {
        list.shift();
      }
      this.samples.set(edge, list);
    }
  }

  /* null before there are two answers some seconds apart. */
  of(edge) {
    const list = this.samples.get(edge) ?? [];
    const [begin, last] = [list[0], list.at(-1)];
    if (!begin || last[0] - begin[0] < 1900) {
      return null;
    }
    return Math.max(0, ((last[1] - begin[1]) * 1000) / (last[0] - begin[0]));
  }
}
