/* page_stores.js - each edge: is it there, does it hand on what it takes, do its books add up. */
import { filled } from "./buckets.js";
import { barSet, draw, end } from "./charts.js";
import { pixels } from "./decimal.js";
import { el, renew } from "./dom.js";
import { ago, bytes, figure, grouped, moment, plural, span } from "./format.js";
import { panel } from "./panel.js";
import { Rates, STATES, storesOf } from "./stores_model.js";
import { rowsTable } from "./tables.js";

export const title = "Stores";

const DAYS = 30;
const LEDGER_MS = 5000; /* books are many numbers, and what is missing stays missing */

export async function render(page) {
  const chosen = page.params.get("edge");
  page.main.append(el("p", { class: "lead" }, "What each edge reports of itself, held against what was counted."));
  const seen = { edges: null, ledger: null, rates: new Rates(), filter: "" };
  const summary = el("ul", { class: "summary" });
  const list = panel(page, {
    title: "Edges", name: "stores", wide: 12, query: { query: "edges" }, rows: (answer) => storesOf(answer, null),
    empty: "No edge has been heard of. An edge shows here with its first report, or its first event (till-edge -o edge.id=NAME …).",
    tools: [filterField(seen, () => list.redraw())],
    draw: (box, answer) => {
      const stores = storesOf(answer, seen.ledger);
      if (seen.edges !== answer) {
        seen.rates.note(stores, performance.now());
        seen.edges = answer;
      }
      renew(summary, summed(stores));
      renew(box, el("div", { class: "scroll tallest", tabindex: "0", role: "region", "aria-label": "Edges" }, storeTable(page, stores.filter((store) => store.edge.toLowerCase().includes(seen.filter)), seen.rates)),
        answer.cut ? el("p", { class: "under" }, "There are more than one answer holds; ask for one by name in Explore.") : null);
    },
  });
  page.poll({ query: "ledger" }, LEDGER_MS, (answer) => {
    seen.ledger = answer.ok ? answer : null;
    list.redraw();
  });
  page.main.append(summary, el("div", { class: "grid" }, chosen ? details(page, chosen) : null, list.element, chosen ? null : revenue(page)));
}

function filterField(seen, redraw) {
  const input = el("input", { type: "search", placeholder: "Find a store", "aria-label": "Find a store" });
  input.addEventListener("input", () => {
    seen.filter = input.value.trim().toLowerCase();
    redraw();
  });
  return input;
}

const summed = (stores) => Object.entries(STATES).map(([state, [kind, name]]) => [stores.filter((store) => store.state === state).length, kind, name])
  .filter(([count, , name]) => count > 0 || ["Live", "Buffering", "Silent"].includes(name))
  .map(([count, kind, name]) => el("li", { "data-count": name }, el("span", { class: `pill ${count > 0 ? kind : ""}` }, `${name}: ${grouped(count)}`)));

const skew = (ms) => (Math.abs(ms) < 1000 ? `${ms < 0 ? "\u2212" : "+"}${Math.abs(ms)} ms` : `${span(ms)} ${ms < 0 ? "behind" : "ahead"}`);

function bookWords(books) {
  if (books === null) {
    return el("span", { class: "none" }, "…");
  }
  if (books.missing_count > 0) {
    return el("span", { class: "pill bad" }, `${grouped(books.missing_count)} missing`);
  }
  if (!books.isKnown) {
    return "nothing missing so far";
  }
  return books.balanced ? el("span", { class: "pill good" }, "add up") : el("span", { class: "pill warn" }, "being held together");
}

function storeTable(page, stores, rates) {
  const rate = (value) => (value === null ? el("span", { class: "none" }, "…") : `${value < 10 ? value.toFixed(1) : grouped(Math.round(value))}/s`);
  const of = (cell) => (store) => (store.report ? cell(store.report, store) : el("span", { class: "none" }, "–"));
  const columns = [
    { key: "edge", label: "Store", cell: (store) => el("a", { href: page.link("stores", { edge: store.edge }) }, store.edge) },
    { key: "state", label: "State", cell: (store) => el("span", { class: `pill ${STATES[store.state][0]}`, title: STATES[store.state][2] }, STATES[store.state][1]) },
    { key: "heard", label: "Last report", cell: of((report) => ago(report.heard_ms)) },
    { key: "events", label: "Events counted", kind: "integer" },
    { key: "rate", label: "Rate", kind: "number", cell: (store) => rate(rates.of(store.edge)) },
    { key: "backlog", label: "Waiting", kind: "number", cell: of((report) => [figure(report.waiting), report.cut ? " or more" : null]) },
    { key: "age", label: "Oldest", cell: of((report, store) => (store.age_ms === null ? el("span", { class: "none" }, "nothing waits") : span(store.age_ms))) },
    { key: "skew", label: "Clock", kind: "number", cell: of((report) => skew(report.clock_skew_ms)) },
    { key: "spool", label: "Spool", cell: of((report) => `${bytes(report.spool_bytes)} of ${bytes(report.spool_max)}`) },
    { key: "version", label: "Version", cell: of((report) => report.program.replace(/^till-edge /, "")) },
    { key: "books", label: "Books", cell: (store) => bookWords(store.books) },
  ];
  const table = rowsTable(columns, stores, "Edges, those with trouble first");
  table.classList.add("stacked");
  columns.forEach((column, index) => table.querySelectorAll(`tbody tr > :nth-child(${index + 1})`).forEach((cell) => cell.setAttribute("data-label", column.label)));
  return table;
}

function revenue(page) {
  return panel(page, {
    title: "Revenue by store", name: "revenue", wide: 12, query: { query: "scan", view: "stores", limit: 1000 }, empty: "Nothing has been sold yet.",
    draw: (box, answer) => renew(box, el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Revenue by store" }, rowsTable([{ key: "edge", label: "Store" }, { key: "currency", label: "Currency" },
      { key: "total_revenue", label: "Revenue", kind: "money" }, { key: "order_count", label: "Order lines", kind: "integer" },
      { key: "basket_count", label: "Purchases", kind: "integer" }], answer.rows, "Revenue by store"))),
  }).element;
}

const PARTS = [["numbered", "Numbered"], ["counted", "Counted"], ["rejected", "Rejected"], ["unread", "On its way"], ["on_disk", "On its disk"],
  ["damaged", "Damaged"], ["missing_count", "Missing"]];

/* One store: its books line by line, its report, what it sold day by day. */
function details(page, edge) {
  const books = panel(page, {
    title: `Books of ${edge}`, name: "books", wide: 12, query: { query: "ledger", edge }, rows: (answer) => answer.ledger,
    note: "Numbered = counted + rejected + on its way + on its disk + damaged + missing",
    empty: `Nothing has been counted of ${edge}.`,
    tools: [el("a", { class: "button", href: page.link("stores") }, "All stores")],
    draw: (box, answer) => renew(box,
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Books of ${edge}` }, rowsTable([{ key: "kind", label: "Kind" }, { key: "run", label: "Run" },
        ...PARTS.map(([key, label]) => ({ key, label, kind: "integer" }))], answer.ledger, `Books of ${edge}`)),
      answer.ledger.filter((stream) => stream.missing_count > 0).map((stream) => el("p", { class: "state bad" },
        el("b", {}, `${plural(stream.missing_count, "event")} of kind ${stream.kind}, run ${stream.run}, ${stream.missing_count === 1 ? "is" : "are"} missing: `),
        stream.missing.map(([first, last]) => (first === last ? first : `${first}–${last}`)).join(", "), ". till ledger names them, docs/OPERATIONS.md says what to do.")),
      reportFacts(answer.reports.find((report) => report.edge === edge))),
  });
  const days = panel(page, {
    title: `Sold by ${edge}, each day`, name: "days", wide: 12, empty: "Nothing has been sold yet.", close: end,
    query: { query: "scan", view: "stores_per_day", range: { last: `${DAYS}d` }, where: [{ field: "edge", op: "=", value: edge }], limit: 1000 },
    draw: (box, answer) => {
      const currencies = [...new Set(answer.rows.map((row) => row.currency))];
      const labels = filled([], "day", DAYS, answer.as_of.event_ts, {}).map((row) => row.day);
      draw(box, {
        type: "bar", label: `Revenue of ${edge} each day. The figures: button Table.`, labels,
        sets: currencies.map((currency, index) => barSet(currency, labels.map((day) => pixels(answer.rows.find((row) => row.day === day && row.currency === currency)?.total_revenue)),
          ["one", "two", "three", "four"][index % 4])),
        axes: { x: { grid: false, ticks: { maxRotation: 0, autoSkipPadding: 16 } }, y: { isNumber: true, title: currencies.length === 1 ? currencies[0] : "" } },
        tooltip: { label: (item) => `${grouped(answer.rows.find((row) => row.day === labels[item.dataIndex] && row.currency === item.dataset.label)?.total_revenue ?? "0.00")} ${item.dataset.label}` },
      });
    },
    table: (answer) => ({ columns: [{ key: "day", label: "Day" }, { key: "currency", label: "Currency" }, { key: "total_revenue", label: "Revenue", kind: "money" },
      { key: "order_count", label: "Order lines", kind: "integer" }], rows: answer.rows.toReversed() }),
  });
  return [books.element, days.element];
}

function reportFacts(report) {
  if (!report) {
    return el("p", { class: "under" }, "It sent no report.");
  }
  const fact = (name, ...words) => [el("dt", {}, name), el("dd", {}, ...words)];
  return el("dl", { class: "facts report" },
    fact("Program", report.program),
    fact("Reported", `${moment(report.reported_ms)}, ${ago(report.heard_ms)}; run ${report.run}, report ${report.number}`),
    fact("Since its start", `${moment(report.started_ms)}: `, figure(report.received), " events received: ", figure(report.accepted), " accepted, ", figure(report.invalid), " invalid, ",
      figure(report.refused), " refused, ", figure(report.repeated), " repeated"),
    fact("Disk", `${bytes(report.spool_bytes)} of ${bytes(report.spool_max)} in its spool; ${bytes(report.disk_room)} of the disk free`),
    report.problems.length > 0 ? fact("Problems", report.problems.map((problem) => STATES[problem]?.[2] ?? problem).join(" ")) : null);
}

