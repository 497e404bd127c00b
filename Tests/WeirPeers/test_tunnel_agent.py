"""The agent as its own machine sees it: health, metrics, `weir agent status`; several links; what it says when something is wrong."""
import json
import subprocess

from daemons import program
from tunnel import Agent, Relay, exchange, is_reset
from waiting import LIMIT, free_port, until
from weir import weir


def test_its_own_health_metrics_and_status(tmp_path, run_hub, run_agent, target):
    """Ready only after the hub's welcome; `weir agent status` says what is and what helps; strangers of the web are not answered."""
    hub = run_hub(["echo", "other"])
    echo = target(echoes=True)
    token = hub.token("site-01", "echo")
    hub.terminate()
    agent = run_agent(hub, {"echo": echo.port, "other": echo.port}, token=token, connected=False)
    agent.process.wait_until("it answers", lambda: "Health and metrics of the agent listen" in agent.output())
    assert agent.http("/healthz") == (200, "ok\n")
    until("it was tried", lambda: json.loads(agent.http("/status")[1]).get("trouble"))
    assert agent.http("/readyz")[0] == 503 and "refuses connections" in agent.http("/readyz")[1]
    away = agent.status()
    assert away.returncode == 3 and "agent site-01 is not connected since" in away.stdout and "refuses connections" in away.stdout, away
    assert "Is the hub running" in away.stdout and "not while it is away" in away.stdout, away.stdout
    assert agent.metric("weir_agent_connected") == 0 and agent.metric("weir_agent_link_attempts") >= 1
    hub.start()
    agent.until_connected()
    until("it is ready", lambda: agent.http("/readyz") == (200, "ok\n"))
    assert exchange(hub.ports["echo"]) == b"hello" and is_reset(hub.ports["other"])
    here = agent.status()
    assert here.returncode == 0 and "is connected since" in here.stdout and "1 of 1" in here.stdout, here
    assert "the hub does not let it serve this" in here.stdout and "trouble" in here.stdout, here.stdout
    seen = json.loads(agent.status("-o", "json").stdout)
    assert [(one["connector"], one["served"]) for one in seen["targets"]] == [("echo", True), ("other", False)] and "trouble" not in seen, seen
    assert seen["certificate_renewal"] < seen["certificate_expiry"], seen
    assert abs(agent.metric("weir_agent_certificate_expiry_timestamp_seconds") - hub.metric("weir_tunnel_agent_cert_expiry_timestamp_seconds")) < 2
    until("it is counted", lambda: agent.metric("weir_agent_stream_ends_total", connector="echo") == 1)
    assert agent.metric("weir_agent_tcp_bytes_total", connector="echo", direction="to_target") == 5
    assert agent.metric("weir_agent_tcp_bytes_total", connector="echo", direction="to_client") == 5
    assert agent.metric("weir_agent_dial_seconds_count", connector="echo", result="connected") == 1
    assert agent.metric("weir_agent_certificate_expiry_timestamp_seconds") > agent.metric("weir_agent_certificate_renewal_timestamp_seconds")
    done = subprocess.run([program("promtool"), "check", "metrics"], input=agent.http("/metrics")[1], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert agent.http("/status", Host="evil.example.org")[0] == 421
    # A second agent at the same address says so and does not start; where nobody has named the address, it goes on without.
    taken = run_agent(hub, {"echo": 9}, "--listen", f"127.0.0.1:{agent.face}", name="site-02", connected=False)
    assert taken.process.process.wait(LIMIT) == 1 and "Another program listens at" in taken.output() and "--listen off" in taken.output()
    bad = weir("agent", "--hub", hub.url, "--serve", "echo=127.0.0.1:9", "--name", "x", "--listen", "0.0.0.0:9472")
    assert bad.returncode == 78 and "loopback" in bad.stderr.lower(), bad
    agent.kill()
    gone = agent.status()
    assert gone.returncode == 69 and "Is the agent running on this machine" in gone.stderr, gone


# MARK: Several links

def test_one_link_of_four_is_cut(run_hub, run_agent, target, stopping):
    """Streams are spread; the streams of the link that is cut are reset, all others live; the link comes back by itself."""
    hub, behind = run_hub(), target(echoes=True)
    relay = Relay(hub.door)
    stopping.append(relay)
    agent = run_agent(hub, {"echo": behind.port}, "--links", "4", url=f"tls://127.0.0.1:{relay.port}")
    links = lambda: hub.agent("site-01").get("links")  # noqa: E731
    until("all links stand", lambda: links() == 4)
    assert " 4 " in next(row for row in hub.command("get", "agents").stdout.splitlines() if "site-01" in row)
    assert "4 of 4" in agent.status().stdout and agent.metric("weir_agent_links") == 4
    clients = []

    def lives(client):
        try:
            client.sendall(b"x")
            return client.recv(1) == b"x"
        except (ConnectionResetError, BrokenPipeError):
            return False
    for _ in range(12):     # one after the other: each goes where the fewest are
        clients.append(hub.connect())
        assert lives(clients[-1])
    assert hub.agent("site-01")["streams"] == 12
    relay.holds = True      # it does not come back at once, so that this can be seen
    enrolment_gone = [pair for pair in relay.pairs if pair[0].fileno() != -1]
    relay.cut(enrolment_gone[-1:])
    until("one link is down", lambda: links() == 3)
    states = [lives(client) for client in clients]
    assert states.count(False) == 3, f"its streams and no others: {states}"
    assert hub.is_connected("site-01") and exchange(hub.ports["echo"]) == b"hello"
    until("the agent says so", lambda: "3 of 4" in agent.status().stdout and "reset the connection" in agent.status().stdout)
    assert agent.http("/readyz")[0] == 200, "three links serve"
    assert hub.metric("weir_tunnel_stream_ends_total", connector="echo", reason="session_lost") == 3
    assert sum(hub.metric("weir_tunnel_link_ends_total", agent="site-01", reason=reason) for reason in ("closed", "failed")) == 1
    relay.holds = False
    until("it is back", lambda: links() == 4)
    assert [lives(client) for client in clients] == states
    fresh = [hub.connect() for _ in range(4)]
    assert all(lives(client) for client in fresh) and hub.agent("site-01")["reconnects"] == 0
    for client in clients + fresh:
        client.close()


# MARK: Limits of its own

def test_more_streams_than_an_agent_takes(run_hub, run_agent, target):
    """`--max-streams`: what is over it is refused as busy, counted on both sides; the one inside goes on, and its place comes back."""
    hub = run_hub()
    agent = run_agent(hub, {"echo": target(echoes=True).port}, "--max-streams", "1")
    assert 'weir_agent_opens_refused_total{reason="busy"} 0' in agent.http("/metrics")[1], "it is there from the start"
    with hub.connect() as inside:
        inside.sendall(b"x")
        assert inside.recv(1) == b"x"
        assert is_reset(hub.ports["echo"]) and is_reset(hub.ports["echo"])
        assert agent.metric("weir_agent_opens_refused_total", reason="busy") == 2
        until("it is recorded", lambda: [one["reason"] for one in hub.audit() if one["result"] == "refused"] == ["busy", "busy"])
        inside.sendall(b"y")
        assert inside.recv(1) == b"y"
    until("its place is free", lambda: exchange(hub.ports["echo"]) == b"hello")


# MARK: Words

def test_what_is_wrong_on_the_way_is_said(tmp_path, run_hub, run_agent, target, stopping):
    """Each way to miss the hub has its own sentence, with what was wrong, where, and what to do."""
    hub = run_hub(names=["hub.example.org"])
    http = hub.port     # the API: no TLS there
    elsewhere = Relay(hub.door, host="127.0.0.2")
    stopping.append(elsewhere)
    token = hub.token("site-01")
    file = tmp_path / "token"
    file.write_text(token)
    ways = {
        "refused": (f"wss://127.0.0.1:{free_port()}/tunnel", ["refuses connections", "tunnel.listen"], []),
        "no name": (f"wss://no-such-host.invalid:{hub.door}/tunnel", ["cannot be looked up", "DNS"], []),
        "no TLS": (f"wss://127.0.0.1:{http}/tunnel", ["it speaks no TLS", "Look at the port"], []),
        "other name": (f"wss://127.0.0.2:{elsewhere.port}/tunnel", ["its certificate is for another name", "tunnel.names"], []),
        "path": (f"wss://127.0.0.1:{hub.door}/else", ["has no tunnel there: 404", "tunnel.path"], ["--web-socket"]),
        "proxy away": (hub.url, [f"The proxy 127.0.0.1:{free_port()} refuses", "Is the proxy running"], None),
        "authority": (hub.url, ["its certificate cannot be verified", "--ca-file"], ["--no-token"])}
    agents = {}
    for what, (url, said, options) in ways.items():
        if options is None:
            port = said[0].split(":")[1].split()[0]
            options = ["--proxy", f"http://127.0.0.1:{port}"]
        proof = ["--name", "site-01"] if "--no-token" in options else ["--token-file", file]
        options = [one for one in options if one != "--no-token"]
        name = what.replace(" ", "-")
        agents[what] = agent = Agent(tmp_path, hub, name, {"echo": 9}, [*proof, *options], url=url)
        stopping.append(agent)
        agent.start()
    for what, (_, said, _) in ways.items():
        for text in said:
            agents[what].until_says(text)
        assert "NIO" not in agents[what].output() and "Error" not in agents[what].output(), agents[what].output()
        until(f"{what}: status says it", lambda what=what, said=said: all(text in agents[what].status().stdout for text in said))
    assert hub.get("agents") == [] and hub.metric("weir_tunnel_agents_refused_total") == 0
    until("the door counts them", lambda: hub.metric("weir_tunnel_door_closed_total", reason="http") >= 1
          and hub.metric("weir_tunnel_door_closed_total", reason="tls") + hub.metric("weir_tunnel_door_closed_total", reason="left") >= 2)
    # The token is still whole: nobody has spent it.
    run_agent(hub, {"echo": target(echoes=True).port}, token=token)
    assert exchange(hub.ports["echo"]) == b"hello"
