"""The panel of bridges on the page Pipeline shows what `bridges` answers, and one that is silent, stuck or sends batches back."""
from harness import sum_metric, wait_until


def test_each_bridge_with_its_own_figures(tab, console):
    console.sell()
    console.pipe.wait_settled()
    (bridge,) = console.pipe.bridges
    delivered = sum_metric(bridge.metrics(), "till_bridge_records_delivered_total")
    wait_until(lambda: console.client.ask("bridges")["bridges"][0]["delivered"] == delivered, "the bridge's report of all of it")
    page = tab().go("pipeline", "bridges")
    page.page.wait_for_function("count => document.querySelector('[data-panel=bridges] [data-column=delivered] data')?.value === count", arg=str(int(delivered)))
    answer = console.client.ask("bridges")["bridges"][0]
    (shown,) = page.rows("bridges")
    assert {key: shown[key] for key in ("bridge", "edges", "delivered", "waiting_records")} == {
        key: str(answer[key]) for key in ("bridge", "edges", "delivered", "waiting_records")}
    assert (shown["state"], shown["oldest"], shown["errorCount"]) == ("Well", "nothing waits", "0")
    assert shown["version"] == answer["program"].split()[-1]
    assert page.axe() == []


def test_rates_and_words_of_bridges(tab):
    page = tab().go("pipeline", "bridges")
    well = {"bridge": "c:1", "state": "ok", "problems": [], "lanes_waiting": {}, "errors": [], "cut": False,
            "recent": {"over_ms": 4000, "delivered": 10, "wire_bytes": 2048}}
    answer = {"bridges": [
        well, {**well, "bridge": "d:1", "recent": None}, {**well, "bridge": "b:1", "state": "silent", "problems": ["silent"]},
        {**well, "bridge": "e:1", "state": "stopped"},
        {**well, "bridge": "a:1", "state": "problems", "problems": ["stuck", "lane_waits"], "lanes_waiting": {"order": 5, "view.dlq": 7}, "cut": True,
         "errors": [{"class": "nack", "name": "busy", "count": 3}, {"class": "kafka", "name": "_MSG_TIMED_OUT", "count": 2}]}]}
    bridges = page.page.evaluate("""async (answer) => {
        const { bridgesOf } = await import("./pipeline_model.js");
        return bridgesOf(answer).map(({ bridge, rate, byteRate, errorCount, errorWords, words }) => [bridge, rate, byteRate, errorCount, errorWords, words]);
    }""", answer)
    assert bridges == [
        ["b:1", None, None, 0, "", "Nothing was heard of it for three of its intervals."],
        ["a:1", 2.5, 512, 5, "3 batches sent back: busy; 2 records failed: _MSG_TIMED_OUT; and more",
         "What it took has waited for Kafka for more than 30 seconds. A topic does not take what it writes. order, view.dlq"],
        ["c:1", 2.5, 512, 0, "", ""], ["d:1", None, None, 0, "", ""], ["e:1", None, None, 0, "", ""]]
