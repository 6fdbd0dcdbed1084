/* page_sales.js - what was sold: now, by time, by product, and how it came to be. */
import { choice } from "./panel.js";
import { average } from "./decimal.js";
import { el, renew } from "./dom.js";
import { ago, figure, moment, plural } from "./format.js";
import { change, tile } from "./tile.js";
import { baskets, pareto, ranked, times, topProducts, weekdays } from "./sales_panels.js";
import { cartFunnel, forecast } from "./sales_ways.js";
import { Views } from "./views.js";

export const title = "Sales";

const OLD_MS = 3600e3;
const NAMED = (what) => `name no ${what}, so they are in no row here.`;

/* The currency to show: as the address says, else the one with the most order lines. */
async function currencies(page) {
  const answer = await page.ask({ query: "scan", view: "stores", group_by: [], limit: 100 }).catch(() => null);
  const rows = (answer?.ok ? answer.rows : []).toSorted((left, right) => right.order_count - left.order_count);
  return rows.map((row) => row.currency);
}

export async function render(page) {
  const known = await currencies(page);
  if (page.isClosed) {
    return;
  }
  const currency = page.params.get("currency") ?? known[0] ?? null;
  const where = currency === null ? {} : { where: [{ field: "currency", op: "=", value: currency }] };
  const views = new Views(page);
  page.main.querySelector("h1").remove();
  page.main.append(head(page, known, currency), tiles(page, where),
    el("div", { class: "grid" },
      times(page, where),
      topProducts(page, where),
      pareto(page, where),
      weekdays(page, where),
      ranked(page, { title: "Categories", view: "categories", key: "category", where, views, unnamed: NAMED("category") }),
      ranked(page, { title: "Channels", view: "channels", key: "channel", where, views, unnamed: NAMED("channel") }),
      ranked(page, { title: "Payments", view: "payments", key: "payment", where, views, unnamed: NAMED("payment") }),
      baskets(page, where, views),
      cartFunnel(page, views),
      ranked(page, { title: "Most viewed products", view: "viewed_products", key: "product_id", by: "view_count", wide: 6, views, empty: "No page view has been counted yet." }),
      ranked(page, { title: "Views by category", view: "views_by_category", key: "category", by: "view_count", wide: 6, views, empty: "No page view that names a category has been counted yet." }),
      forecast(page)));
}

function head(page, known, currency) {
  const age = el("p", { class: "lead" }, "Waiting for the first answer …");
  page.watch({ query: "scan", view: "stores", group_by: [], limit: 100 }, (answer) => {
    const event_ts = answer.as_of?.event_ts ?? null;
    renew(age, event_ts === null ? "Nothing has been counted yet. Send an order to an edge (till send, till simulate), and it shows here."
      : Date.now() - event_ts > OLD_MS
        ? `The newest event is of ${moment(event_ts)}, ${ago(Date.now() - event_ts)}: “last hour” and “last 24 hours” end there.`
        : "“Last hour” and “last 24 hours” end with the newest event.");
    const all = answer.ok ? answer.rows.map((row) => row.currency) : known;
    if (all.some((each) => !known.includes(each))) {
      page.go(Object.fromEntries(page.params.set("currency", currency ?? all[0]))); /* a first sale in another currency */
    }
  });
  return el("div", { class: "head" }, el("div", {}, el("h1", { id: "title", tabindex: "-1" }, title), age),
    known.length > 1 ? choice("Currency", known.map((each) => [each, each]), currency, (next) => page.go({ currency: next })) : null);
}

const first = (answer, show, none = "0") => (answer.rows.length === 0 ? { value: [el("span", { class: "none" }, none)], beside: ["nothing sold yet"] } : show(answer.rows[0]));

function tiles(page, where) {
  const all = { query: "scan", view: "stores", group_by: [], ...where };
  const last = (span) => ({ query: "scan", view: "sales_per_minute", group_by: [], range: { last: span }, compare: { shift: span }, ...where });
  return el("div", { class: "grid tiles" },
    tile(page, { title: "Revenue, last hour", name: "hour-revenue", query: last("60min"), show: (answer) => first(answer, (row) => (
      { value: [figure(row.total_revenue, { unit: row.currency })], beside: change(row.total_revenue, row.previous.total_revenue, "the hour before") })) }),
    tile(page, { title: "Order lines, last hour", name: "hour-orders", query: last("60min"), show: (answer) => first(answer, (row) => (
      { value: [figure(row.order_count)], beside: change(row.order_count, row.previous.order_count, "the hour before") })) }),
    tile(page, { title: "Revenue, last 24 hours", name: "day-revenue", query: last("24h"), show: (answer) => first(answer, (row) => (
      { value: [figure(row.total_revenue, { unit: row.currency })], beside: change(row.total_revenue, row.previous.total_revenue, "the 24 before") })) }),
    tile(page, { title: "Revenue, all time", name: "revenue", query: all, show: (answer) => first(answer, (row) => (
      { value: [figure(row.total_revenue, { unit: row.currency })], beside: ["of ", figure(row.order_count), " order lines"] })) }),
    tile(page, { title: "Purchases, all time", name: "purchases", query: all, show: (answer) => first(answer, (row) => (
      { value: [figure(row.basket_count)], beside: [row.basket_count ? `${(row.order_count / row.basket_count).toFixed(1)} lines each` : ""] })) }),
    tile(page, { title: "Average ticket", name: "ticket", query: all, show: (answer) => first(answer, (row) => (row.basket_count
      ? { value: [figure(average(row.total_revenue, row.basket_count), { places: 2, unit: row.currency })], beside: ["revenue ÷ purchases, returns included"] }
      : { value: ["–"], beside: [plural(0, "purchase")] })) }));
}
