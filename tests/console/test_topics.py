"""The pages Topics and Pipeline show what the queries answer and what another client library sees in Kafka; what says who bought what is
for the admin token alone."""
import contextlib
import json
import os
import subprocess

import pytest
from browser import PHONE
from harness import Pipeline, Sender, program, wait_until

TOKEN = "0123456789abcdef0123456789abcdef"
SALE = {"product_id": "tea", "quantity": 2, "unit_price": "2.50", "currency": "GBP"}


@pytest.fixture(scope="module")
def shop(broker, tmp_path_factory):
    """30 sales and two that were refused."""
    folder = tmp_path_factory.mktemp("topics")
    token = folder / "admin.token"
    token.touch(0o600)
    token.write_text(TOKEN)
    pipe = Pipeline(folder, broker.bootstrap, f"k{os.getpid()}-", edges=("berlin",), options={"till-aggregator": (f"http.admin_token_file={token}",)})
    pipe.start_aggregator()
    with contextlib.closing(Sender(pipe.endpoint("berlin"))) as sender:
        assert sender.ask([{**SALE, "order_id": str(number)} for number in range(30)])["ok"]
        sender.ask([{**SALE, "order_id": "31", "unit_price": "2,50"}, SALE])
    pipe.wait_settled()
    yield pipe
    pipe.stop()


@pytest.fixture
def open_page(browser, shop):
    """open_page(place, is_admin, …): nothing that was opened may have had anything to complain of."""
    with browser.tabs() as make:

        def make_one(place, is_admin=False, **settings):
            tab = make(f"http://{shop.aggregator.ready['http']}", **settings)
            if is_admin:
                tab.page.add_init_script(f"sessionStorage.setItem('till-token', '{TOKEN}')")
            tab.page.goto(f"{tab.address}/#/{place}")
            return tab

        yield make_one


def test_topics_partitions_and_settings_are_kafkas(open_page, shop, admin):
    topic = f"{shop.prefix}orders"
    tab = open_page("topics")
    tab.wait_for("topics")
    rows = {row["name"]: row for row in tab.rows("topics")}
    ours = {name: parts for name, parts in admin.leaders(prefix=shop.prefix).items()}
    assert rows.keys() == ours.keys()
    assert {name: int(row["partitions"]) for name, row in rows.items()} == {name: len(parts) for name, parts in ours.items()}
    assert (rows[topic]["records"], rows[topic]["lag"], rows[f"{topic}.dlq"]["records"]) == ("30", "0", "2")
    assert admin.cluster() in tab.page.locator(".cluster").inner_text()
    tab.page.get_by_role("link", name=topic, exact=True).click()
    tab.page.wait_for_selector('[data-panel="topic"] [data-column="partition"]')
    ends = {int(part): end for part, end in admin.ends(topics=[topic])[topic].items()}
    parts = tab.rows("topic")
    assert {int(row["partition"]): (int(row["latest"]), int(row["position"]), row["leader"]) for row in parts} == {
        part: (end, end, "1") for part, end in ends.items()}
    shown = {row["name"]: row["value"] for row in tab.panel("topic").locator("table.rows").nth(1).evaluate(
        "table => [...table.querySelectorAll('tbody tr')].map(row => ({name: row.children[0].textContent, value: row.children[1].textContent}))")}
    known = admin.settings(topic=topic)
    assert shown["message.timestamp.type"] == "LogAppendTime" and all(known[name] == value for name, value in shown.items())
    assert tab.axe() == []


def test_records_are_for_administrators_and_read_page_by_page(open_page, shop, admin):
    topic = f"{shop.prefix}orders"
    reader = open_page(f"topics?topic={topic}")
    reader.wait_text('[data-panel="records"]', "For administrators")
    assert reader.page.locator("details.record").count() == 0
    tab = open_page(f"topics?topic={topic}", is_admin=True, viewport=PHONE)
    tab.wait_text("[data-shown]", "Offsets 10 to 29")
    part = next(int(part) for part, end in admin.ends(topics=[topic])[topic].items() if end == 30)
    answer = shop.client.ask("records", topic=topic, partition=part, limit=20)
    offsets = tab.page.locator("details.record").evaluate_all("all => all.map(each => Number(each.dataset.offset))")
    assert offsets == [record["offset"] for record in answer["records"]] == list(range(10, 30))
    tab.page.locator("details.record summary").first.click()
    assert json.loads(tab.page.locator("details.record pre").first.inner_text()) == answer["records"][0]["value"]
    tab.page.get_by_role("button", name="Earlier").click()
    tab.wait_text("[data-shown]", "Offsets 0 to 19")
    assert tab.page.get_by_role("button", name="Earlier").is_disabled()
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.axe() == []


def test_the_pipelines_figures_and_a_letter_sent_again_by_its_command(open_page, shop):
    tab = open_page("pipeline", is_admin=True)
    tab.wait_for("rate", "latency", "lag", "room")
    tab.wait_figure("lag", "0")
    status = shop.client.ask("status")
    assert sum(int(row["next"]) for row in tab.rows("lag")) == sum(part["next"] for part in status["partitions"])
    tab.page.wait_for_selector("details.letter")
    letters = shop.client.ask("letters")
    assert {row["code"]: row["count"] for row in tab.rows("letters")} == {code["code"]: str(code["count"]) for code in letters["codes"]}
    tab.page.get_by_role("button", name="bad_value").click()
    letter = next(each for each in letters["letters"] if each["code"] == "bad_value")
    tab.page.wait_for_function("() => document.querySelectorAll('details.letter').length === 1")
    tab.page.locator("details.letter summary").click()
    tab.page.get_by_label("Field").fill("unit_price")
    tab.page.get_by_label("Value").last.fill("2.50")
    tab.page.get_by_label("Edge").fill(shop.endpoint("berlin"))
    command = tab.page.locator(".command").inner_text()
    assert command.startswith(f"till dlq replay {letter['place']} ")
    done = subprocess.run(["sh", "-c", command.replace("till", str(program("till")), 1)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "accepted" in done.stdout, done.stdout + done.stderr
    wait_until(lambda: shop.client.ask("get", view="products", key=["tea"])["rows"][0]["order_count"] == 31, "the sale that was put right")
    assert tab.axe() == []


def test_a_letter_is_sent_again_by_its_button(open_page, shop):
    """Asked for once more, sent, told beside it, and counted once however often the button is pressed."""
    with contextlib.closing(Sender(shop.endpoint("berlin"))) as sender:
        assert sender.ask({**SALE, "order_id": "40", "unit_price": "2,50"})["invalid"] == 1
    shop.aggregator.stop()
    shop.client.close()
    shop.start_aggregator("-o", f"aggregator.replay_to={shop.endpoint('berlin')}")
    shop.wait_settled()

    def sold():
        return shop.client.rows("get", view="products", key=["tea"])[0]["order_count"]

    before = sold()
    letters = shop.client.ask("letters")["letters"]
    place = next(letter["place"] for letter in letters if letter["value"].get("order_id") == "40")
    hopeless = next(letter["place"] for letter in letters if letter["code"] == "missing_field")
    reader = open_page("pipeline")
    reader.wait_text('[data-panel="letters"]', "For administrators")
    assert reader.page.get_by_role("button", name="Send").count() == 0

    tab = open_page("pipeline", is_admin=True)
    letter = tab.page.locator(f'details.letter[data-place="{place}"]')
    letter.locator("summary").click()
    assert letter.locator(".command").count() == 0
    letter.get_by_label("Field").fill("unit_price")
    letter.get_by_role("textbox", name="Value").fill("2.50")
    button = letter.get_by_role("button", name="Send again")
    button.click()
    dialog = tab.page.get_by_role("dialog", name="Send this letter again?")
    assert place in dialog.inner_text() and shop.endpoint("berlin") in dialog.inner_text() and "unit_price = 2.50" in dialog.inner_text()
    assert tab.axe() == []
    tab.page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert tab.page.evaluate("document.activeElement.textContent").startswith("Send again"), "back where it was opened"
    assert letter.locator(".outcome").inner_text() == "" and sold() == before

    for outcome in ("accepted", "was sent before"):
        tab.page.keyboard.press("Enter")
        dialog.get_by_role("button", name="Send", exact=True).wait_for()
        tab.page.keyboard.press("Enter")
        tab.wait_text(f'details[data-place="{place}"] .outcome', outcome)
        tab.wait_text("[data-sent][role=status]", f"1 letter: 1 {outcome}.")
        wait_until(lambda: sold() == before + 1, "the sale that was put right")
        button.focus()
    shop.wait_settled()
    assert sold() == before + 1

    tab.page.get_by_role("button", name="again …").first.click()  # all that are shown, as they are
    tab.page.get_by_role("dialog").get_by_role("button", name="Send", exact=True).click()
    tab.wait_text(f'details[data-place="{hopeless}"] .outcome', "refused again")
    assert "order_id" in tab.page.locator(f'details[data-place="{hopeless}"] .outcome').text_content()
    shop.wait_settled()
    assert sold() == before + 1
    shop.edges["berlin"].kill()
    button.click()
    dialog.get_by_role("button", name="Send", exact=True).click()
    tab.wait_text(f'details[data-place="{place}"] .outcome', "Nothing was counted")
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth") and tab.axe() == []
