"""The conformance vectors that concern a client: what it writes and what it reads (tests/vectors/README.md)."""
import json
from decimal import Decimal
from fractions import Fraction

import msgpack
import pytest
from harness import ROOT
from till import Column, Refused, Type, line, questions, wire
from till.answers import checked
from till.columns import cell
from till.producer import ack_of, reply_of
from till.producer_state import Frame

FOLDER = ROOT / "tests" / "vectors"
# Why a file says nothing of a client: it is what servers do with bytes that a client neither writes nor reads.
OTHERS = {"events": "what an edge makes of a producer's event, forms that this package never sends among them",
          "normal_form": "records of Kafka", "hashes": "partitions and keys of Kafka", "time": "text of producers that edges read; zones",
          "wire": "between edge and bridge", "dead_letters": "between edge, bridge and Kafka", "debezium": "records of Kafka",
          "debezium_recorded": "records of Kafka", "mqtt": "between edges and MQTT brokers", "mqtt_topics": "an edge's configuration"}
OURS = {"queries", "replies", "headers", "money"}


def vectors(name):
    return [json.loads(line_of) for line_of in (FOLDER / f"{name}.ndjson").read_text(encoding="utf-8").splitlines()]


def test_every_file_is_ours_or_said_why_not():
    assert {path.stem for path in FOLDER.glob("*.ndjson")} == OURS | set(OTHERS)


def test_requests_are_written_to_the_byte():
    good = [vector for vector in vectors("queries") if "msgpack" in vector and "code" not in vector]
    assert len(good) > 50
    for vector in good:
        request = json.loads(vector["json"])
        assert line.packed(request).hex() == vector["msgpack"], vector["json"]


def test_requests_are_what_keyword_arguments_make():
    """Each good get, top, scan and bands is put as the client's arguments and comes out the same."""
    count = 0
    for vector in vectors("queries"):
        request = json.loads(vector["json"]) if "json" in vector and "code" not in vector else {}
        if request.get("query") not in ("get", "top", "scan", "bands") or "view" not in request:
            continue
        options = {{"from": "from_"}.get(name, name): value for name, value in request.items() if name not in ("query", "view", "limit")}
        made = questions.refined(request["query"], request["view"], (), options)
        assert {**made, **({"limit": request["limit"]} if "limit" in request else {})} == request
        count += 1
    assert count > 30


def test_headers_are_written_to_the_byte():
    for vector in vectors("headers"):
        if "msgpack" in vector:
            assert msgpack.packb({"producer": vector["producer"], "n": vector["n"]}).hex() == vector["msgpack"]


def test_replies_are_read():
    settled = refused = 0
    for vector in vectors("replies"):
        if "msgpack" not in vector:
            continue
        reply = reply_of("edge", bytes.fromhex(vector["msgpack"]))
        assert reply == vector["reply"]
        if "error" in reply:
            refused += 1
            continue
        ack = ack_of(Frame(1, b"", 0), reply)
        wanted = vector["reply"]
        assert (ack.accepted, ack.invalid, ack.is_repeated, ack.seq) == (
            wanted["accepted"], wanted["invalid"], wanted["repeated"], {kind: tuple(ends) for kind, ends in wanted["seq"].items()})
        assert [each.code for each in ack.errors] == [each["code"] for each in wanted.get("errors", ())]
        settled += 1
    assert settled
    assert refused


def test_money_is_read_and_written_exactly():
    money, written = Column("m", Type.MONEY, False), 0
    for vector in vectors("money"):
        if "out" in vector and "micros" in vector:
            amount = cell(money, vector["out"])
            assert Fraction(amount) * 10**6 == vector["micros"]
            text = wire.decimal_text(amount)
            assert Decimal(text) == amount
            assert wire.event({"unit_price": amount}) == {"unit_price": text}
            written += 1
        elif "out" in vector and "sum" in vector:
            assert Fraction(cell(money, vector["out"])) * 10**6 == int(vector["sum"])
    assert written > 20
    for vector in vectors("money"):
        if vector.get("error") == "precision" and "text" in vector:
            with pytest.raises(ValueError, match="six decimal places"):
                wire.decimal_text(Decimal(vector["text"]))


def test_a_refusal_is_read():
    with pytest.raises(Refused) as refused:
        checked("aggregator", msgpack.packb({"ok": False, "error": {"code": "busy", "message": "m", "retry_after_ms": 5}}))
    assert (refused.value.code, refused.value.retry_after_ms) == ("busy", 5)
