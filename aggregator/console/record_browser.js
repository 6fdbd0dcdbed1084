/* record_browser.js - the records of one topic, page by page. For administrators. */
import { fill } from "./admin.js";
import { el, renew } from "./dom.js";
import { grouped } from "./format.js";
import { recordOf } from "./record_view.js";

const PAGE = 20;

/* {element, know(topic), open(partition)} */
export function browser(page, topic) {
  const state = { partition: Number(page.params.get("partition") ?? 0), offset: page.params.has("offset") ? Number(page.params.get("offset")) : null, at: null, answer: null, isOpen: page.params.has("partition") };
  const box = el("div", { class: "records", "aria-live": "polite" });
  const choose = el("select", { id: "record-partition", on: { change: () => show(Number(choose.value), null) } });
  const offset = el("input", { id: "record-offset", type: "number", min: "0", step: "1", inputmode: "numeric", placeholder: "newest" });
  const button = (text, act, name) => el("button", { type: "button", "data-act": name, on: { click: act } }, text);
  const newest = button("Newest", () => show(state.partition, null), "newest");
  const earlier = button("Earlier", () => show(state.partition, Math.max(state.answer.earliest, firstOf(state.answer) - PAGE)), "earlier");
  const later = button("Later", () => show(state.partition, state.answer.next), "later");
  const form = el("form", { class: "ask", on: { submit: (event) => {
    event.preventDefault();
    show(state.partition, offset.value === "" ? null : Number(offset.value));
  } } },
  el("div", { class: "line" },
    el("div", { class: "field" }, el("label", { for: "record-partition" }, "Partition"), choose),
    el("div", { class: "field" }, el("label", { for: "record-offset" }, "From offset"), offset),
    el("button", { class: "main" }, "Show"), newest, earlier, later));
  const element = el("section", { class: "panel wide-12", "aria-labelledby": "records-title", "data-panel": "records" },
    el("header", {}, el("div", {}, el("h2", { id: "records-title" }, "Records"),
      el("p", { class: "note" }, "Decoded where they are events, changes of rows, JSON or msgpack; else as bytes. For administrators: they say who bought what."))), form, box);

  const firstOf = (answer) => answer.records[0]?.offset ?? answer.next;
  function show(partition, from) {
    Object.assign(state, { partition, offset: from, isOpen: true });
    choose.value = String(partition);
    page.go({ topic, partition, offset: from }, { quietly: true });
    fill(page, box, { query: "records", topic, partition, limit: PAGE, ...(from === null ? {} : { offset: from }) }, draw);
  }

  function draw(answer) {
    state.answer = answer;
    const first = firstOf(answer);
    offset.value = answer.records.length > 0 && state.offset !== null ? String(first) : "";
    earlier.disabled = first <= answer.earliest;
    later.disabled = answer.next >= answer.latest;
    const { records } = answer;
    renew(box,
      el("p", { class: "note", "data-shown": "" }, records.length === 0
        ? (answer.latest === answer.earliest ? "This partition is empty." : "No record from this offset on.")
        : `Offsets ${grouped(records[0].offset)} to ${grouped(records.at(-1).offset)} of ${grouped(answer.earliest)} to ${grouped(answer.latest - 1)}, the newest last.`,
      answer.complete ? "" : " There was no time or room for all of them: “Later” goes on."),
      records.map((record) => recordOf(record)));
  }

  earlier.disabled = later.disabled = true;
  return {
    element,
    open: (partition) => {
      show(partition, null);
      element.scrollIntoView({ block: "start" });
    },
    know: (known) => {
      element.hidden = known.role === "other";
      if (choose.options.length !== known.partitions.length) {
        choose.replaceChildren(...known.partitions.map((part) => el("option", { value: part.partition }, `${part.partition} (${grouped(Math.max(0, (part.latest ?? 0) - (part.earliest ?? 0)))})`)));
        choose.value = String(state.partition);
      }
      if (!state.answer && !box.asked && known.role !== "other") {
        const fullest = known.partitions.toSorted((a, b) => (b.latest - b.earliest) - (a.latest - a.earliest))[0]?.partition ?? 0;
        show(state.isOpen ? state.partition : fullest, state.offset);
      }
    },
  };
}
