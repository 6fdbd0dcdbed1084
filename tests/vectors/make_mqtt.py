#!/usr/bin/python3
"""Writes mqtt.ndjson and mqtt_topics.ndjson beside this file: what a broker may send to a receiving client, what it may
not, what the client sends, and which topics a pattern takes.

An encoder of its own, written from the standards (MQTT 3.1.1 and 5.0, OASIS); it never asks till. The cases are those
that other implementations publish as tests, read and written anew from the client's side. `from` of a line names the
one that a case was taken from:

    datatype_read    mosquitto test/unit/datatype_read.c: integers and strings at their borders
    property_read    mosquitto test/unit/property_read.c: each property alone, twice, out of range, cut off, misplaced
    utf8             mosquitto test/unit/utf8.c (Markus Kuhn's stress test): text in a topic
    util_topic       mosquitto test/unit/util_topic_test.c: filters and topics
    broker_data      mosquitto test/broker/data/*.json: packets with each flag, length, id and reason code
    broker_scripts   mosquitto test/broker/13-malformed-publish-v5.py
    lib              mosquitto test/lib/*.py: what a client is sent and says
    paho             paho.mqtt.testing interoperability/mqtt/formats/MQTTV5 and client_test5.py
    standard         rules of the standard that none of them tries

Where they differ from the standard the standard wins: mosquitto refuses control characters and non-characters in text
and a reason code 0x92 nowhere; the standard lets a receiver take the former (1.5.4).
"""
import json
from pathlib import Path

HERE = Path(__file__).parent
OLD, NEW = "3.1.1", "5"
LINES = []

# --- the encoder --------------------------------------------------------------------------------------------------

TYPES = {"connect": 1, "connack": 2, "publish": 3, "puback": 4, "pubrec": 5, "pubrel": 6, "pubcomp": 7, "subscribe": 8,
         "suback": 9, "unsubscribe": 10, "unsuback": 11, "pingreq": 12, "pingresp": 13, "disconnect": 14, "auth": 15}

# MQTT 5, table 2-4: identifier, kind, packets that a broker sends with it.
EVERY = ("connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "suback", "disconnect")
REASONS = tuple(kind for kind in EVERY if kind != "publish")
PROPERTIES = {
    "is_text": (0x01, "bool", ("publish",)),
    "expiry_s": (0x02, "four", ("publish",)),
    "content_type": (0x03, "text", ("publish",)),
    "response_topic": (0x08, "text", ("publish",)),
    "correlation_data": (0x09, "binary", ("publish",)),
    "subscription_id": (0x0b, "varint", ("publish",)),
    "session_expiry_s": (0x11, "four", ("connack",)),
    "client_id": (0x12, "text", ("connack",)),
    "keep_alive_s": (0x13, "two", ("connack",)),
    "authentication_method": (0x15, "text", ("connack",)),
    "authentication_data": (0x16, "binary", ("connack",)),
    "response_information": (0x1a, "text", ("connack",)),
    "server_reference": (0x1c, "text", ("connack", "disconnect")),
    "reason_text": (0x1f, "text", REASONS),
    "receive_maximum": (0x21, "two", ("connack",)),
    "topic_alias_maximum": (0x22, "two", ("connack",)),
    "topic_alias": (0x23, "two", ("publish",)),
    "qos_max": (0x24, "bool", ("connack",)),
    "retain": (0x25, "bool", ("connack",)),
    "user_properties": (0x26, "pairs", EVERY),
    "packet_size_max": (0x27, "four", ("connack",)),
    "wildcards": (0x28, "bool", ("connack",)),
    "subscription_ids": (0x29, "bool", ("connack",)),
    "shared": (0x2a, "bool", ("connack",)),
}
CLIENT_ONLY = {0x17: b"\0", 0x18: b"\0\0\0\1", 0x19: b"\0"}  # request problem / response information, will delay
UNKNOWN = [i for i in range(0x80) if i not in CLIENT_ONLY and i not in {row[0] for row in PROPERTIES.values()}]
SAMPLES = {"bool": 1, "two": 0x0102, "four": 0x01020304, "varint": 200, "text": "Köln", "binary": "00ff",
           "pairs": [["k", "v"]]}


def varint(value):
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (128 if value else 0))
        if not value:
            return bytes(out)


def binary(data):
    return len(data).to_bytes(2, "big") + data


def text(value):
    return binary(value.encode())


def value_of(kind, value):
    if kind == "bool":
        return bytes([value])
    if kind in ("two", "four"):
        return value.to_bytes({"two": 2, "four": 4}[kind], "big")
    if kind == "varint":
        return varint(value)
    return binary(bytes.fromhex(value)) if kind == "binary" else text(value)


def prop(name, value):
    identifier, kind, _ = PROPERTIES[name]
    if kind == "pairs":
        return b"".join(bytes([identifier]) + text(k) + text(v) for k, v in value)
    return bytes([identifier]) + value_of(kind, value)


def properties(fields, kind):
    """Of the fields of a packet, those that are properties of such a packet, in the order given."""
    return b"".join(prop(name, value) for name, value in fields.items()
                    if name in PROPERTIES and kind in PROPERTIES[name][2] and not (kind == "publish" and name == "retain"))


def frame(kind, body, flags=0):
    return bytes([TYPES[kind] << 4 | flags]) + varint(len(body)) + body


def with_length(data):
    return varint(len(data)) + data


def publish_head(fields):
    flags = fields.get("dup", 0) << 3 | fields.get("qos", 0) << 1 | fields.get("retain", 0)
    head = text(fields["topic"])
    if fields.get("qos", 0) in (1, 2):
        head += fields["packet_id"].to_bytes(2, "big")
    return flags, head


def encode(version, kind, fields):
    props = with_length(properties(fields, kind)) if version == NEW else b""
    if kind == "connack":
        body = bytes([fields.get("session_present", 0), fields.get("reason", 0)]) + props
        return frame(kind, body)
    if kind == "publish":
        flags, head = publish_head(fields)
        return frame(kind, head + props + bytes.fromhex(fields.get("payload", "")), flags)
    if kind == "suback":
        return frame(kind, fields["packet_id"].to_bytes(2, "big") + props + bytes(fields["reasons"]))
    if kind in ("puback", "pubrec", "pubrel", "pubcomp"):
        body = fields["packet_id"].to_bytes(2, "big")
        if version == NEW and (props != b"\0" or fields.get("reason", 0)):
            body += bytes([fields.get("reason", 0)]) + (props if props != b"\0" else b"")
        return frame(kind, body, 2 if kind == "pubrel" else 0)
    if kind == "disconnect":
        return frame(kind, bytes([fields.get("reason", 0)]) + props)
    return frame(kind, b"")


# --- lines --------------------------------------------------------------------------------------------------------

def good(source, name, version, kind, fields, data=None):
    LINES.append({"from": source, "name": name, "version": version,
                  "hex": (data or encode(version, kind, fields)).hex(), "packet": {"type": kind, **fields}})


def bad(source, name, version, data, error):
    LINES.append({"from": source, "name": name, "version": version, "hex": data.hex(), "error": error})


def publish_with(props, version=NEW):
    return frame("publish", text("topic") + b"\x12\x34" + (with_length(props) if version == NEW else b"") + b"payload", 2)


PUBLISH = {"topic": "topic", "qos": 1, "packet_id": 0x1234, "payload": b"payload".hex()}
MINIMAL = {"connack": {}, "publish": PUBLISH, "puback": {"packet_id": 7}, "pubrec": {"packet_id": 7},
           "pubrel": {"packet_id": 7}, "pubcomp": {"packet_id": 7}, "suback": {"packet_id": 7, "reasons": [0]},
           "disconnect": {}}


def raw(kind, props):
    """The smallest packet of a kind with these bytes as its properties."""
    if kind == "connack":
        return frame(kind, b"\0\0" + with_length(props))
    if kind == "publish":
        return publish_with(props)
    if kind == "suback":
        return frame(kind, b"\0\7" + with_length(props) + b"\0")
    if kind == "disconnect":
        return frame(kind, b"\0" + with_length(props))
    return frame(kind, b"\0\7\0" + with_length(props), 2 if kind == "pubrel" else 0)


# --- integers, strings --------------------------------------------------------------------------------------------

def datatypes():
    for value in (1, 127, 128, 16383, 16384, 2097151, 2097152, 268435455):
        good("datatype_read", f"subscription id {value}", NEW, "publish", {**PUBLISH, "subscription_id": value})
    for data in ("80", "8080", "808080", "80808080"):
        bad("datatype_read", f"a variable length integer {data} cut off", NEW,
            publish_with(b"\x0b" + bytes.fromhex(data)), "length" if len(data) == 8 else "property_length")
    bad("datatype_read", "a variable length integer of five bytes", NEW, publish_with(b"\x0b\x80\x80\x80\x80\1"), "length")
    for data in ("8000", "ff00", "808100", "ffff00", "80808100", "ffffff00"):
        bad("datatype_read", f"a variable length integer {data} longer than need be", NEW,
            publish_with(b"\x0b" + bytes.fromhex(data)), "length")
    bad("standard", "a remaining length longer than need be", NEW, bytes.fromhex("d08000"), "length")
    good("standard", "3.1.1 allows a remaining length longer than need be", OLD, "pingresp", {}, bytes.fromhex("d08000"))
    for first in ("30", "d0", "62"):
        bad("datatype_read", f"a remaining length of five bytes behind {first}", NEW,
            bytes.fromhex(first + "8080808001"), "length")
    for size in (0, 1, 56, 127, 128, 8888):
        good("paho", f"a payload of {size} bytes", NEW, "publish", {**PUBLISH, "payload": "61" * size})
    good("datatype_read", "an empty text", NEW, "publish", {**PUBLISH, "content_type": ""})
    good("datatype_read", "text with U+FEFF, which is no byte order mark", NEW, "publish", {**PUBLISH, "content_type": "\ufeffa"})
    bad("datatype_read", "a text without its length", OLD, frame("publish", b"\0"), "short")
    bad("datatype_read", "a text shorter than its length", OLD, frame("publish", b"\0\5topi"), "short")
    bad("datatype_read", "a text with NUL", NEW, publish_with(b"\3\0\3a\0b"), "text")


# --- text ---------------------------------------------------------------------------------------------------------

def utf8():
    valid = ("κόσμε", "\u0800", "\U00010000", "\u07ff", "\ud7ff", "\ue000", "\ufffd", "A\U0002a6d4", "\U0010ffff",
             "\uffff", "\u0001", "\u007f", "\u009f")
    for value in valid:
        for version in (OLD, NEW):
            good("utf8", f"topic {value!a}", version, "publish", {**PUBLISH, "topic": value})
    broken = ["c2", "e0a0", "f09080", "f4908080", "80", "bf", "80bf", "c020", "df20", "e020", "ef20", "f020", "f720", "f8888080",
              "fc8480808080", "fe", "ff", "c0", "e080", "f08080", "c0af", "e080af", "f08080af", "c1bf", "e09fbf", "f08fbfbf",
              "c080", "e08080", "f0808080", "eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf",
              "eda080edb080", "00", "610062"]
    for data in broken:
        for version in (OLD, NEW):
            body = binary(bytes.fromhex(data)) + b"\x12\x34" + (b"\0" if version == NEW else b"")
            bad("utf8", f"topic {data}", version, frame("publish", body, 2), "text")


# --- properties ---------------------------------------------------------------------------------------------------

def one_property(name):
    identifier, kind, packets = PROPERTIES[name]
    value = SAMPLES[kind]
    encoded = prop(name, value)
    for packet in packets:
        fields = {**MINIMAL[packet], name: value}
        if name == "topic_alias":
            bad("property_read", "a topic alias, which we never offer", NEW, raw(packet, encoded), "topic_alias")
        elif name == "authentication_method" or not (packet == "publish" and name == "retain"):
            good("property_read", f"{name} in {packet}", NEW, packet, fields, raw(packet, encoded))
        if kind == "pairs":
            good("property_read", f"{name} twice in {packet}", NEW, packet, {**MINIMAL[packet], name: value + value},
                 raw(packet, encoded * 2))
        elif name == "subscription_id":
            good("property_read", f"{name} twice in {packet}: of two subscriptions that match", NEW, packet, fields,
                 raw(packet, encoded + prop(name, 5)))
        else:
            bad("property_read", f"{name} twice in {packet}", NEW, raw(packet, encoded * 2), "property_twice")
        cut = [encoded[:size] for size in range(1, len(encoded))]
        for part in cut:
            bad("property_read", f"{name} cut off after {len(part)} in {packet}", NEW, raw(packet, part), "property_length")
        if kind == "bool":
            bad("property_read", f"{name} is 2 in {packet}", NEW, raw(packet, bytes([identifier, 2])), "property_value")
        if name in ("receive_maximum", "packet_size_max", "topic_alias", "subscription_id"):
            zero = value_of(kind, 0)
            bad("property_read", f"{name} is 0 in {packet}", NEW, raw(packet, bytes([identifier]) + zero), "property_value")
        if kind in ("text", "pairs"):
            tail = text("v") if kind == "pairs" else b""
            bad("property_read", f"{name} with NUL in {packet}", NEW, raw(packet, bytes([identifier]) + b"\0\3h\0h" + tail), "text")
    for packet in EVERY:
        if packet not in packets:
            bad("property_read", f"{name} in {packet}", NEW, raw(packet, encoded), "property")


def property_cases():
    for name in PROPERTIES:
        one_property(name)
    for packet in EVERY:
        for identifier, value in CLIENT_ONLY.items():
            bad("broker_data", f"property {identifier:#x} of clients in {packet}", NEW, raw(packet, bytes([identifier]) + value), "property")
        for identifier in UNKNOWN if packet == "publish" else (0x00, 0x04, 0x10, 0x7f):
            bad("broker_data", f"unknown property {identifier:#x} in {packet}", NEW, raw(packet, bytes([identifier, 1])), "property")
        for identifier in ("8001", "ff7f", "808001", "ffff7f", "80808001", "ffffff7f"):
            bad("broker_data", f"unknown property {identifier} in {packet}", NEW, raw(packet, bytes.fromhex(identifier) + b"\1"), "property")
        bad("broker_data", f"a property identifier longer than need be in {packet}", NEW, raw(packet, b"\x80\0\1"), "length")
        good("property_read", f"no properties in {packet}", NEW, packet, MINIMAL[packet], raw(packet, b""))
    bad("property_read", "properties longer than the packet", NEW, frame("connack", b"\0\0\5\x13\0"), "short")
    bad("property_read", "properties longer than the PUBLISH", NEW, frame("publish", text("topic") + b"\x12\x34\5\1\1", 2), "short")
    everything = {name: SAMPLES[row[1]] for name, row in PROPERTIES.items() if "publish" in row[2] and name != "topic_alias"}
    good("property_read", "all of a PUBLISH", NEW, "publish", {**PUBLISH, **everything})
    everything = {name: SAMPLES[row[1]] for name, row in PROPERTIES.items() if "connack" in row[2]}
    good("property_read", "all of a CONNACK", NEW, "connack", everything)
    bad("broker_data", "a response topic with a wildcard", NEW, publish_with(prop("response_topic", "a/#")), "topic")
    good("paho", "user properties keep their order and may repeat", NEW, "publish",
         {**PUBLISH, "user_properties": [["a", "2"], ["c", "3"], ["a", "2"], ["", ""]]})


# --- flags, ids, lengths, reason codes ----------------------------------------------------------------------------

CONNACK_REASONS = [0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b,
                   0x9c, 0x9d, 0x9f]
SUBACK_REASONS = [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2]
ACK_REASONS = [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
DISCONNECT_REASONS = [0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
                      0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2]
# All that any packet has, and some that none has.
CODES = [0, 1, 2, 3, 4, 5, 0x0f, 0x10, 0x11, 0x18, 0x19, 0x20, 0x7f, *range(0x80, 0xa4), 0xfe, 0xff]


def connacks():
    reasons = {1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}
    for present in (0, 1):
        for version in (OLD, NEW):
            good("broker_data", f"session present {present}", version, "connack", {"session_present": present})
    for code, reason in reasons.items():
        good("broker_data", f"return code {code}", OLD, "connack", {"reason": reason}, frame("connack", bytes([0, code])))
        good("standard", f"return code {code} of a broker that speaks only 3.1.1", NEW, "connack", {"reason": reason},
             frame("connack", bytes([0, code])))
    for code in (6, 0x80, 0xff):
        bad("broker_data", f"return code {code}", OLD, frame("connack", bytes([0, code])), "reason")
    for code in CODES:
        if code in CONNACK_REASONS:
            good("broker_data", f"reason {code:#x}", NEW, "connack", {"reason": code})
        elif code:
            bad("broker_data", f"reason {code:#x}", NEW, encode(NEW, "connack", {"reason": code}), "reason")
    for bit in (2, 4, 8, 0x10, 0x20, 0x40, 0x80):
        bad("broker_data", f"acknowledge flags {bit:#x}", OLD, frame("connack", bytes([bit, 0])), "flags")
        bad("broker_data", f"acknowledge flags {bit:#x}", NEW, frame("connack", bytes([bit, 0, 0])), "flags")
    bad("standard", "a refusal with a session", OLD, frame("connack", b"\1\5"), "flags")
    bad("standard", "a refusal with a session", NEW, frame("connack", b"\1\x87\0"), "flags")
    bad("broker_data", "long", OLD, frame("connack", b"\0\0\0"), "long")
    bad("broker_data", "long", NEW, frame("connack", b"\0\0\0\0"), "long")
    for body in (b"", b"\0"):
        for version in (OLD, NEW):
            bad("broker_data", f"short {len(body)}", version, frame("connack", body), "short")
    bad("broker_data", "short 2", NEW, frame("connack", b"\0\0"), "short")


def fixed_headers():
    whole = {"connack": "0000", "puback": "0001", "pubrec": "0001", "pubrel": "0001", "pubcomp": "0001", "suback": "000100",
             "unsuback": "0001", "pingresp": "", "disconnect": ""}
    for kind, body in whole.items():
        for flags in range(16):
            if flags != (2 if kind == "pubrel" else 0):
                bad("broker_data", f"{kind} with flags {flags}", OLD, frame(kind, bytes.fromhex(body), flags), "flags")
                bad("broker_data", f"{kind} with flags {flags}", NEW, frame(kind, bytes.fromhex(body), flags), "flags")
    for first in (0x00, 0x01, 0x08, 0x10, 0x82, 0xa2, 0xc0):
        for version in (OLD, NEW):
            bad("broker_data", f"first byte {first:#x}", version, bytes([first, 0]), "type")
    bad("broker_data", "AUTH", OLD, bytes.fromhex("f000"), "type")
    bad("broker_data", "DISCONNECT from a broker", OLD, bytes.fromhex("e000"), "type")
    for version in (OLD, NEW):
        good("broker_data", "PINGRESP", version, "pingresp", {})
        bad("broker_data", "PINGRESP long", version, bytes.fromhex("d00100"), "long")


def publishes():
    plain = {"topic": "topic", "payload": b"payload".hex()}
    for version in (OLD, NEW):
        tail = (b"\0" if version == NEW else b"") + b"payload"
        for retain in (0, 1):
            good("broker_data", f"QoS 0 retain {retain}", version, "publish", {**plain, "qos": 0, "retain": retain})
        good("broker_data", "retain, no payload", version, "publish", {"topic": "topic", "qos": 0, "retain": 1})
        good("lib", "QoS 0 without payload", version, "publish", {"topic": "pub/qos0/no-payload/test", "qos": 0})
        for qos in (1, 2):
            for dup in (0, 1):
                good("broker_data", f"QoS {qos} dup {dup}", version, "publish", {**PUBLISH, "qos": qos, "dup": dup})
            bad("broker_data", f"QoS {qos} id 0", version, frame("publish", text("topic") + b"\0\0" + tail, qos << 1), "packet_id")
            bad("broker_scripts", f"QoS {qos} no id", version, frame("publish", text("topic"), qos << 1), "short")
            for packet_id in (1, 255, 256, 65535):
                good("lib", f"QoS {qos} id {packet_id}", version, "publish", {**PUBLISH, "qos": qos, "packet_id": packet_id})
        bad("broker_data", "QoS 0 dup 1", version, frame("publish", text("topic") + tail, 8), "qos")
        bad("broker_data", "QoS 3 without id", version, frame("publish", text("topic") + tail, 6), "qos")
        bad("broker_data", "QoS 3 with id", version, frame("publish", text("topic") + b"\x12\x34" + tail, 6), "qos")
        for topic in ("", "+opic", "#opic", "+", "#", "a/+", "a/#", "a+", "pub/+/topic"):
            bad("broker_data", f"topic {topic!r}", version, frame("publish", text(topic) + tail), "topic")
        bad("broker_scripts", "remaining length only", version, bytes.fromhex("3000"), "short")
        for name in ("pub//topic", "pub/ /topic", "/", "$SYS/broker/uptime"):
            good("util_topic", f"topic {name!r}", version, "publish", {**plain, "topic": name, "qos": 0})
    bad("broker_scripts", "a topic and no properties", NEW, frame("publish", text("topic")), "short")
    bad("broker_scripts", "a topic, an id and no properties", NEW, frame("publish", text("topic") + b"\0\1", 2), "short")
    good("lib", "QoS 2 with a user property", NEW, "publish", {**PUBLISH, "qos": 2, "user_properties": [["key", "value"]]})
    good("paho", "a message expiry", NEW, "publish", {**PUBLISH, "expiry_s": 1})
    good("paho", "request and response", NEW, "publish",
         {**PUBLISH, "response_topic": "client/response", "correlation_data": "303334"})


def subacks():
    for version, allowed in ((OLD, [0, 1, 2, 0x80]), (NEW, SUBACK_REASONS)):
        props = b"\0" if version == NEW else b""
        for code in CODES:
            data = frame("suback", b"\0\1" + props + bytes([code]))
            if code in allowed:
                good("broker_data", f"reason {code:#x}", version, "suback", {"packet_id": 1, "reasons": [code]})
            else:
                bad("broker_data", f"reason {code:#x}", version, data, "reason")
        good("lib", "several", version, "suback", {"packet_id": 65535, "reasons": allowed})
        bad("broker_data", "one of several is wrong", version, frame("suback", b"\0\1" + props + b"\0\3\0"), "reason")
        bad("broker_data", "id 0", version, frame("suback", b"\0\0" + props + b"\0"), "packet_id")
        bad("broker_data", "no reason", version, frame("suback", b"\0\1" + props), "short")
        bad("broker_data", "short 0", version, frame("suback", b""), "short")
        bad("broker_data", "short 1", version, frame("suback", b"\1"), "short")
    bad("broker_data", "short 2", NEW, frame("suback", b"\0\1"), "short")


def unsubacks():
    good("broker_data", "UNSUBACK", OLD, "unsuback", {"packet_id": 1}, frame("unsuback", b"\0\1"))
    bad("broker_data", "UNSUBACK long", OLD, frame("unsuback", b"\0\1\0"), "long")
    for code in CODES:
        data = frame("unsuback", b"\0\1\0" + bytes([code]))
        if code in (0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91):
            good("broker_data", f"UNSUBACK reason {code:#x}", NEW, "unsuback", {"packet_id": 1, "reasons": [code]}, data)
        else:
            bad("broker_data", f"UNSUBACK reason {code:#x}", NEW, data, "reason")
    good("broker_data", "UNSUBACK with a property", NEW, "unsuback", {"packet_id": 1, "reasons": [0], "reason_text": "p"},
         frame("unsuback", b"\0\1\4\x1f\0\1p\0"))
    for version in (OLD, NEW):
        bad("broker_data", "UNSUBACK id 0", version, frame("unsuback", b"\0\0\0\0"), "packet_id")
        bad("broker_data", "UNSUBACK short 1", version, frame("unsuback", b"\1"), "short")
    bad("broker_data", "UNSUBACK without reasons", NEW, frame("unsuback", b"\0\1\0"), "short")


def acknowledgements():
    for kind in ("puback", "pubrec", "pubrel", "pubcomp"):
        flags = 2 if kind == "pubrel" else 0
        allowed = ACK_REASONS if kind in ("puback", "pubrec") else [0, 0x92]
        for version in (OLD, NEW):
            good("broker_data", "an id alone", version, kind, {"packet_id": 1})
            bad("broker_data", "id 0", version, frame(kind, b"\0\0", flags), "packet_id")
            bad("broker_data", "short 0", version, frame(kind, b"", flags), "short")
            bad("broker_data", "short 1", version, frame(kind, b"\1", flags), "short")
        bad("broker_data", "3.1.1 has no reason", OLD, frame(kind, b"\0\1\0", flags), "long")
        bad("broker_data", "long", NEW, frame(kind, b"\0\1\0\0\0", flags), "long")
        good("lib", "len 3: a reason", NEW, kind, {"packet_id": 56}, frame(kind, b"\0\x38\0", flags))
        good("lib", "len 4: a reason and no properties", NEW, kind, {"packet_id": 56}, frame(kind, b"\0\x38\0\0", flags))
        good("lib", "len >5: a reason and a user property", NEW, kind,
             {"packet_id": 56, "user_properties": [["key", "value"]]})
        for code in CODES:
            if code in allowed:
                good("broker_data", f"reason {code:#x}", NEW, kind, {"packet_id": 1, "reason": code})
            else:
                bad("broker_data", f"reason {code:#x}", NEW, frame(kind, bytes([0, 1, code]), flags), "reason")


def disconnects():
    good("broker_data", "nothing", NEW, "disconnect", {}, bytes.fromhex("e000"))
    good("broker_data", "a reason alone", NEW, "disconnect", {"reason": 0x8b}, bytes.fromhex("e0018b"))
    good("broker_data", "a reason and no properties", NEW, "disconnect", {"reason": 0x8b}, bytes.fromhex("e0028b00"))
    bad("broker_data", "long", NEW, bytes.fromhex("e003000000"), "long")
    for code in CODES:
        if code in DISCONNECT_REASONS:
            good("paho", f"reason {code:#x}", NEW, "disconnect", {"reason": code}, bytes([0xe0, 1, code]))
        else:
            bad("broker_data", f"reason {code:#x}", NEW, bytes([0xe0, 1, code]), "reason")


def streams():
    """Packets back to back, and cut off."""
    three = encode(NEW, "publish", PUBLISH) + encode(NEW, "pingresp", {}) + encode(NEW, "pubrel", {"packet_id": 9})
    LINES.append({"from": "standard", "name": "three packets", "version": NEW, "hex": three.hex(), "count": 3})
    for size in range(len(three)):
        count = sum(size >= end for end in (len(three) - 6, len(three) - 4, len(three)))
        LINES.append({"from": "standard", "name": f"three packets cut off after {size}", "version": NEW,
                      "hex": three[:size].hex(), "count": count})


# --- what the client says -----------------------------------------------------------------------------------------

def says(source, name, version, kind, fields, data):
    LINES.append({"from": source, "name": name, "version": version, "hex": data.hex(), "says": {"type": kind, **fields}})


def connect(version, fields):
    flags = (2 if fields.get("clean") else 0) | (0x80 if "user" in fields else 0) | (0x40 if "password" in fields else 0)
    body = text("MQTT") + bytes([4 if version == OLD else 5, flags]) + fields["keep_alive_s"].to_bytes(2, "big")
    if version == NEW:
        props = b""
        if fields.get("session_expiry_s"):
            props += b"\x11" + fields["session_expiry_s"].to_bytes(4, "big")
        if fields.get("receive_maximum"):
            props += b"\x21" + fields["receive_maximum"].to_bytes(2, "big")
        if fields.get("packet_size_max"):
            props += b"\x27" + fields["packet_size_max"].to_bytes(4, "big")
        body += with_length(props)
    body += text(fields["client_id"])
    for name in ("user", "password"):
        if name in fields:
            body += text(fields[name])
    return frame("connect", body)


def client():
    for fields in ({"client_id": "01-con-discon-success", "keep_alive_s": 60, "clean": True},
                   {"client_id": "01-no-clean-session", "keep_alive_s": 60, "clean": False},
                   {"client_id": "01-unpwd-set", "keep_alive_s": 60, "clean": True, "user": "uname", "password": ";'[08gn=#"},
                   {"client_id": "u", "keep_alive_s": 65535, "user": ""},
                   {"client_id": "Köln", "keep_alive_s": 0, "session_expiry_s": 0xffffffff, "receive_maximum": 20,
                    "packet_size_max": 1000}):
        for version in (OLD, NEW):
            says("lib", "CONNECT", version, "connect", fields, connect(version, fields))
    says("standard", "a password without a user", NEW, "connect", {"client_id": "c", "keep_alive_s": 1, "password": "p"},
         connect(NEW, {"client_id": "c", "keep_alive_s": 1, "password": "p"}))
    for filters in ([["qos0/test", 0, 0]], [["qos1/test", 1, 1], ["qos2/+/#", 2, 2]], [["$share/g/" + "t" * 300, 2, 1]]):
        for version in (OLD, NEW):
            body = b"\0\1" + (b"\0" if version == NEW else b"")
            for topic, qos, handling in filters:
                body += text(topic) + bytes([qos | (handling << 4 if version == NEW else 0)])
            says("lib", "SUBSCRIBE", version, "subscribe", {"packet_id": 1, "filters": filters}, frame("subscribe", body, 2))
    for filters in (["unsubscribe/test"], ["unsubscribe/test", "no-sub/+"]):
        for version in (OLD, NEW):
            body = b"\0\1" + (b"\0" if version == NEW else b"") + b"".join(map(text, filters))
            says("lib", "UNSUBSCRIBE", version, "unsubscribe", {"packet_id": 1, "filters": filters}, frame("unsubscribe", body, 2))
    for kind in ("puback", "pubrec", "pubcomp"):
        for packet_id in (1, 0x1234, 65535):
            for version in (OLD, NEW):
                says("lib", kind, version, kind, {"packet_id": packet_id, "reason": 0}, frame(kind, packet_id.to_bytes(2, "big")))
        says("standard", f"{kind} with a reason", NEW, kind, {"packet_id": 1, "reason": 0x92}, frame(kind, b"\0\1\x92"))
        says("standard", f"{kind} in 3.1.1 has no reason", OLD, kind, {"packet_id": 1, "reason": 0x92}, frame(kind, b"\0\1"))
    for version in (OLD, NEW):
        says("lib", "PINGREQ", version, "pingreq", {}, frame("pingreq", b""))
        says("lib", "DISCONNECT", version, "disconnect", {"reason": 0}, frame("disconnect", b""))
    says("lib", "DISCONNECT with a reason", NEW, "disconnect", {"reason": 0x95}, bytes.fromhex("e00195"))


# --- topics -------------------------------------------------------------------------------------------------------

def topics():
    lines = []

    def pattern(source, text_, topic, captures):
        lines.append({"from": source, "pattern": text_, "topic": topic, "captures": captures})

    for filter_, topic in (("foo/#", "foo/"), ("foo/#", "foo"), ("foo//bar", "foo//bar"), ("foo//+", "foo//bar"),
                           ("foo/+/+/baz", "foo///baz"), ("foo/bar/+", "foo/bar/"), ("foo/bar", "foo/bar"),
                           ("foo/+", "foo/bar"), ("foo/+/baz", "foo/bar/baz"), ("A/B/+/#", "A/B/B/C"),
                           ("foo/+/#", "foo/bar/baz"), ("foo/+/#", "foo/bar"), ("#", "foo/bar/baz"), ("#", "/foo/bar"),
                           ("/#", "/foo/bar")):
        pattern("util_topic", filter_, topic, {})
    for filter_, topic in (("test/6/#", "test/3"), ("foo/bar", "foo"), ("foo/+", "foo/bar/baz"), ("foo/+/baz", "foo/bar/bar"),
                           ("foo/+/#", "fo2/bar/baz"), ("/#", "foo/bar"), ("#", "$SYS/bar"), ("$BOB/bar", "$SYS/bar")):
        pattern("util_topic", filter_, topic, None)
    for filter_ in ("sub/topic", "sub//topic", "sub/ /topic", "sub/+/topic", "+/+/+", "+", "sub/topic/#", "sub//topic/#",
                    "sub/ /topic/#", "sub/+/topic/#", "+/+/+/#", "#"):
        lines.append({"from": "util_topic", "pattern": filter_, "filter": filter_})
    for filter_ in ("+sub/topic", "sub+/topic", "sub/+topic", "sub/topic+", "#sub/topic", "sub#/topic", "sub/topic#",
                    "#/sub/topic", "fo#o/", "foo/#a", ""):
        lines.append({"from": "util_topic", "pattern": filter_, "error": True})
    for filter_, topic in (("$SYS/#", "$SYS/bar"), ("+/x", "y/x")):
        pattern("paho", filter_, topic, {})
    pattern("paho", "+/topic", "$TopicA/topic", None)
    pattern("paho", "$share/sharename/#", "TopicA/B", {})
    for text_, filter_ in (("stores/{store}/orders", "stores/+/orders"), ("carts/{store}/{event_id}", "carts/+/+"),
                           ("$share/g/{a}/#", "$share/g/+/#")):
        lines.append({"from": "standard", "pattern": text_, "filter": filter_})
    for text_ in ("{", "{}", "a/{b", "a/b}", "{A}", "{1}", "{a}/{a}", "x{a}", "$share/g", "$share//a", "$share/g/", "$share/a+/b"):
        lines.append({"from": "standard", "pattern": text_, "error": True})
    pattern("standard", "stores/{store}/orders", "stores/Köln/orders", {"store": "Köln"})
    pattern("standard", "carts/{store}/{event_id}", "carts/b/17", {"store": "b", "event_id": "17"})
    pattern("standard", "carts/{store}/{event_id}", "carts//17", {"store": "", "event_id": "17"})
    pattern("standard", "carts/{store}/{event_id}", "carts/b", None)
    pattern("standard", "{a}/x", "$a/x", None)
    return lines


def write(name, lines):
    with open(HERE / f"{name}.ndjson", "w", encoding="utf-8") as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    datatypes()
    utf8()
    property_cases()
    connacks()
    fixed_headers()
    publishes()
    subacks()
    unsubacks()
    acknowledgements()
    disconnects()
    streams()
    client()
    write("mqtt", LINES)
    write("mqtt_topics", topics())


main()
