"""The runner over its life: killed at any moment, silenced, without its aggregator, without room on its disk."""
import json
import random
import sqlite3

import pytest
from alert_rig import alert, hook_sink, write_config
from harness import free_port, sum_metric, wait_until
from small_disk import Ballast, needs_root, small_disk


def listed(config):
    done = alert("list", "--json", "-c", config)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def begins(messages):
    """{cause: ids of its beginnings}"""
    found = {}
    for each in messages:
        if each["type"] == "begin":
            found.setdefault(each["cause"], set()).add(each["id"])
    return found


# ---- kills


def test_kills_at_any_moment_neither_forget_nor_repeat(aggregator, hook, runner, tmp_path):
    """Twenty times kill -9, while causes come and a webhook fails now and then: each cause is announced, under one id."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    taker = hook(fails=lambda _: draw.choice((None, None, None, 503, "drop")))
    config = write_config(tmp_path, aggregator.endpoint, hook_sink(taker))
    for number in range(20):
        running = runner(config)
        aggregator.rows = {**aggregator.rows, f"e{number}": 11}
        asked = aggregator.asked + draw.randrange(4)
        wait_until(lambda asked=asked: aggregator.asked >= asked, "some rounds")
        running.process.poll()
        if draw.random() < 0.5:
            wait_until(lambda number=number: any(each["key"] == {"edge": f"e{number}"} for each in list(taker.taken)), "its announcement")
        running.kill()
    running = runner(config)
    wait_until(lambda: len({each["key"]["edge"] for each in list(taker.taken)}) == 20, "an announcement of each")
    wait_until(lambda: sum_metric(running.metrics(), "till_alert_waiting", sink="hook") == 0, "nothing that waits")
    found = begins(taker.taken)
    assert len(found) == 20
    assert {len(ids) for ids in found.values()} == {1}
    assert len(taker.ids()) == 20
    aggregator.rows = dict.fromkeys(aggregator.rows, 1)
    wait_until(lambda: len(taker.ids()) == 40, "an end of each")
    assert {each["type"] for each in taker.taken[-1:]} == {"end"}
    assert running.stop() == 0
    assert {len(ids) for ids in begins(taker.taken).values()} == {1}


def test_what_holds_is_not_announced_again_after_a_restart_and_its_time_goes_on(aggregator, hook, tmp_path):
    taker = hook()
    config = write_config(tmp_path, aggregator.endpoint, hook_sink(taker), hold="1s")
    aggregator.rows = {"uk": 11}
    assert alert("run", "--once", "-c", config).returncode == 0
    assert [each["state"] for each in listed(config)] == ["pending"]
    since = listed(config)[0]["since"]

    def once():
        return alert("run", "--once", "-c", config).returncode == 0 and taker.taken
    wait_until(once, "an announcement by one of several runs")
    assert taker.taken[0]["since"] == since
    for _ in range(2):
        assert once()
    assert len(taker.taken) == 1


def test_a_state_is_for_one_runner(aggregator, runner, tmp_path):
    config = write_config(tmp_path, aggregator.endpoint)
    running = runner(config)
    done = alert("run", "--once", "-c", config)
    running.kill()
    assert done.returncode == 1
    assert "another till alert run has it" in done.stderr
    assert alert("run", "--once", "-c", config).returncode == 0  # a lock does not outlive its holder


# ---- silences


def test_a_silenced_rule_is_evaluated_and_announced_when_it_still_holds(aggregator, hook, runner, tmp_path):
    taker = hook()
    config = write_config(tmp_path, aggregator.endpoint, hook_sink(taker))
    running = runner(config)
    done = alert("silence", "many", "--for", "2h", "--why", "new tills", "-c", config)
    assert done.returncode == 0, done.stderr
    aggregator.rows = {"uk": 11}
    wait_until(lambda: sum_metric(running.metrics(), "till_alert_silenced", rule="many") == 1, "a silenced cause")
    shown = listed(config)
    assert [(each["key"], each["state"], each["announced"]) for each in shown] == [({"edge": "uk"}, "firing", None)]
    assert shown[0]["silenced"][0]["why"] == "new tills"
    assert "new tills" in alert("list", "-c", config).stdout
    assert taker.taken == []
    assert alert("unsilence", "many", "-c", config).returncode == 0
    wait_until(lambda: taker.taken, "what still holds")
    assert listed(config)[0]["announced"]
    running.kill()


def test_a_silence_ends_by_itself(aggregator, hook, runner, tmp_path):
    taker = hook()
    config = write_config(tmp_path, aggregator.endpoint, hook_sink(taker))
    running = runner(config)
    assert alert("silence", "*:uk", "--for", "2s", "-c", config).returncode == 0
    aggregator.rows = {"uk": 11, "fr": 11}
    wait_until(lambda: len(taker.taken) == 2, "both, in the end")
    assert [each["key"]["edge"] for each in taker.taken] == ["fr", "uk"]
    running.kill()


@pytest.mark.parametrize(("target", "silenced"), [("many", {"uk", "fr"}), ("many:uk", {"uk"}), ("*:fr", {"fr"}), (None, {"uk"})])
def test_a_silence_covers_what_it_names(target, silenced, aggregator, tmp_path):
    config = write_config(tmp_path, aggregator.endpoint)
    aggregator.rows = {"uk": 11, "fr": 11}
    assert alert("run", "--once", "-c", config).returncode == 0
    if target is None:  # a cause, by its id
        target = next(each["cause"] for each in listed(config) if each["key"] == {"edge": "uk"})
    assert alert("silence", target, "--for", "1h", "-c", config).returncode == 0
    assert {each["key"]["edge"] for each in listed(config) if each["silenced"]} == silenced


@pytest.mark.parametrize(("arguments", "words"), [
    (("silence", "mnay", "--for", "1h"), 'did you mean "many"?'), (("silence", "many/0000000000", "--for", "1h"), "no cause"),
    (("silence", "*", "--for", "1h"), "everything"), (("silence", "many:", "--for", "1h"), "names no edge"),
    (("unsilence", "many"), "is not silenced"), (("silence", "many", "--for", "soon"), "no span of time")])
def test_a_typing_error_silences_nothing_in_silence(arguments, words, aggregator, tmp_path):
    config = write_config(tmp_path, aggregator.endpoint)
    assert alert("run", "--once", "-c", config).returncode == 0
    done = alert(*arguments, "-c", config)
    assert done.returncode in (1, 2)
    assert words in done.stderr


# ---- what goes wrong


def test_an_aggregator_that_is_away_is_a_cause_and_ends_none(aggregator, hook, tmp_path):
    taker = hook()
    at = f"tcp://127.0.0.1:{free_port()}"
    config = write_config(tmp_path, aggregator.endpoint, hook_sink(taker) + "\n[rule.there]\ntype = aggregator\nfor = 0\n")
    aggregator.rows = {"uk": 11}
    assert alert("run", "--once", "-c", config).returncode == 0
    text = config.read_text()
    config.write_text(text.replace(aggregator.endpoint, at))
    done = alert("run", "--once", "-c", config)
    assert done.returncode == 3
    assert at in done.stderr
    assert [(each["rule"], each["type"]) for each in taker.taken] == [("many", "begin"), ("there", "begin")]
    config.write_text(text)
    assert alert("run", "--once", "-c", config).returncode == 0
    assert [(each["rule"], each["type"]) for each in taker.taken][2:] == [("there", "end")]
    assert [each["rule"] for each in listed(config)] == ["many"]


@pytest.mark.parametrize(("lag", "refusal", "words"), [
    (None, None, "can't reach Kafka"), (10_001, None, "10001 records behind Kafka"),
    (0, {"views": {"code": "rebuilding", "message": "come back later"}}, "come back later"),
    (0, {"scan": {"code": "internal", "message": "broken"}}, "rule many can't be evaluated: internal: broken")])
def test_totals_that_are_no_good_are_not_judged(lag, refusal, words, aggregator, tmp_path):
    config = write_config(tmp_path, aggregator.endpoint, "\n[rule.there]\ntype = aggregator\nfor = 0\n")
    aggregator.rows, aggregator.lag, aggregator.refusal = {"uk": 11}, lag, refusal
    assert alert("run", "--once", "-c", config).returncode == 1
    shown = listed(config)
    assert [each["rule"] for each in shown] == ["there"]
    assert words in shown[0]["text"]
    aggregator.lag, aggregator.refusal = 10_000, None
    assert alert("run", "--once", "-c", config).returncode == 0
    assert [each["rule"] for each in listed(config)] == ["many"]


def test_rules_are_held_against_the_views(aggregator, tmp_path):
    config = write_config(tmp_path, aggregator.endpoint, "[rule.quiet]\ntype = silent_till\n[rule.drop]\ntype = revenue_drop\nview = v\n")
    config.write_text(config.read_text().replace("measure = n", "measure = nn"))
    done = alert("check", "-c", config)
    lines = config.read_text().splitlines()

    def place(of):
        return f"till alert: {config}:{lines.index(of) + 1}: "
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        place("measure = nn") + '[rule.many] measure: view "v" has no measure "nn"; did you mean "n"?',
        place("[rule.quiet]") + '[rule.quiet] view: no view "edge_minutes"; there is v; deploy/examples/alerts-views.conf declares '
                                "the views that rules use unless told otherwise",
        place("view = v").replace(f":{lines.index('view = v') + 1}: ", f":{len(lines)}: ")
        + '[rule.drop] view: view "v" is not by hour or day or minute; it is by edge',
        place("[rule.drop]") + '[rule.drop] measure: view "v" has no measure "total_revenue"; there is n']
    aggregator.refusal = {"scan": {"code": "unknown_field", "message": 'no "edg" in where; did you mean "edge"?'}}
    config = write_config(tmp_path, aggregator.endpoint, rule="where = edg = uk")
    done = alert("check", "-c", config)
    assert done.stderr == f'till alert: {config}:16: [rule.many] where: no "edg" in where; did you mean "edge"?\n'
    aggregator.refusal = None
    assert alert("check", "-c", config).stdout.startswith("1 rules fit the views of ")
    config.write_text(config.read_text().replace(aggregator.endpoint, f"tcp://127.0.0.1:{free_port()}"))
    assert alert("check", "-c", config).returncode == 3


@needs_root
def test_without_room_nothing_is_announced_that_is_not_written_down(aggregator, hook, runner, tmp_path):
    taker = hook()
    with small_disk("tmpfs", tmp_path / "disk", 4) as folder:
        config = write_config(folder, aggregator.endpoint, hook_sink(taker))
        running = runner(config)
        ballast = Ballast(folder)
        ballast.fill()
        aggregator.rows = {f"e{number}": 11 for number in range(300)}
        wait_until(lambda: "nothing is announced until it can be written down" in running.log.read_text(), "words")
        assert taker.taken == []
        ballast.drop()
        wait_until(lambda: len(taker.ids()) == 300, "all of it")
        assert len(taker.ids()) == len({each["cause"] for each in taker.taken}) == 300
        running.kill()


@pytest.mark.parametrize("content", [b"not a database at all, and longer than a header of one hundred bytes would be" * 3, None])
def test_a_state_that_is_none_is_refused(content, aggregator, tmp_path):
    config = write_config(tmp_path, aggregator.endpoint)
    if content:
        (tmp_path / "state.db").write_bytes(content)
    else:
        other = sqlite3.connect(tmp_path / "state.db")
        other.execute("PRAGMA user_version = 7")
        other.execute("CREATE TABLE mine (x)")
        other.commit()
        other.close()
    done = alert("run", "--once", "-c", config)
    assert done.returncode == 1
    assert "state.db: " in done.stderr
