"""FIN, RST and refusal: each row through a hub and an agent, and on a direct connection, which says what is right."""
import json
import socket
import subprocess
import threading
import time
from types import SimpleNamespace

import pytest

from daemons import program
from tunnel import Agent, Hub, Target, connect, is_reset, read_to_end, reset
from waiting import LIMIT, give_ports_back, until

MEGABYTE = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """A hub and an agent that every row of the matrix goes through, and the targets behind them."""
    directory = tmp_path_factory.mktemp("line")
    holder = socket.socket()                # bound and not listening: connections are refused, and nobody else gets the port
    holder.bind(("127.0.0.1", 0))
    target, slow = Target(), Target(backlog=0)
    serve = {"open": target.port, "refused": holder.getsockname()[1], "slow": slow.port, "unreachable": "255.255.255.255:9"}
    hub = Hub(directory / "hub", {**{name: {} for name in serve}, "absent": {}})
    agent = Agent(directory, hub, "site-01", serve, ["--connect-timeout", "1"])
    try:
        hub.start()
        agent.token_file.write_text(hub.token("site-01"))
        agent.command[4:4] = ["--token-file", agent.token_file]
        agent.start().until_connected()
        yield SimpleNamespace(hub=hub, agent=agent, target=target, slow=slow, refused=holder.getsockname()[1])
    finally:
        agent.kill()
        hub.terminate()
        for thing in (target, slow):
            thing.stop()
        holder.close()
        give_ports_back()


@pytest.fixture(params=["direct", "tunnel"])
def pair(request, line):
    """pair() -> (client, its other end at the target)"""
    open_ones = []

    def make(**more):
        client = connect(line.target.port if request.param == "direct" else line.hub.ports["open"], **more)
        far = line.target.accept()
        open_ones.extend((client, far))
        return client, far
    yield make
    for one in open_ones:
        one.close()


def test_half_close_of_the_client(pair):
    client, far = pair()
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(far) == (b"question", "eof")
    threading.Thread(target=lambda: (far.sendall(MEGABYTE), far.close())).start()
    assert read_to_end(client) == (MEGABYTE, "eof")


def test_half_close_of_the_server_first(pair):
    client, far = pair()
    threading.Thread(target=lambda: (far.sendall(MEGABYTE), far.shutdown(socket.SHUT_WR))).start()
    assert read_to_end(client) == (MEGABYTE, "eof")
    client.sendall(b"late")
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(far) == (b"late", "eof")


def test_a_reset_of_the_target_reaches_the_client(pair):
    client, far = pair()
    client.sendall(b"x")
    assert far.recv(1) == b"x"
    reset(far)
    assert read_to_end(client) == (b"", "reset")


def test_a_reset_of_the_client_reaches_the_target(pair):
    client, far = pair()
    far.sendall(b"x")
    assert client.recv(1) == b"x"
    reset(client)
    assert read_to_end(far) == (b"", "reset")


def test_a_reset_after_a_half_close_is_no_end_of_file(pair):
    client, far = pair()
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(far) == (b"", "eof")
    reset(far)
    assert read_to_end(client) == (b"", "reset")


def test_much_in_both_directions_then_both_ends(pair):
    client, far = pair()
    ends = {}

    def carry(name, connection):
        sender = threading.Thread(target=lambda: ([connection.sendall(MEGABYTE) for _ in range(16)], connection.shutdown(socket.SHUT_WR)))
        sender.start()
        ends[name] = read_to_end(connection)
        sender.join(LIMIT)
    threads = [threading.Thread(target=carry, args=both) for both in (("client", client), ("far", far))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    for name in ("client", "far"):
        assert ends[name][1] == "eof" and ends[name][0] == MEGABYTE * 16, (name, len(ends[name][0]))


def test_a_refusing_target(line):
    """A direct client sees it in connect; through the tunnel it is a reset before any byte was taken."""
    with pytest.raises(ConnectionRefusedError):
        connect(line.refused)
    assert is_reset(line.hub.ports["refused"])
    line.hub.until_results("refused", refused=1, opened=0)
    assert line.hub.tunnel("refused")["bytes_to_target"] == 0


def test_a_target_that_does_not_answer(line):
    """A full backlog: the agent gives up after its own limit, and the client is reset."""
    filling = [socket.socket() for _ in range(4)]
    try:
        for one in filling:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", line.slow.port))
        time.sleep(0.2)     # the kernel's own handshakes
        assert is_reset(line.hub.ports["slow"])
        line.hub.until_results("slow", refused=1, opened=0)
        reasons = [record["reason"] for record in line.hub.audit() if record["connector"] == "slow"]
        until("the audit says why", lambda: "connect_timeout" in [r.get("reason") for r in line.hub.audit() if r["connector"] == "slow"])
        assert reasons in ([], ["connect_timeout"])
    finally:
        for one in filling:
            one.close()


def test_an_unreachable_target_and_one_that_nobody_serves(line):
    assert is_reset(line.hub.ports["unreachable"])
    line.hub.until_results("unreachable", refused=1, opened=0)
    assert is_reset(line.hub.ports["absent"])
    line.hub.until_results("absent", no_agent=1, opened=0)
    assert [trouble["code"] for trouble in line.hub.tunnel("absent")["troubles"]] == ["no_agent"]


def test_a_stalled_reader_beside_a_fast_one(line):
    """The fast one goes through; the stalled one waits, is not reset, and gets every byte afterwards."""
    hub = line.hub
    stalled = connect(hub.ports["open"], receive_buffer=8192)
    far = line.target.accept()
    size = 24
    sending = threading.Thread(target=lambda: ([far.sendall(MEGABYTE) for _ in range(size)], far.close()), daemon=True)
    sending.start()
    until("the stalled one waits", lambda: hub.tunnel("open")["blocked"] == 1)
    fast = connect(hub.ports["open"])
    other = line.target.accept()
    threading.Thread(target=lambda: ([other.sendall(MEGABYTE) for _ in range(16)], other.close()), daemon=True).start()
    assert read_to_end(fast) == (MEGABYTE * 16, "eof")
    tunnel = hub.tunnel("open")
    assert tunnel["blocked"] == 1 and tunnel["queue_bytes"] <= tunnel["queue_limit_bytes"], tunnel
    assert sending.is_alive(), "nobody has taken all that"
    waits = json.loads(hub.http("/api/v1/tunnels/open")[1])["open"]
    assert any(one["waits_for"] for one in waits), waits
    data, end = read_to_end(stalled)
    assert (len(data), end) == (size << 20, "eof") and data == MEGABYTE * size
    sending.join(LIMIT)
    stalled.close()


def test_the_ends_were_counted(line):
    """After the rows above: what was carried, refused and reset, by the names that alerts and panels use."""
    hub = line.hub
    assert hub.metric("weir_tunnel_tcp_connections_total", connector="open", result="opened") >= 8
    assert hub.metric("weir_tunnel_tcp_connections_total", connector="refused", result="refused") == 1
    assert hub.metric("weir_tunnel_stream_ends_total", connector="open", kind="rst") >= 3
    assert hub.metric("weir_tunnel_rst_frames_total", connector="open", direction="received") >= 2
    assert hub.metric("weir_tunnel_listener_errors_total", connector="open", type="session") == 0
    until("all have ended", lambda: hub.tunnel("open")["connections"] == 0)
    done = subprocess.run([program("promtool"), "check", "metrics"], input=hub.http("/metrics")[1], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert "nowconnect_" not in hub.http("/metrics")[1]
