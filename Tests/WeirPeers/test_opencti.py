"""Unmodified OpenCTI connectors: pycti 6 and 7 push into Weir, and their STIX objects reach any destination."""
import json
import signal
import time

import pytest

from events import objects
from opencti_peers import (connector_of, door, expected, hold, is_held, make_connector, names, protocol, queue_bytes, release,
                           version)
from waiting import LIMIT, until


def test_first_run(tmp_path, run_weir, make_connector, version, protocol):
    """A connector registers, runs at once, and each of its objects arrives exactly once."""
    out = tmp_path / "out"
    server = run_weir(door(out))
    connector = make_connector(server, version, protocol=protocol).feed(bundles=5, objects=3).start()
    connector.until_said("run 1 ends")
    until("all objects are in the files", lambda: len(names(out)) >= 15)
    time.sleep(0.5)
    assert names(out) == expected(1, 5, 3)
    assert all(found["type"] == "indicator" for found in objects(out))


def test_what_people_see(tmp_path, run_weir, make_connector, version):
    """Table, description, page and metrics show the connector, its schedule and its capacity."""
    server = run_weir(door(tmp_path / "out"))
    connector = make_connector(server, version, name="feed", period="PT2S", threshold=8, PINGS="1").feed(bundles=2, objects=1).start()
    # A ping tells what its scheduler did before: the second run's brings the first one. A fourth run may have begun when it is ended.
    connector.until_said("run 3 ends")
    connector.stop()
    seen = connector_of(server, connector)
    assert seen["shown"]["server_capacity"] == "0.00 MB / 8.00 MB", seen
    assert seen["threshold_bytes"] == 8_000_000 and not seen["full"] and not seen["troubles"], seen
    until("the works are complete", lambda: sum(work["status"] == "complete" for work in connector_of(server, connector)["works"]) >= 3)
    work = connector_of(server, connector)["works"][-1]
    assert (work["name"], work["pushed"], work["delivered"], work["failed"]) == ("run 1", 2, 2, 0)
    table = server.command("get", "connectors")
    assert table.returncode == 0 and "feed" in table.stdout.lower() and "0.00 MB / 8.00 MB" in table.stdout, table.stdout
    described = server.command("describe", "connector", connector.id)
    assert described.returncode == 0 and "run 1" in described.stdout, described.stdout + described.stderr
    for path in ("/connectors", f"/connectors/{connector.id}"):
        page = server.http(path)[1]
        assert "0.00 MB / 8.00 MB" in page and "Last run" in page and "Not provided" not in page
    assert f"connector/{connector.id}" in server.http("/metrics")[1]
    why = server.command("why", f"connector/{connector.id}").stdout
    assert "8.00 MB" in why and "CONNECTOR_QUEUE_THRESHOLD of its process" in why, why


def test_buffering_and_release(tmp_path, run_weir, make_connector, version):
    """Over its threshold a connector postpones its runs, all see it, and it goes on by itself when there is room."""
    out = tmp_path / "out"
    server = run_weir(door(out, {"queue_threshold": 0.005, "hard_limit": "10MB"}))
    hold(server, "files")
    connector = make_connector(server, version, period="PT2S", threshold=0.005).feed(bundles=10, objects=1, padding=1000).start()
    connector.until_said("run 1 ends")
    until("it says that it buffers", lambda: connector_of(server, connector)["buffering"])
    seen = connector_of(server, connector)
    assert seen["full"] and seen["queue_bytes"] >= 5_000 and seen["gate_state"] == "buffering", seen
    time.sleep(5)
    assert connector.said("run 2 begins") == 0, "a run began although the queue was over the threshold"
    page = server.http(f"/connectors/{connector.id}")[1]
    assert 'class="full"' in page and "Runs are put off" in page
    release(server, "files")
    connector.until_said("run 2 begins")
    until("both runs are in the files", lambda: set(expected(1, 10, 1) + expected(2, 10, 1)) <= set(names(out)))
    assert len(names(out)) == len(set(names(out)))


def test_exactly_at_the_threshold(tmp_path, run_weir, make_connector, version):
    """At the threshold nothing runs; a byte below it does. Run and terminate has no exempt first run."""
    server = run_weir(door(tmp_path / "out"))
    hold(server, "files")
    connector = make_connector(server, version).feed(bundles=3, objects=2).start()
    connector.until_said("run 1 ends")
    connector.stop()
    size = queue_bytes(server, connector)
    assert size > 0
    connector.env["CONNECTOR_RUN_AND_TERMINATE"] = "true"
    for threshold, begins in ((size, False), (size + 1, True)):
        connector.env["CONNECTOR_QUEUE_THRESHOLD"] = repr(threshold / 1_000_000)
        before = connector.said("begins")
        connector.start()
        assert connector.process.process.wait(LIMIT) == 0, connector.output()[-2000:]
        assert connector.said("begins") - before == int(begins), f"{size} bytes wait, the threshold is {threshold}"
        seen = connector_of(server, connector)
        assert seen["shown"]["next_run"] == "External schedule", seen
        assert seen["threshold_bytes"] == threshold, seen


def test_run_and_terminate(tmp_path, run_weir, make_connector, version, protocol):
    """It runs once and ends well; all it brought arrives although its process has gone."""
    out = tmp_path / "out"
    server = run_weir(door(out))
    connector = make_connector(server, version, protocol=protocol, CONNECTOR_RUN_AND_TERMINATE="true").feed(bundles=4, objects=4).start()
    assert connector.process.process.wait(LIMIT) == 0, connector.output()[-2000:]
    until("all objects are in the files", lambda: len(names(out)) >= 16)
    assert names(out) == expected(1, 4, 4)
    assert connector_of(server, connector)["shown"]["next_run"] == "External schedule"
    assert "External schedule" in server.http(f"/connectors/{connector.id}")[1]


@pytest.mark.parametrize("pings", ["", "1"])
def test_reset_state(tmp_path, run_weir, make_connector, version, pings):
    """A reset is asked for twice, written down, and reaches the process once: it begins again, and then goes on. Also one that calls
    force_ping after each run, which says what it has a second time when the answer is another."""
    server = run_weir(door(tmp_path / "out"))
    connector = make_connector(server, version, period="PT2S", PINGS=pings).feed(bundles=1, objects=1).start()
    connector.until_said("run 2 ends")
    asked = server.command("connector", "reset", connector.id)
    assert asked.returncode == 64 and "--yes" in asked.stderr, asked
    assert server.http(f"/connectors/{connector.id}/reset")[0] == 200, "the page that asks"
    assert connector.said("run 1 begins") == 1
    done = server.command("connector", "reset", connector.id, "--yes")
    assert done.returncode == 0, done.stderr
    connector.until_said("run 1 begins", times=2)      # its thread pings every 40 s
    connector.until_said("run 4 ends", times=1 + (connector.said("run 4 ends") > 0))
    assert connector.said("run 1 begins") == 2, "the reset reached the process more than once"
    assert [entry["action"] for entry in connector_of(server, connector)["audit"]] == ["reset_state"]


def test_restarts_over_the_hard_limit(tmp_path, run_weir, make_connector, version, protocol):
    """However often a connector is started again, its queue does not grow beyond the hard limit and one bundle."""
    out = tmp_path / "out"
    server = run_weir(door(out, {"queue_threshold": 0.01, "hard_limit": "0.02MB"}))
    hold(server, "files")
    connector = make_connector(server, version, protocol=protocol).feed(bundles=40, objects=1, padding=1000)
    levels = []
    for _ in range(3):
        connector.start()
        until("a push waits", lambda: is_held(server, connector))
        time.sleep(1)
        levels.append(queue_bytes(server, connector))
        connector.stop(signal.SIGKILL)
    assert all(20_000 <= level <= 23_000 for level in levels), levels
    connector.start()
    release(server, "files")
    connector.until_said("run 1 ends")
    until("all of it is in the files", lambda: set(expected(1, 40, 1)) <= set(names(out)))


def test_a_held_push(tmp_path, run_weir, make_connector, version, protocol):
    """While its queue is full a push waits, longer than the console lets other requests take, and then goes on."""
    out = tmp_path / "out"
    server = run_weir(door(out, {"queue_threshold": 0.01, "hard_limit": "0.02MB"}))
    hold(server, "files")
    # Long enough that its body is handed on while it comes.
    connector = make_connector(server, version, protocol=protocol).feed(bundles=3, objects=1, padding=400_000).start()
    until("a push waits", lambda: is_held(server, connector))
    time.sleep(33 if protocol == "api" else 12)      # over AMQP: longer than its heartbeats
    assert connector.process.is_alive and connector.said("run 1 ends") == 0
    release(server, "files")
    connector.until_said("run 1 ends")
    until("all of it is in the files", lambda: names(out) == expected(1, 3, 1))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("lives", [3])
def test_killed_during_pushes(tmp_path, run_weir, make_connector, version, protocol, lives):
    """kill -9 between and in pushes: whatever a connector was told is taken arrives; what was taken is not lost."""
    out = tmp_path / "out"
    server = run_weir(door(out))
    connector = make_connector(server, version, protocol=protocol).feed(bundles=400, objects=1)
    for life in range(lives):
        before = connector.said("of 400")
        connector.start()
        connector.process.wait_until("it pushes", lambda: connector.said("of 400") >= before + 30)
        server.kill()
        time.sleep(0.3)
        connector.stop(signal.SIGKILL)
        server.start()
    taken = {int(line.split()[6]) for line in connector.output().splitlines() if line.endswith("of 400")}
    until("what was taken is there", lambda: taken <= {int(name.split()[3]) for name in names(out)})
    connector.start()
    connector.until_said("run 1 ends", limit=4 * LIMIT)     # 400 bundles, over AMQP with a connection each
    until("all of it is in the files", lambda: set(names(out)) == set(expected(1, 400, 1)))
    until("nothing is left in its queue", lambda: queue_bytes(server, connector) == 0)


def test_wrong_token(tmp_path, run_weir, make_connector, version):
    """The connector ends at once, and its log says which variable to look at."""
    server = run_weir(door(tmp_path / "out"))
    connector = make_connector(server, version, OPENCTI_TOKEN="another-token").start()
    assert connector.process.process.wait(LIMIT) != 0
    assert "OPENCTI_TOKEN" in connector.output(), connector.output()[-2000:]
    assert server.get("connectors") == []
