"""`weir queue`: what is kept on disk, looked at, sent again, sent elsewhere, taken out."""
import json

import pytest

from events import assert_each_once, json_event, send_lines
from receivers import Answer
from waiting import until
from weir import flow, http_out, tcp_in, tcp_out, weir

COUNT = 300


@pytest.fixture
def stopped(run_weir, port):
    """A Weir whose receiver never came; it was stopped with its queue."""
    listen = port()
    server = run_weir(flow(tcp_in(listen), {"old": tcp_out(port(), on_backpressure="queue", queue={"mode": "error"})}))
    send_lines(listen, [json_event(n) for n in range(COUNT)])
    until("all are on disk", lambda: (server.gate("old").get("queue") or {}).get("events") == COUNT)
    server.listen = listen
    assert server.terminate() == 0
    return server


def queue(server, *arguments):
    return weir("queue", *arguments, "--data", server.data, cwd=server.directory)


def test_looking_without_a_node(stopped):
    """ls, peek, show, verify and export read what is there; a wrong name is told the nearest."""
    listed = queue(stopped, "ls")
    assert listed.returncode == 0 and "old" in listed.stdout and str(COUNT) in listed.stdout, listed
    assert json.loads(queue(stopped, "ls", "--json").stdout)[0]["events"] == COUNT
    peeked = queue(stopped, "peek", "old", "--limit", "2")
    assert peeked.stdout.count("\n") == 2 and '"n":"0000000"' in peeked.stdout, peeked
    shown = queue(stopped, "show", "old", "3")
    assert '"n":"0000002"' in shown.stdout and "source" in shown.stdout, shown
    assert queue(stopped, "show", "old", "9999").returncode == 1
    assert queue(stopped, "verify", "old").returncode == 0
    assert queue(stopped, "export", "old").stdout.count("\n") == COUNT
    wrong = queue(stopped, "peek", "odl")
    assert wrong.returncode == 1 and "Did you mean 'old'?" in wrong.stderr, wrong


def test_discard_asks_first(stopped):
    asked = queue(stopped, "discard", "old")
    assert asked.returncode == 64 and f"{COUNT} events" in asked.stderr, asked
    assert queue(stopped, "discard", "old", "--yes", "old").returncode == 0
    assert queue(stopped, "peek", "old").returncode == 1


def test_orphan_drains_through_another_gate(stopped, http_receiver):
    """The destination is removed: its queue is listed as an orphan, and goes through another destination, each event once."""
    server, receiver = stopped, http_receiver(default=Answer(503))
    server.configuration.update(flow(tcp_in(server.listen), {"siem": http_out(receiver)}))
    server.start()
    listed = server.command("get", "queues")
    assert "old" in listed.stdout and "orphan" in listed.stdout, listed
    assert "Queues without a destination" in server.http("/")[1]
    wrong = server.command("queue", "drain", "old", "--to", "sime")
    assert wrong.returncode == 1 and 'Did you mean "siem"?' in wrong.stderr, wrong
    assert server.command("queue", "drain", "old", "--to", "siem", "--no-wait").returncode == 0
    # The receiver refuses for now: the gate says so, and nothing is taken out of the queue.
    server.until_state("siem", "blocking")
    orphan = server.get("queues")[0]
    assert orphan["drains_to"] == "siem" and orphan["queue"]["events"] == COUNT, orphan
    again = server.command("queue", "drain", "old", "--to", "siem")
    assert again.returncode == 1 and "drains already" in again.stderr, again
    # A restart in the middle forgets the order, not the events.
    server.restart()
    receiver.default = Answer()
    done = server.command("queue", "drain", "old", "--to", "siem")
    assert done.returncode == 0 and "is removed" in done.stdout, done
    assert_each_once(receiver.bytes(), COUNT)
    assert server.get("queues") == []
    assert "old" not in queue(server, "ls").stdout


def test_dead_letters_are_shown_and_replayed(run_weir, http_receiver, port):
    """400 for two events: they are listed, shown whole, exported; when the receiver takes them, a replay delivers them."""
    receiver, listen = http_receiver(), port()
    receiver.default = lambda request: Answer(400) if b"poison" in request.body else Answer()
    server = run_weir(flow(tcp_in(listen), {"out": http_out(receiver)}))
    send_lines(listen, [json_event(n, **({"note": "poison"} if n in (3, 7) else {})) for n in range(10)])
    until("two are refused", lambda: server.gate("out")["counters"]["dead_lettered_events"] == 2)
    shown = queue(server, "show", "out", "2", "--dead-letters")
    for part in ("status      400", "http_400", "attempts", "source      in", "poison"):
        assert part in shown.stdout, f"{part!r} is not in:\n{shown.stdout}"
    # In the order in which they were found, which is not that of their numbers.
    fields = [json.loads(queue(server, "show", "out", n, "--dead-letters", "--json").stdout) for n in ("1", "2")]
    assert all(letter["status"] == 400 and letter["attempts"] >= 1 for letter in fields), fields
    assert sorted(json.loads(letter["content"])["n"] for letter in fields) == ["0000003", "0000007"]
    assert queue(server, "peek", "out", "--dead-letters").stdout.count("http_400") == 2
    assert queue(server, "export", "out", "--dead-letters").stdout.count("poison") == 2
    # Refused again: it comes back as a letter.
    assert server.command("queue", "replay", "out").returncode == 0
    until("both are back", lambda: len(json.loads(server.http("/api/v1/dead-letters/out")[1])) == 2)
    receiver.default = Answer()
    replayed = server.command("queue", "replay", "out")
    assert replayed.returncode == 0 and "2 of the dead letters of out were sent again" in replayed.stdout, replayed
    until("all have arrived", lambda: receiver.count() >= 10)
    assert_each_once(receiver.bytes(), 10)
    assert json.loads(server.http("/api/v1/dead-letters/out")[1]) == []
    assert "There are no dead letters" in server.command("queue", "replay", "out").stdout
