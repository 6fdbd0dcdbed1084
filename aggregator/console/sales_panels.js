/* sales_panels.js - the panels of Sales that show what was sold. */
import { filled } from "./buckets.js";
import { boxes } from "./boxes.js";
import { barSet, draw, end, lineSet } from "./charts.js";
import { pixels } from "./decimal.js";
import { el, renew } from "./dom.js";
import { bucket, grouped, percent, plural } from "./format.js";
import { heatmap } from "./heatmap.js";
import { choice, panel } from "./panel.js";
import { ranking } from "./tables.js";

const NOTHING = "Nothing has been sold yet.";
const REVENUE = { key: "total_revenue", label: "Revenue", kind: "money" };
const LINES = { key: "order_count", label: "Order lines", kind: "integer" };
const SLOW_MS = 10000; /* what walks a whole view */

const WINDOWS = {
  hour: { name: "1 hour", column: "minute", count: 60, each: "minute", ask: { view: "sales_per_minute", range: { last: "60min" } } },
  day: { name: "24 hours", column: "minute", count: 1440, each: "minute", ask: { view: "sales_per_minute", range: { last: "1440min" } } },
  month: { name: "30 days", column: "day", count: 30, each: "day", ask: { view: "stores_per_day", group_by: ["day"], range: { last: "30d" } } },
};

/* Revenue and order lines by time. */
export function times(page, where) {
  let chosen = WINDOWS[page.params.get("window")] ? page.params.get("window") : "hour";
  const queryOf = (name) => ({ query: "scan", ...WINDOWS[name].ask, limit: 2000, ...where });
  const rowsOf = (answer) => {
    const { column, count } = WINDOWS[chosen];
    return filled(answer.rows, column, count, answer.as_of.event_ts, { order_count: 0, total_revenue: "0.00" });
  };
  const made = panel(page, {
    title: "Revenue and order lines", name: "times", wide: 8, query: queryOf(chosen), empty: NOTHING, close: end,
    tools: [choice("Window", Object.entries(WINDOWS).map(([name, each]) => [name, each.name]), chosen, (next) => {
      chosen = next;
      page.params.set("window", next);
      page.go(Object.fromEntries(page.params), { quietly: true });
      made.ask(queryOf(next));
    })],
    draw: (box, answer) => {
      const rows = rowsOf(answer);
      const { column, each } = WINDOWS[chosen];
      const currency = answer.rows[0].currency;
      const isFine = rows.length <= 60;
      made.note(`Each ${each} to ${bucket(rows.at(-1)[column])} UTC`);
      draw(box, {
        type: "bar", tall: true, label: `Revenue and order lines, each ${each}, ${bucket(rows[0][column])} to ${bucket(rows.at(-1)[column])} UTC. The figures: button Table.`,
        labels: rows.map((row) => (column === "minute" ? row.minute.slice(11, 16) : row.day.slice(5))),
        sets: [
          lineSet("Order lines", rows.map((row) => row.order_count), "two", { type: "line", yAxisID: "lines", borderWidth: isFine ? 2 : 1 }),
          isFine ? barSet(`Revenue, ${currency}`, rows.map((row) => pixels(row.total_revenue)), "one", { yAxisID: "money" })
            : lineSet(`Revenue, ${currency}`, rows.map((row) => pixels(row.total_revenue)), "one", { type: "line", yAxisID: "money", fill: "origin", borderWidth: 1 }),
        ],
        axes: {
          x: { grid: false, ticks: { maxTicksLimit: 12, maxRotation: 0, autoSkipPadding: 16 } },
          money: { position: "left", isNumber: true, title: currency },
          lines: { position: "right", isNumber: true, grid: false, title: "lines" },
        },
        tooltip: {
          title: (items) => `${bucket(rows[items[0].dataIndex][column])} UTC`,
          label: (item) => (item.datasetIndex === 1 ? `${grouped(rows[item.dataIndex].total_revenue)} ${currency}` : plural(rows[item.dataIndex].order_count, "order line")),
        },
      });
    },
    table: (answer) => ({
      columns: [{ key: WINDOWS[chosen].column, label: "UTC", kind: "bucket" }, REVENUE, LINES], rows: rowsOf(answer).toReversed(),
    }),
  });
  return made.element;
}

export function topProducts(page, where) {
  return panel(page, {
    title: "Top products", name: "products", wide: 4, empty: NOTHING, note: "By revenue, with their share of all of it",
    query: { query: "top", view: "products", by: "total_revenue", limit: 10, cumulative: true, ...where },
    draw: (box, answer) => renew(box, ranking(
      [{ key: "product_id", label: "Product" }, REVENUE, { key: "share", label: "Share", kind: "share" }], answer.rows, "total_revenue", "Top products by revenue")),
  }).element;
}

/* How few products make four fifths of the revenue. */
export function pareto(page, where) {
  const made = panel(page, {
    title: "Pareto", name: "pareto", wide: 6, every: SLOW_MS, empty: NOTHING, close: end,
    query: { query: "top", view: "products", by: "total_revenue", until_share: "0.80", ...where },
    draw: (box, answer) => {
      const { rows } = answer;
      const currency = rows[0].currency;
      const words = `${plural(rows.length, "product")} ${rows.length === 1 ? "makes" : "make"} ${percent(rows.at(-1).cumulative_share)} of the revenue`;
      made.note(words);
      draw(box, {
        type: "bar", label: `Pareto chart: ${words}. The figures: button Table.`,
        labels: rows.map((row, index) => index + 1),
        sets: [
          lineSet("Share so far", rows.map((row) => Number(row.cumulative_share) * 100), "two", { type: "line", yAxisID: "share" }),
          barSet(`Revenue, ${currency}`, rows.map((row) => pixels(row.total_revenue)), "one", { yAxisID: "money", categoryPercentage: 1, barPercentage: 1, borderRadius: 0 }),
        ],
        axes: {
          x: { grid: false, title: "products, by revenue", ticks: { maxTicksLimit: 10, maxRotation: 0 } },
          money: { position: "left", isNumber: true, title: currency },
          share: { position: "right", isNumber: true, grid: false, max: 100, title: "%" },
        },
        tooltip: {
          title: (items) => `${items[0].dataIndex + 1}. ${rows[items[0].dataIndex].product_id}`,
          label: (item) => (item.datasetIndex === 1 ? `${grouped(rows[item.dataIndex].total_revenue)} ${currency}` : `${percent(rows[item.dataIndex].cumulative_share)} up to here`),
        },
      });
    },
    table: (answer) => ({
      columns: [{ key: "product_id", label: "Product" }, REVENUE, { key: "share", label: "Share", kind: "share" }, { key: "cumulative_share", label: "Up to here", kind: "share" }],
      rows: answer.rows,
    }),
  });
  return made.element;
}

export function weekdays(page, where) {
  return panel(page, {
    title: "Weekday and hour", name: "weekdays", wide: 6, empty: NOTHING, note: "Revenue of all time, hours in UTC",
    query: { query: "scan", view: "weekday_hour", limit: 1000, ...where },
    draw: (box, answer) => renew(box, ...heatmap(answer.rows, "Revenue by weekday and hour")),
    table: (answer) => ({
      columns: [{ key: "weekday", label: "Weekday (1 is Monday)", kind: "text" }, { key: "hour_of_day", label: "Hour", kind: "number" }, REVENUE, LINES], rows: answer.rows,
    }),
  }).element;
}

/* A ranking of one view; `unnamed` ends the sentence of events that lack the field. */
export function ranked(page, { title, view, key, by = "total_revenue", where = {}, wide = 4, views, unnamed = "", empty = NOTHING }) {
  const isMoney = by === "total_revenue";
  const label = key === "product_id" ? "Product" : key[0].toUpperCase() + key.slice(1);
  const made = panel(page, {
    title, name: view, wide, empty: () => views.why(view, unnamed, empty),
    query: { query: "top", view, by, limit: 10, cumulative: true, ...where },
    draw: (box, answer) => {
      const unmatched = views.unmatched(view);
      made.note(unmatched > 0 ? `${plural(unmatched, "event")} without: not in here` : "");
      renew(box, ranking([{ key, label }, isMoney ? REVENUE : { key: by, label: "Views", kind: "integer" }, { key: "share", label: "Share", kind: "share" }],
        answer.rows, by, title));
    },
  });
  views.onChange(made.redraw);
  return made.element;
}

export function baskets(page, where, views) {
  const nameOf = (row) => `${row.channel}, ${row.payment}`;
  const made = panel(page, {
    title: "Baskets", name: "baskets", wide: 6, note: "Revenue of a purchase by channel and payment: middle half, median, mean (dot), least to greatest",
    query: { query: "scan", view: "baskets", limit: 100, ...where },
    empty: () => views.why("baskets", "name no channel or no payment, so they are in no row here.",
      "No purchase has been closed yet. One is closed when no line came for [aggregator] basket_horizon (30 minutes unless it is set).", "purchase"),
    draw: (box, answer) => {
      const drawn = boxes(answer.rows.map((row) => ({ name: nameOf(row), ...row })), `Box plots of ${plural(answer.rows.length, "group")} of baskets. The figures: button Table.`, box.clientWidth);
      renew(box, drawn, drawn.querySelector(".cut") ? el("p", { class: "under" }, "An arrow: it goes on, beyond what is drawn. How far says Table.") : null);
    },
    table: (answer) => ({
      columns: [{ key: "name", label: "Channel, payment", cell: nameOf }, { key: "basket_count", label: "Purchases", kind: "integer" },
        ...[["min", "Least"], ["q25", "Quarter"], ["q50", "Median"], ["average", "Mean"], ["q75", "Three quarters"], ["max", "Greatest"]].map(
          ([key, label]) => ({ key, label, kind: key === "average" ? "average" : "money" }))],
      rows: answer.rows,
    }),
  });
  views.onChange(made.redraw);
  return made.element;
}
