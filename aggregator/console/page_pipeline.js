/* page_pipeline.js - how events get from the edges into the totals: how many, how late, how often twice, and where there is room. */
import { draw, end, lineSet } from "./charts.js";
import { el, renew } from "./dom.js";
import { ago, bytes, compact, figure, grouped, plural, span } from "./format.js";
import { letters } from "./letters.js";
import { choice, panel } from "./panel.js";
import { BRIDGE_STATES, Growth, bridgesOf, trend, untilFull } from "./pipeline_model.js";
import { rowsTable } from "./tables.js";
import { writtenTo } from "./topics_model.js";

export const title = "Pipeline";

const VITALS_MS = 5000;
const TOPICS_MS = 5000;
const GROWTH_MS = 60000; /* what "now" means for rates */
const WINDOWS = { hour: { period: "5s", limit: 720, words: "the last hour" }, day: { period: "1m", limit: 1440, words: "the last day" } };
const ROOM_MS = 30 * 864e5; /* later than that nobody plans for */

export async function render(page) {
  const state = { window: page.params.get("window") === "day" ? "day" : "hour", written: new Growth(GROWTH_MS), spools: new Map(), vitals: null };
  const tiles = el("div", { class: "grid tiles" });
  const told = Object.fromEntries(["written", "counted", "lag", "latency", "duplicates", "commits"].map((name) => [name, tileOf(name)]));
  tiles.append(...Object.values(told).map((tile) => tile.element));
  const charts = chartPanels(page, state);
  const dead = letters(page);
  const storage = storagePanel(page, state);

  const windows = choice("Window", [["hour", "Last hour"], ["day", "Last day"]], state.window, (name) => {
    state.window = name;
    page.go({ ...Object.fromEntries(page.params), window: name }, { quietly: true });
    charts.forEach((chart) => chart.ask(vitalsOf(state.window)));
  });
  page.main.append(
    el("div", { class: "head" }, el("p", { class: "lead" }, "From the edges through Kafka into the totals: how many, how late, how often twice, and where there is room."), windows),
    tiles, el("div", { class: "grid" }, charts.map((chart) => chart.element), bridgePanel(page), lagPanel(page), storage.element, dead.element));

  page.poll({ query: "vitals", period: "5s", limit: 13 }, VITALS_MS, (answer) => showVitals(told, answer));
  page.poll({ query: "vitals", period: "1m", limit: 1440 }, 60000, (answer) => {
    state.vitals = answer.ok ? answer.vitals : null;
    storage.redraw();
  });
  page.poll({ query: "topics" }, TOPICS_MS, (answer) => {
    if (answer.ok) {
      dead.know(answer);
    }
    showWritten(told.written, state.written, answer);
  });
}

/* ---- figures of now */

const NAMES = { written: "Into Kafka", counted: "Counted", lag: "Yet to read", latency: "Latency, last minute", duplicates: "Met again", commits: "Commits" };

function tileOf(name) {
  const value = el("p", { class: "value" }, "…");
  const beside = el("p", { class: "beside" });
  return {
    element: el("section", { class: "tile wide-2", "aria-label": NAMES[name], "data-tile": name }, el("h2", {}, NAMES[name]), value, beside),
    show: (what, ...more) => {
      renew(value, what);
      renew(beside, ...more);
    },
  };
}

const perSecond = (rate) => el("data", { value: String(rate), class: "figure" }, rate > 0 && rate < 10 ? rate.toFixed(1) : grouped(Math.round(rate)), el("span", { class: "unit" }, " /s"));
const none = () => el("span", { class: "none" }, "–");

function showWritten(tile, growth, answer) {
  if (!answer.ok) {
    tile.show(none(), answer.error.message);
    return;
  }
  const topics = answer.topics.filter((topic) => topic.role === "events" || topic.role === "dead_letters");
  const all = topics.map(writtenTo);
  if (answer.kafka.reachable && !all.includes(null)) {
    growth.note(all.reduce((sum, each) => sum + each, 0), answer.kafka.seen_ms);
  }
  if (!answer.kafka.reachable) {
    tile.show(none(), `Kafka is away, since ${ago(Date.now() - answer.kafka.unreachable_since_ms)}`);
  } else if (growth.rate === null) {
    tile.show("…", "a rate needs two looks");
  } else {
    tile.show(perSecond(growth.rate), `records that bridges wrote, over ${span(growth.over_ms)}`);
  }
}

function showVitals(told, answer) {
  if (!answer.ok) {
    ["counted", "lag", "latency", "duplicates", "commits"].forEach((name) => told[name].show(none(), answer.error.message));
    return;
  }
  const { samples, summary } = answer.vitals;
  const last = samples.at(-1);
  const seconds = summary.span_ms / 1000;
  told.counted.show(seconds > 0 ? perSecond(summary.counted / seconds) : none(), `events, over ${span(summary.span_ms)}`);
  told.lag.show(figure(last.lag), last.lag === null ? "not known while Kafka is away" : last.lag === 0 ? "records: all is counted" : "records in Kafka");
  told.latency.show(summary.latency_p50_ms === null ? none() : latency(summary.latency_p50_ms),
    summary.latency_p50_ms === null ? "no event was measured" : ["median; 99 % within ", latency(summary.latency_p99_ms)]);
  told.duplicates.show(figure(summary.duplicates), "records that came twice and were counted once");
  told.commits.show(figure(summary.commits), "of the store");
}

const latency = (ms) => el("data", { value: String(ms), class: "figure" }, ms < 10000 ? grouped(ms) : (ms / 1000).toFixed(0), el("span", { class: "unit" }, ms < 10000 ? " ms" : " s"));

/* ---- charts over time */

const vitalsOf = (window) => ({ query: "vitals", period: WINDOWS[window].period, limit: WINDOWS[window].limit });
const clock = (ms, window) => new Date(ms).toISOString().slice(11, window === "day" ? 16 : 19);
const perSample = (sample, count) => (sample.span_ms > 0 ? (count * 1000) / sample.span_ms : null);

function chartPanels(page, state) {
  const whole = (answer) => answer.vitals.samples.filter((sample, index, all) => index < all.length - 1 || all.length === 1); /* the last one goes on */
  const chart = (name, heading, note, sets, columns, unit) => panel(page, {
    title: heading, name, note, wide: 6, query: vitalsOf(state.window), every: VITALS_MS, rows: (answer) => whole(answer), close: end,
    draw: (box, answer) => draw(box, {
      type: "line", label: `${heading}, ${WINDOWS[state.window].words}. The figures: button Table.`, labels: whole(answer).map((sample) => clock(sample.from_ms, state.window)),
      sets: sets.map(([label, of, colour, more]) => lineSet(label, whole(answer).map(of), colour, { spanGaps: false, ...more })),
      axes: { x: { grid: false, ticks: { maxRotation: 0, autoSkipPadding: 24 } }, y: { isNumber: true, title: unit } },
      tooltip: { label: (item) => `${item.dataset.label}: ${item.raw === null ? "none" : compact(item.raw)} ${unit}` },
    }),
    table: (answer) => ({ columns: [{ key: "from_ms", label: "From (UTC)", cell: (sample) => new Date(sample.from_ms).toISOString().slice(0, 19).replace("T", " ") }, ...columns], rows: whole(answer).toReversed().slice(0, 120) }),
  });
  const integer = (key, label) => ({ key, label, kind: "integer" });
  return [
    chart("rate", "Events a second", "Counted, and records that were met again", [["Counted", (sample) => perSample(sample, sample.counted), "one"], ["Met again", (sample) => perSample(sample, sample.duplicates), "two", { borderDash: [5, 4] }]],
      [integer("counted", "Counted"), integer("rejected", "Rejected"), integer("duplicates", "Met again"), integer("unreadable", "Unreadable"), integer("foreign", "Foreign"), integer("commits", "Commits")], "/s"),
    chart("latency", "Latency, end to end", "From an edge's receipt until an answer shows the event",
      [["Median", (sample) => sample.latency_p50_ms, "one"], ["99 %", (sample) => sample.latency_p99_ms, "two", { borderDash: [5, 4] }]],
      [integer("latency_p50_ms", "Median, ms"), integer("latency_p99_ms", "99 %, ms"), integer("latency_max_ms", "Longest, ms"), integer("latency_count", "Measured")], "ms"),
  ];
}

/* ---- what each bridge says of itself */

function bridgePanel(page) {
  return panel(page, {
    title: "Bridges", name: "bridges", wide: 12, query: { query: "bridges" }, rows: (answer) => answer.bridges,
    note: "What each reports of itself: rates between its last two reports, counts since it began",
    empty: "No bridge has reported on itself: an older one, or telemetry is off.",
    draw: (box, answer) => {
      const bridges = bridgesOf(answer);
      const troubled = bridges.filter((bridge) => bridge.words !== "" && bridge.state !== "stopped");
      renew(box, el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Bridges" }, bridgeTable(bridges)),
        troubled.map((bridge) => el("p", { class: bridge.state === "silent" ? "state bad" : "state" }, el("b", {}, `${bridge.bridge}: `), bridge.words)));
    },
  }).element;
}

function bridgeTable(bridges) {
  const rate = (value) => (value === null ? none() : perSecond(value));
  const columns = [
    { key: "bridge", label: "Bridge" },
    { key: "state", label: "State", cell: ({ state, words }) => el("span", { class: `pill ${BRIDGE_STATES[state]?.[0] ?? ""}`, title: words }, BRIDGE_STATES[state]?.[1] ?? state) },
    { key: "heard", label: "Last report", cell: (bridge) => ago(bridge.heard_ms) },
    { key: "edges", label: "Edges", kind: "integer" },
    { key: "rate", label: "Into Kafka", kind: "number", cell: (bridge) => rate(bridge.rate) },
    { key: "link", label: "From edges", kind: "number", cell: (bridge) => (bridge.byteRate === null ? none() : `${bytes(Math.round(bridge.byteRate))}/s`) },
    { key: "delivered", label: "Delivered", kind: "integer" },
    { key: "waiting_records", label: "Waiting", kind: "integer" },
    { key: "oldest", label: "Oldest", cell: (bridge) => (bridge.waiting_batches === 0 ? el("span", { class: "none" }, "nothing waits") : span(bridge.waiting_ms)) },
    { key: "errorCount", label: "Errors", kind: "number", cell: (bridge) => (bridge.errorCount === 0 ? figure(0)
      : el("span", { class: "pill warn", title: bridge.errorWords }, grouped(bridge.errorCount))) },
    { key: "version", label: "Version", cell: (bridge) => bridge.program.replace(/^till-bridge /, "") },
  ];
  const table = rowsTable(columns, bridges, "Bridges, those with trouble first");
  table.classList.add("stacked");
  columns.forEach((column, index) => table.querySelectorAll(`tbody tr > :nth-child(${index + 1})`).forEach((cell) => cell.setAttribute("data-label", column.label)));
  return [table, ...bridges.filter((bridge) => bridge.errorCount > 0).map((bridge) => el("p", { class: "under" }, `${bridge.bridge}: ${bridge.errorWords}`))];
}

/* ---- what is yet to be read */

function lagPanel(page) {
  return panel(page, {
    title: "Lag by partition", name: "lag", wide: 6, query: { query: "status" }, rows: (answer) => answer.partitions, note: "Records that are in Kafka and not in the totals yet",
    empty: "No partition is read yet: Kafka has no topic of till's.",
    draw: (box, answer) => {
      const rows = answer.partitions.toSorted((a, b) => b.lag - a.lag || (b.end > 0) - (a.end > 0) || a.topic.localeCompare(b.topic) || a.partition - b.partition);
      renew(box, el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Lag by partition" }, rowsTable([
        { key: "topic", label: "Partition", cell: (part) => el("a", { href: page.link("topics", { topic: part.topic, partition: part.partition }) }, `${part.topic}/${part.partition}`) },
        { key: "lag", label: "Lag", kind: "number", cell: (part) => (part.lag > 0 ? el("span", { class: "pill warn" }, grouped(part.lag)) : figure(0)) },
        { key: "next", label: "Read to", kind: "integer" }, { key: "end", label: "End", kind: "integer" }, { key: "duplicates", label: "Met again", kind: "integer" },
        { key: "unreadable", label: "Unreadable", kind: "integer" }], rows, "Lag by partition")),
      answer.problems.length > 0 ? el("p", { class: "state bad" }, el("b", {}, "Not well: "), answer.problems.join("; ")) : null);
    },
  }).element;
}

/* ---- room */

function fullWords(ms, over_ms, what) {
  if (over_ms < 10000) {
    return el("span", { class: "none" }, "watching …");
  }
  const basis = `, as it grew over ${span(over_ms)}`;
  return ms === null ? `not while ${what} stays as it is${basis}` : ms > ROOM_MS ? `not within a month${basis}` : el("span", { class: ms < 864e5 ? "pill bad" : "pill warn" }, `in ${span(ms)}${basis}`);
}

function storagePanel(page, state) {
  const answers = { status: null };
  const shown = panel(page, {
    title: "Room", name: "room", wide: 6, query: { query: "edges" }, rows: () => null, note: "Full, if it goes on growing as it did: a straight line, no promise",
    draw: (box, answer) => {
      for (const report of answer.reports) {
        const growth = state.spools.get(report.edge) ?? new Growth(10 * GROWTH_MS);
        growth.note(report.spool_bytes, report.reported_ms);
        state.spools.set(report.edge, growth);
      }
      renew(box, roomTable(state, answers, answer.reports));
    },
  });
  page.watch({ query: "status" }, (answer) => {
    answers.status = answer.ok ? answer : null;
    shown.redraw();
  });
  return shown;
}

function roomTable(state, answers, reports) {
  const store = trend(state.vitals?.samples ?? []);
  const size = answers.status?.store_bytes ?? null;
  const room = answers.status?.disk_room ?? null;
  const rows = [{ name: "Store of totals", used: size === null ? none() : bytes(size), of: room === null ? "the disk" : `${bytes(room)} free`,
    full: room === null ? (store.rate === null ? el("span", { class: "none" }, "watching …") : `grows ${bytes(Math.max(0, Math.round(store.rate * 86400)))} a day, as over ${span(store.over_ms)}`)
      : fullWords(untilFull(size ?? 0, (size ?? 0) + room, store.rate), store.over_ms, "the store") },
  ...reports.map((report) => {
    const growth = state.spools.get(report.edge);
    const most = Math.min(report.spool_max, report.spool_bytes + report.disk_room);
    return { name: `Spool of ${report.edge}`, used: bytes(report.spool_bytes), of: most < report.spool_max ? `${bytes(most)}: the disk has no more` : bytes(most),
      full: report.waiting === 0 ? "nothing waits in it" : fullWords(untilFull(report.spool_bytes, most, growth?.rate ?? null), growth?.over_ms ?? 0, "its backlog") };
  })];
  return [el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Room" }, rowsTable([{ key: "name", label: "Where" }, { key: "used", label: "Used", cell: (row) => row.used },
    { key: "of", label: "Of" }, { key: "full", label: "Full", cell: (row) => row.full }], rows, "Room on disks")),
  reports.length === 0 ? el("p", { class: "under" }, "No edge has reported its spool yet.") : el("p", { class: "under" }, `${plural(reports.length, "edge")} reported.`)];
}
