"""Users are hidden before anything is written; what an operator decides is written down, with what became of it."""
import json
import subprocess

import pytest
from harness import Sender, program, till, wait_until
from keys import Keys

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
    begun = [("start", str(data)), ("accept-gap", "orders/3:1-9"), ("rebuild", str(data))]
    assert [(each["action"], each["arguments"]) for each in lines] == begun * 2  # and what became of each
    assert {each["result"] for each in lines[:3]} == {"begun"}
    assert all(each["result"].startswith("failed: ") for each in lines[3:])
    assert all(each["program"] == "till-aggregator" and each["who"].startswith("uid:") for each in lines)


def audited(path, action):
    """What the log says of one kind of action: (arguments, result) of each line."""
    lines = [json.loads(each) for each in path.read_text().splitlines()] if path.exists() else []
    return [(each["arguments"], each["result"]) for each in lines if each["action"] == action]


def test_changes_of_keys_are_written_down(pipeline, tmp_path):
    keys, audit = Keys(tmp_path), tmp_path / "audit.ndjson"
    for name in ("aggregator", "boss", "late"):
        keys.make(name, "--views", "*")
    line = pipeline(edges=(), bridges=0, options={"till-aggregator": [
        f"security.key_file={keys.secret('aggregator')}", f"security.authorized={keys.directory('aggregator', 'boss')}",
        f"audit.file={audit}"]})
    line.start_aggregator()
    assert audited(audit, "start") == [(str(tmp_path / "store"), "begun"), (str(tmp_path / "store"), "done")]
    late = f"late {keys.public_text('late')}"
    keys.authorize("aggregator", "late")
    wait_until(lambda: audited(audit, "key-added") == [(late, "done")], "the new key", every=0.1)
    keys.authorize("aggregator", "late", "views = products")
    wait_until(lambda: audited(audit, "key-changed") == [(late, "done")], "its other rights", every=0.1)
    keys.authorize("aggregator", "late", "wishes = all")
    ignored = wait_until(lambda: audited(audit, "key-ignored"), "a file that can't be followed", every=0.1)
    assert "wishes" in ignored[0][0] and ignored[0][1] == "refused: what it said before is in force"
    keys.remove("aggregator", "late")
    wait_until(lambda: audited(audit, "key-removed") == [(late, "done")], "that it is gone", every=0.1)


def test_a_replay_is_written_down_or_not_done(pipeline, broker, prefix, tmp_path):
    audit = tmp_path / "audit.ndjson"
    line = pipeline()
    line.start_aggregator()
    sender = Sender(line.endpoint("store-1"))
    assert sender.ask([order(1, unit_price="2,55")])["invalid"] == 1
    line.wait_settled()
    command = ["dlq", "replay", "--brokers", broker.bootstrap, "--topic", f"{prefix}orders", "--to", line.endpoint("store-1"),
               "--set", "unit_price=2.55"]
    done = till(*command, "--audit", "/dev/full")
    assert done.returncode == 1 and "/dev/full can't be written" in done.stderr and "dlq-replay is not done" in done.stderr
    done = till(*command, "--audit", audit)
    assert done.returncode == 0, done.stderr
    done = till(*command, "--audit", audit)
    assert done.returncode == 0, done.stderr
    said = audited(audit, "dlq-replay")
    assert [result for _, result in said] == [
        "begun", "done: 1 letters, 0 of them replayed before, 0 not accepted",
        "begun", "done: 1 letters, 1 of them replayed before, 0 not accepted"]
    assert {arguments for arguments, _ in said} == {f"all that are meant to {line.endpoint('store-1')} set unit_price"}
