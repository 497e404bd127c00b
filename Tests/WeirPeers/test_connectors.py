"""Connectors that Weir runs itself: real catalogues through `http` with a `file:` URL, programs through `exec`, schedules, state."""
import json
import os
import stat
import time
from pathlib import Path

import pytest

from events import objects
from waiting import until
from weir import flow

DATA = Path(os.environ.get("WEIR_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "data"      # beside the project


def catalogue(name):
    """A real catalogue; skips loudly where it is not there."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"NO DATA: there is no {path}; WEIR_SHARED names the folder that holds data")
    return path


def managed(out, connectors):
    return {"connectors": connectors, **flow({}, {"files": {"type": "filesystem", "path": str(out), "flush": "50ms"}}, [])}


def connector_of(server, name):
    status, text = server.http(f"/api/v1/connectors/{name}")
    assert status == 200, text
    return json.loads(text)


def runs(out, key):
    """How many events have this key: each run of the program makes one."""
    return sum(key in event for event in objects(out))


def is_still(count, seconds):
    before = count()
    time.sleep(seconds)
    return count() == before


def program(path, body):
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path)]


def test_known_exploited_vulnerabilities(tmp_path, run_weir):
    """The catalogue's every entry arrives once; the next run finds that the file has not changed and brings nothing."""
    source = catalogue("known_exploited_vulnerabilities.json")
    entries = json.loads(source.read_text())["vulnerabilities"]
    out = tmp_path / "out"
    server = run_weir(managed(out, {"kev": {"type": "http", "url": f"file:{source}", "items": "vulnerabilities", "schedule": "PT5H"}}))
    until("all of it is in the files", lambda: len(objects(out)) >= len(entries))
    until("its run has ended", lambda: connector_of(server, "kev").get("last_run"))
    first = connector_of(server, "kev").get("last_run")
    assert server.command("connector", "run", "kev").returncode == 0
    until("it has run again", lambda: connector_of(server, "kev").get("last_run") != first)
    time.sleep(0.5)
    arrived = objects(out)
    assert len(arrived) == len(entries) == json.loads(source.read_text())["count"]
    assert {entry["cveID"] for entry in arrived} == {entry["cveID"] for entry in entries}
    assert arrived == entries, "in the catalogue's order, nothing changed"
    assert [entry["action"] for entry in connector_of(server, "kev")["audit"]] == ["run"]


def test_ics_attack(tmp_path, run_weir):
    """A STIX bundle of megabytes: each object is an event, and the counts match."""
    source = catalogue("ics-attack.json")
    bundle = json.loads(source.read_text())["objects"]
    out = tmp_path / "out"
    server = run_weir(managed(out, {"ics": {"type": "http", "url": f"file:{source}", "format": "stix", "schedule": "P1D"}}))
    until("all of it is in the files", lambda: len(objects(out)) >= len(bundle))
    until("the work is complete", lambda: connector_of(server, "ics")["works"][0]["status"] == "complete")
    arrived = objects(out)
    assert sorted(entry["id"] for entry in arrived) == sorted(entry["id"] for entry in bundle)
    work = connector_of(server, "ics")["works"][0]
    assert work["pushed"] == work["delivered"] and work["failed"] == 0


def test_a_program(tmp_path, run_weir):
    """Events on standard output; the state is kept when it ends well, and reset by a person."""
    body = """
n=$(printf %s "$WEIR_STATE" | sed 's/[^0-9]//g'); n=$((${n:-0} + 1))
printf '{"number": %s}\\n' "$n"; printf '{"state": {"n": %s}}\\n' "$n" >&3
"""
    out = tmp_path / "out"
    server = run_weir(managed(out, {"count": {"type": "exec", "command": program(tmp_path / "count", body), "schedule": "PT1S"}}))
    until("three runs", lambda: [event["number"] for event in objects(out)][:3] == [1, 2, 3])
    assert server.command("connector", "reset", "count", "--yes").returncode == 0
    until("it began again, once", lambda: [event["number"] for event in objects(out)].count(1) == 2)
    until("and went on", lambda: [event["number"] for event in objects(out)].count(3) == 2)
    server.restart()
    before = json.loads(connector_of(server, "count")["state"])["n"]
    until("it goes on where it was", lambda: json.loads(connector_of(server, "count")["state"])["n"] > before)
    assert [event["number"] for event in objects(out)].count(1) == 2


def test_pause_and_a_program_that_fails(tmp_path, run_weir):
    """A failed run is a failed run: no last run, the reason in words. A paused connector starts nothing."""
    out = tmp_path / "out"
    server = run_weir(managed(out, {
        "bad": {"type": "exec", "command": program(tmp_path / "bad", "echo '{\"a\":1}'; echo broken >&2; exit 3\n"), "schedule": "PT1H"},
        "good": {"type": "exec", "command": program(tmp_path / "good", "echo '{\"g\":1}'\n"), "schedule": "PT1S"}}))
    until("the run has failed", lambda: connector_of(server, "bad")["failures"] >= 1)
    bad = connector_of(server, "bad")
    assert bad["shown"]["last_run"] == "Not provided" and bad["activity"] == "failed" and "3" in bad["troubles"][0]["sentence"], bad
    assert server.command("connector", "pause", "good").returncode == 0
    # A run may have been under way.
    until("nothing runs any more", lambda: is_still(lambda: runs(out, "g"), 3))
    count = runs(out, "g")
    assert connector_of(server, "good")["paused"] and "paused" in server.command("get", "connectors").stdout
    assert server.http("/api/v1/connectors/good/run", "POST")[0] == 409, "a paused connector cannot be told to run"
    server.restart()
    time.sleep(2)
    assert connector_of(server, "good")["activity"] == "paused", "a restart let a paused connector go"
    assert runs(out, "g") == count, "a paused connector ran after a restart"
    assert server.command("connector", "resume", "good").returncode == 0
    until("it runs again", lambda: runs(out, "g") > count)


def test_buffering(tmp_path, run_weir):
    """With a full work queue the next run is put off, shown as buffering, and begins as soon as there is room."""
    out = tmp_path / "out"
    body = "i=0; while [ $i -lt 20 ]; do printf '{\"i\": %s, \"pad\": \"%01000d\"}\\n' $i 0; i=$((i+1)); done\n"
    server = run_weir(managed(out, {"full": {"type": "exec", "command": program(tmp_path / "full", body), "schedule": "PT1S",
                                             "queue_threshold": 0.02, "to": "files"}}))
    assert server.http("/api/v1/gates/files/hold", "POST")[0] == 200
    until("it buffers", lambda: connector_of(server, "full")["activity"] == "buffering")
    seen = connector_of(server, "full")
    assert seen["full"] and seen["queue_bytes"] >= 20_000 and seen["gate_state"] == "buffering", seen
    works = len(seen["works"])
    time.sleep(3)
    assert len(connector_of(server, "full")["works"]) == works, "a run began although the queue was over its threshold"
    page = server.http("/connectors")[1]
    assert "buffering" in page and 'class="full"' in page
    assert server.http("/api/v1/gates/files/release", "POST")[0] == 200
    until("it runs again", lambda: len(connector_of(server, "full")["works"]) > works)


def test_bad_programs(tmp_path, run_weir):
    """A gigabyte on one line, nothing at all until the timeout, SIGTERM ignored, no JSON: each told by itself, and the others go on."""
    out, mark = tmp_path / "out", tmp_path / "child"

    def bad(name, body, **more):
        return {"type": "exec", "command": program(tmp_path / name, body), "schedule": "PT1H", "grace": "300ms", **more}

    server = run_weir(managed(out, {
        "gigabyte": bad("gigabyte", "head -c 1000000000 /dev/zero | tr '\\0' x\n"),
        "silent": bad("silent", "sleep 600\n", timeout="1s"),
        "stubborn": bad("stubborn", f"trap '' TERM; (trap '' TERM; echo $(exec sh -c 'echo $PPID') > {mark}; sleep 600) & wait; sleep 600\n",
                        timeout="2s"),
        "chatty": bad("chatty", "echo 'Connecting ...'; echo '{}'\n"),
        "good": {"type": "exec", "command": program(tmp_path / "good", "echo '{\"g\":1}'\n"), "schedule": "PT1S"}}))
    for name, text in [("gigabyte", "(`line_most`)"), ("silent", "still running after 1s (`timeout`)"),
                       ("stubborn", "still running after 2s (`timeout`)"), ("chatty", "is no JSON object: `Connecting ...`")]:
        until(f"{name} has failed", lambda: connector_of(server, name)["failures"] >= 1)
        assert text in connector_of(server, name)["troubles"][0]["sentence"], connector_of(server, name)
    until("what the stubborn one started is gone", lambda: not Path(f"/proc/{mark.read_text().strip()}").exists())
    count = len(objects(out))
    until("the schedule goes on", lambda: len(objects(out)) >= count + 3)
    assert server.memory_mb("VmHWM") < 400


def test_check(tmp_path, run_weir):
    """Wrong periods, thresholds and destinations are told with their place and what to write."""
    from weir import weir
    file = tmp_path / "weir.yaml"
    file.write_text("""data: ./data
destinations: { files: { type: filesystem, path: ./out } }
connectors:
  a: { type: http, url: "file:x.json", schedule: "-PT1H" }
  b: { type: http, url: "file:x.json", queue_threshold: 1GB }
  c: { type: http, url: "file:x.json", schedule: PT0.4S }
""")
    done = weir("check", file)
    assert done.returncode == 78
    for part in ("weir.yaml:4", "weir.yaml:5", "write `1000`", "weir.yaml:6"):
        assert part in done.stdout + done.stderr, done.stdout + done.stderr
    file.write_text("""data: ./data
destinations: { files: { type: filesystem, path: ./out } }
connectors:
  a: { type: http, url: "file:x.json", to: fils }
""")
    done = weir("check", file)
    assert done.returncode == 78 and "fils" in done.stdout + done.stderr and "files" in done.stdout + done.stderr


def test_nothing_without_connectors(tmp_path, run_weir):
    """A configuration without connectors opens no ledger and no door."""
    server = run_weir(flow({}, {"files": {"type": "filesystem", "path": str(tmp_path / "out")}}))
    assert not list(server.data.glob("ledger*")) and not (server.data / "connectors").exists()
    assert server.http("/graphql", "POST", b"{}", {"Content-Type": "application/json"})[0] == 404
    assert server.get("connectors") == []
    assert "No connectors yet" in server.http("/connectors")[1]
