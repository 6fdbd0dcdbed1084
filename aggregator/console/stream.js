/* stream.js - answers that come by themselves: GET /events, read with fetch because an EventSource can send no token.
 * One stream for all queries of a page. When it breaks it is opened again, at first at once, then after longer and longer pauses. */
import { request } from "./api.js";

const PAUSES_MS = [200, 500, 1000, 2000, 4000, 8000];
const SILENCE_MS = 6000; /* the server says something each second */

/* Server-sent events out of pieces of text: calls hear(event, data) for each that is whole. */
export function parser(hear) {
  let text = "";
  return (piece) => {
    text += piece;
    for (let end = text.search(/\r?\n\r?\n/); end >= 0; end = text.search(/\r?\n\r?\n/)) {
      const lines = text.slice(0, end).split(/\r?\n/);
      text = text.slice(end).replace(/^\r?\n\r?\n/, "");
      const field = (name) => lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).replace(/^ /, ""));
      if (field("data").length > 0) {
        hear(field("event")[0] ?? "message", field("data").join("\n"));
      }
    }
  };
}

/* `hear`: answer(index, answer), alive({as_of, state}), link(state, words). States: connecting, live, cut, refused. */
export class Stream {
  constructor(queries, hear) {
    this.queries = queries;
    this.hear = hear;
    this.failures = 0;
    this.isOpen = false;
    this.abort = new AbortController();
    this.run();
  }

  close() {
    this.isClosed = true;
    this.abort.abort();
    clearTimeout(this.watchdog);
    this.wake?.();
  }

  /* Now, not after the pause. */
  retry() {
    this.failures = 0;
    this.wake?.();
  }

  async run() {
    while (!this.isClosed) {
      try {
        await this.read();
        this.cut("the aggregator ended the connection");
      } catch (error) {
        this.cut(error.name === "AbortError" ? "the aggregator fell silent" : error.message);
      }
      await this.pause();
    }
  }

  cut(words) {
    clearTimeout(this.watchdog);
    if (!this.isClosed) {
      this.hear.link(this.isRefused ? "refused" : "cut", words, this.nextPause());
    }
  }

  nextPause() {
    return PAUSES_MS[Math.min(this.failures, PAUSES_MS.length - 1)];
  }

  async pause() {
    if (this.isClosed) {
      return;
    }
    const wait = this.nextPause() * (0.8 + 0.4 * Math.random()); /* all consoles of a shop must not come back at one moment */
    this.failures += 1;
    await new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, wait);
    });
    this.abort = new AbortController();
  }

  watch() {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.abort.abort(), SILENCE_MS);
  }

  async read() {
    const asked = this.queries.map((query) => `q=${encodeURIComponent(JSON.stringify(query))}`).join("&");
    this.isRefused = false;
    const response = await request(`events${asked ? `?${asked}` : ""}`, { signal: this.abort.signal, headers: { Accept: "text/event-stream" } });
    if (!response.ok || !response.body) {
      this.isRefused = response.status === 401 || response.status === 403;
      throw new Error(await complaint(response));
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = parser((event, data) => this.take(event, JSON.parse(data)));
    this.watch();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      this.watch();
      parse(piece.value);
    }
  }

  take(event, data) {
    if (this.isClosed) {
      return;
    }
    this.failures = 0;
    this.hear.link("live");
    if (event === "answer") {
      this.hear.answer(data.q, data.answer);
    } else if (event === "alive") {
      this.hear.alive(data);
    }
  }
}

async function complaint(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `the aggregator answered ${response.status}`;
  }
}
