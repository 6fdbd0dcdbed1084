"""Users are hidden before anything is written; what an operator decides is written down."""
import json
import subprocess

import pytest
from harness import Sender, program

KEY = "a-key-of-the-stores-5b1e90d2"
SECRETS = (b"alice-4711", b"9876543217")


def order(number, **rest):
    return {"order_id": f"o{number}", "product_id": "tea", "quantity": 1, "unit_price": "1.00", **rest}


def places_of(secret, folder):
    return [path for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_users_are_known_by_pseudonyms_only(pipeline, broker, prefix, tmp_path):
    key = tmp_path / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    line = pipeline(edges=("store-1", "store-2"), options={"till-edge": [f"privacy.pseudonym_key_file={key}"]})
    line.start_aggregator()
    for edge, encoding in (("store-1", "json"), ("store-2", "msgpack")):
        sender = Sender(line.endpoint(edge), encoding)
        assert sender.ask([order(1, user_id="alice-4711"), order(2, customer_id=9876543217)])["ok"]
        letters = [order(3, user_id="alice-4711", tax="x"), order(4, customer_id=9876543217, tax="x")]
        assert sender.ask(letters)["invalid"] == 2
    line.wait_settled()

    users = {row["user_id"]: row["order_count"] for row in line.client.scan("users")}
    assert sorted(users.values()) == [2, 2] and all(len(user) == 28 and user.startswith("p_") for user in users)
    letters = subprocess.run(["kcat", "-C", "-e", "-q", "-b", broker.bootstrap, "-t", f"{prefix}orders.dlq", "-o", "beginning",
                              "-f", "%s\n"], capture_output=True, timeout=60, check=True).stdout
    for user in users:
        assert letters.count(user.encode()) == 2  # one of each edge, and each can be read as what it was
    for secret in SECRETS:
        assert secret not in letters
        assert places_of(secret, tmp_path) == []  # spools, store, logs


@pytest.mark.parametrize("place", ["there", "full"])
def test_what_an_operator_decides_is_written_down_or_not_done(tmp_path, place):
    audit, data = tmp_path / "audit.ndjson", tmp_path / "store"
    data.mkdir()
    path = audit if place == "there" else "/dev/full"
    arguments = ["-o", f"aggregator.data={data}", "-o", "aggregator.brokers=127.0.0.1:1", "-o", "http.listen=",
                 "-o", "aggregator.listen=tcp://192.0.2.1:1", "-o", "security.insecure=yes",  # it can't listen there: it ends
                 "-o", f"audit.file={path}", "--accept-gap", "orders/3:1-9", "--rebuild"]
    done = subprocess.run([program("till-aggregator"), *arguments], capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 1, done.stderr
    if place == "full":
        assert "/dev/full can't be written" in done.stderr and list(data.iterdir()) == []
        return
    lines = [json.loads(each) for each in audit.read_text().splitlines()]
    assert [(each["action"], each["arguments"]) for each in lines] == [
        ("start", str(data)), ("accept-gap", "orders/3:1-9"), ("rebuild", str(data))]
    assert all(each["program"] == "till-aggregator" and each["who"].startswith("uid:") for each in lines)
