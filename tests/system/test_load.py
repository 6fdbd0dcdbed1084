"""till load: CSV files become tables of a real PostgreSQL, whole or not at all, and the table says what the file said."""
import csv
import json
import os
import socket
import struct
import subprocess
from pathlib import Path

import pytest
from harness import free_port, program, till
from postgres import PASSWORD


def write(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def load(database, *args, **env):
    return till("load", "--to", database.address, *args, env={**os.environ, **env})


def refused(done, *words):
    assert done.returncode == 1, done
    for word in words:
        assert word in done.stderr, done.stderr


def test_a_files_columns_get_the_types_that_keep_every_cell(database, tmp_path):
    path = write(tmp_path, "Order Lines.csv", "Order ID,sku,qty,big,price,paid,day,at,zoned,code,phone,note,odd,empty\n"
                 '1,tea,-3,9223372036854775807,12.50,TRUE,2010-12-01,2010-12-01 08:26,2010-12-01T08:26:00.5+01:00,007,+49,'
                 '"a ""b"",\tc\\n\r\nd",1,\n'
                 "2147483647,,0,3,7,false,2024-02-29,2024-02-29T23:59:59.123456,2024-02-29 00:00Z,12,1,ä,2147483648x,\n")
    done = load(database, "--key", "Order ID", path)
    assert done.returncode == 0, done.stderr
    assert database.columns("order_lines") == {
        "order_id": "integer", "sku": "text", "qty": "integer", "big": "bigint", "price": "numeric", "paid": "boolean", "day": "date",
        "at": "timestamp without time zone", "zoned": "timestamp with time zone", "code": "text", "phone": "text", "note": "text",
        "odd": "text", "empty": "text"}
    assert database.sql("SELECT sku, big, price, paid, at, zoned AT TIME ZONE 'UTC', code, phone, note, empty FROM order_lines ORDER BY 1") == [
        ["tea", "9223372036854775807", "12.50", "t", "2010-12-01 08:26:00", "2010-12-01 07:26:00.5", "007", "+49", 'a "b",\tc\\n\r\nd', None],
        [None, "3", "7", "f", "2024-02-29 23:59:59.123456", "2024-02-29 00:00:00", "12", "1", "ä", None]]
    refused(load(database, "--key", "order_id", "--if-exists", "append", path), f"{path}:2:", "(order_id)=(1) already exists")


def test_what_is_declared_holds_and_a_cell_that_does_not_fit_is_named_with_its_line(database, tmp_path):
    good = write(tmp_path, "orders.csv", "id,total,at\n1,12.5,2010-12-01\n2,,2010-12-02\n")
    assert load(database, "--types", "total:numeric(10,2),at:timestamp", "--types", "id:bigint", good).returncode == 0
    assert database.columns("orders") == {"id": "bigint", "total": "numeric(10,2)", "at": "timestamp without time zone"}
    bad = write(tmp_path, "bad.csv", 'id,note,total\n1,"two\nlines",1\n2,b,"12,5"\n3,c,3\n')
    refused(load(database, "--types", "total:numeric(10,2)", bad), f"{bad}:4:", '"12,5"')
    assert database.sql("SELECT to_regclass('bad')") == [[None]]
    done = load(database, "--types", "totl:text", bad)
    assert done.returncode == 2 and 'no file has a column "totl"' in done.stderr
    done = load(database, "--types", "total:money", bad)
    assert done.returncode == 2 and '"money" is none of integer' in done.stderr


@pytest.mark.parametrize("text, line, why", [
    ("a,b\n1,2\n3\n", 3, "has 1 cells where the first line names 2 columns"),
    ("a,b\n1,2\n\n3,\"x\n", 4, "has a quote that is never closed"),
    ("a,b\n,2\n", 2, "a is part of the key and must not be empty"),
    ("a,A\n1,2\n", None, "two columns would be a"),
    ("a,b\n1,\udcff\n", 2, "is no UTF-8 text in column b"),
    ("", None, "is empty"),
])
def test_a_broken_file_leaves_no_table_and_is_named_with_the_line(database, tmp_path, text, line, why):
    write(tmp_path, "good.csv", "x\n1\n")
    path = tmp_path / "lost.csv"
    path.write_bytes(text.encode(errors="surrogateescape"))
    refused(load(database, *(["--key", "lost.a"] if "part of" in why else []), tmp_path), f"{path}:{line}:" if line else str(path), why)
    assert database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [["0"]]


def test_a_folders_files_are_one_transaction_and_what_exists_is_said(database, tmp_path):
    write(tmp_path, "customers.csv", "user_id,name\n1,Ada\n2,Bo\n")
    write(tmp_path, "order_details.tsv", "order_id\tline\n1\t1\n1\t2\n")
    write(tmp_path, "notes.txt", "no table")
    args = ["--key", "customers.user_id,order_details.order_id,order_details.line", tmp_path]
    done = load(database, "--json", *args)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["tables"] == [{"table": "customers", "rows": 2}, {"table": "order_details", "rows": 2}] and told["rows"] == 4
    assert told["throughput_rps"] > 0 and told["seconds"] >= 0
    refused(load(database, *args), "table customers is there already", "--if-exists replace")
    write(tmp_path, "customers.csv", "user_id,name\n3,Cy\n")
    refused(load(database, "--if-exists", "append", *args), "order_details.tsv:2:", "already exists")
    assert database.sql("SELECT count(*) FROM customers") == [["2"]], "nothing of a refused load is there"
    assert load(database, "--if-exists", "replace", *args).returncode == 0
    assert database.sql("SELECT user_id, name FROM customers") == [["3", "Cy"]]
    assert load(database, "--if-exists", "append", "--table", "customers", write(tmp_path, "more.csv", "name,user_id\nDi,4\n")).returncode == 0
    assert database.sql("SELECT string_agg(name, ' ' ORDER BY user_id) FROM customers") == [["Cy Di"]]


def test_no_word_of_a_password_is_printed(database, tmp_path):
    path, secret = write(tmp_path, "t.csv", "a\n1\n"), "s3cr/t@x"
    for address, code in ((database.server.address(database.name, "wr0ng-s3cret"), 3), (f"postgresql://postgres:{secret}@127.0.0.1/x", 2),
                          (f"postgresql://postgres:s3cret@127.0.0.1:{free_port()}/x", 3), ("postgresql://u:s3cret%zz@h/x", 2)):
        done = till("load", "--to", address, path)
        assert done.returncode == code and done.stderr, done
        assert "s3c" not in done.stderr + done.stdout and "@x" not in done.stderr, done.stderr
    passfile = write(tmp_path, "pgpass", f"*:*:*:postgres:{PASSWORD}\n")
    passfile.chmod(0o600)
    address = f"postgresql://postgres@127.0.0.1:{database.server.port}/{database.name}"
    assert till("load", "--to", address, path, env={**os.environ, "PGPASSFILE": str(passfile)}).returncode == 0


def test_a_password_on_the_command_line_is_not_seen_by_others(tmp_path):
    """By those who list processes, while the database lets us wait."""
    path = write(tmp_path, "t.csv", "a\n1\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        address = f"postgresql://me:s3cret@127.0.0.1:{server.getsockname()[1]}/x?sslmode=disable"
        command = subprocess.Popen([program("till"), "load", "--to", address, path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            peer, _ = server.accept()
            peer.settimeout(60)
            assert b"me" in peer.recv(1000), "the user is said"
            peer.sendall(b"R" + struct.pack("!II", 8, 3))  # a password in clear text, please
            assert b"s3cret" in peer.recv(1000)
            seen = Path(f"/proc/{command.pid}/cmdline").read_bytes()
            assert b"s3cret" not in seen and b"postgresql://me:******@127.0.0.1" in seen, seen
            peer.close()
        finally:
            command.kill()
            command.wait()


def test_a_months_real_transactions_are_in_the_table_to_the_cent(database, retail, tmp_path):
    source, totals = retail
    done = load(database, "--table", "sales", "--json", source)
    assert done.returncode == 0, done.stderr
    with open(source, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert json.loads(done.stdout)["rows"] == len(rows)
    told = database.sql("SELECT count(*), count(stockcode), sum(quantity), count(customerid), count(DISTINCT description) FROM sales")
    assert told == [[str(len(rows)), str(len(rows)), str(sum(int(row["Quantity"]) for row in rows)),
                     str(sum(row["CustomerID"] != "" for row in rows)), str(len({row["Description"] for row in rows} - {""}))]]
    assert database.columns("sales")["unitprice"] == "numeric" and database.columns("sales")["invoicedate"] == "timestamp without time zone"
