"""The tunnel when something is wrong: each trouble costs the smallest thing, says what it is, is counted, and leaves the others alone."""
import base64
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest

from daemons import program
from identity import Issuer
from processes import Process
from tunnel import ConnectProxy, connect, exchange, is_reset, read_to_end
from waiting import LIMIT, connections_at, free_port, is_listening, until


def refused(hub, reason):
    return hub.metric("weir_tunnel_agents_refused_total", reason=reason)


# MARK: Proofs

def test_tokens_that_are_no_good(run_hub, run_agent, target):
    """Used before, of another agent, expired, of a connector that it is not for: refused, said, counted; others go on."""
    hub, port = run_hub(["echo", "other"]), target(echoes=True).port
    tokens = {name: hub.token(name, "echo") for name in ("twice", "late", "mine", "less", "partly")}
    hub.terminate()
    with sqlite3.connect(hub.data / "ledger") as ledger:      # its hour has passed
        for number, body in ledger.execute("select id, body from document where collection = 'tunnel_tokens'").fetchall():
            entry = json.loads(body)
            if entry["agent"] == "late":
                entry["expiry"] = entry["made"] + 1
                ledger.execute("update document set body = ? where id = ?", (json.dumps(entry).encode(), number))
    ledger.close()
    hub.start()
    assert refused(hub, "token_used") == 0, "all reasons are there from the start"
    assert f'weir_tunnel_agents_refused_total{{reason="token_expired"}} 0' in hub.http("/metrics")[1]
    run_agent(hub, {"echo": port}, name="twice", token=tokens["twice"])
    wrong = {}
    for reason, name, token, serve, options in (
            ("token_used", "twice", "twice", "echo", ["--state", "elsewhere.json"]), ("token_expired", "late", "late", "echo", []),
            ("agent_mismatch", "another", "mine", "echo", ["--name", "another"]), ("connector_not_allowed", "less", "less", "other", [])):
        directory = f"{name}-again" if reason == "token_used" else name
        wrong[reason] = run_agent(hub, {serve: port}, *options, name=directory, token=tokens[token], connected=False)
    for reason, agent in wrong.items():
        agent.until_says(f"reason={reason}")
        assert " help=" in agent.output(), agent.output()
        until(f"{reason} is counted", lambda reason=reason: refused(hub, reason) >= 1)
        assert f"reason={reason}" in hub.output()
    assert "weir tunnel token --agent twice --connector NAME" in wrong["token_used"].output()
    partly = run_agent(hub, {"echo": port, "other": port}, name="partly", token=tokens["partly"])
    assert hub.agent("partly")["connectors"] == ["echo"] and partly.process.is_alive
    assert exchange(hub.ports["echo"]) == b"hello" and is_reset(hub.ports["other"])
    assert all(agent.process.is_alive for agent in wrong.values()), "they try again, with growing pauses"


def test_a_revoked_agent(run_hub, run_agent, target):
    """Its connections end at once, it is told why, and only a new token brings it back."""
    hub = run_hub()
    agent = run_agent(hub, {"echo": target(echoes=True).port})
    with hub.connect() as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        assert hub.command("tunnel", "revoke", "site-01", "--yes", "--why", "lost").returncode == 0
        assert read_to_end(client) == (b"", "reset")
    agent.until_says("reason=agent_revoked")
    agent.until_says("weir tunnel token --agent site-01")
    until("it is counted", lambda: refused(hub, "agent_revoked") >= 1)
    assert is_reset(hub.ports["echo"]) and not hub.is_connected("site-01")
    agent.kill()
    agent.token_file.write_text(hub.token("site-01"))
    agent.start().until_connected()
    assert exchange(hub.ports["echo"]) == b"hello"


def test_a_hub_of_another_authority(run_hub, run_agent):
    """An agent enrols with the hub that its token is of, and with nobody else: the secret is not said."""
    hub, other = run_hub(name="hub"), run_hub(name="other")
    agent = run_agent(other, {"echo": 9}, token=hub.token("site-01"), connected=False)
    agent.until_says("its certificate cannot be verified")
    assert other.get("agents") == [] and other.metric("weir_tunnel_agents_refused_total") == 0


# MARK: Processes that end, stop and come back

def test_an_agent_killed_and_back(run_hub, run_agent, target):
    """kill -9: its connections are reset, the other agent goes on; it comes back with its certificate."""
    hub = run_hub(["echo", "other"])
    agent = run_agent(hub, {"echo": target(echoes=True).port})
    run_agent(hub, {"other": target(echoes=True).port}, name="site-02")
    expiry = hub.agent("site-01")["certificate_expiry"]
    lost, kept = hub.connect("echo"), hub.connect("other")
    for client in (lost, kept):
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    agent.kill()
    assert read_to_end(lost) == (b"", "reset")
    until("nobody serves it", lambda: hub.tunnel("echo")["agents"] == [])
    assert is_reset(hub.ports["echo"])
    kept.sendall(b"y")
    assert kept.recv(1) == b"y"
    agent.token_file.unlink()           # it is needed once
    agent.start().until_connected()
    assert exchange(hub.ports["echo"]) == b"hello"
    assert hub.agent("site-01")["certificate_expiry"] == expiry
    assert hub.metric("weir_tunnel_agent_reconnects_total", agent="site-01") == 1
    assert hub.metric("weir_tunnel_listener_errors_total", connector="echo", type="session") == 1


def test_an_agent_that_is_frozen(run_hub, run_agent, target):
    """SIGSTOP: its sockets stand and nothing comes. It is found dead, its clients are reset, others go on; then it comes back."""
    hub = run_hub(["echo", "other"], ping_interval="1s", ping_timeout="5s")
    agent = run_agent(hub, {"echo": target(echoes=True).port})
    run_agent(hub, {"other": target(echoes=True).port}, name="site-02")
    with hub.connect("echo") as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        agent.process.send_signal(signal.SIGSTOP)
        try:
            assert exchange(hub.ports["other"]) == b"hello"
            until("it is found dead", lambda: not hub.is_connected("site-01"))
            assert read_to_end(client) == (b"", "reset")
            assert hub.agent("site-01")["last_ends"][0]["reason"] == "dead_peer", hub.agent("site-01")
            assert exchange(hub.ports["other"]) == b"hello"
        finally:
            agent.process.send_signal(signal.SIGCONT)
    agent.until_connected()
    assert exchange(hub.ports["echo"]) == b"hello"
    assert hub.metric("weir_tunnel_agent_reconnects_total", agent="site-01", reason="dead_peer") == 1


def test_a_hub_that_is_frozen(run_hub, run_agent, target):
    """The agent finds it dead by itself, resets what it has at its targets, and is back when the hub is."""
    hub, behind = run_hub(["echo", "other"]), target()
    agent = run_agent(hub, {"echo": behind.port, "other": target(echoes=True).port}, "--ping-interval", "1", "--ping-timeout", "5")
    with hub.connect() as client, behind.accept() as far:
        client.sendall(b"x")
        assert far.recv(1) == b"x"
        hub.send_signal(signal.SIGSTOP)
        try:
            assert read_to_end(far) == (b"", "reset")
            agent.until_says("did not answer a ping")
        finally:
            hub.send_signal(signal.SIGCONT)
        assert read_to_end(client) == (b"", "reset")
    until("the agent is back", lambda: exchange(hub.ports["other"]) == b"hello")


def test_a_hub_killed_and_back(run_hub, run_agent, target):
    """kill -9 with open connections: both ends are reset; the agent comes back by itself with the certificate it had."""
    hub, behind = run_hub(), target()
    agent = run_agent(hub, {"echo": behind.port})
    expiry = hub.agent("site-01")["certificate_expiry"]
    client = hub.connect()
    far = behind.accept()
    far.sendall(b"x")
    assert client.recv(1) == b"x"
    hub.kill()
    assert read_to_end(far) == (b"", "reset")
    assert read_to_end(client)[1] in ("reset", "eof")       # of a killed process: the kernel's choice
    hub.start()
    until("the agent is back", lambda: hub.is_connected("site-01"))
    assert hub.agent("site-01")["certificate_expiry"] == expiry and agent.starts == 1
    with hub.connect() as again:
        again.sendall(b"y")
        assert behind.accept().recv(1) == b"y"


def test_a_hub_that_stops_drains(run_hub, run_agent, target):
    """SIGTERM: no new clients; what is open goes on to its end, and then the hub ends with 0."""
    hub = run_hub()
    agent = run_agent(hub, {"echo": target(echoes=True).port})
    with hub.connect() as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        hub.process.send_signal(signal.SIGTERM)
        until("no new clients", lambda: not is_listening(hub.ports["echo"]))
        client.sendall(b"still")
        assert client.recv(16) == b"still"
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == (b"", "eof")
    assert hub.process.process.wait(LIMIT) == 0, hub.output()[-2000:]
    assert agent.process.is_alive
    ends = [record for record in hub.audit() if record["event"] == "close"]
    assert [record["end"] for record in ends] == ["fin"], ends


# MARK: Clients and strangers

def test_garbage_and_slow_loris_at_the_door(run_hub, run_agent, target):
    """What is no agent is closed, at once or after its time; agents and clients feel nothing."""
    hub = run_hub()
    run_agent(hub, {"echo": target(echoes=True).port})
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def door(alpn=None):
        context.set_alpn_protocols([alpn] if alpn else ["http/1.1"])
        return context.wrap_socket(connect(hub.door))
    slow = [connect(hub.door) for _ in range(20)] + [door() for _ in range(20)]
    for one in slow[20:]:
        one.sendall(b"GET /tunnel HTTP/1.1\r\nHost: x\r\nX-Slow: ")

    def rest(connection):
        try:
            return read_to_end(connection)[0]
        except (ssl.SSLError, OSError):
            return b""
    with connect(hub.door) as raw:
        raw.sendall(os.urandom(4096))
        rest(raw)
    with door("weir-tunnel/1") as yamux:
        yamux.sendall(os.urandom(4096))
        rest(yamux)
    for text, status in ((b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b" 426 "), (b"NONSENSE\r\n\r\n", b""),
                         (b"GET /else HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                          b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", b" 404 ")):
        with door() as http:
            http.sendall(text)
            assert status in rest(http), text
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode, old.maximum_version = False, ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(connect(hub.door))
    assert exchange(hub.ports["echo"]) == b"hello"
    for one in slow:
        rest(one)       # the hub closes each
        one.close()
    until("only the agent is left", lambda: connections_at(hub.door) == 1)
    assert exchange(hub.ports["echo"]) == b"hello" and hub.agent("site-01")["reconnects"] == 0


def test_more_clients_than_allowed(run_hub, run_agent, target):
    """Over max_conn_total and over a client's own limit: reset, counted; those inside go on, and places come back."""
    hub = run_hub({"echo": {"max_connections_per_client": 6}}, limits={"max_conn_total": 8})
    run_agent(hub, {"echo": target(echoes=True).port})
    inside = []

    def flood(source, count):
        came = []
        for _ in range(count):
            try:
                client = hub.connect(source=source)
                client.sendall(b"x")
                assert client.recv(1) == b"x"
                came.append(client)
            except (ConnectionResetError, BrokenPipeError):
                pass
        inside.extend(came)
        return len(came)
    why = lambda: hub.command("why", "tunnel/echo").stdout  # noqa: E731
    assert flood("127.0.0.2", 20) == 6 and "in use" not in why()
    assert flood("127.0.0.3", 20) == 2
    assert "All connections that the hub may have are in use" in why() and "max_conn_total" in why()
    hub.until_results(opened=8, limit=32)
    for client in inside:
        client.sendall(b"still")
        assert client.recv(16) == b"still"
        client.close()
    until("all places are free", lambda: hub.tunnel()["connections"] == 0)
    assert "in use" not in why()
    assert flood("127.0.0.4", 1) == 1


def test_addresses_that_may_come(run_hub, run_agent, target):
    hub = run_hub({"echo": {"allow": ["127.0.0.2", "127.0.1.0/24"]}})
    run_agent(hub, {"echo": target(echoes=True).port})
    came = {source: exchange(hub.ports["echo"], source=source) for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.1.9", "127.0.2.1")}
    assert [source for source, answer in came.items() if answer == b"hello"] == ["127.0.0.2", "127.0.1.9"]
    hub.until_results(opened=2, denied=3)


# MARK: What stands in between

def test_a_balancer_and_a_target_that_wants_to_know(tmp_path, run_hub, run_agent, target, stopping):
    """haproxy says to the hub who the client is (PROXY, version 1); the agent says it to the target (version 2)."""
    hub, front, behind = run_hub({"echo": {"proxy_protocol_from": ["127.0.0.1"], "allow": ["127.0.0.7"]}}), free_port(), target()
    run_agent(hub, {"echo": behind.port}, "--proxy-protocol")
    start_haproxy(tmp_path, stopping, f"frontend in\n  bind 127.0.0.1:{front}\n  default_backend hub\n"
                                      f"backend hub\n  server hub 127.0.0.1:{hub.ports['echo']} send-proxy\n", "tcp", front)
    with connect(front, source="127.0.0.7") as client:
        client.sendall(b"hello")
        far = behind.accept()
        head = far.recv(28, socket.MSG_WAITALL)
        assert head[:12] == b"\r\n\r\n\x00\r\nQUIT\n" and head[12:14] == b"\x21\x11", head
        assert socket.inet_ntoa(head[16:20]) == "127.0.0.7" and int.from_bytes(head[24:26], "big") == client.getsockname()[1]
        more = int.from_bytes(head[14:16], "big") - 12
        if more:
            far.recv(more, socket.MSG_WAITALL)
        assert far.recv(5, socket.MSG_WAITALL) == b"hello"
        assert json.loads(hub.http("/api/v1/tunnels/echo")[1])["open"][0]["client"] == f"127.0.0.7:{client.getsockname()[1]}"
        far.close()
    with connect(hub.ports["echo"], source="127.0.0.1") as client:      # a balancer that says nothing sensible
        client.sendall(b"no header at all, but more than enough bytes for one\r\n")
        assert read_to_end(client) == (b"", "reset")
    hub.until_results(opened=1)


def start_haproxy(directory, stopping, body, mode, port):
    file = directory / "haproxy.cfg"
    file.write_text("global\n  maxconn 100\n  ssl-default-bind-options ssl-min-ver TLSv1.2\n"
                    f"defaults\n  mode {mode}\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  timeout tunnel 600s\n{body}")
    process = Process("haproxy", [program("haproxy"), "-db", "-f", file], directory)
    stopping.append(process)
    process.wait_until("haproxy listens", lambda: is_listening(port))
    return process


def test_a_proxy_that_ends_tls_and_bearer_tokens(tmp_path, run_hub, run_agent, target, stopping):
    """haproxy has the certificate, the hub is plain behind it; agents show tokens of an identity provider over a WebSocket."""
    subprocess.run([program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"], cwd=tmp_path, check=True,
                   capture_output=True, timeout=60)
    (tmp_path / "both.pem").write_text((tmp_path / "cert.pem").read_text() + (tmp_path / "key.pem").read_text())
    issuer, front, port = Issuer(), free_port(), target(echoes=True).port
    hub = run_hub(["echo", "other"], plain=True, jwt={"jwks": issuer.write(tmp_path / "jwks.json"), "require_connector_scopes": True})
    start_haproxy(tmp_path, stopping, f"frontend in\n  bind 127.0.0.1:{front} ssl crt {tmp_path}/both.pem alpn http/1.1\n  default_backend hub\n"
                                      f"backend hub\n  server hub 127.0.0.1:{hub.door}\n", "http", front)

    def agent(name, token, connected=False, ca="cert.pem"):
        file = tmp_path / f"{name}.jwt"
        file.write_text(token)
        options = ["--name", name, "--bearer-file", file] + (["--ca-file", tmp_path / ca] if ca else [])
        return run_agent(hub, {"echo": port, "other": port}, *options, name=name, enrols=False, connected=connected,
                         url=f"wss://127.0.0.1:{front}/tunnel")
    agent("good", issuer.token("good", scope="openid connector:echo"), connected=True)
    seen = hub.agent("good")
    assert (seen["connectors"], seen["proof"]) == (["echo"], "jwt"), seen
    payload = os.urandom(1 << 20)
    assert exchange_large(hub.ports["echo"], payload) == payload
    wrong = {
        "token_expired": issuer.token("late", exp=int(time.time()) - 60), "token_audience": issuer.token("a", aud="someone-else"),
        "agent_mismatch": issuer.token("b", connectors=["echo"]), "token_signature": issuer.token("c")[:-8] + "AAAAAAAA",
        "connector_not_allowed": issuer.token("connector_not_allowed")}
    for reason, token in wrong.items():
        wrong[reason] = agent(reason, token)
        until(f"{reason} is counted", lambda reason=reason: refused(hub, reason) >= 1)
    wrong["token_expired"].until_says("does not take this agent's token (401)")
    wrong["connector_not_allowed"].until_says("may serve none of")
    stranger = agent("stranger", issuer.token("stranger", connectors=["echo"]), ca=None)
    stranger.until_says("its certificate cannot be verified")
    assert [one["name"] for one in hub.get("agents")] == ["good"]
    assert issuer.token("x").split(".")[0] not in hub.output()


def exchange_large(port, payload):
    with connect(port) as client:
        threading.Thread(target=lambda: (client.sendall(payload), client.shutdown(socket.SHUT_WR))).start()
        return read_to_end(client)[0]


@pytest.mark.parametrize("way", ["option", "environment"])
def test_through_a_proxy_that_wants_credentials(run_hub, run_agent, target, stopping, way):
    """CONNECT with Basic; with the wrong password the agent says what the proxy answered."""
    proxy = ConnectProxy(base64.b64encode(b"user:p@ss").decode())
    stopping.append(proxy)
    hub = run_hub()
    url = f"http://user:p%40ss@127.0.0.1:{proxy.port}"
    options, env = ((["--proxy", url], {}) if way == "option" else (["--env-proxy"], {"HTTPS_PROXY": url, "NO_PROXY": "example.org"}))
    agent = run_agent(hub, {"echo": target(echoes=True).port}, *options, env=env)
    assert exchange(hub.ports["echo"]) == b"hello"
    assert set(proxy.opened) == {f"127.0.0.1:{hub.door}"} and proxy.refused == 0
    assert "p@ss" not in agent.output() and "p%40ss" not in agent.output()
    if way == "option":
        wrong = run_agent(hub, {"echo": 9}, "--proxy", f"http://user:wrong@127.0.0.1:{proxy.port}", name="site-02", connected=False)
        wrong.until_says("does not take these credentials (407)")
        assert proxy.refused >= 1 and not hub.is_connected("site-02")
    else:
        direct = run_agent(hub, {"echo": 9}, *options, name="site-02", env={**env, "NO_PROXY": "127.0.0.0/8"})
        assert direct.process.is_alive and len(proxy.opened) == 2       # to enrol, and to serve


# MARK: Targets

def test_a_target_that_is_not_there_is_named(run_hub, run_agent, target):
    """`weir why` says which agent does not reach its target, how often in a row and why, until it does."""
    hub = run_hub(["echo", "gone"])
    with socket.socket() as holder:         # bound and not listening: refuses, and nobody else gets the port
        holder.bind(("127.0.0.1", 0))
        run_agent(hub, {"echo": target(echoes=True).port, "gone": holder.getsockname()[1]})
        why = lambda name: hub.command("why", f"tunnel/{name}").stdout  # noqa: E731
        assert is_reset(hub.ports["gone"])
        assert "`site-01` has not reached its target the last time: refused" in why("gone")
        assert is_reset(hub.ports["gone"]) and is_reset(hub.ports["gone"])
        assert "3 times in a row: refused" in why("gone") and "weir tunnel probe gone" in why("gone")
        assert exchange(hub.ports["echo"]) == b"hello" and "has not reached" not in why("echo")
        holder.listen()
        with hub.connect("gone"):
            until("it is no longer said", lambda: "in a row" not in why("gone"))


# MARK: Bandwidth

def test_a_bandwidth_limit_is_a_gate_that_says_so(run_hub, run_agent, target):
    """Senders wait their turn and nothing is lost; `weir why` says that the limit holds back, and since when, while it does."""
    hub = run_hub({"echo": {"bandwidth": "400KB/s"}, "free": {}})
    port = target(echoes=True).port
    run_agent(hub, {"echo": port, "free": port})
    why = lambda name="echo": hub.command("why", f"tunnel/{name}").stdout
    assert "bandwidth limit" not in why()
    sent = os.urandom(800_000)
    with hub.connect() as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        said = until("it says so", lambda: next((text for text in [why()] if "bandwidth limit of 400kB/s holds back" in text), None))
        assert "  since " in said and "bandwidth" not in why("free")
        assert exchange(hub.ports["free"]) == b"hello", "others do not wait"
        assert read_to_end(client) == (sent, "eof")
    until("it no longer holds", lambda: "bandwidth limit" not in why())
    assert hub.metric("weir_tunnel_blocked_seconds_total", connector="echo", cause="rate") > 0
