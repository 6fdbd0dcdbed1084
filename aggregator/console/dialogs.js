/* dialogs.js - the one dialog: the token, whether something is really meant, and what the console has to say about itself. */
import { el } from "./dom.js";

const dialog = () => document.getElementById("dialog");

function open(title, ...content) {
  dialog().replaceChildren(el("h2", { id: "dialog-title" }, title), ...content);
  dialog().showModal();
}

/* The text that was typed, or null. */
export function askForToken(wasRefused) {
  const input = el("input", { type: "password", id: "token", autocomplete: "off", required: true });
  return new Promise((resolve) => {
    const form = el("form", { method: "dialog", on: { submit: () => resolve(input.value.trim()) } },
      el("p", {}, wasRefused ? "This token is not accepted (any more)." : "This aggregator answers those who have its token.",
        " It stands in the file that [http] token_file names. The browser keeps it until this tab is closed."),
      el("label", { for: "token" }, "Token"), input,
      el("p", { class: "buttons" }, el("button", { class: "main" }, "Go on"),
        el("button", { type: "button", on: { click: () => dialog().close() } }, "Cancel")));
    dialog().addEventListener("close", () => resolve(null), { once: true });
    open("Token", form);
    input.focus();
  });
}

/* Whether the person wants it done; `action` is what the button says. */
export function askWhether(title, action, ...content) {
  return new Promise((resolve) => {
    dialog().addEventListener("close", () => resolve(false), { once: true });
    open(title, el("form", { method: "dialog", on: { submit: () => resolve(true) } }, ...content,
      el("p", { class: "buttons" }, el("button", { class: "main" }, action),
        el("button", { type: "button", on: { click: () => dialog().close() } }, "Cancel"))));
  });
}

export function showHelp() {
  const line = (name, ...words) => [el("dt", {}, name), el("dd", {}, ...words)];
  open("Help",
    el("dl", { class: "facts" },
      line("Figures", "Each panel asks one query and shows its answer. “Query” shows it, to be copied or opened in Explore."),
      line("Live", "Answers come by themselves, at most once a second. The line below the navigation says how fresh they are."),
      line("Windows of time", "“Last hour” and the like end with the newest event that was counted, whatever the clock on the wall says."),
      line("Currencies", "Amounts of different currencies are never added up. Where there are several, choose one."),
      line("Keyboard", "Tab goes through everything; Enter opens; Escape closes this. The first Tab offers to skip to the figures."),
      line("Screen readers", "Every chart has a table: the button “Table” of its panel.")),
    el("p", { class: "buttons" }, el("button", { type: "button", class: "main", on: { click: () => dialog().close() } }, "Close")));
}

export function showQuery(title, query, exploreAddress, copies) {
  open(`Query: ${title}`,
    el("pre", { tabindex: "0", class: "code" }, JSON.stringify(query, null, 1)),
    el("p", { class: "buttons" },
      copies.map(([name, text]) => copyButton(name, text)),
      exploreAddress ? el("a", { href: exploreAddress, class: "button", on: { click: () => dialog().close() } }, "Open in Explore") : null,
      el("button", { type: "button", on: { click: () => dialog().close() } }, "Close")));
}

/* Says beside itself that it has done it. */
export function copyButton(name, text) {
  const done = el("span", { role: "status", class: "done" });
  const button = el("button", {
    type: "button", on: {
      click: async () => {
        try {
          await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
          done.textContent = " copied";
        } catch {
          done.textContent = " the browser does not let pages copy here";
        }
        setTimeout(() => done.replaceChildren(), 2500);
      },
    },
  }, name);
  return el("span", { class: "copy" }, button, done);
}
