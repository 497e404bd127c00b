"""The tunnel as its users have it: a hub, an agent that dials out, and what becomes of connections through both."""
import json
import re
import shutil
import urllib.request

import pytest

from tunnel import DecisionPoint, exchange, is_reset, ldapsearch, start_slapd
from waiting import LIMIT, until

MEGABYTE = bytes(range(256)) * 4096


def test_a_new_user_searches_a_directory_behind_a_firewall(tmp_path, run_hub, run_agent, stopping):
    """Token, agent, ldapsearch; then what the commands say, for people and for programs."""
    slapd, ldap = start_slapd(tmp_path / "slapd", people=250)
    stopping.append(slapd)
    hub = run_hub(["addomain"])
    missing = hub.command("tunnel", "probe", "addomain")
    assert missing.returncode == 3 and "no agent serves it" in missing.stdout
    assert "no agent" in hub.command("why", "tunnel/addomain").stdout
    agent = run_agent(hub, {"addomain": ldap}, url=f"wss://127.0.0.1:{hub.door}/tunnel")
    found = ldapsearch(hub.ports["addomain"], "-E", "pr=100/noprompt", "(objectClass=inetOrgPerson)", "uid")
    assert found.returncode == 0, found.stderr
    assert len(set(re.findall(r"^uid: (u\d+)$", found.stdout, re.MULTILINE))) == 250
    until("its end is counted", lambda: hub.tunnel("addomain")["connections"] == 0)

    probe = hub.command("tunnel", "probe", "addomain")
    assert probe.returncode == 0 and re.search(r"dial +[\d.]+ ms +connected", probe.stdout), probe.stdout + probe.stderr
    hops = json.loads(hub.command("tunnel", "probe", "addomain", "-o", "json").stdout)["hops"]
    assert [(hop["name"], hop["well"]) for hop in hops] == [("policy", True), ("agent", True), ("dial", True)]
    assert re.search(rf"addomain +open +127.0.0.1:{hub.ports['addomain']} +site-01", hub.command("get", "tunnels").stdout)
    tunnel = json.loads(hub.command("get", "tunnels", "-o", "json").stdout)[0]
    assert tunnel["agents"] == ["site-01"] and tunnel["results"]["opened"] == 1 and tunnel["troubles"] == []
    assert tunnel["bytes_to_client"] > 10_000 and tunnel["write"]["count"] > 0
    assert re.search(r"site-01 +connected", hub.command("get", "agents").stdout)
    seen = json.loads(hub.command("get", "agents", "-o", "json").stdout)[0]
    assert (seen["name"], seen["connected"], seen["proof"], seen["links"]) == ("site-01", True, "certificate", 1), seen
    assert seen["certificate_renewal"] < seen["certificate_expiry"]
    why = hub.command("why", "tunnel/addomain")
    assert why.returncode == 0 and "tunnel/addomain is open" in why.stdout and "0 deny, 0 error" in why.stdout, why.stdout
    unknown = hub.command("tunnel", "token", "--agent", "site-02", "--connector", "addomian")
    assert unknown.returncode != 0 and "id you mean `addomain`" in unknown.stderr, unknown.stderr
    until("both records are in the audit", lambda: len(hub.audit()) == 2)
    opened, closed = hub.audit()
    assert (opened["event"], closed["event"], closed["end"], closed["agent"]) == ("open", "close", "fin", "site-01"), hub.audit()
    assert closed["bytes_to_client"] == tunnel["bytes_to_client"]
    assert "weir-enrol" not in agent.output() + hub.output()


# MARK: Policy

RULES = [
    {"name": "machine-two", "when": 'context.client_ip == "127.0.0.2"', "decision": "deny"},
    {"name": "echo-only", "when": 'resource.id == "echo" && subject.type == "network_client"', "decision": "allow"}]


def test_rules_that_are_built_in(run_hub, run_agent, target):
    """The first rule that holds decides; none is a no; the audit names the rule."""
    hub = run_hub(["echo", "other"], policy={"rules": RULES})
    run_agent(hub, {"echo": target(echoes=True).port, "other": target(echoes=True).port})
    assert exchange(hub.ports["echo"]) == b"hello"
    assert is_reset(hub.ports["echo"], source="127.0.0.2") and is_reset(hub.ports["other"])
    hub.until_results("echo", opened=1, denied=1)
    hub.until_results("other", opened=0, denied=1)
    for connector, result in (("echo", "allow"), ("echo", "deny"), ("other", "deny")):
        assert hub.metric("weir_pdp_decisions_total", connector=connector, result=result) == 1, (connector, result)
    assert hub.metric("weir_pdp_decisions_total", result="error") == 0
    until("the audit has all", lambda: len(hub.audit()) == 4)
    assert any(record["result"] == "denied" and "machine-two" in json.dumps(record) for record in hub.audit()), hub.audit()


# The fixture of the scenario by which AuthZEN's decision points are certified: who may do what with which record.
SCENARIO = [
    {"name": "admins", "when": 'action.name == "write" && has(subject.properties.role) && subject.properties.role == "admin"'},
    {"name": "archived", "decision": "deny",
     "when": 'action.name == "write" && has(resource.properties.status) && resource.properties.status == "archived"'},
    {"name": "readers", "when": 'action.name == "read" && subject.id in ["alice", "bob"]'},
    {"name": "alice-writes", "when": 'action.name == "write" && subject.id == "alice"'},
    {"name": "soft", "when": 'action.name == "delete" && subject.id == "alice" && action.properties.soft == true'}]
ADMIN, ARCHIVED = {"role": "admin"}, {"status": "archived"}


def evaluation(subject, action, resource="record-1", role=None, soft=None, status=None, **more):
    def entity(**fields):
        return {name: value for name, value in fields.items() if value is not None}
    return {"subject": entity(type="user", id=subject, properties=role), "resource": entity(type="record", id=resource, properties=status),
            "action": entity(name=action, properties=None if soft is None else {"soft": soft}), **more}


def test_the_decision_point_answers_others(run_hub):
    """AuthZEN's Basic, Batch and Discovery over HTTP; X-Request-ID comes back."""
    hub = run_hub(policy={"rules": SCENARIO})

    def ask(path, body, status=200, **headers):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = hub.http(path, "POST", text, {"Content-Type": "application/json", **headers})
        assert answer[0] == status, answer
        return json.loads(answer[1])
    single, batch = "/access/v1/evaluation", "/access/v1/evaluations"
    for question, decision in (
            (evaluation("alice", "read"), True), (evaluation("alice", "write"), True), (evaluation("bob", "read"), True),
            (evaluation("bob", "write"), False), (evaluation("alice", "write", "record-2", status=ARCHIVED), False),
            (evaluation("bob", "write", "record-2", role=ADMIN, status=ARCHIVED), True), (evaluation("alice", "delete", soft=True), True),
            (evaluation("alice", "delete", soft=False), False), (evaluation("alice", "read", context={"ip": "192.168.1.1"}), True),
            (evaluation("alice", "read", foo="bar", futureField={"nested": True}), True)):
        assert ask(single, question)["decision"] is decision, question
    whole = evaluation("bob", "read")
    bad = [b"", b"{", b"[]", {}, evaluation(7, "read"), {**whole, "action": {"name": 123}}]
    bad += [{key: value for key, value in whole.items() if key != missing} for missing in whole] + [{**whole, name: "text"} for name in whole]
    bad += [{**whole, "subject": {"type": "user"}}, {**whole, "resource": {"id": "record-1"}}, {**whole, "action": {}}]
    for question in bad:
        assert isinstance(ask(single, question, 400), str), question
    ask(single, whole, 400, **{"Content-Type": "text/plain"})

    parts = {**whole, "evaluations": [{}, {"action": {"name": "write"}}, {"subject": {"type": "user", "id": "alice"}, "action": {"name": "write"}}]}
    decisions = lambda answer: [one["decision"] for one in answer["evaluations"]]  # noqa: E731
    assert decisions(ask(batch, parts)) == [True, False, True]
    assert decisions(ask(batch, {**parts, "options": {"evaluations_semantic": "deny_on_first_deny"}})) == [True, False]
    assert decisions(ask(batch, {**parts, "options": {"evaluations_semantic": "permit_on_first_permit"}})) == [True]
    assert ask(batch, whole)["decision"] is True and ask(batch, {**whole, "evaluations": []})["decision"] is True
    failed = ask(batch, {"evaluations": [whole, {"subject": {"type": "user"}}]})["evaluations"]
    assert failed[0]["decision"] is True and failed[1]["decision"] is False and failed[1]["context"]["error"]["status"] == 400

    found = json.loads(hub.http("/.well-known/authzen-configuration")[1])
    assert found["access_evaluation_endpoint"].endswith(single) and found["access_evaluations_endpoint"].endswith(batch)
    request = urllib.request.Request(f"http://127.0.0.1:{hub.port}{single}", json.dumps(whole).encode(),
                                     {"Content-Type": "application/json", "X-Request-ID": "r-42"})
    with urllib.request.urlopen(request, timeout=LIMIT) as answer:
        assert answer.headers["X-Request-ID"] == "r-42"


@pytest.mark.parametrize("on_error", ["deny", "allow"])
def test_a_decision_point_elsewhere(run_hub, run_agent, target, stopping, on_error):
    """Only a Boolean in a 200 decides. All else is an error, counted as one; what follows is what `on_error` says."""
    point = DecisionPoint()
    stopping.append(point)
    hub = run_hub(policy={"url": point.url, "token": "for-the-pdp", "timeout": "1s", "cache_ttl": "0s", "on_error": on_error})
    run_agent(hub, {"echo": target(echoes=True).port})
    clients = (f"127.0.0.{number}" for number in range(10, 50))
    count = {"allow": 0, "deny": 0, "error": 0}

    def ask(kind, answer, status=200, wait=0):
        point.answer, point.status, point.wait = answer, status, wait
        came = exchange(hub.ports["echo"], source=next(clients))
        count[kind] += 1
        assert (came == b"hello") == (kind == "allow" or kind == "error" and on_error == "allow"), (answer, status, came)
        seen = {name: hub.metric("weir_pdp_decisions_total", connector="echo", result=name) for name in count}
        assert seen == count, (answer, status)
    ask("allow", {"decision": True, "context": {"id": "d-1"}})
    question = point.questions[0]
    assert question["subject"] == {"type": "network_client", "id": "127.0.0.10"} and question["action"] == {"name": "connect"}, question
    assert question["resource"]["id"] == "echo" and question["context"]["client_ip"] == "127.0.0.10"
    ask("deny", {"decision": False})
    for answer, status, wait in (({"decision": "true"}, 200, 0), ({"decision": True}, 500, 0), (b"\x00garbage", 200, 0), ({"decision": 1}, 200, 0)):
        ask("error", answer, status, wait)
        ask("allow", {"decision": True})
    ask("error", {"decision": True}, wait=3)
    wanted = {"opened": count["allow"] + (count["error"] if on_error == "allow" else 0),
              "pdp_error": 0 if on_error == "allow" else count["error"], "denied": 1}
    hub.until_results(**wanted)
    assert hub.metric("weir_tunnel_listener_errors_total", connector="echo", type="pdp") == count["error"]
    assert "policy_error" in [trouble["code"] for trouble in hub.tunnel()["troubles"]]
    assert "for-the-pdp" not in hub.output()


# MARK: Metrics and page

DOCUMENT = {
    "nowconnect_write_drain_seconds": {"connector", "phase"}, "nowconnect_inbound_queue_size": {"connector"},
    "nowconnect_listener_errors_total": {"connector", "type"}, "nowconnect_tcp_connections_total": {"connector"},
    "nowconnect_tcp_bytes_total": {"direction", "connector"}, "nowconnect_pdp_decisions_total": {"result", "connector"},
    "nowconnect_connection_duration_seconds": {"connector"}, "nowconnect_fin_sent": set(), "nowconnect_fin_recv": set(),
    "nowconnect_rst_sent": set(), "nowconnect_rst_recv": set()}


def test_names_of_the_original(run_hub, run_agent, target):
    """With `tunnel_names: nowconnect` its series are there from the start, with its labels, and count the same."""
    hub = run_hub(more={"metrics": {"tunnel_names": "nowconnect"}})
    labels = {}
    for name, text in re.findall(r"^(nowconnect_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*?)\})? [^\n]+$", hub.http("/metrics")[1], re.MULTILINE):
        labels.setdefault(name, set()).update(set(re.findall(r'(\w+)="', text)) - {"le"})
    for name, wanted in DOCUMENT.items():
        assert labels.get(name) == wanted, (name, labels.get(name))
    for kind in ("write", "session", "pdp"):
        assert f'nowconnect_listener_errors_total{{connector="echo",type="{kind}"}} 0' in hub.http("/metrics")[1]
    run_agent(hub, {"echo": target(echoes=True).port})
    assert exchange(hub.ports["echo"], MEGABYTE) == MEGABYTE
    until("its end is counted", lambda: hub.metric("nowconnect_connection_duration_seconds_count", connector="echo") == 1)
    assert hub.metric("nowconnect_tcp_bytes_total", connector="echo", direction="c2a") == len(MEGABYTE)
    assert hub.metric("nowconnect_tcp_bytes_total", connector="echo", direction="a2c") == len(MEGABYTE)
    assert hub.metric("nowconnect_pdp_decisions_total", connector="echo", result="allow") == 1
    assert hub.metric("nowconnect_fin_recv") >= 1 and hub.metric("nowconnect_rst_recv") == 0


def test_the_page(run_hub, run_agent, target):
    """Live, accessible, and nothing is wider than the screen, on a desk and on a phone."""
    playwright = pytest.importorskip("playwright.sync_api", reason="SKIPPED: pip install playwright")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="SKIPPED: pip install axe-playwright-python")
    if shutil.which("chromium") is None:
        pytest.skip("SKIPPED: apt-get install chromium")
    hub = run_hub(["addomain", "hr"], policy={"rules": [{"name": "all", "decision": "allow"}]})
    url = f"http://127.0.0.1:{hub.port}/tunnels"
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        try:
            page = browser.new_page()
            page.goto(url)
            assert "weir tunnel token --agent site-01" in page.locator("main").inner_text(), "the way on is shown"
            run_agent(hub, {"addomain": target(echoes=True).port})
            with hub.connect("addomain") as client:
                client.sendall(MEGABYTE[:60_000])
                playwright.expect(page.locator('[id="word:t/addomain"]')).to_have_text("open", timeout=LIMIT * 1_000)
                playwright.expect(page.locator('[id="topen:addomain"]')).to_have_text("1", timeout=LIMIT * 1_000)
                playwright.expect(page.locator('[id="word:a/site-01"]')).to_have_text("connected", timeout=LIMIT * 1_000)
                for scheme, width in (("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)):
                    shown = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
                    shown.goto(url)
                    result = axe.Axe().run(shown)
                    assert result.violations_count == 0, f"{scheme} {width}\n{result.generate_report()}"
                    assert shown.evaluate("document.documentElement.scrollWidth") <= width
                    text = shown.locator("main").inner_text()
                    for part in ("site-01", "No agent serves it", "1 allow, 0 deny, 0 error", "Certificate ends", "FIN / RST"):
                        assert part.lower() in text.lower(), part
                    shown.close()
        finally:
            browser.close()
