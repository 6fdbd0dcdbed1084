/* views.js - what the views say of themselves, for panels that have no rows: an event without a group field is in no row. */
import { plural } from "./format.js";

const EVERY_MS = 10000;

export class Views {
  constructor(page) {
    this.known = new Map();
    this.hearers = [];
    page.poll({ query: "views" }, EVERY_MS, (answer) => {
      if (answer.ok) {
        this.known = new Map(answer.views.map((view) => [view.name, view]));
        this.hearers.forEach((hear) => hear());
      }
    });
  }

  onChange(hear) {
    this.hearers.push(hear);
  }

  /* Why `view` has no row. */
  why(view, unnamed, otherwise, what = "event") {
    const unmatched = this.known.get(view)?.unmatched ?? 0;
    return unmatched > 0 ? `${plural(unmatched, what)} ${unnamed}` : otherwise;
  }

  unmatched(view) {
    return this.known.get(view)?.unmatched ?? 0;
  }
}
