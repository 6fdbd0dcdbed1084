/* tables.js - rows as a table. A column is {key, label, kind}: text, integer, money, share, bucket, bar; or `cell(row)`. */
import { micros, perMille } from "./decimal.js";
import { el } from "./dom.js";
import { bucket, figure, share } from "./format.js";

const NUMBERS = new Set(["integer", "money", "average", "decimal", "share", "bar", "number"]);

/* A name of nothing but spaces is a name, too. */
const named = (value) => (String(value).trim() === "" ? el("span", { class: "none" }, String(value) === "" ? "(empty)" : "(blank)") : String(value));
/* What producers call a thing may be long, and of any script: two lines of it, and all of it where one points. */
const clipped = (value) => el("span", { class: "clip", dir: "auto", title: String(value) }, named(value));

function cellOf(column, row) {
  const value = row[column.key];
  if (column.cell) {
    return column.cell(row);
  }
  if (value === null || value === undefined) {
    return el("span", { class: "none" }, "–");
  }
  switch (column.kind) {
    case "integer": case "money": case "decimal":
      return figure(value);
    case "average":
      return figure(value, { places: 2 });
    case "share":
      return share(value);
    case "bucket":
      return bucket(value);
    case "json":
      return el("code", {}, JSON.stringify(value));
    default:
      return named(value);
  }
}

/* Tables that scroll can be scrolled with keys: their box takes the focus. */
export function rowsTable(columns, rows, caption, { visibleCaption = false, sort = null } = {}) {
  return el("table", { class: "rows" },
    el("caption", { class: visibleCaption ? null : "unseen" }, caption),
    el("thead", {}, el("tr", {}, columns.map((column) => el("th", {
      scope: "col", class: NUMBERS.has(column.kind) ? "number" : null, "aria-sort": sort?.key === column.key ? `${sort.order}ending` : null,
    }, sort ? el("button", { type: "button", class: "sort", on: { click: () => sort.by(column) } }, column.label,
      el("span", { "aria-hidden": "true" }, sort.key === column.key ? (sort.order === "desc" ? " ↓" : " ↑") : "")) : column.label)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, columns.map((column, index) => el(index === 0 && !column.isFigure ? "th" : "td", {
      scope: index === 0 && !column.isFigure ? "row" : null, class: NUMBERS.has(column.kind) ? "number" : null, "data-column": column.key,
    }, cellOf(column, row)))))));
}

const largest = (texts) => texts.reduce((most, text) => (micros(text) > micros(most) ? text : most), "0.00");
const asDecimal = (value) => (typeof value === "number" ? `${value}.00` : value ?? "0.00");

/* A ranking: each row with a bar as long as its part of the greatest. `columns` as above; `by` is the bar's column. */
export function ranking(columns, rows, by, caption) {
  const most = largest(rows.map((row) => asDecimal(row[by])));
  const bars = { key: "bar", label: "", kind: "graph", cell: (row) => {
    const part = Math.max(0, perMille(asDecimal(row[by]), most) ?? 0);
    return el("span", { class: "bar", "aria-hidden": "true", vars: { part: `${part / 10}%` } });
  } };
  const table = rowsTable([{ ...columns[0], cell: (row) => clipped(row[columns[0].key]) }, bars, ...columns.slice(1)], rows, caption);
  table.classList.add("ranking");
  table.querySelectorAll("th:nth-child(2), td:nth-child(2)").forEach((cell) => cell.setAttribute("aria-hidden", "true"));
  return table;
}
