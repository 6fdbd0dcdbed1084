/* admin.js - questions for administrators alone: asked with the token that was given, and what to say to those who gave none. */
import { ask, hasToken, refused } from "./api.js";
import { el } from "./dom.js";

const TRIES = 6; /* of a question that somebody else's holds up: two seconds */

/* The answer; of one that is busy the one after. */
export async function askPatiently(page, query) {
  for (let left = TRIES; ; left -= 1) {
    const answer = await ask(query, { signal: page.signal.signal });
    if (answer.ok || answer.error.code !== "busy" || left === 0) {
      return answer;
    }
    await new Promise((resolve) => setTimeout(resolve, answer.error.retry_after_ms ?? 300));
  }
}

/* What stands in the place of an answer that was refused. `again` asks once more. */
export function refusal(error, again) {
  if (error.code !== "forbidden") {
    return el("p", { class: "state bad" }, el("b", {}, error.code === "timeout" ? "Kafka did not answer." : "This could not be read."), " ", error.message, ". ",
      el("button", { type: "button", class: "small", on: { click: again } }, "Ask again"));
  }
  return el("p", { class: "state" }, el("b", {}, "For administrators."), " Records say who bought what, so they are shown to who has the admin token: [http] admin_token_file names its file. ",
    el("button", { type: "button", class: "small", on: { click: async () => (await refused(true)) && again() } }, "Give the token"));
}

/* An answer on its way into `box`: says so, says what went wrong, or calls draw(answer). Only the last one asked is drawn.
 * Over HTTP administrators are known by their token: without one there is nobody to ask for. */
export async function fill(page, box, query, draw) {
  box.asked = query;
  box.setAttribute("aria-busy", "true");
  if (!box.firstChild) {
    box.append(el("p", { class: "state waiting" }, "Asking Kafka …"));
  }
  const again = () => fill(page, box, query, draw);
  let shown;
  try {
    const answer = hasToken() ? await askPatiently(page, query) : { ok: false, error: { code: "forbidden" } };
    shown = answer.ok ? () => draw(answer) : () => box.replaceChildren(refusal(answer.error, again));
  } catch (error) {
    if (error.name === "AbortError") {
      return;
    }
    shown = () => box.replaceChildren(refusal({ code: "unreachable", message: error.message }, again));
  }
  if (box.asked === query && !page.isClosed) {
    box.removeAttribute("aria-busy");
    shown();
  }
}
