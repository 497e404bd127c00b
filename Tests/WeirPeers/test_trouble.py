"""Receivers in trouble: what the gate does, what it says, and that nothing is lost."""
import json
import subprocess
import threading
import time

import pytest

from events import assert_each_once, assert_none_lost, json_event, send_lines, text
from receivers import Answer
from waiting import until
from weir import QUICK, flow, http_out, tcp_in, tcp_out

COUNT = 1_000
QUEUE = {"on_backpressure": "queue", "queue": {"mode": "error", "max_size": "100MB"}}


def test_503_for_a_while(run_weir, http_receiver, port):
    """Ten times 503, then well again: the gate holds with that reason, lets go by itself, and every event arrives once."""
    receiver, listen = http_receiver(), port()
    receiver.default = Answer(503)
    server = run_weir(flow(tcp_in(listen), {"out": http_out(receiver)}))
    send_lines(listen, [json_event(n) for n in range(COUNT)])
    server.until_state("out", "blocking")
    assert server.reason("out") == "http_503"
    receiver.default = Answer()
    until("all events", lambda: receiver.count() >= COUNT)
    server.until_state("out", "open")
    assert_each_once(receiver.bytes(), COUNT)


def test_429_pauses_the_whole_destination(run_weir, http_receiver, port):
    """One 429 with Retry-After: no request of any connection goes out before that time is over."""
    receiver, listen = http_receiver(), port()
    receiver.answers = [Answer(429, {"Retry-After": "3"})]
    server = run_weir(flow(tcp_in(listen), {"out": http_out(receiver, max_events=50)}))
    # One event is one request: with more, others could be on their way when the 429 is given.
    send_lines(listen, [json_event(0)])
    until("the gate has closed", lambda: server.entered("out", "blocking") >= 1)
    send_lines(listen, [json_event(n) for n in range(1, COUNT)])
    until("all events", lambda: receiver.count() >= COUNT)
    refused, *later = (request.at for request in receiver.requests)
    assert min(later) - refused >= 3, f"a request went out after {min(later) - refused:.2f} s of a pause of 3 s"
    assert_each_once(receiver.bytes(), COUNT)


def test_401_suspends_until_a_person_releases(run_weir, http_receiver, port):
    """401 means that the destination itself is wrong: it waits for a person, keeps the events, and goes on when released."""
    receiver, listen = http_receiver(), port()
    receiver.default = Answer(401)
    server = run_weir(flow(tcp_in(listen), {"out": http_out(receiver)}))
    # One event is one request: with more, others could be on their way when the 401 is given.
    send_lines(listen, [json_event(0)])
    server.until_state("out", "suspended")
    assert server.reason("out") == "http_401"
    send_lines(listen, [json_event(n) for n in range(1, 100)])
    time.sleep(1.5)
    assert len(receiver.requests) == 1, "a suspended destination was tried again"
    receiver.default = Answer()
    status, answer = server.http("/api/v1/gates/out/release", method="POST", body=b"")
    assert status == 200, answer
    until("all events", lambda: receiver.count() >= 100)
    assert_each_once(receiver.bytes(), 100)


def test_bad_events_are_found_and_kept(run_weir, http_receiver, port):
    """400 for a batch with bad events: it is split, the bad ones are dead-lettered, all others are delivered once."""
    receiver, listen = http_receiver(), port()
    receiver.default = lambda request: Answer(400) if b"poison" in request.body else Answer()
    server = run_weir(flow(tcp_in(listen), {"out": http_out(receiver)}))
    bad = {17, 400, 999}
    send_lines(listen, [json_event(n, **({"note": "poison"} if n in bad else {})) for n in range(COUNT)])
    until("the good ones", lambda: receiver.count() >= COUNT - len(bad))
    until("the bad ones are kept", lambda: server.gate("out")["counters"]["dead_lettered_events"] == len(bad))
    letters = json.loads(server.http("/api/v1/dead-letters/out")[1])
    assert sorted(int(json.loads(letter["content"])["n"]) for letter in letters) == sorted(bad)
    assert server.gate("out")["counters"]["unaccounted_events"] == 0


@pytest.mark.parametrize("way", ["reset", "garbage", "half_close"])
def test_misbehaving_receiver(run_weir, http_receiver, port, way):
    """Connections that are reset, answers that are no HTTP, answers cut in half: tried again, nothing lost, nothing crashes."""
    receiver, listen = http_receiver(), port()
    receiver.answers = [Answer(**{way: True}) for _ in range(4)]
    server = run_weir(flow(tcp_in(listen), {"out": http_out(receiver)}))
    send_lines(listen, [json_event(n) for n in range(COUNT)])
    until("all events", lambda: receiver.count() >= COUNT)
    assert_each_once(receiver.bytes(), COUNT)
    assert server.process.is_alive


def test_request_timeout(run_weir, http_receiver, port):
    """A receiver that does not answer in time: the reason says so, and the events go out when it does."""
    receiver, listen = http_receiver(), port()
    receiver.default = Answer(200, delay=5, take=False)
    server = run_weir(flow(tcp_in(listen), {"out": http_out(receiver, timeout="500ms")}))
    send_lines(listen, [json_event(n) for n in range(100)])
    server.until_state("out", "blocking")
    assert server.reason("out") == "request_timeout"
    receiver.default = Answer()
    until("all events", lambda: receiver.count() >= 100)
    assert_none_lost(receiver.bytes(), 100)


def test_queue_engages_and_drains(run_weir, tcp_receiver, port):
    """The receiver is not there: the gate queues to disk; when it comes, the queue drains and the gate opens."""
    receiver, listen = tcp_receiver(started=False), port()
    server = run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver, **QUEUE)}))
    send_lines(listen, [text(n) for n in range(COUNT)])
    server.until_state("out", "queueing")
    assert server.reason("out") == "connect_refused"
    # The state comes first, the sync a moment later.
    until("events are on disk", lambda: server.gate("out")["queue"]["events"] > 0)
    receiver.start()
    until("all events", lambda: receiver.count() >= COUNT)
    server.until_state("out", "open")
    assert_each_once(receiver.bytes(), COUNT)
    assert server.gate("out")["counters"]["unaccounted_events"] == 0


def test_drop_counts_what_it_drops(run_weir, tcp_receiver, port):
    """`on_backpressure: drop`: the sender is never held, and what is dropped is counted with its reason."""
    receiver, listen = tcp_receiver(started=False), port()
    server = run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver, on_backpressure="drop", buffer="64KiB")}))
    send_lines(listen, [text(n, " " + "x" * 200) for n in range(5_000)])
    server.until_state("out", "dropping")
    until("most are dropped", lambda: sum(server.gate("out")["counters"]["dropped_events"].values()) > 2_500)
    assert server.gate("out")["counters"]["unaccounted_events"] == 0


def test_one_dead_destination_does_not_slow_the_others(run_weir, tcp_receiver, port):
    """Two destinations for every event, one of them gone: with a queue in front of it the other one gets everything at once."""
    good, dead, listen = tcp_receiver(), tcp_receiver(started=False), port()
    server = run_weir(flow(tcp_in(listen), {"good": tcp_out(good), "dead": tcp_out(dead, **QUEUE)},
                           [{"name": "both", "to": ["good", "dead"]}]))
    send_lines(listen, [text(n) for n in range(20_000)])
    until("the good one has all", lambda: good.count() >= 20_000)
    server.until_state("good", "open")
    dead.start()
    until("the other one too", lambda: dead.count() >= 20_000)
    assert_each_once(good.bytes(), 20_000)
    assert_each_once(dead.bytes(), 20_000)


def test_a_blocking_destination_is_named(run_weir, tcp_receiver, port):
    """Where the route says `block`, the dead destination holds the source, and `weir why` names it, its limit and its line."""
    good, dead, listen = tcp_receiver(), tcp_receiver(started=False), port()
    server = run_weir(flow(tcp_in(listen), {"good": tcp_out(good), "dead": tcp_out(dead, buffer="1MiB")}, [{"name": "both", "to": ["good", "dead"]}]))
    send_lines(listen, [text(n) for n in range(10)])
    server.until_state("dead", "blocking")
    said = server.command("why", "dead")
    assert said.returncode in (0, 3), said
    assert "dead is blocking" in said.stdout and "weir.yaml:" in said.stdout and "not lost" in said.stdout, said.stdout
    dead.start()
    until("it lets go", lambda: dead.count() >= 10)
    server.until_state("dead", "open")


def test_slow_receiver_slows_the_sender(run_weir, tcp_receiver, port):
    """A receiver that takes 1 MB/s: the sender is held, memory stays within the buffers, and all of it arrives."""
    receiver, listen = tcp_receiver(receive_buffer=65536), port()
    receiver.bytes_per_second = 1_000_000
    server = run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver, buffer="1MiB")}))
    before = server.memory_mb()
    count = 60_000
    lines = [text(n, " " + "x" * 200) for n in range(count)]      # 15 MB
    sender = threading.Thread(target=send_lines, args=(listen, lines))
    sender.start()
    server.until_state("out", "filling", "blocking")
    time.sleep(2)
    is_held = sender.is_alive()
    assert is_held or len(receiver.bytes()) > 5_000_000, "15 MB were taken at once from a sender whose receiver takes 1 MB/s"
    assert server.memory_mb() - before < 64
    receiver.bytes_per_second = None
    sender.join(120)
    until("all events", lambda: receiver.count() >= count)
    assert_each_once(receiver.bytes(), count)


def test_hold_and_release_by_hand(run_weir, tcp_receiver, port):
    """A person holds a gate: nothing passes, the source waits; released, everything arrives."""
    receiver, listen = tcp_receiver(), port()
    server = run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver)}))
    assert server.http("/api/v1/gates/out/hold", method="POST", body=b"")[0] == 200
    server.until_state("out", "paused")
    send_lines(listen, [text(n) for n in range(100)])
    time.sleep(0.5)
    assert receiver.count() == 0
    assert server.http("/api/v1/gates/out/release", method="POST", body=b"")[0] == 200
    until("all events", lambda: receiver.count() >= 100)
    assert_each_once(receiver.bytes(), 100)


def test_http_source_answers_429_with_the_time_to_wait(run_weir, tcp_receiver, port):
    """A source that can say no says it: after `wait` it answers 429 with Retry-After, and what was not acknowledged can be sent again."""
    receiver, listen = tcp_receiver(started=False), port()
    server = run_weir(flow({"in": {"type": "http", "listen": f"127.0.0.1:{listen}", "wait": "300ms", "settle_wait": "1s"}},
                           {"out": tcp_out(receiver)}))
    body = "\n".join(json_event(n) for n in range(10)).encode()
    done = subprocess.run(["curl", "-s", "-i", "--max-time", "60", "--data-binary", "@-", f"http://127.0.0.1:{listen}/"], input=body,
                          capture_output=True, timeout=90)
    head = done.stdout.decode().lower()
    assert " 429" in head.splitlines()[0], done.stdout
    assert "retry-after:" in head
    assert server.process.is_alive
