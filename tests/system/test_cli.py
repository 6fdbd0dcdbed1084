"""The command line tool against the real programs: what it sends, shows, and the code it ends with."""
import json
import os
import subprocess

import pytest
from harness import Sender, free_port, program, till, wait_until
from test_spine import order

ROWS = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,85123A,"LANTERN, ""WHITE"" METAL",6,2010-12-01 08:26:00,2.55,17850.0,France
1,71053,"TWO
LINES",1,2010-12-01 08:26:00,3.39,17850.0,France
2,71053,RETURN,-1,2010-12-01 08:28:00,3.39,,Germany
3,71053,BAD PRICE,1,2010-12-01 08:28:00,"3,39",,France
4,TOO,FEW
5,22752,LAST,2,2010-12-01 08:34:00,7.65,1.0,France
"""
MAP = "order_id=InvoiceNo,product_id=StockCode,quantity=Quantity,unit_price=UnitPrice,ts=InvoiceDate,user_id=CustomerID"


@pytest.fixture
def pipe(pipeline):
    made = pipeline()
    made.start_aggregator()
    return made


def send(pipe, file, *more):
    done = till("send", "--to", pipe.endpoint("store-1"), "--csv", "--map", MAP, "--json", *more, file)
    return done, json.loads(done.stdout or "{}")


def test_output_that_a_full_disk_cuts_short_is_no_success():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([program("till"), "help"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1 and b"No space left" in done.stderr, done


def test_send_reads_csv_as_people_write_it(pipe, tmp_path):
    csv = tmp_path / "sales.csv"
    csv.write_bytes(b"\xef\xbb\xbf" + ROWS.replace("\n1,71053", "\r\n1,71053").encode())
    done, totals = send(pipe, csv, "--set", "currency=GBP", "--set", "channel=web")
    assert done.returncode == 1, "a row was invalid"
    assert (totals["sent_ok"], totals["sent_invalid"], totals["sent_repeated"], totals["sent_error"]) == (4, 2, 0, 0), totals
    assert totals["throughput_eps"] > 0 and totals["avg_ack_ms"] >= 0
    assert "3,39" in done.stderr, done.stderr
    pipe.wait_settled()
    rows = {row["product_id"]: (row["order_count"], row["total_quantity"], row["total_revenue"], row["currency"])
            for row in pipe.client.scan("products")}
    assert rows == {"85123A": (1, 6, "15.30", "GBP"), "71053": (2, 0, "0.00", "GBP"), "22752": (1, 2, "15.30", "GBP")}


def test_send_with_a_producer_counts_a_file_once_even_when_it_has_grown(pipe, tmp_path):
    csv = tmp_path / "sales.csv"
    head, *rows = ["a,b", *[f"{number},tea" for number in range(2500)]]
    arguments = ["send", "--to", pipe.endpoint("store-1"), "--csv", "--map", "order_id=a,product_id=b", "--set",
                 "unit_price=1.00", "--producer", "till-7", "--json", csv]
    csv.write_text("\n".join([head, *rows[:1234]]) + "\n")
    first = json.loads(till(*arguments).stdout)
    again = json.loads(till(*arguments).stdout)
    csv.write_text("\n".join([head, *rows]) + "\n")
    grown = json.loads(till(*arguments).stdout)
    assert [each["sent_ok"] for each in (first, again, grown)] == [1234, 0, 1266]
    assert (again["sent_repeated"], grown["sent_repeated"]) == (1234, 1234)
    pipe.wait_settled()
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 2500


@pytest.mark.parametrize("form", ["--ndjson", "--msgpack"])
def test_send_takes_json_lines_and_msgpack(pipe, tmp_path, form):
    import msgpack
    events = [order(number) for number in range(10)]
    file = tmp_path / "events"
    file.write_bytes(b"".join(map(msgpack.packb, events)) if form == "--msgpack"
                     else "".join(json.dumps(event) + "\n" for event in events).encode())
    done = till("send", "--to", pipe.endpoint("store-1"), form, "--json", file)
    assert done.returncode == 0 and json.loads(done.stdout)["sent_ok"] == 10, done


def test_nobody_there_is_exit_code_3_and_usage_is_2(tmp_path):
    nobody = f"tcp://127.0.0.1:{free_port()}"
    file = tmp_path / "one.csv"
    file.write_text("order_id,product_id,unit_price\n1,tea,1\n")
    for arguments in (["send", "--to", nobody, "--csv", "--timeout", "300ms", file],
                      ["query", nobody, '{"query":"status"}', "--timeout", "300ms"],
                      ["top", nobody, "--timeout", "300ms"]):
        done = till(*arguments)
        assert done.returncode == 3 and "127.0.0.1" in done.stderr, done
    for arguments in (["send", "--csv", file], ["top", "--no-such-option"], ["nonsense"], ["query"],
                      ["simulate", "--to", nobody, "--rate", "many"]):
        done = till(*arguments)
        assert done.returncode == 2 and done.stderr and not done.stdout, done
    for arguments, hint in ((["top", "products"], "--view products names a view"), (["watch", "products"], "--view products names a view"),
                            (["ledger", nobody], f"--at {nobody} names the aggregator")):
        done = till(*arguments)
        assert done.returncode == 2 and hint in done.stderr, done
    for arguments in (["send", "--to", "mysql://root:secret@host/shop", "--csv", file], ["top", "mysql://root:secret@host/shop"],
                      ["simulate", "--to", "mysql://root:secret@host/shop", "--count", "1"]):
        done = till(*arguments)
        assert done.returncode == 2 and "looks like tcp://127.0.0.1:717" in done.stderr and "secret" not in done.stderr, done


def test_a_command_of_the_python_package_is_known_before_it_is_there(tmp_path):
    nowhere = {**os.environ, "PATH": str(tmp_path)}
    for arguments in (("mart", "--to", "x"), ("help", "mart")):
        done = till(*arguments, env=nowhere)
        assert done.returncode == 2
        assert done.stderr.startswith('till: "mart" comes with the Python package') and "pip install" in done.stderr
    assert 'did you mean "export"?' in till("exprot", env=nowhere).stderr
    (tmp_path / "till-mart").write_text('#!/bin/sh\necho "$@"\nexit 3\n')
    (tmp_path / "till-mart").chmod(0o755)
    done = till("help", "mart", env=nowhere)
    assert (done.returncode, done.stdout) == (3, "--help\n")


def test_an_unknown_command_runs_a_program_of_that_name(tmp_path):
    helper = tmp_path / "till-greet"
    helper.write_text("#!/bin/sh\necho \"greetings $1\"\nexit 7\n")
    helper.chmod(0o755)
    done = till("greet", "world", env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert (done.returncode, done.stdout) == (7, "greetings world\n"), done


def test_simulate_keeps_a_ledger_that_equals_the_totals(pipe, tmp_path):
    ledger = tmp_path / "ledger.json"
    done = till("simulate", "--to", pipe.endpoint("store-1"), "--count", "3000", "--rate", "0", "--invalid", "0.05",
                "--seed", "7", "--ledger", ledger, "--json", deadline=180)
    assert done.returncode in (0, 1), done
    totals = json.loads(done.stdout)
    assert totals["accepted"] + totals["invalid"] == 3000 and 60 < totals["invalid"] < 260, totals
    assert (totals["refused"], totals["unanswered"], totals["surprises"]) == (0, 0, 0), "flaws are found, all and only"
    pipe.wait_settled()
    kept = json.loads(ledger.read_text())
    rows = {row["product_id"]: [row["order_count"], row["total_quantity"], row["total_revenue"]]
            for row in pipe.client.scan("products")}
    assert rows == kept["products"] and len(rows) > 50
    assert sum(row["count"] for row in pipe.client.scan("dead_letters")) == totals["invalid"]
    stores = {row["edge"]: (row["order_count"], row["total_revenue"]) for row in pipe.client.scan("stores")}
    assert stores == {edge: (each["accepted"]["order"], each["total_revenue"]) for edge, each in kept["edges"].items()}


def test_top_watch_and_status_show_what_a_query_answers(pipe):
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([order(1, quantity=1000, price="1234.50"), order(2, product="salt", price="9.00")])["ok"]
    pipe.wait_settled()
    endpoint = pipe.aggregator.ready["listen"][0]
    table = till("top", endpoint).stdout
    assert table.index("tea") < table.index("salt") and "1,234,500.00" in table, table
    assert "tea" not in till("top", endpoint, "--ascending", "-n", "1").stdout
    raw = json.loads(till("top", endpoint, "--json").stdout)
    assert [row["product_id"] for row in raw["rows"]] == ["tea", "salt"]
    drawn = till("watch", endpoint, "--count", "2", "--every", "100ms")
    assert drawn.returncode == 0 and drawn.stdout.count("tea") == 2, drawn
    assert "\x1b" not in drawn.stdout, "no escape sequences when it is not a terminal"
    bad = till("top", endpoint, "--view", "prodcts")
    assert bad.returncode == 1 and 'did you mean "products"' in bad.stderr, bad
    http = [each.ready["http"] for each in (pipe.edges["store-1"], pipe.bridges[0], pipe.aggregator)]
    status = till("status", endpoint, *[arg for each in http for arg in ("--http", each)])
    assert status.returncode == 0 and all(each in status.stdout for each in http), status
    assert [line.split() for line in status.stdout.split("\nbaskets\n")[1].splitlines()[:3]] == [["open", "2"], ["closed", "0"], ["lines", "2"]], status
    assert "\nforgotten\nin_force    0\n" in status.stdout and "held.users  0\n" in status.stdout, status
    pipe.bridges[0].kill()
    status = till("status", "--http", http[1])
    assert status.returncode == 3 and http[1] in status.stderr, status


def test_tail_shows_records_and_dlq_lists_and_replays_letters(pipe):
    sender = Sender(pipe.endpoint("store-1"), "json")
    reply = sender.ask([order(1), order(2, price="2,55"), {"kind": "cart", "product_id": "tea"}])
    assert (reply["accepted"], reply["invalid"]) == (1, 2), reply
    pipe.wait_settled()
    orders = f"{pipe.prefix}orders"
    shown = till("tail", orders, "--brokers", pipe.bootstrap, "--from", "beginning", "--until-end", "--json")
    assert shown.returncode == 0, shown
    records = [json.loads(line) for line in shown.stdout.splitlines()]
    assert len(records) == 1 and "tea" in shown.stdout and "2.50" in shown.stdout, shown.stdout
    text = till("tail", orders, "--brokers", pipe.bootstrap, "--from", "beginning", "--count", "1").stdout
    assert "store-1" in text and "tea" in text, text

    letters = ["--brokers", pipe.bootstrap, "--topic", f"{orders}.dlq"]
    listed = till("dlq", "list", *letters, "--json")
    letter = json.loads(listed.stdout.splitlines()[0])
    assert letter["headers"]["__connect.errors.exception.class.name"] == "bad_value", letter
    assert letter["headers"]["till.edge"] == "store-1" and letter["event"]["unit_price"] == "2,55", letter
    place = f"{letter['topic']}/{letter['partition']}/{letter['offset']}"
    assert "2,55" in till("dlq", "show", place, "--brokers", pipe.bootstrap).stdout
    fix = ["--to", pipe.endpoint("store-1"), "--set", "unit_price=2.55", place, "--brokers", pipe.bootstrap]
    dry = till("dlq", "replay", *fix, "--dry-run")
    assert dry.returncode == 0 and "2.55" in dry.stdout, dry
    assert pipe.edges["store-1"].metric("till_edge_events_accepted_total") == 1, "a dry run sends nothing"
    for _ in range(2):  # replaying it again counts nothing twice
        done = till("dlq", "replay", *fix)
        assert done.returncode == 0, done
    pipe.wait_settled()
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 2


def test_spool_is_listed_shown_verified_and_exported_also_when_the_edge_is_dead(pipeline, tmp_path):
    pipe = pipeline(bridges=0, edges=())
    edge = pipe.start_edge("store-1", bridges=f"tcp://127.0.0.1:{free_port()}")
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([order(number) for number in range(5)])["ok"]
    sender.ask([order(9, price="2,55")])
    data = tmp_path / "edge-store_1"
    running = till("spool", "list", data)
    assert running.returncode == 0 and "order.dlq" in running.stdout, running
    edge.kill()
    assert till("spool", "list", data).stdout.splitlines()[-1:] == running.stdout.splitlines()[-1:]
    assert "tea" in till("spool", "show", data).stdout
    verified = till("verify", "spool", data)
    assert verified.returncode == 0, verified
    exported = till("spool", "export", data)
    events = [json.loads(line) for line in exported.stdout.splitlines()]
    assert sum("order_id" in json.dumps(event) for event in events) >= 5, exported
    assert till("verify", "spool", tmp_path / "nothing").returncode in (1, 3)


def test_verify_reads_a_store_and_finds_it_whole(pipe, tmp_path):
    assert Sender(pipe.endpoint("store-1")).ask([order(number) for number in range(100)])["ok"]
    pipe.wait_settled()
    pipe.aggregator.stop()
    verified = till("verify", "store", tmp_path / "store")
    assert verified.returncode == 0 and verified.stdout, verified


def test_the_demo_runs_until_it_is_interrupted():
    import signal
    process = subprocess.Popen([str(program("till")), "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               stdin=subprocess.DEVNULL)
    seen = []
    wait_until(lambda: seen.append(process.stdout.readline()) or any("orders counted" in line for line in seen), "a table", 120)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, "".join(seen) + out
