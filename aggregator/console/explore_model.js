/* explore_model.js - what the form of Explore says as a query, and back. No elements here. */

const COARSER = {
  minute: ["hour", "day", "week", "month", "weekday", "hour_of_day"], hour: ["day", "week", "month", "weekday", "hour_of_day"], day: ["week", "month", "weekday"],
};
const TIMES = ["minute", "hour", "day", "week", "month"];
export const OPERATIONS = ["=", "!=", "<", "<=", ">", ">=", "in", "prefix"];
export const LIMIT = 100;

/* A view or a table: {kind, name, groups, measures, types: {column: type}, times}. */
export function sourceOfView(view) {
  const types = Object.fromEntries([...view.group_by.map((name, index) => [name, view.group_types[index]]),
    ...view.measures.map((name, index) => [name, view.measure_types[index]])]);
  const time = view.group_by.find((name) => TIMES.includes(name)) ?? null;
  const coarser = (COARSER[time] ?? []).filter((name) => !view.group_by.includes(name));
  return { kind: "view", name: view.name, groups: view.group_by, measures: view.measures, types, time, coarser };
}

export function sourceOfTable(table) {
  const types = Object.fromEntries([...table.key.map((name) => [name, "text"]), ...table.columns.map((name, index) => [name, table.column_types[index]])]);
  return { kind: "table", name: table.name, groups: table.key, measures: table.columns, types, time: null, coarser: [] };
}

export const emptyShape = (source) => ({ kind: source.kind, name: source.name, where: [], groupBy: null, range: null, order: null, limit: LIMIT });

/* Columns of the rows that the shape asks for. */
export function columnsOf(shape, source) {
  const groups = shape.groupBy ?? source.groups;
  const currency = shape.groupBy && source.groups.includes("currency") && !groups.includes("currency") ? ["currency"] : [];
  return { groups: [...groups, ...currency], measures: source.measures };
}

const typed = (text, type) => (type === "integer" && /^-?\d+$/.test(text.trim()) ? Number(text) : text);

function conditionOf({ field, op, value }, source) {
  const type = source?.types[field];
  return { field, op, value: op === "in" ? value.split(",").map((each) => typed(each.trim(), type)) : typed(value, type) };
}

export function queryOf(shape, source) {
  return {
    query: "scan", [shape.kind]: shape.name,
    ...(shape.where.length > 0 ? { where: shape.where.map((each) => conditionOf(each, source)) } : {}),
    ...(shape.groupBy === null ? {} : { group_by: shape.groupBy }),
    ...(shape.range === null ? {} : { range: shape.range }),
    ...(shape.order === null ? {} : { order_by: [shape.order] }),
    limit: shape.limit,
  };
}

const KNOWN = new Set(["query", "view", "table", "where", "group_by", "range", "order_by", "limit"]);

/* The shape of a query; null where the form can't say it. A `top` without more is a scan in another order. */
export function shapeOf(query) {
  const { by, order = "desc", cumulative, ...rest } = query;
  if (query.query === "top" && !("until_share" in query)) {
    const shape = shapeOf({ limit: 10, ...rest, query: "scan" });
    return shape && { ...shape, order: { by, order } };
  }
  if (query.query !== "scan" || !(query.view || query.table) || Object.keys(query).some((name) => !KNOWN.has(name)) || (query.order_by?.length ?? 0) > 1) {
    return null;
  }
  return {
    kind: query.view ? "view" : "table", name: query.view ?? query.table, groupBy: query.group_by ?? null, range: query.range ?? null,
    order: query.order_by ? { order: "asc", ...query.order_by[0] } : null, limit: query.limit ?? LIMIT,
    where: (query.where ?? []).map(({ field, op, value }) => ({ field, op, value: Array.isArray(value) ? value.join(", ") : String(value) })),
  };
}

/* What lists an answer has: [[name, rows]]; a single thing is a list of one. */
export function listsOf(answer) {
  return Object.entries(answer)
    .filter(([name, value]) => !["as_of", "live", "error"].includes(name) && value !== null && typeof value === "object")
    .map(([name, value]) => [name, Array.isArray(value) ? value : [value]]);
}

/* What of an answer can be drawn: labels, and a series of each currency; amounts of two are never one series. */
export function seriesOf(rows, measure, limit) {
  const names = Object.keys(rows[0]);
  const time = names.find((name) => TIMES.includes(name)) ?? null;
  const isLabel = (name) => name !== "currency" && !["previous", "difference"].includes(name);
  const labels = names.slice(0, names.findIndex((name) => name === measure)).filter((name, index) => isLabel(name) && (index === 0 || typeof rows[0][name] === "string"
    || ["hour_of_day", "weekday"].includes(name)) && !/^-?\d+\.\d+$/.test(rows[0][name]));
  const labelOf = (row) => (labels.length === 0 ? "all" : labels.map((name) => row[name] ?? "–").join(", "));
  const all = [...new Set(rows.map(labelOf))];
  const shown = (time && labels.length === 1 ? all.toSorted() : all).slice(0, limit);
  const currencies = [...new Set(rows.map((row) => row.currency ?? ""))];
  return {
    time: time !== null && labels.length === 1, labels: shown, cut: all.length - shown.length,
    sets: currencies.map((currency) => {
      const values = new Map(rows.filter((row) => (row.currency ?? "") === currency).map((row) => [labelOf(row), row[measure]]));
      return { name: currency, values: shown.map((label) => values.get(label) ?? null) };
    }),
  };
}
