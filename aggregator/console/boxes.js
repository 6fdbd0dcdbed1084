/* boxes.js - box plots: the middle half of the baskets, the median, the mean, and the whiskers from the least to the greatest.
 * On a logarithmic scale where all is above 0, for baskets differ by factors. */
import { pixels } from "./decimal.js";
import { svg } from "./dom.js";
import { compact } from "./format.js";

const LETTER = 7.4; /* how wide one is, about */
const LEFT_PART = 0.36; /* of the width, for names at most */
const NARROW = 420;
const REACH = 5; /* of whiskers, in boxes: few baskets far out must not make all boxes lines */
const RIGHT = 20;
const ROW = 34;
const TOP = 8;
const FOOT = 26;

/* 1, 2 or 5 times a power of ten. */
function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return power * ([1, 2, 5].find((each) => each * power >= size) ?? 10);
}

/* Boxes by factors on a logarithmic scale; others as far out as there is much to see. */
function scaleOf(rows, { left, width }) {
  const [least, most] = [Math.min(...rows.map((row) => row.min)), Math.max(...rows.map((row) => row.max))];
  const isLog = least > 0 && most / least > 20;
  const bend = isLog ? Math.log10 : (value) => value;
  const reach = (row) => REACH * (row.q75 - row.q25 || Math.abs(row.q50) || 1);
  const [from, to] = isLog ? [bend(least), bend(most)]
    : [Math.min(0, ...rows.map((row) => Math.max(row.min, row.q25 - reach(row)))), Math.max(...rows.map((row) => Math.min(row.max, row.q75 + reach(row))))];
  const place = (value) => left + ((bend(value) - from) / (to - from || 1)) * (width - left - RIGHT);
  const step = isLog || to === from ? 1 : roundStep((to - from) / (width < NARROW ? 3 : 5));
  const marks = isLog
    ? Array.from({ length: Math.floor(to) - Math.ceil(from) + 1 }, (_, index) => 10 ** (Math.ceil(from) + index))
    : Array.from({ length: Math.floor(to / step) - Math.ceil(from / step) + 1 }, (_, index) => (Math.ceil(from / step) + index) * step);
  return { place, marks, ends: [left, width - RIGHT] };
}

/* "a-very-l…, card": the end tells apart what begins alike. */
export function short(name, letters) {
  const all = [...name];
  const tail = Math.floor((letters - 1) / 2);
  return all.length <= letters ? name : `${all.slice(0, letters - 1 - tail).join("")}…${all.slice(all.length - tail).join("")}`;
}

/* An end of a whisker at `x`; an arrow where it goes on beyond the scale. */
function endOf(x, [first, last], middle) {
  if (x < first - 0.5 || x > last + 0.5) {
    const at = x < first ? first - 6 : last + 6;
    const back = x < first ? 5 : -5;
    return svg("path", { class: "whisker cut", d: `M${at + back} ${middle - 4}L${at} ${middle}L${at + back} ${middle + 4}` });
  }
  return svg("path", { class: "whisker", d: `M${x.toFixed(1)} ${middle - 5}v10` });
}

/* `rows`: {name, min, q25, q50, q75, max, average}, decimal text; as wide as there is room, so that text keeps its size. */
export function boxes(rows, label, room) {
  const width = Math.min(900, Math.max(260, room));
  const left = Math.round(Math.min(LEFT_PART * width, 16 + LETTER * Math.max(...rows.map((row) => [...row.name].length))));
  const names = ["min", "q25", "q50", "q75", "max", "average"];
  const { place, marks, ends } = scaleOf(rows.map((row) => Object.fromEntries(names.map((name) => [name, pixels(row[name])]))), { left, width });
  const height = TOP + rows.length * ROW + FOOT;
  const inside = (x) => Math.min(ends[1] + 6, Math.max(ends[0] - 6, x));
  const at = (text) => inside(place(pixels(text))).toFixed(1);
  return svg("svg", { class: "boxes", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    marks.map((mark) => [
      svg("line", { class: "rule", x1: place(mark), x2: place(mark), y1: TOP, y2: height - FOOT + 4 }),
      svg("text", { x: place(mark), y: height - 6, "text-anchor": "middle" }, compact(mark)),
    ]),
    rows.map((row, index) => {
      const middle = TOP + index * ROW + ROW / 2;
      return svg("g", {},
        svg("title", {}, `${row.name}: ${row.min} to ${row.max}, middle half ${row.q25} to ${row.q75}, median ${row.q50}, mean ${row.average}`),
        svg("text", { class: "name", x: 0, y: middle + 4 }, short(row.name, Math.floor((left - 8) / LETTER))),
        svg("path", { class: "whisker", d: `M${at(row.min)} ${middle}H${at(row.max)}` }),
        endOf(place(pixels(row.min)), ends, middle), endOf(place(pixels(row.max)), ends, middle),
        svg("rect", { class: "quartiles", x: at(row.q25), y: middle - 9, height: 18, rx: 2, width: Math.max(1, at(row.q75) - at(row.q25)).toFixed(1) }),
        svg("path", { class: "median", d: `M${at(row.q50)} ${middle - 9}v18` }),
        svg("circle", { class: "mean", cx: at(row.average), cy: middle, r: 4 }));
    }));
}
