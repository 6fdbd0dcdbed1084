/* explore_form.js - the form of Explore: a source, conditions, rows added up, a range of time, a limit. It holds a shape (explore_model.js)
 * and tells of each change. */
import { el, newId } from "./dom.js";
import { OPERATIONS, emptyShape } from "./explore_model.js";

const field = (label, input, more = {}) => {
  input.id ||= newId("field");
  return el("div", { class: "field", ...more }, el("label", { for: input.id }, label), input);
};
const option = (value, chosen, text = value) => el("option", { value, selected: value === chosen }, text);

export function form(sources, shape, onChange) {
  const element = el("form", { class: "ask", on: { submit: (event) => event.preventDefault() } });
  let timer = null;
  const changed = (isAtOnce = true) => { /* typing: when it rests */
    clearTimeout(timer);
    timer = setTimeout(() => onChange(shape), isAtOnce ? 0 : 500);
  };
  const source = () => sources.find((each) => each.kind === shape.kind && each.name === shape.name) ?? sources[0];
  const redraw = (focusOn) => {
    element.replaceChildren(...draw());
    focusOn && element.querySelector(focusOn)?.focus();
  };
  const parts = { shape, changed, source, redraw };

  const sourceField = () => {
    const groups = [["view", "Views"], ["table", "Tables"]].map(([kind, label]) => [label, sources.filter((each) => each.kind === kind)]);
    const select = el("select", { name: "source", on: { change: () => {
      const [kind, name] = select.value.split("/", 2);
      Object.assign(shape, emptyShape({ kind, name }));
      redraw("select[name=source]");
      changed();
    } } }, groups.filter(([, list]) => list.length > 0).map(([label, list]) => el("optgroup", { label },
      list.map((each) => option(`${each.kind}/${each.name}`, `${shape.kind}/${shape.name}`, each.name)))));
    return field("Of", select);
  };
  const draw = () => [
    el("div", { class: "line" }, sourceField(), rangeField(parts), limitField(parts), orderField(parts)),
    groupField(parts),
    conditions(parts),
  ];
  redraw();
  return { element, set: (next) => {
    Object.assign(shape, next);
    redraw();
  } };
}

function limitField({ shape, changed }) {
  const input = el("input", { type: "number", min: 1, max: 100000, value: shape.limit, name: "limit", on: { input: () => {
    shape.limit = Math.min(100000, Math.max(1, Math.floor(Number(input.value)) || 1));
    changed(false);
  } } });
  return field("Rows at most", input);
}

function orderField({ shape, source, changed }) {
  const columns = [...(shape.groupBy ?? source().groups), ...source().measures];
  const select = el("select", { name: "order", on: { change: () => {
    const [by, order] = select.value.split(" ");
    shape.order = by ? { by, order } : null;
    changed();
  } } }, option("", shape.order ? "-" : "", "by key"),
  columns.flatMap((name) => ["desc", "asc"].map((order) => option(`${name} ${order}`, shape.order ? `${shape.order.by} ${shape.order.order}` : "",
    `${name} ${order === "desc" ? "↓" : "↑"}`))));
  return field("Order", select);
}

function rangeField({ shape, source, changed }) {
  if (!source().time) {
    return null;
  }
  const text = shape.range === null ? "" : shape.range.last ?? `${shape.range.from ?? ""}..${shape.range.to ?? ""}`;
  const input = el("input", { name: "range", value: text, placeholder: "7d, or 2010-12-01..2010-12-08", size: 27, on: { input: () => {
    const value = input.value.trim();
    const [from, to] = value.split("..");
    shape.range = value === "" ? null : to === undefined ? { last: value } : { ...(from ? { from } : {}), ...(to ? { to } : {}) };
    changed(false);
  } } });
  return field("Time: the last …, or from..to", input);
}

function groupField({ shape, source, changed, redraw }) {
  if (source().kind === "table") {
    return null;
  }
  const all = el("input", { type: "checkbox", name: "rollup", checked: shape.groupBy !== null, on: { change: () => {
    shape.groupBy = all.checked ? [] : null;
    redraw("input[name=rollup]");
    changed();
  } } });
  const box = (name) => {
    const input = el("input", { type: "checkbox", name: `by-${name}`, checked: shape.groupBy.includes(name), on: { change: () => {
      shape.groupBy = input.checked ? [...shape.groupBy, name] : shape.groupBy.filter((each) => each !== name);
      redraw(`input[name=by-${name}]`);
      changed();
    } } });
    return el("label", {}, input, name);
  };
  return el("fieldset", {}, el("legend", {}, "Rows"), el("div", { class: "checks" }, el("label", {}, all, shape.groupBy === null ? "added up by what they have in common" : "added up, by"),
    shape.groupBy === null ? null : [...source().groups, ...source().coarser].map(box)));
}

function conditions({ shape, source, changed, redraw }) {
  const names = [...source().groups, ...source().coarser, ...source().measures];
  const line = (condition, index) => {
    const name = `Condition ${index + 1}`;
    const chosen = el("select", { "aria-label": `${name}: column`, on: { change: () => {
      condition.field = chosen.value;
      changed();
    } } }, names.map((each) => option(each, condition.field)));
    const op = el("select", { "aria-label": `${name}: comparison`, on: { change: () => {
      condition.op = op.value;
      changed();
    } } }, OPERATIONS.map((each) => option(each, condition.op)));
    const value = el("input", { "aria-label": `${name}: value`, value: condition.value, placeholder: condition.op === "in" ? "a, b, c" : "value", on: { input: () => {
      condition.value = value.value;
      changed(false);
    } } });
    const remove = el("button", { type: "button", "aria-label": `${name}: take it away`, on: { click: () => {
      shape.where.splice(index, 1);
      redraw("button[name=add]");
      changed();
    } } }, "×");
    return el("div", { class: "condition" }, chosen, op, value, remove);
  };
  return el("fieldset", {}, el("legend", {}, "Only rows where"), shape.where.map(line),
    el("button", { type: "button", name: "add", on: { click: () => {
      shape.where.push({ field: names[0], op: "=", value: "" });
      redraw(".condition:last-of-type input");
    } } }, shape.where.length === 0 ? "Add a condition" : "Add another"));
}
