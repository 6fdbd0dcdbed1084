/* sales_ways.js - the panels of Sales that show the way to a sale and what may come: cart funnel, forecast. */
import { draw, end, lineSet } from "./charts.js";
import { perMille, pixels } from "./decimal.js";
import { el, renew } from "./dom.js";
import { figure, grouped, plural } from "./format.js";
import { panel } from "./panel.js";

const OF_ALL = { query: "scan", view: "viewed_products", group_by: [] };

/* Views, what was put into carts, what was taken out again, what was bought. */
export function cartFunnel(page, views) {
  let viewed = null;
  const made = panel(page, {
    title: "Cart funnel", name: "funnel", wide: 6, note: "Events of all time: order lines that were sold, returns left out",
    query: { query: "scan", view: "cart_to_order", group_by: [] },
    rows: (answer) => answer.rows.filter((row) => row.added > 0),
    empty: "Nothing has been put into a cart yet. Cart events come with kind “cart” and the action add or remove.",
    draw: (box, answer) => {
      const [row] = answer.rows;
      const steps = [["Viewed", viewed], ["Put into carts", row.added], ["Taken out again", row.removed], ["Bought", row.ordered]].filter(([, count]) => count !== null);
      const most = Math.max(1, ...steps.map(([, count]) => count));
      renew(box,
        el("ul", { class: "funnel" }, steps.map(([name, count]) => el("li", {},
          el("span", { class: "step" }, name), figure(count),
          el("span", { class: "bar", "aria-hidden": "true", vars: { part: `${perMille(`${count}.00`, `${most}.00`) / 10}%` } })))),
        el("p", { class: "under" }, el("span", {}, "Bought for each one put into a cart: ", el("b", {}, figure(row.orders_per_add, { places: 2 }))),
          row.ordered > row.added ? el("span", {}, "Above 1: tills sell without carts, too.") : null));
    },
  });
  page.watch(OF_ALL, (answer) => {
    viewed = answer.ok ? answer.rows[0]?.view_count ?? 0 : null;
    made.redraw();
  });
  views.onChange(made.redraw);
  return made.element;
}

/* A table named forecast, if somebody writes one: docs/CONSOLE.md. */
export function forecast(page) {
  const made = panel(page, {
    title: "Forecast", name: "forecast", wide: 12, query: { query: "scan", table: "forecast", limit: 1000 }, close: end,
    empty: "The table “forecast” has no row yet.",
    draw: (box, answer) => {
      const { rows } = answer;
      made.note(`${plural(rows.length, "day")}, as the table “forecast” has them`);
      draw(box, {
        type: "line", label: `Forecast of ${plural(rows.length, "day")}. The figures: button Table.`, labels: rows.map((row) => row.day),
        sets: [lineSet("Expected", rows.map((row) => pixels(row.expected)), "one"),
          lineSet("At most", rows.map((row) => pixels(row.high)), "two", { borderDash: [4, 4] }),
          lineSet("At least", rows.map((row) => pixels(row.low)), "three", { borderDash: [4, 4] })],
        axes: { x: { grid: false }, y: { isNumber: true } },
        tooltip: { label: (item) => `${item.dataset.label}: ${grouped(item.parsed.y)}` },
      });
    },
    table: (answer) => ({
      columns: [{ key: "day", label: "Day" }, ...[["low", "At least"], ["expected", "Expected"], ["high", "At most"]].map(([key, label]) => ({ key, label, kind: "decimal" }))], rows: answer.rows,
    }),
  });
  return made.element;
}
