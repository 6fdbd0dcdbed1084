/* snippets.js - a query as text to paste: for curl, for pyzmq, for the Python package. */

/* A shell's word in single quotes. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function asCurl(query, base = location.href) {
  const address = new URL("query", new URL(base)).href;
  return `curl --json ${quoted(JSON.stringify(query))} ${quoted(address)}\n`;
}

/* JSON is Python but for three words. */
export function asPython(value) {
  if (value === null) {
    return "None";
  }
  if (typeof value === "boolean") {
    return value ? "True" : "False";
  }
  if (Array.isArray(value)) {
    return `[${value.map(asPython).join(", ")}]`;
  }
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${asPython(each)}`).join(", ")}}`;
  }
  return JSON.stringify(value);
}

export function asZmq(query) {
  return `import json, zmq
socket = zmq.Context.instance().socket(zmq.REQ)
socket.connect("tcp://127.0.0.1:7172")  # [aggregator] listen
socket.send_json(${asPython(query)})
print(json.dumps(socket.recv_json(), indent=1))
`;
}

export function asPackage(query) {
  return `import till
with till.Client("tcp://127.0.0.1:7172") as client:  # [aggregator] listen
    print(client.ask(${asPython(query)}))
`;
}

export const copies = (query) => [["Copy as curl", asCurl(query)], ["Copy for pyzmq", asZmq(query)], ["Copy for the Python package", asPackage(query)],
  ["Copy the JSON", JSON.stringify(query)]];
