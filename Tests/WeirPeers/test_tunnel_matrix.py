"""FIN, RST and refusal: each row through a hub and an agent, and on a direct connection, which says what is right."""
import json
import os
import select
import socket
import struct
import subprocess
import threading
from types import SimpleNamespace

import pytest

from daemons import program
from tunnel import Agent, Hub, Target, connect, is_reset, read_to_end, reset
from waiting import LIMIT, give_ports_back, memory_mb, until

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

    def make(receive_buffer=None):
        line.target.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer or 1 << 18)
        client = connect(line.target.port if request.param == "direct" else line.hub.ports["open"], receive_buffer=receive_buffer)
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


def test_a_client_that_says_nothing_but_its_end(pair):
    client, far = pair()
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(far) == (b"", "eof")
    far.sendall(b"bye")
    far.close()
    assert read_to_end(client) == (b"bye", "eof")


@pytest.mark.parametrize("who", ["client", "target"])
def test_who_closes_without_having_read_all_resets(pair, who):
    """As kernels do it: the other side must not take it for an end."""
    client, far = pair()
    closing, other = (client, far) if who == "client" else (far, client)
    other.sendall(b"unread")
    closing.sendall(b"x")
    assert other.recv(1) == b"x"
    readable, _, _ = select.select([closing], [], [], LIMIT)
    assert readable
    closing.close()
    assert read_to_end(other) == (b"", "reset")


@pytest.mark.parametrize("who", ["client", "target"])
def test_a_reset_in_the_middle_of_a_transfer(pair, who):
    """What has come is the beginning of what was sent, and its end is a reset."""
    client, far = pair()
    sender, reader = (client, far) if who == "client" else (far, client)

    def send():
        try:
            while True:
                sender.sendall(MEGABYTE)
        except OSError:
            pass
    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    came = bytearray()
    while len(came) < 5 << 20:
        came += reader.recv(1 << 16)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(sender.detach())
    rest, end = read_to_end(reader)
    came += rest
    assert end == "reset" and came == (MEGABYTE * (len(came) // len(MEGABYTE) + 1))[:len(came)]


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


# MARK: Targets that do not answer: a direct client sees it in connect, through the tunnel it is a reset before any byte was taken

def direct(address, timeout):
    """What connect says of a target that is not there."""
    with socket.socket() as client:
        client.settimeout(timeout)
        try:
            client.connect(address)
        except OSError as problem:
            return type(problem)
    return None


def told(hub, name, reason):
    """A client of the tunnel that speaks at once: nothing of it is taken, and the record says why."""
    with connect(hub.ports[name]) as client:
        try:
            client.sendall(b"hello")
        except OSError:
            pass
        data, end = read_to_end(client)
    hub.until_results(name, opened=0)
    until(f"the audit says {reason}", lambda: reason in [record.get("reason") for record in hub.audit() if record["connector"] == name])
    return data == b"" and end == "reset" and hub.tunnel(name)["bytes_to_target"] == 0


def test_a_refusing_target(line):
    assert direct(("127.0.0.1", line.refused), LIMIT) is ConnectionRefusedError
    assert told(line.hub, "refused", "refused")
    line.hub.until_results("refused", refused=1)


def test_an_unreachable_target(line):
    """No route: at once, and not the same as a refusal."""
    assert direct(("255.255.255.255", 9), LIMIT) not in (None, ConnectionRefusedError, TimeoutError)
    assert told(line.hub, "unreachable", "unreachable")
    line.hub.until_results("unreachable", refused=1)


def test_a_target_that_does_not_answer(line):
    """A full backlog: a direct client waits for as long as it likes; the agent gives up after its own limit, and the client is reset."""
    filling = [socket.socket() for _ in range(4)]
    try:
        for one in filling:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", line.slow.port))
        until("its backlog is full", lambda: direct(("127.0.0.1", line.slow.port), 0.5) is TimeoutError)
        assert told(line.hub, "slow", "connect_timeout")
        line.hub.until_results("slow", refused=1)
    finally:
        for one in filling:
            one.close()


def test_a_connector_that_nobody_serves(line):
    assert is_reset(line.hub.ports["absent"])
    line.hub.until_results("absent", no_agent=1, opened=0)
    assert [trouble["code"] for trouble in line.hub.tunnel("absent")["troubles"]] == ["no_agent"]


# MARK: A reader that reads nothing

def kernel_most(name):
    """How large the kernel lets a socket's buffer grow by itself, in bytes."""
    with open(f"/proc/sys/net/ipv4/{name}") as values:
        return int(values.read().split()[2])


@pytest.mark.parametrize("who", ["client", "target"])
def test_a_stalled_reader_and_its_neighbour(pair, line, request, who):
    """The neighbour is answered as if nothing were; the stalled one is not reset, swallows what windows and kernels hold and no more, and
    gets every byte when it reads at last."""
    hub, size = line.hub, 32
    memory = [memory_mb(process.pid) for process in (hub, line.agent.process)]
    client, far = pair(receive_buffer=8_192)
    stalled, sender = (client, far) if who == "client" else (far, client)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    swallowed = [0]

    def send():
        while swallowed[0] < size << 20:
            swallowed[0] += sender.send(MEGABYTE[swallowed[0] % len(MEGABYTE):][:1 << 16])
        sender.close()
    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    is_tunnel = "tunnel" in request.node.name
    if is_tunnel:
        until("it waits", lambda: hub.tunnel("open")["blocked"] == 1)
    neighbour, near = pair()
    for number in range(300):
        neighbour.sendall(b"question")
        assert near.recv(8, socket.MSG_WAITALL) == b"question"
        near.sendall(MEGABYTE[:5_000])
        assert neighbour.recv(5_000, socket.MSG_WAITALL) == MEGABYTE[:5_000], number
    assert sending.is_alive(), f"all {size} MiB are gone"
    if is_tunnel:
        tunnel = hub.tunnel("open")
        assert tunnel["blocked"] == 1 and tunnel["queue_bytes"] <= tunnel["queue_limit_bytes"], tunnel
        assert any(one["waits_for"] for one in json.loads(hub.http("/api/v1/tunnels/open")[1])["open"])
        # Both sockets of Weir, with what the kernel gives them; the largest window; the test's own sockets and what is read ahead.
        most = kernel_most("tcp_rmem") + kernel_most("tcp_wmem") + (4 << 20) + (1 << 20)
        assert swallowed[0] <= most, (swallowed, most)
        grown = [memory_mb(process.pid) - before for process, before in zip((hub, line.agent.process), memory)]
        assert max(grown) <= 24, f"MB that hub and agent have grown: {grown}"
    data, end = read_to_end(stalled)
    assert (len(data), end) == (size << 20, "eof") and data == MEGABYTE * size
    sending.join(LIMIT)


def test_ends_are_counted(line):
    """What is carried, refused and reset, by the names that alerts and panels use."""
    hub = line.hub

    def counts():
        return [hub.metric(name, **labels) for name, labels in (
            ("weir_tunnel_tcp_connections_total", {"connector": "open", "result": "opened"}),
            ("weir_tunnel_tcp_connections_total", {"connector": "refused", "result": "refused"}),
            ("weir_tunnel_stream_ends_total", {"connector": "open", "kind": "rst"}),
            ("weir_tunnel_rst_frames_total", {"connector": "open", "direction": "received"}))]
    before = counts()
    for end in ("eof", "target", "client"):
        client = connect(hub.ports["open"])
        far = line.target.accept()
        client.sendall(b"question")
        assert far.recv(8, socket.MSG_WAITALL) == b"question"
        if end == "eof":
            client.shutdown(socket.SHUT_WR)
            assert read_to_end(far) == (b"", "eof")
            far.close()
            assert read_to_end(client) == (b"", "eof")
        elif end == "target":
            reset(far)
            assert read_to_end(client) == (b"", "reset")
        else:
            reset(client)
            assert read_to_end(far) == (b"", "reset")
        client.close()
        far.close()
    assert is_reset(hub.ports["refused"])
    until("all are counted", lambda: [now - then for now, then in zip(counts(), before)] == [3, 1, 2, 1])
    assert hub.metric("weir_tunnel_listener_errors_total", connector="open", type="session") == 0
    until("all have ended", lambda: hub.tunnel("open")["connections"] == 0)
    done = subprocess.run([program("promtool"), "check", "metrics"], input=hub.http("/metrics")[1], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert "nowconnect_" not in hub.http("/metrics")[1]
