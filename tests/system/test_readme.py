"""README's promises, run as they stand there."""
import json
import re
import shlex
import subprocess
import sys

from harness import ROOT, Sender, program, till
from test_spine import order

README = (ROOT / "README.md").read_text()


def test_the_eight_lines_of_python_and_till_query_agree(pipeline, tmp_path):
    pipe = pipeline()
    pipe.start_aggregator()
    assert Sender(pipe.endpoint("store-1")).ask([order(1), order(2, product="salt", price="9.00")])["ok"]
    pipe.wait_settled()
    endpoint = pipe.aggregator.ready["listen"][0]
    code = re.search(r"```python\n(.*?)```", README, re.S)[1]
    assert len(code.strip().splitlines()) == 8
    script = tmp_path / "ask.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, script, endpoint], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["salt 1 2 18.00 XXX", "tea 1 2 5.00 XXX", "lag: 0"]

    words = re.search(r"till query tcp://127.0.0.1:7172 '(.*)'", README)[1]
    answer = till("query", endpoint, words)
    assert answer.returncode == 0, answer.stderr
    assert [row["product_id"] for row in json.loads(answer.stdout)["rows"]] == ["salt", "tea"]
    top = till("top", endpoint)
    assert top.returncode == 0 and re.search(r"salt.*18\.00", top.stdout), top.stdout


def test_the_demo_stops_by_itself_and_its_totals_are_equal():
    done = till("demo", "--seconds", "5", deadline=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal" in done.stdout.split()


def test_every_file_that_the_readme_names_is_there():
    for path in re.findall(r"\]\(([\w./-]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_sources_of_the_readme_are_configurations_of_an_edge(tmp_path):
    sections = re.search(r"```ini\n(.*?)```", README, re.S)[1]
    path = tmp_path / "edge.conf"
    path.write_text(f"[edge]\nid = readme\ndata = {tmp_path}/spool\n\n{sections}")
    done = subprocess.run([program("till-edge"), "-c", path, "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_request_of_the_readme_is_counted_once(pipeline):
    pipe = pipeline(options={"till-edge": ["source.web.type=http", "source.web.listen=127.0.0.1:0"]})
    address = pipe.edges["store-1"].ready["sources"]["web"][0]
    line = re.search(r"^curl .*$", README, re.M)[0].replace("http://127.0.0.1:7180/events", address)
    answers = [json.loads(subprocess.run(shlex.split(line) + ["-s"], capture_output=True, timeout=60, check=True).stdout)
               for _ in range(2)]
    assert [(each["ok"], each["accepted"], each["repeated"]) for each in answers] == [(True, 1, False), (True, 1, True)]
