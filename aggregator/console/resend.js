/* resend.js - dead letters sent again by the aggregator itself: asked for once more, sent, and what became of each beside it. */
import { askPatiently } from "./admin.js";
import { askWhether } from "./dialogs.js";
import { el, newId } from "./dom.js";
import { plural } from "./format.js";

/* result -> [pill, name, what it means and what to do] */
const OUTCOMES = {
  accepted: () => ["good", "accepted", "The edge has it. It is counted as soon as it has come through Kafka."],
  repeated: () => ["good", "was sent before", "The edge has had it since then, and it counts once."],
  refused: ({ message }) => ["bad", "refused again", `The edge says: ${message}. Put that right, and send it again.`],
  unsent: ({ message }) => ["bad", "not sent", `Nothing was counted: ${message}. When that is mended, send it again.`],
  unknown: ({ message }) => ["warn", "not known", `${message}. Send it again.`],
  gone: () => ["warn", "gone", "Kafka does not have this letter any more. Only who sent it can do so again."],
  unusable: ({ message }) => ["warn", "can't be sent", `${message}. Only who sent it can do so again.`],
};

const ofError = (error) => (error.code === "unreachable"
  ? ["warn", "not known", `${error.message}, and nobody knows whether it was sent. When it answers, send it again: it counts once.`]
  : ["bad", "no result", `${error.message}.`]);

/* {of(place): what stands beside a letter, mark(place): in its first line, said: what a screen reader hears, send(letters, to, set)} */
export function resending(page, box) {
  const outcomes = new Map();
  const said = el("p", { class: "under", role: "status", "data-sent": true });

  const words = (place) => {
    const [pill, name, text] = outcomes.get(place) ?? [];
    return name === undefined ? [] : [el("span", { class: `pill ${pill}` }, name), ` ${text}`];
  };
  const mark = (place) => words(place).slice(0, 1);

  function show(letters, outcomeOf) {
    letters.forEach(({ place }) => outcomes.set(place, outcomeOf(place)));
    box.querySelectorAll("[data-outcome]").forEach((each) => each.replaceChildren(...words(each.dataset.outcome)));
    box.querySelectorAll("[data-mark]").forEach((each) => each.replaceChildren(...mark(each.dataset.mark)));
  }

  function summary(letters) {
    const counts = new Map();
    letters.forEach(({ place }) => counts.set(outcomes.get(place)[1], (counts.get(outcomes.get(place)[1]) ?? 0) + 1));
    return `${plural(letters.length, "letter")}: ${[...counts].map(([name, count]) => `${count} ${name}`).join(", ")}.`;
  }

  async function ask(letters, set) {
    try {
      const answer = await askPatiently(page, { query: "replay", places: letters.map(({ place }) => place), ...(set ? { set } : {}) });
      if (!answer.ok) {
        return () => ofError(answer.error);
      }
      const found = new Map(answer.replayed.map((each) => [each.place, OUTCOMES[each.result](each)]));
      return (place) => found.get(place);
    } catch (error) {
      return () => ofError({ code: "unreachable", message: error.message });
    }
  }

  async function send(letters, to, set) {
    const right = Object.entries(set ?? {}).map(([name, value]) => [" with ", el("code", {}, `${name} = ${value}`)]);
    const isSure = await askWhether(letters.length === 1 ? "Send this letter again?" : `Send ${letters.length} letters again?`, "Send",
      el("p", {}, letters.length === 1 ? el("code", {}, letters[0].place) : `The ${letters.length} that are shown`, right, ", to the edge at ", el("code", {}, to), "."),
      el("p", {}, "What the edge accepts is counted, and sent twice it counts once. The audit log says who had it sent."));
    if (!isSure) {
      return;
    }
    said.textContent = "Being sent …";
    show(letters, () => ["warn", "being sent", ""]);
    const outcomeOf = await ask(letters, set);
    if (!page.isClosed) {
      show(letters, outcomeOf);
      said.textContent = summary(letters);
    }
  }

  return { send, said, mark: (place) => el("span", { "data-mark": place }, mark(place)), of: (place) => el("p", { class: "outcome", "data-outcome": place }, words(place)) };
}

/* What is put right, and the button. */
export function resendForm(letter, to, fields, resends) {
  const name = el("input", { id: newId("field"), list: newId("names"), autocomplete: "off", placeholder: "unit_price" });
  const value = el("input", { id: newId("value"), autocomplete: "off", placeholder: "2.50" });
  const set = () => (name.value.trim() ? { [name.value.trim()]: value.value } : null);

  return el("form", { class: "replay", on: { submit: (event) => {
    event.preventDefault();
    resends.send([letter], to, set());
  } } },
  el("h3", {}, "Send it again"),
  el("p", { class: "note" }, "Sent twice it counts once: it bears its place as event_id. Put a field right, where one is wrong; it goes to the edge at ", el("code", {}, to), "."),
  el("div", { class: "ask" }, el("div", { class: "line" },
    el("div", { class: "field" }, el("label", { for: name.id }, "Field"), name, el("datalist", { id: name.getAttribute("list") }, fields.map((key) => el("option", { value: key })))),
    el("div", { class: "field" }, el("label", { for: value.id }, "Value"), value),
    el("button", { "aria-haspopup": "dialog" }, "Send again …"))),
  resends.of(letter.place));
}
