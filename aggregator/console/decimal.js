/* decimal.js - money as the answers write it: decimal text, exact. A float is made of it only to place a pixel. */
const MILLION = 1000000n;

/* Millionths, as a BigInt. */
export function micros(text) {
  const [, sign, whole, part = ""] = /^(-?)(\d+)(?:\.(\d{1,6}))?$/.exec(String(text)) ?? [];
  if (whole === undefined) {
    throw new RangeError(`"${text}" is no decimal number`);
  }
  const value = BigInt(whole) * MILLION + BigInt(part.padEnd(6, "0"));
  return sign === "-" ? -value : value;
}

/* As the answers write it: two to six digits. */
export function decimalText(value) {
  const size = value < 0n ? -value : value;
  const part = (size % MILLION).toString().padStart(6, "0").replace(/0{1,4}$/, "");
  return `${value < 0n ? "-" : ""}${size / MILLION}.${part}`;
}

function divide(above, below) { /* half to even */
  const sign = (above < 0n) === (below < 0n) ? 1n : -1n;
  const a = above < 0n ? -above : above;
  const b = below < 0n ? -below : below;
  const [whole, rest] = [a / b, (a % b) * 2n];
  return sign * (rest > b || (rest === b && whole % 2n === 1n) ? whole + 1n : whole);
}

/* text / count: six places, as the aggregator's averages. */
export const average = (text, count) => decimalText(divide(micros(text), BigInt(count)));
export const difference = (left, right) => decimalText(micros(left) - micros(right));
/* Share of `text` in `whole` in tenths of a percent; null where there is no whole. */
export const perMille = (text, whole) => (micros(whole) === 0n ? null : Number(divide(micros(text) * 1000n, micros(whole))));
export const toPlaces = (text, places) => {
  const step = 10n ** BigInt(6 - places);
  return decimalText(divide(micros(text), step) * step);
};
/* For pixels only. */
export const pixels = (text) => (text === null || text === undefined ? 0 : Number(text));
export const isDecimal = (value) => typeof value === "string" && /^-?\d+\.\d{2,6}$/.test(value);
