"""Decisions on opens against real decision points: ones that lie, hang and break, what is remembered, and what is taken back."""
import json
import socket
import struct
import threading
import urllib.request

import pytest

from tunnel import DecisionPoint, exchange, is_reset, read_to_end
from waiting import LIMIT, until

ALLOW, DENY = {"decision": True}, {"decision": False}


@pytest.fixture
def point(stopping):
    made = DecisionPoint()
    stopping.append(made)
    return made


def decisions(hub, result, **labels):
    return hub.metric("weir_pdp_decisions_total", connector="echo", result=result, **labels)


def head(handler, status=200, **fields):
    handler.send_response(status)
    for name, value in fields.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()


def hangs_in_the_body(_, handler):
    """A head, a beginning that looks like a yes, and no more until the asker has gone."""
    head(handler, Content_Length=1000)
    handler.wfile.write(b'{"decision": true')
    handler.rfile.read(1)


def never_ends(_, handler):
    head(handler, Transfer_Encoding="chunked")
    while True:
        handler.wfile.write(b"1000\r\n" + b" " * 4096 + b"\r\n")


def closes_in_the_body(_, handler):
    head(handler, Content_Length=1000)
    handler.wfile.write(b'{"decision": true}')


def is_no_http(_, handler):
    handler.wfile.write(b"\x16\x03\x01 no HTTP at all\r\n\r\n")


def sends_elsewhere(honest):
    return lambda _, handler: head(handler, 307, Location=honest.url, Content_Length=0)


def test_a_decision_point_that_lies(run_hub, run_agent, target, stopping, point):
    """Nothing but a Boolean in a 200, whole and in time, decides; all else is counted as an error, refuses this client, and says why."""
    honest = DecisionPoint()        # says yes to everybody; a redirect to it is not followed
    stopping.append(honest)
    hub = run_hub(policy={"url": point.url, "timeout": "2s", "cache_ttl": "0s"})
    run_agent(hub, {"echo": target(echoes=True).port})
    lies = {
        "a string": ({"decision": "true"}, 200, "true or false"), "a number": ({"decision": 1}, 200, "true or false"),
        "null": ({"decision": None}, 200, "true or false"), "nothing": ({}, 200, "true or false"), "a list": ([True], 200, "true or false"),
        "garbage": (b"\x00\xff garbage", 200, "true or false"), "500": (ALLOW, 500, "answered 500"), "401": (ALLOW, 401, "answered 401"),
        "202": (ALLOW, 202, "answered 202"), "huge": (b'{"decision": true' + b" " * (1 << 20) + b"}", 200, "more than 64 KiB"),
        "a redirect": (sends_elsewhere(honest), 200, "answered 307"), "hangs in the body": (hangs_in_the_body, 200, "within 2s"),
        "never ends": (never_ends, 200, "more than 64 KiB"), "closes in the body": (closes_in_the_body, 200, ""),
        "no HTTP": (is_no_http, 200, "")}
    for number, (what, (answer, status, said)) in enumerate(lies.items(), 1):
        point.answer, point.status = answer, status
        assert is_reset(hub.ports["echo"]), what
        assert decisions(hub, "error") == number, what
        errors = until(f"{what} is in the audit", lambda number=number: [
            rows for rows in [[row for row in hub.audit() if row["result"] == "pdp_error"]] if len(rows) == number])[0]
        reason = errors[-1]["reason"]
        assert said in reason, (what, reason)
        point.answer, point.status = ALLOW, 200
        assert exchange(hub.ports["echo"]) == b"hello", f"after {what}"
    point.wait = 5
    assert is_reset(hub.ports["echo"]) and decisions(hub, "error") == len(lies) + 1
    point.wait = 0
    assert decisions(hub, "allow") == len(lies) and decisions(hub, "deny") == 0 and honest.questions == []
    assert hub.metric("weir_tunnel_listener_errors_total", connector="echo", type="pdp") == len(lies) + 1
    point.stop()
    assert is_reset(hub.ports["echo"]) and decisions(hub, "error") == len(lies) + 2
    until("the audit says where nobody is", lambda: "refuses connections" in (hub.audit()[-1].get("reason") or ""))


def test_with_no_memory_each_connection_asks(run_hub, run_agent, target, point):
    """`cache_ttl: 0`: a no and a yes are good for one connection; the same client is asked about again at once."""
    hub = run_hub(policy={"url": point.url, "timeout": "30s", "cache_ttl": "0s"})
    run_agent(hub, {"echo": target(echoes=True).port})
    for count, answer in enumerate((DENY, ALLOW, DENY, DENY, ALLOW), 1):
        point.answer = answer
        assert (exchange(hub.ports["echo"]) == b"hello") == answer["decision"]
        assert len(point.questions) == count
    assert (decisions(hub, "allow", source="pdp"), decisions(hub, "deny", source="pdp"), decisions(hub, "deny", source="cache")) == (2, 3, 0)


def test_one_question_for_many_and_none_while_it_rests(run_hub, run_agent, target, point):
    """The same question under way is asked once; an answer is remembered; after five errors in a row nobody asks for a while."""
    hub = run_hub(policy={"url": point.url, "timeout": "30s", "cache_ttl": "1h"})
    run_agent(hub, {"echo": target(echoes=True).port})
    point.wait, came = 1, []
    threads = [threading.Thread(target=lambda: came.append(exchange(hub.ports["echo"]))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert came == [b"hello"] * 20 and len(point.questions) == 1
    point.wait = 0
    assert exchange(hub.ports["echo"]) == b"hello" and len(point.questions) == 1 and decisions(hub, "allow", source="cache") >= 1
    assert exchange(hub.ports["echo"], source="127.0.0.2") == b"hello" and len(point.questions) == 2, "another client is another question"
    point.status = 500
    clients = (f"127.0.1.{number}" for number in range(1, 250))
    until("it is left alone", lambda: is_reset(hub.ports["echo"], source=next(clients)) and hub.audit()
          and any("left alone" in (row.get("reason") or "") for row in hub.audit()))
    errors = decisions(hub, "error")
    assert errors >= 6 and decisions(hub, "error", source="default") == errors, "who is not asked has not decided either"
    assert exchange(hub.ports["echo"]) == b"hello", "what is remembered is good meanwhile"
    point.status = 200
    until("it is asked again", lambda: exchange(hub.ports["echo"], source=next(clients)) == b"hello")
    assert exchange(hub.ports["echo"], source=next(clients)) == b"hello", "and trusted at once"


def test_the_target_is_told_which_decision(run_hub, run_agent, target, point):
    """The decision's name goes on in the PROXY header (version 2, type 0xE0); one that is too long is cut, and breaks nothing."""
    hub, behind = run_hub(policy={"url": point.url, "timeout": "30s", "cache_ttl": "0s"}), target()
    run_agent(hub, {"echo": behind.port}, "--proxy-protocol")

    def told():
        with hub.connect() as client:
            client.sendall(b"hello")
            far = behind.accept()
            start = far.recv(16, socket.MSG_WAITALL)
            assert start[:12] == b"\r\n\r\n\x00\r\nQUIT\n" and start[12:14] == b"\x21\x11", start
            rest = far.recv(int.from_bytes(start[14:16], "big"), socket.MSG_WAITALL)
            assert rest[:4] == socket.inet_aton("127.0.0.1") and struct.unpack("!HH", rest[8:12]) == (client.getsockname()[1], hub.ports["echo"])
            assert far.recv(5, socket.MSG_WAITALL) == b"hello"
            far.close()
            found, rest = {}, rest[12:]
            while rest:
                size = int.from_bytes(rest[1:3], "big")
                found[rest[0]], rest = rest[3:3 + size], rest[3 + size:]
            return found
    point.answer = {"decision": True, "context": {"decision_id": "d-42"}}
    assert told() == {0xE0: b"d-42"}
    point.answer = ALLOW
    assert told() == {}
    point.answer = {"decision": True, "context": {"id": "x" * 60_000}}
    assert told() == {0xE0: b"x" * 128}
    until("the audit has it", lambda: [row.get("decision") for row in hub.audit() if row["event"] == "open"] == ["d-42", None, "x" * 128])


def test_what_was_taken_back_ends(run_hub, run_agent, target, point):
    """With `recheck`, who may connect no more is reset; others go on, and that nobody answers ends nothing."""
    hub = run_hub(policy={"url": point.url, "timeout": "30s", "cache_ttl": "0s", "recheck": "1s"})
    run_agent(hub, {"echo": target(echoes=True).port})
    gone, stays = hub.connect(source="127.0.0.2"), hub.connect(source="127.0.0.3")

    def lives(client):
        client.sendall(b"x")
        return client.recv(1) == b"x"
    assert lives(gone) and lives(stays)
    until("both are asked about again", lambda: len(point.questions) >= 6)
    assert lives(gone) and lives(stays)
    point.answer = lambda question, _: {"decision": question["subject"]["id"] != "127.0.0.2", "context": {"reason": "moved on"}}
    assert read_to_end(gone) == (b"", "reset")
    assert lives(stays) and is_reset(hub.ports["echo"], source="127.0.0.2")
    until("it is counted", lambda: hub.metric("weir_tunnel_stream_ends_total", connector="echo", kind="rst", side="hub", reason="denied") == 1)
    until("it is in the audit", lambda: [row["end"] for row in hub.audit() if row["event"] == "close"] == ["denied"])
    assert "moved on" in hub.output()
    point.status = 500
    until("it was asked in vain, again and again", lambda: decisions(hub, "error") >= 3)
    assert lives(stays)
    gone.close()
    stays.close()


def test_a_decision_s_own_limit_is_named(run_hub, run_agent, target, point):
    """Who is slow because the decision says so is told that, by `weir why`; others are not held."""
    hub = run_hub(policy={"url": point.url, "timeout": "30s"})
    run_agent(hub, {"echo": target(echoes=True).port})
    why = lambda: hub.command("why", "tunnel/echo").stdout  # noqa: E731
    point.answer = {"decision": True, "context": {"rate_bytes_per_s": 40_000}}
    with hub.connect(source="127.0.0.2") as client:
        client.sendall(bytes(80_000))
        said = until("it is named", lambda: next((text for text in [why()] if "policy's limit of 40kB/s" in text), None))
        assert f"127.0.0.2:{client.getsockname()[1]}" in said and "rate_bytes_per_s" in said and "runbooks/tunnel.md#" in said, said
        point.answer = ALLOW
        assert exchange(hub.ports["echo"], bytes(1 << 20)) == bytes(1 << 20), "others do not wait"
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == (bytes(80_000), "eof")
    until("it is over", lambda: "policy's limit" not in why())


@pytest.mark.parametrize("public", [None, "https://pdp.example.org/"])
def test_its_own_document_is_not_the_asker_s_word(run_hub, public):
    """The discovery document names the address that is listened at or configured, whatever the Host header says."""
    hub = run_hub(policy={"rules": [{"name": "all", "decision": "allow"}], **({"public_url": public} if public else {})})
    base = (public or f"http://127.0.0.1:{hub.port}").rstrip("/")
    for host in (f"127.0.0.1:{hub.port}", "localhost:1", "127.0.0.9"):
        status, text = hub.http("/.well-known/authzen-configuration", headers={"Host": host})
        assert (status, json.loads(text)) == (200, {
            "policy_decision_point": base, "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
            "access_evaluations_endpoint": f"{base}/access/v1/evaluations"}), host
    status, text = hub.http("/.well-known/authzen-configuration", headers={"Host": "evil.example.org"})
    assert status == 421 and "access_evaluation" not in text
    if not public:
        with urllib.request.urlopen(f"{base}/.well-known/authzen-configuration", timeout=LIMIT) as answer:
            assert json.load(answer)["policy_decision_point"] == base
