"""Who has a client's certificate reads without a token, in a browser as by curl; who wants nothing to move sees nothing move."""
import pytest
from certificates import make_certificates
from web_client import lone_aggregator

MOVING = """() => [...document.querySelectorAll("*")].filter(each => {
    const style = getComputedStyle(each);
    return style.animationName !== "none" || style.transitionDuration.split(", ").some(time => time !== "0s") || style.scrollBehavior === "smooth";
}).length"""


def test_a_certificate_in_the_browser_is_enough(browser, tmp_path):
    certificates = make_certificates(tmp_path)
    aggregator = lone_aggregator(tmp_path, f"http.tls_cert={certificates}/server.pem", f"http.tls_key={certificates}/server.key",
                                 f"http.tls_client_ca={certificates}/ca.pem")
    address = f"https://{aggregator.ready['http']}"
    mine = {"origin": address, "certPath": str(certificates / "till.pem"), "keyPath": str(certificates / "till.key")}
    try:
        with browser.tabs() as make:
            page = make(address, ignore_https_errors=True, client_certificates=[mine])
            page.page.goto(f"{address}/#/sales")
            page.wait_text("#link", "Without Kafka")
            page.wait_text("main", "Nothing has been counted yet")
            assert not page.page.locator("dialog").is_visible()
        stranger = browser.open(address, ignore_https_errors=True)
        with pytest.raises(Exception, match="net::ERR_|chrome-error"):
            stranger.page.goto(f"{address}/#/sales")
        stranger.close()
    finally:
        aggregator.kill()


def test_nothing_moves_for_those_who_want_that(tab):
    still, other = tab(reduced_motion="reduce").go("sales", "times"), tab(reduced_motion="no-preference").go("sales", "times")
    assert other.page.evaluate(MOVING) > 0
    assert still.page.evaluate(MOVING) == 0
    assert all(chart is False for chart in still.page.evaluate("Object.values(Chart.instances).map(chart => chart.options.animation)"))
