"""The console in a real browser (Debian's chromium): it is live, it holds and releases, it works without JavaScript, and its policy is kept."""
import itertools
import re
import shutil

import pytest

from events import json_event, send_lines
from receivers import Answer
from waiting import LIMIT, until
from weir import flow, http_out, tcp_in, tcp_out

playwright = pytest.importorskip("playwright.sync_api", reason="SKIPPED: pip install playwright")
HELD = ("blocking", "queueing")
LIMIT_MS = LIMIT * 1_000
playwright.expect.set_options(timeout=LIMIT_MS)
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="SKIPPED: apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """open_page(url, …) -> a page; what it complained about must be nothing at the end."""
    contexts, complaints = [], []

    def open_one(url, **more):
        context = browser.new_context(**more)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.goto(url)
        return page
    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def server(run_weir, tcp_receiver, http_receiver, port):
    good, bad, listen = tcp_receiver(), http_receiver(default=Answer(503)), port()
    server = run_weir(flow(tcp_in(listen), {
        "good": tcp_out(good), "bad": http_out(bad, on_backpressure="queue", queue={"mode": "error"})},
        [{"name": "both", "to": ["bad", "good"]}]))
    server.listen, server.receiver = listen, bad
    server.url = f"http://127.0.0.1:{server.port}/"
    send_lines(listen, [json_event(n) for n in range(100)])
    server.until_state("bad", *HELD)
    return server


def element(page, name):
    """Identifiers hold colons and names; `wait_for_function` would need eval, which the policy refuses."""
    return page.locator(f'[id="{name}"]')


def will(page, name):
    return playwright.expect(element(page, name))


def word(page, gate):
    return element(page, f"word:{gate}").text_content()


def test_the_overview_shows_states_and_why(server, open_page):
    page = open_page(server.url)
    assert word(page, "bad") in HELD and word(page, "good") == "open"
    assert page.locator("#rows tr").first.get_attribute("id") == "row:bad", "most pressed first"
    assert "Reopens" in page.locator('[id="why:bad"]').text_content()
    assert page.locator("svg.graph").is_visible()


def test_the_page_follows_the_gate_by_itself(server, open_page):
    """The receiver answers again: chip, edge and tile change without a reload."""
    page = open_page(server.url)
    page.evaluate("window.stayed = true")
    will(page, "live").to_have_text("live")
    server.receiver.default = Answer(200)
    will(page, "word:bad").to_have_text("open", timeout=2 * LIMIT_MS)
    will(page, "out:bad").to_have_class(re.compile(r"\be-open\b"))
    will(page, "tile:open").to_have_text("2 of 2")
    assert page.evaluate("window.stayed"), "it was updated in place"


def test_hold_and_release(server, open_page):
    page = open_page(server.url)
    page.get_by_role("button", name="Hold good").click()
    will(page, "word:good").to_have_text("paused")
    assert server.state("good") == "paused"
    page.get_by_role("button", name="Release good").click()
    will(page, "word:good").not_to_have_text("paused")
    server.until_state("good", "open")


def test_it_works_without_javascript(server, open_page):
    page = open_page(server.url, java_script_enabled=False)
    assert page.locator("#rows tr").count() == 2
    page.locator('[id="hold:good"] button').click()
    until("the gate is held", lambda: server.state("good") == "paused")
    page.locator('[id="release:good"] button').click()
    server.until_state("good", "open")


def test_the_gate_page_explains(server, open_page):
    page = open_page(server.url)
    page.get_by_role("link", name="bad", exact=True).click()
    assert page.url.endswith("/gates/bad")
    text = page.locator("main").inner_text()
    for part in ("measured", "limit", "reopens", "Endpoints", "What happened", "Counted since the start"):
        assert part in text, part


def test_a_page_that_is_not_there_names_the_nearest(server, browser):
    context = browser.new_context()
    page = context.new_page()
    assert page.goto(server.url + "gates/badd").status == 404
    assert "Did you mean" in page.locator("main").inner_text()
    context.close()


def test_a_silent_server_is_said(server, open_page):
    """The badge never says live when it is not."""
    page = open_page(server.url)
    will(page, "live").to_have_text("live")
    server.process.process.send_signal(19)  # SIGSTOP: the connection stays, nothing comes
    try:
        will(page, "live").to_have_text(re.compile("^last update"))
        assert "stale" in page.locator("#live").get_attribute("class")
    finally:
        server.process.process.send_signal(18)
    will(page, "live").to_have_text("live")


def test_eight_tabs_share_one_stream(server, browser):
    """A browser has six connections to an origin: with a stream each the seventh tab would hang."""
    context = browser.new_context()
    pages = [context.new_page() for _ in range(8)]
    for page in pages:
        page.goto(server.url, timeout=LIMIT_MS)
    before = [page.locator('[id="tile:uptime"]').text_content() for page in pages]
    for page, text in zip(pages, before):
        will(page, "tile:uptime").not_to_have_text(text)
    context.close()


def test_it_is_accessible(server, open_page):
    """axe finds nothing in light and dark, nothing is wider than the screen, and on a phone the graph is a list."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="SKIPPED: pip install axe-playwright-python")
    for scheme, width, path in itertools.product(("light", "dark"), (1280, 390), ("", "gates/bad")):
        page = open_page(server.url + path, color_scheme=scheme, viewport={"width": width, "height": 844})
        result = axe.Axe().run(page)
        assert result.violations_count == 0, f"{scheme} {width} /{path}\n{result.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if not path:
            assert page.locator(".flow-list").is_visible() == (width < 700)
            assert page.locator("svg.graph").is_visible() == (width >= 700)
        page.close()


def test_markup_cannot_be_made_from_text(server, browser):
    """The policy holds: no inline script, no innerHTML, no frame."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url)
    assert page.evaluate("""() => { try { document.body.innerHTML = '<b>x</b>'; return 'set' } catch (error) { return error.name } }""") == "TypeError"
    policy = page.request.get(server.url).headers["content-security-policy"]
    assert re.search(r"script-src 'self'(;|$)", policy) and "unsafe" not in policy
    context.close()


def test_another_site_cannot_hold_a_gate(server, browser):
    """A form of another origin (here: another port) is refused."""
    context = browser.new_context()
    page = context.new_page()
    page.route("http://evil.test/", lambda route: route.fulfill(
        content_type="text/html", body=f'<form method="post" action="{server.url}gates/good/hold"><button>win</button></form>'))
    page.goto("http://evil.test/")
    with page.expect_navigation() as navigation:
        page.get_by_role("button").click()
    assert navigation.value.status == 403
    assert server.state("good") == "open"
    context.close()
