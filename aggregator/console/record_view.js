/* record_view.js - a record of Kafka's or a dead letter, folded and unfolded. */
import { el } from "./dom.js";
import { bytes, grouped } from "./format.js";

const AS = {
  event: "event", change: "change of a row", json: "JSON", msgpack: "msgpack", bytes: "bytes", nothing: "no value",
};
const pad = (number, size = 2) => String(number).padStart(size, "0");

/* "2026-11-22 16:06:03.120 UTC": records of one second are told apart. */
export function instant(ms) {
  if (ms === null) {
    return "no time";
  }
  const at = new Date(ms);
  return `${at.getUTCFullYear()}-${pad(at.getUTCMonth() + 1)}-${pad(at.getUTCDate())} ${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}:${
    pad(at.getUTCSeconds())}.${pad(at.getUTCMilliseconds(), 3)} UTC`;
}

/* base64 as hexdump -C has it. */
export function dump(base64) {
  const text = atob(base64);
  const lines = [];
  for (let at = 0; at < text.length; at += 16) {
    const codes = [...text.slice(at, at + 16)].map((each) => each.charCodeAt(0));
    lines.push(`${at.toString(16).padStart(6, "0")}  ${codes.map((code) => pad(code.toString(16))).join(" ").padEnd(47)}  ${
      codes.map((code) => (code >= 32 && code < 127 ? String.fromCharCode(code) : ".")).join("")}`);
  }
  return lines.join("\n");
}

const words = (value) => (value === null ? "–" : typeof value === "string" ? value : dump(value.bytes).trim());

export const shortly = (record) => {
  if (record.as === "nothing") {
    return "deletes its key";
  }
  if (record.as === "bytes") {
    return record.reason ?? "";
  }
  const { kind, order_id, product_id, quantity, unit_price, currency, action, page, ...rest } = record.value ?? {};
  const told = [order_id ? null : kind ?? record.value?.op, order_id && `order ${order_id}`, action, product_id, quantity !== undefined && `× ${quantity}`, unit_price && `@ ${unit_price} ${currency ?? ""}`, page]
    .filter(Boolean).join("  ");
  return told || JSON.stringify(rest).slice(0, 120);
};

export function valueOf(record) {
  return [
    record.reason ? el("p", { class: "note" }, record.as === "bytes" ? `Can't be read: ${record.reason}` : `No event of till: ${record.reason}`,
      record.as === "bytes" && record.size > 4096 ? `; the first 4,096 of ${grouped(record.size)} bytes` : "") : null,
    record.as === "nothing" ? el("p", { class: "note" }, "No value: a mark that the key is deleted.")
      : el("pre", { class: "code", tabindex: "0", "aria-label": "Value" }, record.as === "bytes" ? dump(record.value) : JSON.stringify(record.value, null, 1)),
  ];
}

/* One record: `open` unfolds it at once. */
export function recordOf(record, open = false) {
  return el("details", { class: "record", open, "data-offset": record.offset },
    el("summary", {},
      el("span", { class: "place" }, grouped(record.offset)), el("span", { class: "when" }, instant(record.appended_ms)),
      el("span", { class: "key" }, words(record.key)), el("span", { class: "pill" }, AS[record.as]), el("span", { class: "short" }, shortly(record))),
    el("div", { class: "inside" },
      record.headers.length > 0 ? el("dl", { class: "facts" }, record.headers.map((header) => [el("dt", {}, words(header.name)), el("dd", {}, words(header.value))])) : null,
      valueOf(record), el("p", { class: "note" }, `${bytes(record.size)}, appended ${instant(record.appended_ms)}`)));
}
