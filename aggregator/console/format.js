/* format.js - figures, moments and ages as people read them. */
import { toPlaces } from "./decimal.js";
import { el } from "./dom.js";

const MINUS = "\u2212";

/* Digits in threes: of integers and of decimal text. */
export function grouped(value) {
  const [whole, part] = String(value).replace("-", "").split(".");
  const text = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part === undefined ? "" : `.${part}`);
  return String(value).startsWith("-") ? MINUS + text : text;
}

/* <data value="748957.02">748,957.02</data>: what is shown, and the answer's own text. */
export function figure(value, { places, unit, sign } = {}) {
  if (value === null || value === undefined) {
    return el("span", { class: "none" }, "–");
  }
  const shown = places === undefined ? value : toPlaces(value, places);
  const plus = sign && !String(value).startsWith("-") && Number(value) !== 0 ? "+" : "";
  return el("data", { value: String(value), class: "figure" }, plus + grouped(shown), unit ? el("span", { class: "unit" }, ` ${unit}`) : null);
}

/* "0.150058" -> "15.0 %" */
export function share(text) {
  if (text === null || text === undefined) {
    return el("span", { class: "none" }, "–");
  }
  return el("data", { value: text, class: "figure" }, percent(text));
}
export const percent = (text) => `${Number(text) < 0 ? MINUS : ""}${Math.abs(Number(text) * 100).toFixed(1)} %`;

const pad = (number) => String(number).padStart(2, "0");
/* "2010-12-23 16:06 UTC" */
export function moment(ms) {
  const at = new Date(ms);
  return `${at.getUTCFullYear()}-${pad(at.getUTCMonth() + 1)}-${pad(at.getUTCDate())} ${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())} UTC`;
}

const STEPS = [["year", 31557600e3], ["month", 2629800e3], ["day", 864e5], ["hour", 36e5], ["minute", 6e4], ["second", 1e3]];
/* "3 minutes"; below a second "less than a second". */
export function span(ms) {
  const size = Math.abs(ms);
  const [name, step] = STEPS.find(([, each]) => size >= each) ?? [null, 1];
  if (name === null) {
    return "less than a second";
  }
  const count = Math.floor(size / step);
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}
export const ago = (ms) => (ms < 0 ? `${span(ms)} ahead` : `${span(ms)} ago`);

/* For axes: 1200 -> "1.2k" */
export function compact(number) {
  const size = Math.abs(number);
  const [step, name] = [[1e9, "bn"], [1e6, "m"], [1e3, "k"]].find(([each]) => size >= each) ?? [1, ""];
  const text = (size / step).toFixed(size / step < 10 && step > 1 ? 1 : 0).replace(/\.0$/, "");
  return `${number < 0 ? MINUS : ""}${size > 0 && size < 1 ? size.toPrecision(2) : text}${name}`;
}

const SIZES = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];
export function bytes(count) {
  const [step, name] = SIZES.find(([each]) => count >= each) ?? [1, "bytes"];
  return `${step === 1 ? count : (count / step).toFixed(count / step < 10 ? 1 : 0)} ${name}`;
}

export const plural = (count, one, many = `${one}s`) => `${grouped(count)} ${count === 1 ? one : many}`;
/* A bucket's text as people read it. */
export const bucket = (text) => String(text).replace("T", " ");
