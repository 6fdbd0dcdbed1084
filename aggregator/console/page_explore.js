/* page_explore.js - any question, its answer as rows or as a chart, to take along as CSV or as code. The address holds the question. */
import { barSet, draw as drawChart, end, lineSet } from "./charts.js";
import { csv, download } from "./csv.js";
import { isDecimal, pixels } from "./decimal.js";
import { copyButton } from "./dialogs.js";
import { el, renew } from "./dom.js";
import { columnsOf, emptyShape, listsOf, queryOf, seriesOf, shapeOf, sourceOfTable, sourceOfView } from "./explore_model.js";
import { form } from "./explore_form.js";
import { bucket, grouped, plural } from "./format.js";
import { choice, trouble } from "./panel.js";
import { copies } from "./snippets.js";
import { rowsTable } from "./tables.js";

export const title = "Explore";

const LIVE_MAX = 1000; /* rows: more are asked for once, not each second */
const SHOWN_MAX = 1000;
const DRAWN_MAX = { line: 2000, bar: 40 };
const PAGES_MAX = 1000;

async function sourcesOf(page) {
  const [views, tables] = await Promise.all([page.ask({ query: "views" }), page.ask({ query: "tables" }).catch(() => ({ ok: false }))]);
  if (!views.ok) {
    throw new Error(views.error.message);
  }
  return [...views.views.map(sourceOfView), ...(tables.ok ? tables.tables.map(sourceOfTable) : [])];
}

function firstQuery(page) {
  try {
    return JSON.parse(page.params.get("q"));
  } catch {
    return null; /* somebody's address, cut off */
  }
}

export async function render(page) {
  page.main.append(el("p", { class: "lead" }, "Ask any view or table. The question is in the address: it can be kept, and sent to somebody."));
  const sources = await sourcesOf(page);
  if (page.isClosed) {
    return;
  }
  const start = sources.find((each) => each.name === "products") ?? sources[0];
  const asked = firstQuery(page) ?? queryOf({ ...emptyShape(start), order: start.measures.includes("total_revenue") ? { by: "total_revenue", order: "desc" } : null }, start);
  new Exploration(page, sources, asked, start);
}

class Exploration {
  constructor(page, sources, query, start) {
    Object.assign(this, { page, sources, end: () => {}, drawn: page.params.get("as") === "chart", measure: null, answer: null });
    const shape = shapeOf(query);
    this.form = form(sources, shape ?? emptyShape(start), (next) => this.ask(queryOf(next, this.source(next))));
    this.text = el("textarea", { id: "query-text", rows: 5, spellcheck: "false", class: "code" });
    this.byHand = el("p", { class: "note", hidden: true }, "This question says more than the form can: it is written by hand.");
    this.complaint = el("p", { class: "state bad", role: "alert", hidden: true });
    this.status = el("p", { class: "note", role: "status", id: "explore-status" });
    this.chart = el("div", { class: "box" });
    this.rows = el("div", { class: "box" });
    this.measures = el("span", {});
    page.onClose(() => end(this.chart));
    page.main.append(el("div", { class: "grid" }, this.question(), this.result()));
    this.ask(query);
  }

  source(shape) {
    return this.sources.find((each) => each.kind === shape.kind && each.name === shape.name) ?? null;
  }

  question() {
    const go = () => {
      try {
        const query = JSON.parse(this.text.value);
        const shape = shapeOf(query);
        shape && this.form.set(shape);
        this.ask(query);
      } catch (error) {
        this.complain([el("b", {}, "This is no JSON: "), error.message]);
      }
    };
    return el("section", { class: "panel wide-12", "aria-label": "The question" }, this.form.element,
      el("details", { class: "hand" }, el("summary", {}, "The query itself"), el("div", { class: "field" }, el("label", { for: "query-text", class: "unseen" }, "Query, JSON"), this.text),
        el("p", { class: "buttons" }, el("button", { type: "button", class: "main", on: { click: go } }, "Ask"))),
      this.byHand);
  }

  result() {
    const as = choice("Show as", [["rows", "Rows"], ["chart", "Chart"]], this.drawn ? "chart" : "rows", (next) => {
      this.drawn = next === "chart";
      this.keep();
      this.show();
    });
    return el("section", { class: "panel wide-12", "aria-labelledby": "explore-answer", "data-panel": "answer" },
      el("header", {}, el("div", {}, el("h2", { id: "explore-answer" }, "Answer"), this.status),
        el("div", { class: "tools" }, this.measures, as, el("button", { type: "button", class: "small", on: { click: () => this.save() } }, "Download CSV"))),
      this.complaint, this.rows, this.chart,
      el("div", { class: "buttons", id: "explore-copies" }));
  }

  keep() {
    this.page.go({ q: JSON.stringify(this.query), as: this.drawn ? "chart" : null }, { quietly: true });
  }

  complain(words) {
    this.complaint.replaceChildren(...words);
    this.complaint.hidden = false;
    this.rows.hidden = this.chart.hidden = true;
  }

  ask(query) {
    this.end();
    this.query = query;
    this.keep();
    this.byHand.hidden = shapeOf(query) !== null;
    this.text.value = JSON.stringify(query, null, 1);
    document.getElementById("explore-copies")?.replaceChildren(...copies(query).map(([name, text]) => copyButton(name, text)));
    const take = (answer) => {
      if (this.query === query) {
        this.answer = answer;
        this.show();
      }
    };
    this.isLive = (query.limit ?? 100) <= LIVE_MAX && !["forget", "accept_staged", "drop_staged"].includes(query.query);
    if (this.isLive) {
      this.end = this.page.watch(query, take);
    } else {
      this.page.ask(query).then(take, (error) => this.complain([error.message]));
      this.end = () => {};
    }
  }

  show() {
    const { answer, query } = this;
    if (!answer) {
      return;
    }
    this.page.main.querySelector("[data-panel=answer]").dataset.state = answer.ok ? "shown" : "trouble";
    if (!answer.ok) {
      this.complain(trouble(answer.error, query));
      this.status.replaceChildren();
      return;
    }
    this.complaint.hidden = true;
    const lists = listsOf(answer);
    const count = answer.rows ? plural(answer.rows.length, "row") : lists.map(([name, rows]) => `${name}: ${grouped(rows.length)}`).join(", ");
    const words = `${count}${answer.next || answer.cut ? ", and more that this answer does not hold" : ""}${this.isLive ? "" : "; asked once, not live"}`;
    this.status.textContent !== words && (this.status.textContent = words);
    const isDrawn = this.drawn && answer.rows?.length > 0;
    this.rows.hidden = isDrawn;
    this.chart.hidden = !isDrawn;
    this.choices(isDrawn);
    if (isDrawn) {
      this.draw(answer.rows);
    } else {
      renew(this.rows, lists.map(([name, rows]) => el("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": `Answer: ${name}` }, this.table(name, rows))));
    }
  }

  table(name, rows) {
    if (rows.length === 0) {
      return el("p", { class: "state" }, name === "rows" ? "No row meets this." : `${name}: none`);
    }
    const shape = shapeOf(this.query);
    const names = shape && this.source(shape) ? listedColumns(rows[0], columnsOf(shape, this.source(shape))) : Object.keys(rows[0]);
    const { order } = shape ?? {};
    const sort = name === "rows" && shape && this.source(shape) ? { key: order?.by, order: order?.order, by: (column) => this.sort(shape, column) } : null;
    return rowsTable(names.map((key) => ({ key, label: key, kind: kindOf(key, rows), isFigure: false })), rows.slice(0, SHOWN_MAX), `Answer: ${name}`, { sort });
  }

  sort(shape, { key, kind }) {
    const first = kind === "integer" || kind === "money" ? "desc" : "asc";
    const next = shape.order?.by !== key ? first : shape.order.order === "desc" ? "asc" : "desc";
    const changed = { ...shape, order: { by: key, order: next } };
    this.form.set(changed);
    this.ask(queryOf(changed, this.source(changed)));
  }

  choices(isDrawn) {
    const measures = isDrawn ? Object.keys(this.answer.rows[0]).filter((key) => ["integer", "money"].includes(kindOf(key, this.answer.rows)) && !["weekday", "hour_of_day"].includes(key)) : [];
    if (!measures.includes(this.measure)) {
      this.measure = measures.find((name) => name === this.query.by) ?? measures.find((name) => name === "total_revenue") ?? measures[0] ?? null;
    }
    if (measures.join() !== this.measures.dataset.names) {
      this.measures.dataset.names = measures.join();
      const select = el("select", { "aria-label": "What the chart shows", on: { change: () => {
        this.measure = select.value;
        this.show();
      } } }, measures.map((name) => el("option", { selected: name === this.measure }, name)));
      this.measures.replaceChildren(...(measures.length > 0 ? [select] : []));
    }
  }

  draw(rows) {
    if (this.measure === null) {
      this.complain(["There is no figure in these rows to draw."]);
      return;
    }
    const isLine = seriesOf(rows, this.measure, 1).time;
    const series = seriesOf(rows, this.measure, isLine ? DRAWN_MAX.line : DRAWN_MAX.bar);
    const colours = ["one", "two", "three", "four"];
    const sets = series.sets.map(({ name, values }, index) => {
      const data = values.map((value) => (value === null ? null : pixels(value)));
      return isLine ? lineSet(name || this.measure, data, colours[index % 4], { pointRadius: data.length < 60 ? 2 : 0 }) : barSet(name || this.measure, data, colours[index % 4]);
    });
    if (series.cut > 0) {
      this.status.textContent += `; ${grouped(series.cut)} are not drawn`;
    }
    drawChart(this.chart, {
      type: isLine ? "line" : "bar", tall: true, labels: series.labels.map(bucket), sets, label: `${this.measure} of ${plural(series.labels.length, "row")}. The figures: Rows.`,
      axes: { x: { grid: false, ticks: { maxRotation: isLine ? 0 : 60, autoSkipPadding: 12, maxTicksLimit: isLine ? 12 : 40 } }, y: { isNumber: true, title: this.measure } },
      tooltip: { label: (item) => `${grouped(series.sets[item.datasetIndex].values[item.dataIndex] ?? "–")} ${series.sets[item.datasetIndex].name}` },
    });
  }

  /* All pages of a scan that has more than one. */
  async save() {
    if (!this.answer?.ok) {
      return;
    }
    const [, first] = listsOf(this.answer)[0] ?? ["", []];
    const rows = [...first];
    let { next } = this.answer;
    for (let pages = 1; next && pages < PAGES_MAX; pages += 1) {
      const answer = await this.page.ask({ ...this.query, cursor: next });
      if (!answer.ok) {
        this.complain(trouble(answer.error, this.query));
        return;
      }
      rows.push(...answer.rows);
      ({ next } = answer);
    }
    download(`${this.query.view ?? this.query.table ?? this.query.query}.csv`, csv(Object.keys(rows[0] ?? {}), rows));
  }
}

/* Groups, then measures, then what the answer has besides. */
const listedColumns = (row, { groups, measures }) => [...new Set([...groups, ...measures].filter((name) => name in row).concat(Object.keys(row)))];

function kindOf(key, rows) {
  const value = rows.find((row) => row[key] !== null && row[key] !== undefined)?.[key];
  if (["run", "weekday", "hour_of_day", "pid"].includes(key) || key.endsWith("_ms")) {
    return "number";
  }
  if (typeof value === "number") {
    return "integer";
  }
  if (isDecimal(value)) {
    return "money";
  }
  return value !== null && typeof value === "object" ? "json" : "text";
}
