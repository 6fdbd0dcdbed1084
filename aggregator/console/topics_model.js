/* topics_model.js - what an answer to "topics" adds up to. Pure. */
export const ROLES = {
  events: "Events", dead_letters: "Dead letters", source: "Declared source", telemetry: "Reports of edges", other: "Not till's",
};
const ORDER = Object.keys(ROLES);

const sum = (parts, of) => (parts.some((part) => of(part) === null) ? null : parts.reduce((total, part) => total + of(part), 0));

/* Of those that are still there; null where Kafka did not say of each. */
export const recordsOf = (topic) => sum(topic.partitions, (part) => (part.latest === null || part.earliest === null ? null : part.latest - part.earliest));
/* Null where it is not read. */
export const lagOf = (topic) => sum(topic.partitions, (part) => part.lag);
/* All that was ever written. */
export const writtenTo = (topic) => sum(topic.partitions, (part) => part.latest);

export function replicas(topic) {
  const least = Math.min(...topic.partitions.map((part) => part.in_sync.length));
  const most = Math.max(...topic.partitions.map((part) => part.replicas.length));
  return { least, most, missing: topic.partitions.filter((part) => part.leader === null).length };
}

/* As they are read: events, dead letters, and the rest. */
export const sorted = (topics) => topics.toSorted((a, b) => ORDER.indexOf(a.role) - ORDER.indexOf(b.role) || a.name.localeCompare(b.name));
