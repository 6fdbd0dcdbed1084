/* page_topics.js - what Kafka holds: brokers, topics and how far they are read, and the records themselves. */
import { browser } from "./record_browser.js";
import { el, renew } from "./dom.js";
import { ago, figure, moment, plural } from "./format.js";
import { panel } from "./panel.js";
import { rowsTable } from "./tables.js";
import { lagOf, recordsOf, replicas, ROLES, sorted } from "./topics_model.js";

export const title = "Topics";

const EVERY_MS = 5000;

export async function render(page) {
  const chosen = page.params.get("topic");
  const cluster = el("div", { class: "cluster" });
  const grid = el("div", { class: "grid" });
  const seen = { answer: null };
  const parts = chosen ? topicParts(page, chosen) : null;
  const list = panel(page, {
    title: "Topics", name: "topics", wide: 12, query: { query: "topics" }, every: EVERY_MS, rows: (answer) => [...answer.topics, ...answer.missing],
    note: "Records are those that Kafka still has. Lag: what this aggregator has yet to read.",
    empty: (answer) => (answer.kafka.reachable ? "Kafka has no topic yet: the first event makes one." : "Kafka was not reached since the aggregator started."),
    draw: (box, answer) => {
      seen.answer = answer;
      renew(cluster, clusterOf(answer));
      renew(box, topicTables(page, answer, chosen, box.querySelector("details")?.open));
      parts?.draw(answer);
    },
  });
  page.main.append(el("p", { class: "lead" }, "What Kafka holds, and how far it is read. Asked of Kafka itself, every five seconds while this page is open."), cluster, grid);
  grid.append(...(parts ? [parts.element, parts.browser.element, list.element] : [list.element]));
}

/* ---- the cluster */

function clusterOf(answer) {
  const { kafka, cluster } = answer;
  const brokers = cluster?.brokers ?? [];
  return [
    kafka.reachable ? null : el("p", { class: "state bad", "data-away": "" }, el("b", {}, "Kafka is away"), ` since ${moment(kafka.unreachable_since_ms)}: ${kafka.error}. `,
      kafka.seen_ms === null ? `It is tried at ${kafka.brokers}.` : `What is below was so ${ago(Date.now() - kafka.seen_ms)}.`),
    cluster === null ? null : el("ul", { class: "summary" },
      el("li", {}, el("span", { class: "pill" }, `Cluster ${cluster.id ?? "without an id"}`)),
      brokers.map((broker) => el("li", { "data-broker": broker.id }, el("span", { class: "pill" }, `Broker ${broker.id}: ${broker.host}:${broker.port}${broker.controller ? ", controller" : ""}`)))),
  ];
}

/* ---- all topics */

const syncWords = (topic) => {
  const { least, most, missing } = replicas(topic);
  if (missing > 0) {
    return el("span", { class: "pill bad" }, `${plural(missing, "partition")} without a leader`);
  }
  return least < most ? el("span", { class: "pill warn" }, `${least} of ${most} in sync`) : `${most} in sync`;
};

function topicTables(page, answer, chosen, isUnfolded) {
  const columns = [
    { key: "name", label: "Topic", cell: (topic) => el("a", { href: page.link("topics", { topic: topic.name }), "aria-current": topic.name === chosen ? "true" : null }, topic.name) },
    { key: "role", label: "What it is", cell: (topic) => ROLES[topic.role] },
    { key: "partitions", label: "Partitions", kind: "number", cell: (topic) => figure(topic.partitions.length) },
    { key: "records", label: "Records", kind: "number", cell: (topic) => figure(recordsOf(topic)) },
    { key: "lag", label: "Lag", kind: "number", cell: (topic) => figure(lagOf(topic)) },
    { key: "sync", label: "Copies", cell: (topic) => (topic.error ? el("span", { class: "pill bad" }, topic.error) : syncWords(topic)) },
    { key: "retention", label: "Kept", cell: (topic) => keptWords(topic) },
  ];
  const labelled = (rows, caption) => {
    const table = rowsTable(columns, rows, caption);
    table.classList.add("stacked");
    columns.forEach((column, index) => table.querySelectorAll(`tbody tr > :nth-child(${index + 1})`).forEach((cell) => cell.setAttribute("data-label", column.label)));
    return el("div", { class: "scroll tallest", tabindex: "0", role: "region", "aria-label": caption }, table);
  };
  const ours = sorted(answer.topics.filter((topic) => topic.role !== "other"));
  const others = answer.topics.filter((topic) => topic.role === "other");
  return [
    labelled(ours, "Topics of till's"),
    answer.missing.length > 0 ? el("p", { class: "under" }, "Not there yet: ", answer.missing.join(", "), ". The bridge makes a topic when its first event comes.") : null,
    others.length > 0 ? el("details", { class: "hand", open: isUnfolded }, el("summary", {}, plural(others.length, "other topic")), labelled(others, "Other topics of this Kafka")) : null,
    answer.internal.length > 0 ? el("p", { class: "under" }, `Kafka's own: ${answer.internal.join(", ")}.`) : null,
    answer.left_out > 0 ? el("p", { class: "under" }, `${plural(answer.left_out, "topic")} more, left out.`) : null,
  ];
}

const settingOf = (topic, name) => topic.settings.find((setting) => setting.name === name)?.value;

function keptWords(topic) {
  if (topic.settings_error) {
    return el("span", { class: "none", title: topic.settings_error }, "not known");
  }
  if ((settingOf(topic, "cleanup.policy") ?? "").includes("compact")) {
    return "the last of each key";
  }
  const ms = Number(settingOf(topic, "retention.ms") ?? 6048e5);
  return ms < 0 ? "for ever" : ms % 864e5 === 0 ? plural(ms / 864e5, "day") : plural(Math.round(ms / 36e5), "hour");
}

/* ---- one topic */

function topicParts(page, name) {
  const box = el("div", { class: "box" });
  const records = browser(page, name);
  const element = el("section", { class: "panel wide-12", "aria-labelledby": "topic-title", "data-panel": "topic" },
    el("header", {}, el("div", {}, el("h2", { id: "topic-title" }, name)), el("div", { class: "tools" }, el("a", { class: "button", href: page.link("topics") }, "All topics"))), box);
  const columns = (topic) => [
    { key: "partition", label: "Partition", cell: (part) => (topic.role === "other" ? String(part.partition)
      : el("button", { type: "button", class: "small", "aria-label": `Records of partition ${part.partition}`, on: { click: () => records.open(part.partition) } }, String(part.partition))) },
    { key: "earliest", label: "Earliest", kind: "integer" },
    { key: "latest", label: "Latest", kind: "integer" },
    { key: "position", label: "Read to", kind: "integer" },
    { key: "lag", label: "Lag", kind: "integer" },
    { key: "leader", label: "Leader", cell: (part) => (part.leader === null ? el("span", { class: "pill bad" }, "none") : String(part.leader)) },
    { key: "replicas", label: "Copies on", cell: (part) => part.replicas.join(", ") },
    { key: "in_sync", label: "In sync", cell: (part) => (part.in_sync.length < part.replicas.length ? el("span", { class: "pill warn" }, part.in_sync.join(", ") || "none") : part.in_sync.join(", ")) },
  ];
  const draw = (answer) => {
    const topic = answer.topics.find((each) => each.name === name);
    if (!topic) {
      renew(box, el("p", { class: "state empty" }, answer.missing.includes(name) ? "Kafka does not have this topic yet: its first event makes it." : "Kafka has no such topic."));
      return;
    }
    records.know(topic);
    renew(box,
      el("p", { class: "note" }, `${ROLES[topic.role]}; ${plural(recordsOf(topic) ?? 0, "record")} in ${plural(topic.partitions.length, "partition")}`),
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Partitions of ${name}` }, rowsTable(columns(topic), topic.partitions, `Partitions of ${name}`)),
      el("h3", {}, "Settings that are not Kafka's defaults"),
      topic.settings_error ? el("p", { class: "note" }, `Kafka did not say: ${topic.settings_error}`)
        : topic.settings.length === 0 ? el("p", { class: "note" }, "None: it is as Kafka makes topics.")
          : el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Settings of ${name}` }, rowsTable([{ key: "name", label: "Setting" }, { key: "value", label: "Value", cell: (each) => el("code", {}, each.value ?? "hidden") },
            { key: "source", label: "Set for", cell: (each) => ({ topic: "this topic", broker: "the broker", cluster: "the cluster", unknown: "not known" })[each.source] }], topic.settings, `Settings of ${name}`)));
  };
  return { element, browser: records, draw };
}
