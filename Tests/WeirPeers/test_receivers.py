"""Receivers that come and go, hang, or stop half-way: every event is accounted for by its number."""
import signal
import threading
import time

import pytest

from daemons import program
from events import assert_each_once, assert_none_lost, json_event, numbers, send_lines, text
from waiting import connections_to, until
from weir import drained, flow, http_out, tcp_in, tcp_out

QUEUE = {"on_backpressure": "queue", "queue": {"mode": "error", "max_size": "100MB"}}


def test_flapping_receiver(run_weir, http_receiver, port):
    """A receiver that goes away and comes back six times while events come in: all arrive, and the books balance."""
    receiver, listen, count = http_receiver(), port(), 20_000
    server = run_weir(flow(tcp_in(listen), {"out": http_out(receiver, max_events=200, **QUEUE)}))
    sender = threading.Thread(target=send_lines, args=(listen, [json_event(n) for n in range(count)]))
    sender.start()
    for turn in range(1, 7):
        until("more have arrived", lambda: receiver.count() >= turn * 1_000)
        receiver.stop()
        until("it was noticed", lambda: server.state("out") != "open" or receiver.count() >= count)
        receiver.start()
    sender.join(120)
    until("all events", lambda: len(numbers(receiver.bytes())) >= count)
    until("nothing is held", lambda: drained(server))
    assert_none_lost(receiver.bytes(), count)
    assert server.gate("out")["counters"]["unaccounted_events"] == 0


def test_black_hole(run_weir, nginx, http_receiver, port):
    """A receiver that is stopped by SIGSTOP: its kernel takes connections and bytes, nobody answers. The gate says so by its time
    limit, and after SIGCONT every event arrives."""
    receiver, listen, proxy, count = http_receiver(), port(), port(), 2_000
    hole = nginx(proxy, f"proxy_pass {receiver.url};")
    server = run_weir(flow(tcp_in(listen), {"out": http_out(receiver, url=f"http://127.0.0.1:{proxy}/in", timeout="500ms", **QUEUE)}))
    send_lines(listen, [json_event(n) for n in range(count // 2)])
    until("the first half", lambda: receiver.count() >= count // 2)
    hole.send_signal(signal.SIGSTOP)
    try:
        send_lines(listen, [json_event(n) for n in range(count // 2, count)])
        server.until_state("out", "queueing")
        assert server.reason("out") in ("request_timeout", "connect_timeout", "write_timeout"), server.gate("out")["reason"]
    finally:
        hole.send_signal(signal.SIGCONT)
    until("all events", lambda: len(numbers(receiver.bytes())) >= count)
    assert_none_lost(receiver.bytes(), count)
    server.until_state("out", "open")
    assert server.gate("out")["counters"]["unaccounted_events"] == 0


def test_half_closed_receiver(run_weir, tcp_receiver, port):
    """A receiver that ends its own side of each connection and goes on reading: nothing is lost, nothing is torn."""
    receiver, listen, count = tcp_receiver(half_closes=True), port(), 5_000
    server = run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver)}))
    for first in range(0, count, 500):
        send_lines(listen, [text(n) for n in range(first, first + 500)])
    until("all events", lambda: len(numbers(receiver.bytes())) >= count)
    assert_none_lost(receiver.bytes(), count)
    assert all(line.startswith(b"n=") for line in receiver.lines())
    assert server.gate("out")["counters"]["unaccounted_events"] == 0


def test_one_of_two_is_stalled(run_weir, tcp_receiver, port):
    """Two destinations for every event, one of them stops reading: with a queue in front of it the other one gets all at once, and
    when it reads again it gets all as well."""
    good, stalled, listen, count = tcp_receiver(), tcp_receiver(receive_buffer=65_536), port(), 60_000
    stalled.stall()
    queue = {"on_backpressure": "queue", "queue": {"mode": "smart", "max_size": "200MB"}}
    server = run_weir(flow(tcp_in(listen), {"good": tcp_out(good), "stalled": tcp_out(stalled, buffer="1MiB", **queue)},
                           [{"name": "both", "to": ["good", "stalled"]}]))
    send_lines(listen, [text(n, " " + "x" * 200) for n in range(count)])
    try:
        until("the good one has all", lambda: good.count() >= count)
    except AssertionError:
        print(good.count(), server.get("gates"))
        raise
    assert stalled.count() == 0
    assert server.gate("stalled")["queue"]["events"] > 0
    stalled.resume()
    until("the other one too", lambda: stalled.count() >= count)
    for receiver in (good, stalled):
        assert_each_once(receiver.bytes(), count)
    assert all(server.gate(name)["counters"]["unaccounted_events"] == 0 for name in ("good", "stalled"))


@pytest.mark.parametrize("on_full", ["drop_newest", "drop_oldest"])
def test_full_queue_drops(run_weir, tcp_receiver, port, on_full):
    """A queue of 1 MiB gets 5 MB: the sender is never held, what was dropped is counted, and what is left are the first, or the last
    (with what was read ahead for the receiver, which is never dropped)."""
    receiver, listen, count = tcp_receiver(started=False), port(), 20_000
    queue = {"mode": "always", "max_size": "1MiB", "on_full": on_full}
    server = run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver, buffer="64KiB", on_backpressure="queue", queue=queue)}))
    for first in range(0, count, 1_000):
        send_lines(listen, [text(n, " " + "x" * 230) for n in range(first, first + 1_000)])

    def dropped():
        return sum(server.gate("out")["counters"]["dropped_events"].values())

    def held():
        return server.gate("out")["counters"]["held_events"]
    until("most are dropped", lambda: dropped() > count / 2)
    until("all are taken", lambda: held() + dropped() == count)
    assert held() > 500
    receiver.start()
    until("the queue is empty", lambda: drained(server))
    until("the rest has arrived", lambda: receiver.count() + dropped() == count)
    seen = numbers(receiver.bytes())
    assert all(times == 1 for times in seen.values())
    early, late = (sum(n < count // 2 for n in seen), sum(n >= count // 2 for n in seen))
    if on_full == "drop_newest":
        assert 0 in seen and count - 1 not in seen and early > late
    else:
        assert count - 1 in seen and late > early
    assert server.gate("out")["counters"]["unaccounted_events"] == 0


def test_an_address_changes(run_weir, tcp_receiver, port, tmp_path, as_root):
    """The receiver's name gets another address: the old one stops, the new one is found, and nothing is lost. The names are in a
    hosts file that only the Weir under test sees."""
    old, listen = tcp_receiver(host="127.0.0.2"), port()
    new = tcp_receiver(port=old.port, host="127.0.0.3")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.0.2 receiver.test\n")
    wrap = [program("unshare"), "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
    server = run_weir(flow(tcp_in(listen), {"out": {**tcp_out(old.port, resolve_every="1s"), "address": f"receiver.test:{old.port}", **QUEUE}}),
                      wrap=wrap)
    send_lines(listen, [text(n) for n in range(100)])
    until("the first part", lambda: old.count() >= 100)
    with hosts.open("r+") as file:
        file.write("127.0.0.1 localhost\n127.0.0.3 receiver.test\n")
    old.stop()
    # What is written to a connection whose other end is gone is lost, and nobody can tell.
    until("Weir has seen that it is gone", lambda: connections_to(old.port, old.host) == 0)
    send_lines(listen, [text(n) for n in range(100, 300)])
    until("the rest, at the new address", lambda: new.count() >= 200)
    assert_each_once(old.bytes() + new.bytes(), 300)
    assert server.gate("out")["counters"]["unaccounted_events"] == 0
