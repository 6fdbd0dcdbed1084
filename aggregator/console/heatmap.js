/* heatmap.js - weekdays by hours, as a table whose cells are coloured: it reads as one, too. */
import { micros } from "./decimal.js";
import { el } from "./dom.js";
import { figure, grouped, plural } from "./format.js";

export const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const HOURS = Array.from({ length: 24 }, (_, hour) => hour);

export function heatmap(rows, caption) {
  const cells = new Map(rows.map((row) => [`${row.weekday}/${row.hour_of_day}`, row]));
  const most = rows.reduce((top, row) => (micros(row.total_revenue) > top ? micros(row.total_revenue) : top), 1n);
  const cell = (weekday, hour) => {
    const row = cells.get(`${weekday}/${hour}`);
    const words = `${DAYS[weekday - 1]} ${hour}:00–${hour}:59`;
    if (!row) {
      return el("td", { title: `${words}: nothing sold` }, el("span", { class: "unseen" }, "0"));
    }
    const step = micros(row.total_revenue) <= 0n ? 0 : 8 + Number((micros(row.total_revenue) * 92n) / most);
    return el("td", {
      "data-step": true, vars: { step }, "data-weekday": weekday, "data-hour": hour,
      title: `${words}: ${grouped(row.total_revenue)} ${row.currency} in ${plural(row.order_count, "line")}`,
    }, el("span", { class: "unseen" }, figure(row.total_revenue)));
  };
  const best = rows.reduce((top, row) => (top === null || micros(row.total_revenue) > micros(top.total_revenue) ? row : top), null);
  return [
    el("div", { class: "heat-box", tabindex: "0", role: "region", "aria-label": caption },
      el("table", { class: "heat" }, el("caption", { class: "unseen" }, caption),
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, el("span", { class: "unseen" }, "Weekday")), HOURS.map((hour) => el("th", { scope: "col" }, String(hour))))),
        el("tbody", {}, DAYS.map((name, index) => el("tr", {}, el("th", { scope: "row", abbr: name }, name.slice(0, 3)),
          HOURS.map((hour) => cell(index + 1, hour))))))),
    el("p", { class: "under" }, el("span", {}, "0 ", el("span", { class: "scale", "aria-hidden": "true" }), " ", figure(best.total_revenue, { unit: best.currency })),
      el("span", {}, "Best hour: ", el("b", {}, `${DAYS[best.weekday - 1]}, ${best.hour_of_day}:00`))),
  ];
}
