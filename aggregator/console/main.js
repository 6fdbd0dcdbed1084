/* main.js - the shell: which page is open, what it watches, how fresh that is, light or dark. */
import { ask, mayAskAgain, whenTokenIsWanted } from "./api.js";
import { showHelp, askForToken } from "./dialogs.js";
import { el, renew } from "./dom.js";
import { ago, grouped, moment, plural } from "./format.js";
import { PAGES } from "./pages.js";
import { Stream } from "./stream.js";

const HIDDEN_MS = 60000; /* a tab that nobody looks at needs no stream */
const STALE_MS = 3000;
const byId = (id) => document.getElementById(id);
let open = null; /* the page at hand */
let said = ""; /* by the connection's line */

export const link = (id, params = {}) => {
  const text = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== null && value !== undefined)).toString();
  return `#/${id}${text ? `?${text}` : ""}`;
};

class Page {
  constructor(id, params, main) {
    Object.assign(this, { id, params, main, link, ask, queries: [], hearers: [], alive: [], closers: [], polls: [] });
    this.signal = new AbortController();
  }

  go(params, options = {}) {
    const next = link(this.id, params);
    if (options.quietly) { /* the address tells, the page stays as it is */
      history.replaceState(null, "", next);
    } else {
      location.hash = next;
    }
  }

  /* Returns what ends the watching. */
  watch(query, hear) {
    const text = JSON.stringify(query);
    let index = this.queries.findIndex((each) => each !== null && JSON.stringify(each) === text);
    if (index < 0) {
      index = this.queries.push(query) - 1;
      this.hearers[index] = [];
      this.reopen();
    } else if (this.answers?.has(index)) {
      hear(this.answers.get(index));
    }
    this.hearers[index].push(hear);
    return () => {
      this.hearers[index] = this.hearers[index].filter((each) => each !== hear);
      if (this.hearers[index].length === 0) {
        this.queries[index] = null;
        this.reopen();
      }
    };
  }

  poll(query, every, hear) {
    let timer = null;
    const once = async () => {
      if (!document.hidden) {
        await ask(query, { signal: this.signal.signal }).then((answer) => this.isClosed || hear(answer), () => {});
      }
      timer = this.isClosed ? null : setTimeout(once, every);
    };
    const end = () => clearTimeout(timer);
    this.polls.push(end);
    once();
    return end;
  }

  onAlive(hear) {
    this.alive.push(hear);
  }

  onClose(hear) {
    this.closers.push(hear);
  }

  /* Once for all that was asked for in one go. */
  reopen() {
    this.pending ??= queueMicrotask(() => {
      this.pending = null;
      if (!this.isClosed) {
        this.start();
      }
    }) ?? true;
  }

  start() {
    this.stream?.close();
    this.answers = new Map();
    const places = this.queries.map((query, index) => index).filter((index) => this.queries[index] !== null);
    this.stream = new Stream(places.map((index) => this.queries[index]), {
      answer: (number, answer) => {
        this.answers.set(places[number], answer);
        freshness(answer.as_of);
        this.hearers[places[number]]?.forEach((hear) => hear(answer));
      },
      alive: (status) => {
        freshness(status.as_of, status);
        this.alive.forEach((hear) => hear(status));
      },
      link: (state, words, pause) => showLink(state, words, pause),
    });
  }

  close() {
    this.isClosed = true;
    this.stream?.close();
    this.signal.abort();
    this.polls.forEach((end) => end());
    this.closers.forEach((hear) => hear());
  }
}

/* The connection's line is read out when it changes, so it changes only when there is something to say. */
const LINKS = {
  connecting: ["Connecting", "to the aggregator …"],
  live: ["Live", ""],
  late: ["Catching up", "the aggregator is reading what Kafka holds"],
  blind: ["Without Kafka", "the aggregator can't reach Kafka and answers from its store; it goes on by itself"],
  starting: ["Not ready", "the aggregator is starting and answers when it has caught up with Kafka"],
  rebuilding: ["Rebuilding", "totals are being counted anew from Kafka; queries are answered when that is done"],
  full: ["Disk full", "the aggregator can't write what it counts: it pauses reading and answers on, and goes on by itself when there is room"],
  broken: ["Broken", "the aggregator found a fault that it can't mend by itself"],
  cut: ["Disconnected", ""],
  refused: ["Not allowed", ""],
};
let lastFresh = null;

function showLink(state, words = "", pause = 0) {
  const isCut = state === "cut" || state === "refused";
  const shown = state === "live" ? condition() : state;
  const text = isCut
    ? `${words}. The figures below are as they were${lastFresh ? ` at ${new Date(lastFresh.heard).toLocaleTimeString()}` : ""}.${
      pause >= 1000 ? " Trying again by itself." : ""}`
    : LINKS[shown][1];
  document.documentElement.dataset.link = shown;
  if (said !== shown + text) {
    said = shown + text;
    byId("link").replaceChildren(el("b", { class: `pill ${shown}` }, LINKS[shown][0]), text,
      ...(isCut ? [el("button", { type: "button", class: "small", on: { click: retry } }, "Try now")] : []));
  }
}

function retry() {
  mayAskAgain();
  open?.stream?.retry();
}

function condition() {
  const state = lastFresh?.state ?? "serving";
  if (state === "broken") {
    const told = toldOf(lastFresh.problems);
    return told.length > 0 && told.every((problem) => problem.startsWith("disk full")) ? "full" : state;
  }
  if (state in LINKS) {
    return state;
  }
  if (lastFresh?.as_of?.lag === null) {
    return "blind";
  }
  return (lastFresh?.lateSince ?? null) !== null && performance.now() - lastFresh.lateSince > STALE_MS ? "late" : "live";
}

/* The aggregator's own sentences; what the connection's line says of Kafka is not said twice. */
const toldOf = (problems) => problems.filter((problem) => !problem.startsWith("Kafka unreachable"));

function showProblems(problems) {
  const told = toldOf(problems);
  byId("problems").hidden = told.length === 0;
  renew(byId("problems"), ...told.map((problem) => el("p", {}, problem)));
}

/* `status` comes with signs of life, and holds until the next one. */
function freshness(as_of, status = lastFresh) {
  const { state = "serving", problems = [] } = status ?? {};
  if (!as_of) {
    lastFresh = { ...lastFresh, state, problems, heard: Date.now() };
    showLink("live");
    return;
  }
  const lateSince = as_of.lag > 0 ? lastFresh?.lateSince ?? performance.now() : null;
  lastFresh = { as_of, state, problems, heard: Date.now(), lateSince };
  showLink("live");
  showProblems(problems);
  const parts = [as_of.event_ts === null ? "nothing counted yet"
    : ["newest event ", el("time", { datetime: new Date(as_of.event_ts).toISOString() }, moment(as_of.event_ts)), ` (${ago(Date.now() - as_of.event_ts)})`]];
  parts.push(as_of.lag === null ? "lag unknown" : as_of.lag === 0 ? "nothing left to read" : `${plural(as_of.lag, "record")} to read`);
  parts.push(`commit ${grouped(as_of.commit)}`);
  if (as_of.gaps?.length > 0) {
    parts.push(el("b", { class: "warn" }, `${plural(as_of.gaps.length, "gap")} accepted: ${as_of.gaps.join(", ")}`));
  }
  if (as_of.partial) {
    parts.push(el("b", { class: "warn" }, "partial: a peer did not answer"));
  }
  renew(byId("fresh"), ...parts.map((part) => el("span", {}, part)));
}

/* "#/stores?edge=berlin" */
function address() {
  const [, id, text] = /^#\/([a-z]+)(?:\?(.*))?$/.exec(location.hash) ?? [];
  return { page: PAGES.find((each) => each.id === id) ?? PAGES[0], params: new Map(new URLSearchParams(text ?? "")) };
}

async function show(isFirst = false) {
  if (location.hash === "#main") { /* the skip link */
    byId("main").focus();
    return;
  }
  const { page, params } = address();
  const isSame = open?.id === page.id;
  open?.close();
  const main = byId("main");
  const mine = new Page(page.id, params, main);
  open = mine;
  for (const each of document.querySelectorAll("#nav a")) {
    each.toggleAttribute("data-here", each.dataset.page === page.id);
    if (each.dataset.page === page.id) {
      each.setAttribute("aria-current", "page");
      each.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else {
      each.removeAttribute("aria-current");
    }
  }
  document.title = `${page.title} · till`;
  try {
    const module = await page.load();
    if (mine.isClosed) {
      return;
    }
    main.className = `page page-${page.id}`;
    main.replaceChildren(el("h1", { id: "title", tabindex: "-1" }, module.title));
    await module.render(mine);
  } catch (error) {
    main.append(el("p", { class: "state bad" }, `This page could not be shown: ${error.message}. `,
      el("button", { type: "button", on: { click: () => location.reload() } }, "Load it again")));
    throw error;
  }
  if (mine.queries.length === 0 && !mine.isClosed) {
    mine.start(); /* for the connection's line alone */
  }
  if (!isFirst && !isSame) {
    scrollTo(0, 0);
    byId("title")?.focus({ preventScroll: true });
  }
}

function showTheme() {
  const name = window.tillTheme.get();
  byId("theme").textContent = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" }[name];
}

function nextTheme() {
  const { names, get, set } = window.tillTheme;
  set(names[(names.indexOf(get()) + 1) % names.length]);
  showTheme();
}

let hiddenTimer = null;
function onVisibility() {
  clearTimeout(hiddenTimer);
  if (document.hidden) {
    hiddenTimer = setTimeout(() => open?.stream?.close(), HIDDEN_MS);
  } else if (open?.stream?.isClosed) {
    open.start();
  }
}

whenTokenIsWanted(askForToken);
byId("nav").append(...PAGES.map((page) => el("li", {}, el("a", { href: link(page.id), "data-page": page.id }, page.title))));
byId("theme").addEventListener("click", nextTheme);
byId("help").addEventListener("click", showHelp);
addEventListener("hashchange", () => show());
addEventListener("online", retry);
document.addEventListener("visibilitychange", onVisibility);
showTheme();
showLink("connecting");
show(true);
