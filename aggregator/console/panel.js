/* panel.js - a part of a page: one query and how its answer is drawn, and everything there is to say where there is nothing to draw. */
import { showQuery } from "./dialogs.js";
import { el, newId, renew } from "./dom.js";
import { rowsTable } from "./tables.js";
import { copies } from "./snippets.js";

/* What an answer says that is no rows, in words of what is going on and what to do. */
const TROUBLE = {
  unknown_view: (error, query) => (query.table ? [`This aggregator has no table “${query.table}”.`, "It is one that somebody may declare and fill: docs/CONSOLE.md says how."]
    : [`This aggregator keeps no view “${query.view}”.`,
      "It is among the shipped ones (deploy/views.conf): add its section to the aggregator's configuration, and it is counted from the start of the topic on."]),
  unknown_field: (error) => ["The view is declared otherwise than this panel needs.", error.message],
  not_ready: () => ["The aggregator is starting.", "It answers when it has read what Kafka holds; this panel fills by itself."],
  rebuilding: () => ["Totals are being counted anew.", "This panel fills by itself when that is done."],
  forbidden: (error) => ["This may not be asked here.", error.message],
  busy: () => ["The aggregator is asked for more than it allows.", "The next answer comes by itself; [limits] says how much it is."],
  internal: (error) => ["The aggregator can't answer this.", `It says: ${error.message}.`],
  timeout: () => ["The answer took too long.", "It is asked for again by itself."],
};

export function trouble(error, query) {
  const [what, then] = TROUBLE[error.code]?.(error, query) ?? [`The query was refused (${error.code}).`, error.message];
  return [el("b", {}, what), " ", then];
}

/* `what`:
 *   title, note        the heading, and a line below it
 *   wide               3, 4, 6, 8 or 12 of twelve columns
 *   query              what is asked; every: ms, where it is not worth a live stream
 *   draw(box, answer)  box is the same element each time; a canvas in it may stay
 *   table(answer)      {columns, rows} for tables.js: the same figures to read; leave it out where what is drawn is a table
 *   rows(answer)       the rows that count as something; without any, `empty` is said: text, or a function of the answer
 *   tools              elements for the corner: choices of a window and the like
 * Returns {element, ask(query), close()}: another query takes the place of the first. */
export function panel(page, what) {
  const id = newId("panel");
  const parts = {
    box: el("div", { class: "box" }),
    alternative: el("div", { class: "alternative scroll", hidden: true }),
    state: el("p", { class: "state waiting" }, "Waiting for the first answer …"),
    note: el("p", { class: "note" }, what.note ?? ""),
  };
  const toggle = what.table ? el("button", { type: "button", class: "quiet small", "aria-pressed": "false", "aria-label": `${what.title}: as a table` }, "Table") : null;
  const shown = { query: what.query, answer: null, isTable: false, end: () => {} };
  const asked = el("button", {
    type: "button", class: "quiet small", "aria-label": `${what.title}: the query`, "aria-haspopup": "dialog",
    on: { click: () => showQuery(what.title, shown.query, page.link("explore", { q: JSON.stringify(shown.query) }), copies(shown.query)) },
  }, "Query");
  const element = el("section", { class: `panel wide-${what.wide ?? 6}`, "aria-labelledby": id, "data-panel": what.name ?? null },
    el("header", {}, el("div", {}, el("h2", { id }, what.title), parts.note), el("div", { class: "tools" }, what.tools ?? [], toggle, asked)),
    parts.state, parts.box, parts.alternative);
  const draw = () => drawPanel(what, parts, shown, element);

  toggle?.addEventListener("click", () => {
    shown.isTable = !shown.isTable;
    toggle.setAttribute("aria-pressed", String(shown.isTable));
    draw();
  });
  const ask = (query) => {
    shown.end();
    shown.query = query;
    shown.answer = null;
    const take = (answer) => {
      shown.answer = answer;
      draw();
    };
    shown.end = what.every ? page.poll(query, what.every, take) : page.watch(query, take);
  };
  const redraw = () => shown.answer && draw();
  addEventListener("till-theme", redraw);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  page.onClose(() => {
    removeEventListener("till-theme", redraw);
    dark.removeEventListener("change", redraw);
    what.close?.(parts.box);
  });
  if (what.query) {
    ask(what.query);
  }
  return { element, ask, note: (...words) => parts.note.replaceChildren(...words), redraw };
}

function say(parts, kind, words) {
  parts.state.className = `state ${kind}`;
  parts.state.replaceChildren(...[words].flat());
  parts.state.hidden = false;
  parts.box.hidden = true;
  parts.alternative.hidden = true;
}

function drawPanel(what, parts, shown, element) {
  const { answer } = shown;
  element.dataset.state = "shown";
  if (!answer.ok) {
    element.dataset.state = "trouble";
    say(parts, answer.error.code === "unknown_view" && shown.query.table ? "empty" : "bad", trouble(answer.error, shown.query)); /* no fault: nobody declared it */
    return;
  }
  const rows = what.rows ? what.rows(answer) : answer.rows;
  if (rows && rows.length === 0) {
    element.dataset.state = "empty";
    say(parts, "empty", typeof what.empty === "function" ? what.empty(answer) : what.empty ?? "There is nothing to show yet.");
    return;
  }
  parts.state.hidden = true;
  parts.box.hidden = shown.isTable;
  parts.alternative.hidden = !shown.isTable;
  if (shown.isTable) {
    const { columns, rows: listed } = what.table(answer);
    renew(parts.alternative, rowsTable(columns, listed, what.title));
  } else {
    what.draw(parts.box, answer);
  }
}

/* A choice among a few: buttons of which one is pressed. */
export function choice(label, options, chosen, onChoose) {
  const buttons = options.map(([value, text]) => el("button", { type: "button", "aria-pressed": String(value === chosen), "data-value": value }, text));
  buttons.forEach((button) => button.addEventListener("click", () => {
    buttons.forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
    onChoose(button.dataset.value);
  }));
  return el("div", { class: "choice", role: "group", "aria-label": label }, buttons);
}
