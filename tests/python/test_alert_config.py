"""The configuration of till alert: each mistake is named with file and line, and no secret leaves its file."""
import subprocess

import pytest
from alert_rig import alert
from harness import ROOT, program
from till.alert.config import load
from till.alert.ini import ConfigError

EXAMPLES = ROOT / "deploy" / "examples"
RULE = "[alert]\n[rule.big]\ntype = threshold\nview = v\nmeasure = n\nabove = 1\n"


@pytest.mark.parametrize(("text", "line", "words"), [
    ("[alert]\nevry = 1min\n", 2, 'unknown key "evry"; did you mean "every"?'),
    ("[alert]\nevery = 1min\nevery = 2min\n", 3, "was set before, in line 2"),
    ("[alert]\n[alert]\n", 2, "[alert] was begun before, in line 1"),
    ("[alrt]\n", 1, 'no section [alrt]; did you mean "alert"?'),
    ("[alert]\n[rul.x]\n", 2, 'did you mean "rule.x"?'),
    ("every = 1min\n", 1, "before the first [section]"),
    ("[alert]\nwhat is this\n", 2, "no [section]"),
    ("[alert]\nevery = 1\n", 2, "no span of time"),
    ("[alert]\nevery = 0\n", 2, "too short"),
    ("[alert]\nqueue = -1\n", 2, "no whole number from 1"),
    ("[alert]\nhttp = 0.0.0.0:9173\n", 2, "not of this machine"),
    ("[alert]\npublish = tcp://*:7174\n", 2, "not of this machine"),
    ("[alert]\nhttp = 9173\n", 2, "no address such as 127.0.0.1:9173"),
    ("[alert]\n[rule.x]\nfor = 1h\n", 2, "type is required"),
    ("[alert]\n[rule.x]\ntype = silent_tll\n", 3, 'did you mean "silent_till"?'),
    ("[alert]\n[rule.x]\ntype = price\nshare = 0.5\n", 4, 'unknown key "share"'),
    ("[alert]\n[rule.x]\ntype = invalid_share\nshare = 5\n", 4, "no share"),
    ("[alert]\n[rule.x]\ntype = invalid_share\nshare = NaN\n", 4, "no decimal number"),
    ("[alert]\n[rule.x]\ntype = silent_till\nzone = Europe/Berln\n", 4, "no time zone"),
    ("[alert]\n[rule.x y]\n", 2, "no [section]"),
    ("[alert]\n[rule.aggregator]\ntype = price\n", 2, "choose another"),
    ("[alert]\n[rule.a]\ntype = aggregator\n[rule.b]\ntype = aggregator\n", 5, "the second of type aggregator"),
    ("[alert]\n[rule.x]\ntype = threshold\nview = v\nabove = 1\n", 2, "measure is required"),
    ("[alert]\n[rule.x]\ntype = threshold\nview = v\nmeasure = n\n", 2, "above is required, or below"),
    (RULE + "of = change\n", 7, "needs compare"),
    (RULE + "where = edge ~ uk\n", 7, "no condition such as"),
    ("[alert]\n[sink.x]\ntype = webhook\n", 2, "url or url_file is required"),
    ("[alert]\n[sink.x]\ntype = webhok\n", 3, 'did you mean "webhook"?'),
    ("[alert]\n[sink.x]\ntype = webhook\nurl = http://example.org/x\n", 4, "is not https"),
    ("[alert]\n[sink.x]\ntype = webhook\nurl = https://me:word@example.org/x\n", 4, "holds a password"),
    ("[alert]\n[sink.x]\ntype = webhook\nurl = ftp://example.org\n", 4, "is no address such as"),
    ("[alert]\n[sink.x]\ntype = mail\nserver = smtp.example.org\nfrom = a@b\nto = c@d\n", 4, "not host:port"),
    ("[alert]\n[sink.x]\ntype = mail\nserver = smtp.example.org:25\nfrom = a@b\nto = c@d\nsecurity = none\n", 7, "only for a server"),
    ("[alert]\n[sink.x]\ntype = mail\nserver = localhost:25\nfrom = a@b\nto = c@d, e\n", 6, '"e" is no address'),
    ("[alert]\n[sink.x]\ntype = mail\nserver = localhost:25\nfrom = a@b\nto = c@d\nuser = me\n", 7, "user and password_file"),
])
def test_each_mistake_is_named_with_its_line(text, line, words, tmp_path):
    path = tmp_path / "alerts.conf"
    path.write_text(text)
    with pytest.raises(ConfigError) as said:
        load(path)
    assert str(said.value).startswith(f"{path}:{line}: ")
    assert words in str(said.value)


def test_the_command_ends_with_2_and_one_sentence(tmp_path):
    path = tmp_path / "alerts.conf"
    path.write_text("[alert]\nevry = 1min\n")
    done = alert("run", "-c", path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"till alert: {path}:2: ")
    assert done.stderr.count("\n") == 1
    assert alert("list", "-c", tmp_path / "none.conf").returncode == 2


def sinks(folder):
    for name, text in (("hook.url", "https://alerts.example.org/T0PSECRET/hook"), ("hook.secret", "S1GNATURE"),
                       ("mail.password", "PA55WORD")):
        (folder / name).write_text(text + "\n")
        (folder / name).chmod(0o640)
    return f"""[alert]
[sink.hook]
type = webhook
url_file = {folder}/hook.url
secret_file = {folder}/hook.secret
[sink.plain]
type = webhook
url = https://alerts.example.org/hook?token=T0KEN
[sink.mail]
type = mail
server = smtp.example.org:587
from = till@example.org
to = shop@example.org
user = till
password_file = {folder}/mail.password
"""


def test_no_secret_is_printed_and_what_is_printed_can_be_read_again(tmp_path):
    path = tmp_path / "alerts.conf"
    path.write_text(sinks(tmp_path))
    done = alert("run", "-c", path, "--print-config")
    assert done.returncode == 0, done.stderr
    assert not [secret for secret in ("T0PSECRET", "S1GNATURE", "PA55WORD", "T0KEN") if secret in done.stdout + done.stderr]
    path.write_text(done.stdout)
    assert alert("run", "-c", path, "--print-config").stdout == done.stdout
    config = load(path)
    assert not [secret for secret in ("T0PSECRET", "S1GNATURE", "PA55WORD") if secret in repr(config)]
    assert {each.secret for each in config.sinks} == {"S1GNATURE", "", "PA55WORD"}


@pytest.mark.parametrize("name", ["hook.url", "hook.secret", "mail.password"])
def test_a_secret_that_everybody_can_read_is_refused(name, tmp_path):
    path = tmp_path / "alerts.conf"
    path.write_text(sinks(tmp_path))
    (tmp_path / name).chmod(0o644)
    done = alert("run", "-c", path, "--print-config")
    assert done.returncode == 2
    assert f"{name} may be read by everybody: chmod o=" in done.stderr
    (tmp_path / name).unlink()
    assert name in alert("run", "-c", path, "--print-config").stderr


def test_the_shipped_example_is_a_configuration():
    done = alert("run", "-c", EXAMPLES / "alerts.conf", "--print-config")
    assert done.returncode == 0, done.stderr
    assert {rule.type for rule in load(EXAMPLES / "alerts.conf").rules} == {
        "invalid_share", "silent_till", "price", "revenue_drop", "threshold", "aggregator"}


def test_the_aggregator_takes_the_views_beside_the_shipped_ones():
    done = subprocess.run([program("till-aggregator"), "-o", "aggregator.data=/x", "-o", "aggregator.brokers=x", "-c",
                           ROOT / "deploy" / "views.conf", "-c", EXAMPLES / "alerts-views.conf", "--check"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_unit_is_as_closed_as_the_others():
    own, other = ((ROOT / "deploy" / "systemd" / f"till-{name}.service").read_text() for name in ("alert", "aggregator"))
    closed = [line for line in other.splitlines() if line.startswith(("Dynamic", "Protect", "Private", "NoNew", "LimitCORE", "Restart=",
                                                                    "StartLimitIntervalSec"))]
    assert len(closed) > 6
    assert [line for line in closed if line not in own.splitlines()] == []
