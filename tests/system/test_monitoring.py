"""deploy/monitoring: rules and dashboard name only what the programs expose, a real Prometheus takes all of it, and docs/MONITORING.md says of each
alert what it means and what to do."""
import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest
from harness import DEADLINE, ROOT, Client, free_port, wait_until
from test_docs import DAEMONS, ONLY_ON_FAILURE, documented_metrics, exposed_metrics, running  # noqa: F401 (a fixture)

PACK = ROOT / "deploy" / "monitoring"
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
EVERYWHERE = {"job", "instance"}  # what Prometheus adds
RULE = re.compile(r"- alert: (\w+)\n\s+expr: (.*)\n(?:\s+for: (\w+)\n)?\s+labels:\n\s+severity: (?:critical|warning)\n"
                  r"\s+annotations:\n\s+summary: (.*)\n\s+runbook: '(.*)'\n")


def rules():
    """[(alert, expression, how long, summary, runbook)]"""
    text = (PACK / "till-rules.yml").read_text()
    found = [(name, expr.strip("'"), wait, summary, runbook) for name, expr, wait, summary, runbook in RULE.findall(text)]
    assert len(found) == text.count("- alert:") > 0
    return found


def panels():
    """[(where, expression, legend)] of the dashboard."""
    board = json.loads((PACK / "till-dashboard.json").read_text())
    return [(f"{panel['title']} {target['refId']}", target["expr"], target["legendFormat"]) for panel in board["panels"] for target in panel.get("targets", ())]


def promtool(*args, stdin=None):
    return subprocess.run(["promtool", *map(str, args)], cwd=PACK, capture_output=True, text=True, input=stdin, timeout=DEADLINE, check=False)


@needs_promtool
def test_promtool_takes_the_configuration_and_the_rules_do_what_their_tests_say():
    for args in (("check", "config", "prometheus.yml"), ("check", "rules", "till-rules.yml"), ("test", "rules", "till-rules.test.yml")):
        done = promtool(*args)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_is_tested_both_ways_and_has_its_page():
    tests = (PACK / "till-rules.test.yml").read_text()
    told = dict(re.findall(r"^### (\w+)\n\n(`.*?)(?=^#|\Z)", (ROOT / "docs" / "MONITORING.md").read_text(), re.M | re.S))
    assert set(told) == {rule[0] for rule in rules()}
    for name, expr, wait, _, runbook in rules():
        assert runbook == f"docs/MONITORING.md#{name.lower()}"
        first, means, do = told[name].strip().split("\n\n")
        assert first == f"`{expr}`" + (f", for {wait}" if wait else "") and len(means) > 20 and do.startswith("**Do:** ")
        assert f"{{eval_time: 40m, alertname: {name}, exp_alerts: []}}" in tests
        assert re.search(rf"alertname: {name}\n        exp_alerts:\n          - exp_labels:", tests), f"{name} never fires in a test"


# ---- what the programs expose


@pytest.fixture(scope="module")
def exposed(running):  # noqa: F811
    """{metric: its labels}, of every program."""
    client = Client(running["till-aggregator"].ready["listen"][0], running["keys"])
    wait_until(lambda: client.ask("edges").get("ok"), "an answer")
    client.close()
    found = {"up": set()}
    for name in DAEMONS:
        documented = documented_metrics(f"### {name}")
        of_one = {**{key: documented[key] for key in ONLY_ON_FAILURE & set(documented)}, **exposed_metrics(running[name].http("/metrics")[1])}
        for metric, (kind, labels) in of_one.items():
            found.setdefault(metric, set()).update(labels)
            if kind == "histogram":
                found[f"{metric}_bucket"] = {*labels, "le"}
    source = "\n".join(path.read_text() for path in (ROOT / "python" / "till" / "alert").glob("*.py"))
    for metric in set(re.findall(r'"(till_alert_\w+)":', source)):  # its own test holds these against what it serves
        found[metric] = {label for label in ("rule", "sink", "type") if re.search(rf'"{metric}"[^\n]*\b{label}\b', source)}
    return found


def selectors(expr):
    """[(metric, labels that it is asked by)]"""
    return [(name, set(re.findall(r"(\w+)\s*[=!]~?", inner or ""))) for name, inner in
            re.findall(r"\b((?:till|process)_\w+|up)\b(?:\{([^}]*)\})?", re.sub(r"\bby \([^)]*\)", "", expr))]


def test_rules_and_dashboard_ask_only_for_what_there_is(exposed):
    asked = [(name, expr, re.findall(r"\$labels\.(\w+)", summary)) for name, expr, _, summary, _ in rules()]
    asked += [(where, expr, re.findall(r"\{\{(\w+)\}\}", legend)) for where, expr, legend in panels()]
    for where, expr, shown in asked:
        found = selectors(expr)
        assert found, where
        for metric, labels in found:
            assert metric in exposed, f"{where}: no program has {metric}"
            assert labels <= exposed[metric] | EVERYWHERE, f"{where}: {metric} has no {labels - exposed[metric] - EVERYWHERE}"
        has = EVERYWHERE.union(*(exposed[metric] for metric, _ in found))
        groups = [set(re.findall(r"\w+", names)) for names in re.findall(r"\bby \(([^)]*)\)", expr)]
        assert all(group <= has for group in groups), f"{where}: it groups by {groups}, and there is {has}"
        left = set.intersection(*groups) - {"le"} if groups else has
        assert set(shown) <= left, f"{where}: it shows {set(shown) - left}"


# ---- a real Prometheus


def ask(port, path, **parameters):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=DEADLINE) as answer:
        return json.load(answer)


def is_there(port):
    try:
        return ask(port, "query", query="1")["status"] == "success"
    except OSError:
        return False


@needs_promtool
def test_a_real_prometheus_reads_the_programs_and_takes_every_query(running, tmp_path):  # noqa: F811
    text = (PACK / "prometheus.yml").read_text().replace("till-rules.yml", str(PACK / "till-rules.yml")).replace("15s", "1s")
    for name, default in zip(DAEMONS, ("127.0.0.1:9170", "127.0.0.1:9171", "127.0.0.1:9172"), strict=True):
        assert default in text
        text = text.replace(default, running[name].ready["http"])
    text = text.replace("127.0.0.1:9173", f"127.0.0.1:{free_port()}")
    (tmp_path / "prometheus.yml").write_text(text)
    port = free_port()
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
                                   f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        wait_until(lambda: is_there(port), "Prometheus", every=0.1)
        up = {"till-edge": "1", "till-bridge": "1", "till-aggregator": "1", "till-alert": "0"}  # the last does not run here
        wait_until(lambda: {each["metric"]["job"]: each["value"][1] for each in ask(port, "query", query="up")["data"]["result"]} == up, "every program to be read", every=0.1)
        groups = wait_until(lambda: (got := ask(port, "rules")["data"]["groups"]) and all(rule["health"] == "ok" for group in got for rule in group["rules"]) and got,
                            "every rule to be evaluated", every=0.1)
        assert sorted(rule["name"] for group in groups for rule in group["rules"]) == sorted(rule[0] for rule in rules())
        for where, expr, _ in panels():
            answer = ask(port, "query", query=expr.replace("$__rate_interval", "1m"))
            assert answer["status"] == "success", where
    finally:
        server.terminate()
        server.wait(DEADLINE)


@needs_promtool
@pytest.mark.parametrize("name", DAEMONS)
def test_promtool_can_read_what_a_program_exposes(running, name):  # noqa: F811
    done = promtool("check", "metrics", stdin=running[name].http("/metrics")[1])
    assert done.returncode in (0, 3) and "error while linting" not in done.stderr, done.stderr  # 3: it would name some otherwise
