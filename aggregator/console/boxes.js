/* boxes.js - box plots: the middle half of the baskets, the median, the mean, and the whiskers from the least to the greatest.
 * On a logarithmic scale where all is above 0, for baskets differ by factors. */
import { pixels } from "./decimal.js";
import { svg } from "./dom.js";
import { compact } from "./format.js";

const LEFT = 150;
const LEFT_NARROW = 104;
const NARROW = 420;
const RIGHT = 20;
const ROW = 34;
const TOP = 8;
const FOOT = 26;

/* 1, 2 or 5 times a power of ten. */
function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return power * ([1, 2, 5].find((each) => each * power >= size) ?? 10);
}

function scaleOf(least, most, { left, width }) {
  const isLog = least > 0 && most / least > 20;
  const bend = isLog ? Math.log10 : (value) => value;
  const [from, to] = [bend(isLog ? least : Math.min(0, least)), bend(most)];
  const place = (value) => left + ((bend(value) - from) / (to - from || 1)) * (width - left - RIGHT);
  const step = isLog || to === from ? 1 : roundStep((to - from) / (width < NARROW ? 3 : 5));
  const marks = isLog
    ? Array.from({ length: Math.floor(to) - Math.ceil(from) + 1 }, (_, index) => 10 ** (Math.ceil(from) + index))
    : Array.from({ length: Math.floor(to / step) - Math.ceil(from / step) + 1 }, (_, index) => (Math.ceil(from / step) + index) * step);
  return { place, marks };
}

/* `rows`: {name, min, q25, q50, q75, max, average}, decimal text; as wide as there is room, so that text keeps its size. */
export function boxes(rows, label, room) {
  const width = Math.min(900, Math.max(260, room));
  const left = width < NARROW ? LEFT_NARROW : LEFT;
  const { place, marks } = scaleOf(Math.min(...rows.map((row) => pixels(row.min))), Math.max(...rows.map((row) => pixels(row.max))), { left, width });
  const height = TOP + rows.length * ROW + FOOT;
  const at = (text) => place(pixels(text)).toFixed(1);
  return svg("svg", { class: "boxes", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    marks.map((mark) => [
      svg("line", { class: "rule", x1: place(mark), x2: place(mark), y1: TOP, y2: height - FOOT + 4 }),
      svg("text", { x: place(mark), y: height - 6, "text-anchor": "middle" }, compact(mark)),
    ]),
    rows.map((row, index) => {
      const middle = TOP + index * ROW + ROW / 2;
      return svg("g", {},
        svg("title", {}, `${row.name}: ${row.min} to ${row.max}, middle half ${row.q25} to ${row.q75}, median ${row.q50}, mean ${row.average}`),
        svg("text", { class: "name", x: 0, y: middle + 4 }, row.name.length > left / 7 ? `${row.name.slice(0, left / 7 - 1)}…` : row.name),
        svg("path", { class: "whisker", d: `M${at(row.min)} ${middle}H${at(row.max)}M${at(row.min)} ${middle - 5}v10M${at(row.max)} ${middle - 5}v10` }),
        svg("rect", { class: "quartiles", x: at(row.q25), y: middle - 9, height: 18, rx: 2, width: Math.max(1, place(pixels(row.q75)) - place(pixels(row.q25))).toFixed(1) }),
        svg("path", { class: "median", d: `M${at(row.q50)} ${middle - 9}v18` }),
        svg("circle", { class: "mean", cx: at(row.average), cy: middle, r: 4 }));
    }));
}
