/* letters.js - dead letters by what was wrong with them, with samples; the button that sends one again, or where the aggregator knows no edge
 * the command that does. For administrators. */
import { fill } from "./admin.js";
import { copyButton } from "./dialogs.js";
import { el, newId, renew } from "./dom.js";
import { ago, bytes, figure, grouped, plural } from "./format.js";
import { replayCommand } from "./pipeline_model.js";
import { instant, valueOf } from "./record_view.js";
import { resendForm, resending } from "./resend.js";
import { rowsTable } from "./tables.js";

const LIMIT = 20;

/* {element, know(answer to "topics")} */
export function letters(page) {
  const state = { code: page.params.get("code") ?? null, brokers: null };
  const box = el("div", { class: "box" });
  const resends = resending(page, box);
  const element = el("section", { class: "panel wide-12", "aria-labelledby": "letters-title", "data-panel": "letters" },
    el("header", {}, el("div", {}, el("h2", { id: "letters-title" }, "Dead letters"),
      el("p", { class: "note" }, "What an edge or a bridge refused, with the reason; the bytes lie in the topics that end in .dlq")),
    el("div", { class: "tools" }, el("button", { type: "button", class: "quiet small", on: { click: () => ask() } }, "Read again"))), box, resends.said);

  function ask() {
    const code = state.code === null ? {} : { code: state.code };
    page.go(code, { quietly: true });
    fill(page, box, { query: "letters", limit: LIMIT, ...code }, (answer) => renew(box, drawn(answer)));
  }

  function choose(code) {
    state.code = state.code === code ? null : code;
    ask();
  }

  /* Of those that are shown, as they are. */
  function all(answer) {
    const letters = answer.letters.filter((letter) => letter.replayable);
    return answer.replay_to === null || letters.length < 2 ? null : el("button", { type: "button", class: "quiet small", "aria-haspopup": "dialog",
      on: { click: () => resends.send(letters, answer.replay_to) } }, `Send these ${letters.length} again …`);
  }

  function drawn(answer) {
    if (answer.in_log === 0) {
      return el("p", { class: "state empty" }, "There are none: everything that came was taken.");
    }
    const total = answer.codes.reduce((sum, each) => sum + each.count, 0);
    const columns = [
      { key: "code", label: "Reason", cell: (each) => el("button", { type: "button", class: "small", "aria-pressed": String(each.code === state.code), on: { click: () => choose(each.code) } }, each.code) },
      { key: "count", label: "Letters", kind: "integer" },
      { key: "share", label: "Share", kind: "number", cell: (each) => `${((100 * each.count) / total).toFixed(1)} %` },
      { key: "newest", label: "Newest", cell: (each) => `${ago(Date.now() - each.newest_ms)}` },
      { key: "place", label: "Where", cell: (each) => el("code", {}, each.newest) },
    ];
    const whole = answer.scanned === answer.in_log && answer.complete;
    return [
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Dead letters by reason" }, rowsTable(columns, answer.codes.toSorted((a, b) => b.count - a.count), "Dead letters by reason")),
      el("p", { class: "under" }, whole ? `All ${plural(answer.in_log, "letter")} in Kafka.` : `Of the newest ${grouped(answer.scanned)} of ${plural(answer.in_log, "letter")} in Kafka.`,
        answer.unreadable > 0 ? ` ${plural(answer.unreadable, "record")} among them ${answer.unreadable === 1 ? "is" : "are"} no letter of till's.` : ""),
      el("h3", {}, state.code === null ? "The newest" : `The newest with ${state.code}`,
        state.code === null ? null : el("button", { type: "button", class: "quiet small", on: { click: () => choose(state.code) } }, "All reasons"),
        all(answer)),
      answer.letters.map((letter) => letterOf(letter, () => state.brokers ?? "BROKERS", answer.replay_to, resends)),
      answer.letters.length === 0 ? el("p", { class: "note" }, "None among those that were read.") : null,
    ];
  }

  ask();
  return { element, know: (topics) => {
    state.brokers = topics.kafka.brokers;
  } };
}

function letterOf(letter, brokers, to, resends) {
  return el("details", { class: "record letter", "data-place": letter.place, on: {} }, /* another letter takes its place whole, with what its fields write */
    el("summary", {}, el("span", { class: "when" }, instant(letter.appended_ms)), el("span", { class: "key" }, letter.edge), el("span", { class: "pill warn" }, letter.code),
      resends.mark(letter.place), el("span", { class: "short" }, letter.message)),
    el("div", { class: "inside" },
      el("dl", { class: "facts" }, [["Where", letter.place], ["Refused by", `the ${letter.refused_by}, ${instant(letter.received_ms)}`], ["Came by", letter.source],
        ["Certificate", `${letter.edge}, run ${letter.run}, ${letter.kind}, ${grouped(letter.seq)}`], ["Size", bytes(letter.size)]]
        .map(([name, text]) => [el("dt", {}, name), el("dd", {}, text)])),
      valueOf({ ...letter, reason: letter.as === "bytes" ? letter.reason : null }), again(letter, brokers, to, resends)));
}

const fieldsOf = (letter) => Object.keys(typeof letter.value === "object" && letter.value !== null ? letter.value : {});

function again(letter, brokers, to, resends) {
  if (!letter.replayable) {
    return el("p", { class: "note" }, "It can't be sent again: its bytes hold no event, or were cut.");
  }
  return to === null ? commandFor(letter, brokers) : resendForm(letter, to, fieldsOf(letter), resends);
}

/* The aggregator was told of no edge: the command does it, where one can be reached. */
function commandFor(letter, brokers) {
  const command = el("pre", { class: "code command", tabindex: "0", "aria-label": "Command" });
  const name = el("input", { id: newId("field"), list: newId("names"), autocomplete: "off", placeholder: "unit_price" });
  const value = el("input", { id: newId("value"), autocomplete: "off", placeholder: "2.50" });
  const edge = el("input", { id: newId("edge"), autocomplete: "off", placeholder: "tcp://store-7:7171" });
  const text = () => replayCommand(letter, brokers(), [{ name: name.value.trim(), value: value.value }], edge.value.trim() || "EDGE");
  const write = () => {
    command.textContent = text();
  };
  [name, value, edge].forEach((input) => input.addEventListener("input", write));
  write();
  return el("div", { class: "replay" },
    el("h3", {}, "Send it again"),
    el("p", { class: "note" }, "Sent twice it counts once: it bears its place as event_id. Put a field right, and run this where the edge can be reached:"),
    el("div", { class: "ask" }, el("div", { class: "line" },
      el("div", { class: "field" }, el("label", { for: name.id }, "Field"), name, el("datalist", { id: name.getAttribute("list") },
        fieldsOf(letter).map((key) => el("option", { value: key })))),
      el("div", { class: "field" }, el("label", { for: value.id }, "Value"), value),
      el("div", { class: "field" }, el("label", { for: edge.id }, "Edge"), edge))),
    command, copyButton("Copy the command", text));
}
