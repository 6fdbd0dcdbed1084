"""An aggregator with a token, and without a single event: the console asks for the one, and says what to do about the other."""
import pytest
from harness import Program, free_port

TOKEN = "a token of the tests, long enough"


@pytest.fixture
def guarded(console, tmp_path):
    """Its topics are nowhere."""
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN + "\n")
    data = tmp_path / "store"
    data.mkdir()
    made = Program("till-aggregator", [
        "-o", f"aggregator.data={data}", "-o", f"aggregator.brokers={console.pipe.bootstrap}", "-o", "http.listen=127.0.0.1:0",
        "-o", f"aggregator.listen=tcp://127.0.0.1:{free_port()}", "-o", f"aggregator.publish=tcp://127.0.0.1:{free_port()}",
        "-o", f"http.token_file={token}",
        *[arg for kind in ("order", "cart", "view", "telemetry") for arg in ("-o", f"aggregator.topic.{kind}={console.pipe.prefix}none-{kind}")]],
        tmp_path / "log")
    yield made
    made.kill()


def test_the_token_is_asked_for_and_kept_by_the_tab(browser, guarded):
    page = browser.open(f"http://{guarded.ready['http']}")
    page.page.goto(f"{page.address}/#/sales")
    page.page.locator("#token").fill("not this one")
    page.page.keyboard.press("Enter")
    page.wait_text("dialog", "not accepted")
    page.page.locator("#token").fill(TOKEN)
    page.page.keyboard.press("Enter")
    page.wait_text("#link", "Live")
    page.wait_text("main", "Nothing has been counted yet")
    assert TOKEN not in page.page.url
    page.page.reload()
    page.wait_text("#link", "Live")
    assert not page.page.locator("dialog").is_visible()
    assert all("401" in error for error in page.errors), page.errors
    page.close()


def test_without_the_token_it_says_so(browser, guarded):
    page = browser.open(f"http://{guarded.ready['http']}")
    page.page.goto(f"{page.address}/#/stores")
    page.page.get_by_role("button", name="Cancel").click()
    page.wait_text("#link", "Not allowed")
    assert not page.page.locator("dialog").is_visible()
    page.page.get_by_role("button", name="Try now").click()
    page.page.locator("#token").fill(TOKEN)
    page.page.keyboard.press("Enter")
    page.wait_text("#link", "Live")
    page.close()


def test_administrators_are_asked_when_they_want_to_be(browser, guarded):
    page = browser.open(f"http://{guarded.ready['http']}")
    page.page.goto(f"{page.address}/#/pipeline")
    page.page.get_by_role("button", name="Cancel").click()
    page.page.get_by_role("button", name="Give the token").click()
    page.page.locator("#token").wait_for()
    page.close()
