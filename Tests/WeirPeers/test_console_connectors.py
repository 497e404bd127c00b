"""The connectors' pages in a real browser: live, by keyboard, on a phone, in the dark, without JavaScript, and readable for axe."""
import itertools
import json
import re

import pytest

from test_connectors import managed, program
from test_console import browser, element, open_page, playwright, pytestmark, will    # noqa: F401  (fixtures)
from waiting import until


@pytest.fixture
def server(tmp_path, run_weir):
    """Connectors in several states: one that has run, one that fails, one with a full queue, one that somebody paused."""
    good = program(tmp_path / "good", "echo '{\"n\":1}'\necho '{\"state\":{\"page\":7}}' >&3\n")
    full = program(tmp_path / "full", "head -c 20000 /dev/zero | tr '\\0' x | sed 's/^/{\"x\":\"/;s/$/\"}/'\n")
    broken = program(tmp_path / "broken", "echo no such feed >&2\nexit 3\n")
    server = run_weir(managed(tmp_path / "out", {
        "good": {"type": "exec", "command": good, "schedule": "PT1H"},
        "broken": {"type": "exec", "command": broken, "schedule": "PT1H"},
        "full": {"type": "exec", "command": full, "schedule": "PT2S", "queue_threshold": 0.01},
        "shy": {"type": "exec", "command": good, "schedule": "PT1H"}}))
    server.http("/api/v1/gates/files/hold", "POST")
    server.url = f"http://127.0.0.1:{server.port}/connectors"
    assert server.command("connector", "pause", "shy", "--why", "a trial").returncode == 0
    until("one is full", lambda: connector_of(server, "full")["buffering"])
    until("one has failed", lambda: connector_of(server, "broken")["activity"] == "failed")
    until("one has run", lambda: connector_of(server, "good")["last_run"])
    yield server
    server.http("/api/v1/gates/files/release", "POST")


def connector_of(server, name):
    status, text = server.http(f"/api/v1/connectors/{name}")
    assert status == 200, text
    return json.loads(text)


def test_the_list_shows_all_states_and_follows_them(server, open_page):
    """Red at the threshold; when the receiver takes again, capacity falls in place, without a reload."""
    page = open_page(server.url)
    will(page, "word:c/full").to_have_text("buffering")
    will(page, "word:c/broken").to_have_text("failed")
    will(page, "word:c/shy").to_have_text("paused")
    will(page, "ccapacity:full").to_have_class("full")
    will(page, "cbuffering:full").to_have_text("Yes")
    assert "no such feed" in element(page, "ctrouble:broken").inner_text()
    page.evaluate("window.stayed = true")
    will(page, "live").to_have_text("live")
    assert server.http("/api/v1/gates/files/release", "POST")[0] == 200
    will(page, "ccapacity:good").to_have_text("0.00 MB / 500.00 MB", timeout=30_000)
    assert page.evaluate("window.stayed"), "it was updated in place"


def test_search_state_and_order_by_keyboard(server, open_page):
    """Tab into the form, type, choose, Enter: the address says what is shown."""
    page = open_page(server.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.get_by_label("Name or id").focus()
    page.keyboard.type("BRO")
    page.keyboard.press("Enter")
    page.wait_for_url("**/connectors?q=BRO**")
    assert page.locator("tbody tr").count() == 1 and element(page, "place").inner_text() == "1 to 1 of 1"
    page.get_by_role("link", name="Show all").click()
    page.get_by_label("State").select_option("with trouble")
    page.get_by_role("button", name="Show").click()
    assert "Connectors" in page.title() and page.locator('[id="chip:c/broken"]').count() == 1
    assert page.locator('[id="chip:c/good"]').count() == 0
    page.goto(server.url + "?limit=2")
    page.get_by_role("link", name="Next page").click()
    assert element(page, "place").inner_text() == "3 to 4 of 4"


def test_reset_asks_and_is_written_down(server, open_page):
    page = open_page(server.url + "/good")
    assert '"page":7' in element(page, "cstate:good").inner_text()
    page.get_by_role("button", name="Reset state").click()
    assert connector_of(server, "good")["state"], "asking does nothing"
    page.get_by_label(re.compile("Why")).fill("wrong year & <b>")
    page.get_by_role("button", name="Reset state").click()
    page.wait_for_url("**/connectors/good")
    will(page, "cstate:good").to_have_text("none")
    audit = page.locator("section[aria-labelledby=audit]").inner_text()
    assert "console" in audit and "reset" in audit and "wrong year & <b>" in audit


def test_pause_and_resume_without_javascript(server, open_page):
    page = open_page(server.url + "/shy", java_script_enabled=False)
    assert "a trial" in page.locator("section[aria-labelledby=audit]").inner_text()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Resume").click()
    until("it is resumed", lambda: not connector_of(server, "shy")["paused"])
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("link", name="Leave it as it is").click()
    assert not connector_of(server, "shy")["paused"]


def test_works_move_by_themselves(server, open_page):
    """The bar of an open work follows what is delivered; a work that is complete says so."""
    page = open_page(server.url + "/full")
    work = connector_of(server, "full")["works"][0]["id"]
    will(page, f"wtext:{work}").to_have_text(re.compile("^0 of [1-9]"))
    assert server.http("/api/v1/gates/files/release", "POST")[0] == 200
    will(page, f"wstatus:{work}").to_have_text("complete", timeout=30_000)


def test_they_are_accessible(server, open_page):
    """axe finds nothing in light and dark, and nothing is wider than the screen."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="SKIPPED: pip install axe-playwright-python")
    for scheme, width, path in itertools.product(("light", "dark"), (1280, 390), ("", "/good", "/full", "/good/reset", "?q=nothing")):
        page = open_page(server.url + path, color_scheme=scheme, viewport={"width": width, "height": 844})
        result = axe.Axe().run(page)
        assert result.violations_count == 0, f"{scheme} {width} {path}\n{result.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{width} {path}"
        page.close()


def test_without_connectors_it_says_what_to_type(run_weir, open_page, tmp_path):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="SKIPPED: pip install axe-playwright-python")
    server = run_weir({"opencti": {"tokens": ["a-long-token"], "amqp": {"listen": "off"}}, **managed(tmp_path / "out", {})})
    page = open_page(f"http://127.0.0.1:{server.port}/connectors", viewport={"width": 390, "height": 844})
    assert "export OPENCTI_URL" in page.locator("main").inner_text() and "schedule: PT5H" in page.locator("main").inner_text()
    assert axe.Axe().run(page).violations_count == 0 and page.evaluate("document.documentElement.scrollWidth") <= 390
    listed = server.command("get", "connectors")
    assert listed.returncode == 0 and "No connectors" in listed.stderr
