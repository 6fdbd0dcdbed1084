"""README's promises, run as they stand there."""
import json
import re
import subprocess
import sys

from harness import ROOT, Sender, till
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
