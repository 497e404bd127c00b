"""Hostile and extreme input: refused with a clear word, bounded in memory, and never the end of the process."""
import gzip
import http.client
import resource
import socket
import subprocess
import time

import pytest

from events import assert_each_once, json_event, numbers, send_lines, text
from waiting import LIMIT, open_files, until
from weir import flow, http_in, tcp_in, tcp_out, weir


@pytest.fixture
def receiver(tcp_receiver):
    return tcp_receiver()


def works(server, listen, receiver, number):
    """The server still takes and delivers an event."""
    send_lines(listen, [text(number)])
    until("an event after the trouble", lambda: number in numbers(receiver.bytes()))
    assert server.process.is_alive


def test_ten_thousand_idle_connections(run_weir, receiver, port):
    """10,000 connections that say nothing: less than 40 KB each in a debug build, and another one is served as if they were not there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10_000, (hard if hard > 0 else 1 << 20) - 1000)
    if count < 10_000:
        pytest.skip(f"TOO FEW FILES: this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        listen = port()
        server = run_weir(flow(tcp_in(listen, max_connections=20_000), {"out": tcp_out(receiver)}))
        before = server.memory_mb()
        idle = [socket.create_connection(("127.0.0.1", listen), timeout=LIMIT) for _ in range(count)]
        until("all are accepted", lambda: open_files(server.pid) > count)
        assert (server.memory_mb() - before) * 1024 / count < 40, "KB a connection, in a debug build"
        works(server, listen, receiver, 1)
        for connection in idle:
            connection.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_file_descriptors_run_out(run_weir, receiver, port):
    """`ulimit -n 64`: no more connections are taken, nothing spins, API and page still answer, and when some are closed
    it goes on. The same with connections to the API."""
    listen = port()
    server = run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver)}),
                      limits=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    crowd = []
    for _ in range(100):
        connection = socket.socket()
        connection.settimeout(0.5)
        try:
            connection.connect(("127.0.0.1", listen))
            crowd.append(connection)
        except OSError:
            connection.close()
    before, began = server.cpu_seconds(), time.monotonic()
    time.sleep(2)
    used = (server.cpu_seconds() - before) / (time.monotonic() - began)
    assert used < 0.3, f"{used:.0%} of a core while it waits for a file descriptor"
    assert server.http("/livez")[0] == 200 and "Gates, most pressed first" in server.http("/")[1]
    idle = []
    for _ in range(40):
        connection = socket.socket()
        connection.settimeout(0.5)
        try:
            connection.connect(("127.0.0.1", server.port))
            idle.append(connection)
        except OSError:
            connection.close()
    assert server.process.is_alive
    for connection in idle:
        connection.close()
    until("the API answers again", server.is_ready)
    for connection in crowd:
        connection.close()
    until("it serves again", lambda: _try(listen))
    works(server, listen, receiver, 1)


def _try(listen):
    try:
        socket.create_connection(("127.0.0.1", listen), timeout=1).close()
        return True
    except OSError:
        return False


def test_endless_line(run_weir, receiver, port):
    """A line of 200 MB without a newline: cut or refused at `max_event`, memory stays bounded, the next lines arrive."""
    listen = port()
    server = run_weir(flow(tcp_in(listen, max_event="64KiB"), {"out": tcp_out(receiver)}))
    before = server.memory_mb()
    block = b"x" * (1 << 20)
    with socket.create_connection(("127.0.0.1", listen), timeout=LIMIT) as connection:
        try:
            for _ in range(200):
                connection.sendall(block)
            connection.sendall(b"\n" + text(7).encode() + b"\n")
        except OSError:
            pass                                   # hanging up on such a sender is an answer too
    assert server.memory_mb() - before < 64
    works(server, listen, receiver, 8)


@pytest.mark.parametrize("attack", ["deep", "headers", "bomb", "length", "smuggle", "garbage"])
def test_hostile_requests(run_weir, receiver, port, attack):
    """Deep JSON, a million headers, a gzip bomb, a lying length, two lengths, noise: an error answer, bounded memory, still there."""
    listen = port()
    server = run_weir(flow({**http_in(listen), "lines": {"type": "tcp", "listen": f"127.0.0.1:{(plain := port())}"}},
                           {"out": tcp_out(receiver)}))
    before = server.memory_mb()
    status = None
    with socket.create_connection(("127.0.0.1", listen), timeout=LIMIT) as connection:
        head = b"POST / HTTP/1.1\r\nHost: x\r\n"
        try:
            if attack == "deep":
                body = b"[" * 500_000
                connection.sendall(head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            elif attack == "headers":
                connection.sendall(head)
                for n in range(1000):
                    connection.sendall(b"".join(b"X-%d: y\r\n" % (n * 1000 + i) for i in range(1000)))
                connection.sendall(b"\r\n")
            elif attack == "bomb":
                body = gzip.compress(bytes(400 << 20), compresslevel=6)
                connection.sendall(head + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            elif attack == "length":
                connection.sendall(head + b"Content-Length: 99999999999999999999\r\n\r\nx")
            elif attack == "smuggle":
                connection.sendall(head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /")
            else:
                connection.sendall(bytes(range(256)) * 100)
            answer = connection.recv(4096)
            status = int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else None
        except (ConnectionError, BrokenPipeError):
            pass                                   # it hung up
    assert status is None or 400 <= status < 600, f"answered {status}"
    assert server.memory_mb() - before < 96
    works(server, plain, receiver, 1)


def test_slow_loris(run_weir, receiver, port):
    """A head that comes one byte a second is hung up on; others are served meanwhile."""
    listen = port()
    run_weir(flow(http_in(listen), {"out": tcp_out(receiver)}))
    loris = socket.create_connection(("127.0.0.1", listen), timeout=1)
    loris.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    other = http.client.HTTPConnection("127.0.0.1", listen, timeout=LIMIT)
    other.request("POST", "/", json_event(1).encode())
    assert other.getresponse().status == 200

    def is_hung_up():
        try:
            loris.sendall(b"a")
            loris.settimeout(0.9)
            return loris.recv(100) is not None
        except TimeoutError:
            return False
        except OSError:
            return True
    until("it hung up", is_hung_up, LIMIT, pause=0.1)


BAD_CONFIGURATIONS = {
    "bomb": ("a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [" + ",".join([f"*{chr(97 + i)}"] * 9) + "]\n"
                                                        for i in range(9)), ["weir.yaml:"]),
    "unknown key": ("destinations:\n  out: { type: tcp, adress: \"127.0.0.1:1\" }\n", ["weir.yaml:2:", "adress", "address"]),
    "unknown type": ("destinations:\n  out: { type: tpc, address: \"127.0.0.1:1\" }\n", ["weir.yaml:2:", "tpc", "tcp"]),
    "no yaml": ("sources: [\n", ["weir.yaml:"]),
    "wrong unit": ("destinations:\n  out: { type: tcp, address: \"127.0.0.1:1\", timeout: fast }\n", ["weir.yaml:2:", "timeout"]),
    "no destination": ("sources:\n  in: { type: tcp, listen: \"127.0.0.1:1\" }\nroutes:\n  - { name: a, to: nowhere }\n", ["weir.yaml:", "nowhere"]),
    "two errors": ("destinations:\n  a: { type: tcp, adress: x }\n  b: { type: htp, url: x }\n", ["weir.yaml:2:", "weir.yaml:3:"]),
    "deep": ("a: " + "[" * 5000 + "]" * 5000 + "\n", ["weir.yaml:"]),
}


@pytest.mark.parametrize("name", BAD_CONFIGURATIONS)
def test_bad_configuration(tmp_path, name):
    """A wrong configuration: file:line:column, what was expected, the nearest known key, all problems at once, exit code 78, nothing
    started. A YAML bomb is refused like any other mistake."""
    content, wanted = BAD_CONFIGURATIONS[name]
    (tmp_path / "weir.yaml").write_text(content)
    for command in ("check", "run"):
        arguments = ["check", "weir.yaml"] if command == "check" else ["run", "--config", "weir.yaml"]
        done = weir(*arguments, cwd=tmp_path)
        said = done.stdout + done.stderr
        assert done.returncode == 78, f"{command}: exit {done.returncode}: {said}"
        assert all(part in said for part in wanted), said
    assert not (tmp_path / "weir-data").exists(), "something was started"
