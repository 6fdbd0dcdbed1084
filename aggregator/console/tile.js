/* tile.js - one figure with what stands beside it. */
import { micros, difference, perMille } from "./decimal.js";
import { el, newId, renew } from "./dom.js";
import { figure, grouped } from "./format.js";
import { trouble } from "./panel.js";

/* `what`: {title, name, wide, query, show(answer) -> {value: [...], beside: [...]}} */
export function tile(page, what) {
  const id = newId("tile");
  const value = el("div", { class: "values" }, el("p", { class: "value" }, "…"));
  const beside = el("p", { class: "beside" });
  const element = el("section", { class: `tile wide-${what.wide ?? 2}`, "aria-labelledby": id, "data-tile": what.name },
    el("h2", { id }, what.title), value, beside);
  page.watch(what.query, (answer) => {
    if (!answer.ok) {
      renew(value, el("p", { class: "value none" }, "–"));
      renew(beside, ...trouble(answer.error, what.query));
      return;
    }
    const shown = what.show(answer);
    renew(value, ...shown.value.map((each) => el("p", { class: `value ${each.textContent?.length > 17 ? "long" : ""}` }, each)));
    renew(beside, ...(shown.beside ?? []));
  });
  return element;
}

const asText = (value) => (typeof value === "number" ? `${value}.00` : value);

const FAR = 10000; /* per mille: from there on people say how many times */

/* "▲ 12.3 % on the hour before": both amounts are the answer's. */
export function change(now, before, when) {
  if (before === null || before === undefined || micros(asText(before)) === 0n) {
    return [`nothing in ${when}`];
  }
  const part = perMille(difference(asText(now), asText(before)), asText(before).replace("-", ""));
  const sign = part > 0 ? ["up", "▲ +"] : part < 0 ? ["down", "▼ \u2212"] : ["", ""];
  if (part >= FAR) {
    return [el("span", { class: "up" }, `▲ ${grouped(Math.round(part / 1000) + 1)} times`), ` ${when} (`, figure(before), ")"];
  }
  return [el("span", { class: sign[0] }, `${sign[1]}${(Math.abs(part) / 10).toFixed(1)} %`), ` on ${when} (`, figure(before), ")"];
}
