#!/usr/bin/python3
"""Makes seed corpora out of the conformance vectors: DIR/TARGET/… for the targets that read what vectors hold.

usage: seeds.py VECTORS DIR
"""
import hashlib
import json
import sys
from pathlib import Path

# target -> (file, keys of hex, keys of text)
TARGETS = {
    "event": [("events", ["in_hex", "msgpack"], []), ("normal_form", ["msgpack"], [])],
    "event_json": [("events", [], ["in_json", "json"]), ("normal_form", [], ["json"])],
    "msgpack": [("events", ["in_hex", "msgpack"], [])],
    "json": [("events", [], ["in_json", "json"])],
    "wire": [("wire", ["hex"], [])],
    "query": [("queries", ["msgpack"], ["json"])],
    "producer": [("headers", ["in_hex", "msgpack"], ["json"]), ("replies", ["msgpack"], ["json", "in_json"])],
    "dead_letter": [("dead_letters", ["envelope"], [])],
}


def seeds(vectors, sources):
    for name, hex_keys, text_keys in sources:
        for line in (vectors / f"{name}.ndjson").read_text(encoding="utf-8").splitlines():
            vector = json.loads(line)
            yield from (bytes.fromhex(vector[key]) for key in hex_keys if vector.get(key))
            yield from (vector[key].encode() for key in text_keys if vector.get(key))
            if "headers" in vector:
                yield "\0".join(vector["headers"].values()).encode()


def main():
    vectors, out = Path(sys.argv[1]), Path(sys.argv[2])
    for target, sources in TARGETS.items():
        folder = out / target
        folder.mkdir(parents=True, exist_ok=True)
        for seed in seeds(vectors, sources):
            (folder / hashlib.sha1(seed).hexdigest()[:16]).write_bytes(seed)


main()
