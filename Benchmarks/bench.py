#!/usr/bin/env python3
"""Weir beside rsyslog and syslog-ng: the same numbered events, one machine, one run, every arrival proven.

  bench.py run [--rows tcp1,file1] [--peers weir,rsyslog,syslog-ng] [--events N] [--passes N] [--results FILE] [--keep]
  bench.py table [--results FILE]       the Markdown table of the newest results
  bench.py write [--results FILE]       the same, put into docs/performance.md

Each run has a fresh directory, free loopback ports and fresh processes, ended by their process ids; every wait has a limit.
Throughput is from the first byte sent to the last byte received. CPU is that of the server process alone, memory its VmHWM.
"""
import argparse
import importlib.util
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import connectors
import ldap
import syncs
import tunnels

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TOOLS = ROOT / ".build/bench/tools"
RESULTS = ROOT / ".build/bench/results.jsonl"
PAGE = ROOT / "docs/performance.md"
TICK = os.sysconf("SC_CLK_TCK")
EVENTS = 8_000_000
SIZE = 250
now = time.monotonic


class Broken(Exception):
    """A run that could not be finished; its message becomes the result."""


def build_tools():
    TOOLS.mkdir(parents=True, exist_ok=True)
    for name in ("gen", "sink", "check", "bundles", "consume", "target", "streams", "ldapload"):
        source, binary = HERE / "tools" / f"{name}.c", TOOLS / name
        newest = max(file.stat().st_mtime for file in (source, *(HERE / "tools").glob("*.h")))
        if not binary.exists() or binary.stat().st_mtime < newest:
            subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-pthread", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-o", binary, source],
                           check=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sockets(port):
    """(listens, bytes that wait in kernel buffers on the way to `port`)."""
    listens, waiting, tag = False, 0, f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:
            for line in list(lines)[1:]:
                fields = line.split()
                sent, unread = (int(part, 16) for part in fields[4].split(":"))
                if fields[3] == "0A":
                    listens |= fields[1].endswith(tag)
                elif fields[1].endswith(tag):
                    waiting += unread
                elif fields[2].endswith(tag):
                    waiting += sent
    return listens, waiting


def disk_bytes(*directories):
    """(apparent size, blocks in use) of all files below."""
    size = used = 0
    for directory in directories:
        for folder, _, names in os.walk(directory):
            for name in names:
                try:
                    found = os.stat(os.path.join(folder, name))
                    size, used = size + found.st_size, used + found.st_blocks * 512
                except OSError:
                    pass
    return size, used


class Tool:
    """A gen or a sink: its newest report is in `now`, commands go to its stdin."""

    def __init__(self, name, *arguments):
        self.name, self.now, self.problem = name, {}, ""
        self.process = subprocess.Popen([TOOLS / name, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.now = json.loads(line)
        self.problem = self.process.stderr.read()

    def get(self, key):
        return self.now.get(key, 0)

    def tell(self, command):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass

    def finish(self, limit):
        """Waits for its end. -> its last report."""
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Broken(f"{self.name} did not end within {limit} s") from None
        self._reader.join(5)
        if self.process.returncode != 0:
            raise Broken(f"{self.name} gave up: {self.problem[-300:]}")
        return self.now

    def quit(self):
        if self.process.poll() is None:
            self.tell("quit")
            return self.finish(10)
        return self.now


class Server:
    """The process that is measured."""

    def __init__(self, command, environment, directory):
        self.log = directory / "server.log"
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, cwd=directory, env={**os.environ, **environment},
                                            start_new_session=True)
        self.pid = self.process.pid
        self.last_cpu, self.peak = 0.0, 0.0

    def look(self):
        """Reads CPU seconds and peak memory; keeps the last answers for when it is gone."""
        try:
            with open(f"/proc/{self.pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            self.last_cpu = (int(fields[11]) + int(fields[12])) / TICK
            self.peak = max(self.peak, self.memory("VmHWM"))
        except (OSError, IndexError):
            pass
        return self.last_cpu

    def memory(self, key="VmRSS"):
        with open(f"/proc/{self.pid}/status") as lines:
            return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(key + ":")), 0.0)

    def forget_peak(self):
        """The peak counts from here."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        self.peak = 0.0

    @property
    def is_alive(self):
        return self.process.poll() is None

    def stop(self, number=signal.SIGTERM, limit=30):
        """-> seconds until it had ended."""
        began = now()
        self.look()
        if self.is_alive:
            os.kill(self.pid, number)
            try:
                self.process.wait(limit)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)        # its own group: made by start_new_session
        except ProcessLookupError:
            pass
        self.process.wait(10)
        return now() - began


class Place:
    """Directory and ports of one run, and the processes in it."""

    def __init__(self, peer, kind, variant, row_format):
        base = os.environ.get("WEIR_BENCH_DIRECTORY")
        self.directory = Path(tempfile.mkdtemp(prefix=f"weir-bench-{peer.NAME}-", dir=base))
        self.spool, self.out = self.directory / "spool", self.directory / "out"
        self.spool.mkdir()
        self.out.mkdir()
        self.port_in, self.port_out, self.port_other, self.port_api = (free_port() for _ in range(4))
        self.format = row_format
        self.peer, self.variant = peer, variant
        self.command, self.environment = peer.set_up(kind, variant, self)
        self.server, self.tools, self.cpu_before, self.peak = None, [], 0.0, 0.0

    def free_ports(self, count):
        return [free_port() for _ in range(count)]

    def beside_server(self, beside):
        """A process that is not the one that is measured."""
        return Server(beside.command, beside.environment, beside.directory)

    def write(self, name, text):
        file = self.directory / name
        file.write_text(text)
        return file

    def start(self, limit=60):
        """Starts the server. -> seconds until it listens, and for Weir until it says it is ready."""
        if self.server:
            self.cpu_before += self.server.last_cpu
        began = now()
        self.server = Server(self.command, self.environment, self.directory)
        while not self._is_ready():
            if not self.server.is_alive or now() - began > limit:
                raise Broken("the server did not start: " + self.server.log.read_text(errors="replace")[-500:])
            time.sleep(0.002)
        return now() - began

    def _is_ready(self):
        if not sockets(self.port_in)[0]:
            return False
        if self.peer.NAME != "weir":
            return True
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port_api}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def cpu(self):
        return self.cpu_before + self.server.look()

    def tool(self, name, *arguments):
        tool = Tool(name, *arguments)
        self.tools.append(tool)
        return tool

    def sink(self, connections, each, *more, port=None):
        tool = self.tool("sink", "--port", port or self.port_out, "--connections", connections, "--each", each, *more)
        self.wait("the sink listens", lambda: sockets(port or self.port_out)[0], 10)
        return tool

    def gen(self, connections, each, *more, first=0, limit=240):
        return self.tool("gen", "--port", self.port_in, "--connections", connections, "--each", each, "--first", first, "--format",
                         self.format, "--size", SIZE, "--limit", limit, "--reconnect", *more)

    def wait(self, what, condition, limit):
        end = now() + limit
        while not condition():
            if self.server and not self.server.is_alive:
                raise Broken(f"the server ended before: {what}: " + self.server.log.read_text(errors="replace")[-500:])
            if now() > end:
                raise Broken(f"not within {limit} s: {what}")
            time.sleep(0.005)

    def wait_arrivals(self, sink, wanted, quiet=10, limit=240):
        """Until `wanted` different events came, or nothing new for `quiet` seconds (then some are lost)."""
        end, newest, since = now() + limit, -1, now()
        while sink.get("unique") < wanted and now() < end:
            if sink.get("bytes") != newest:
                newest, since = sink.get("bytes"), now()
            elif now() - since > quiet:
                return
            if not self.server.is_alive:
                raise Broken("the server ended: " + self.server.log.read_text(errors="replace")[-500:])
            self.server.look()
            time.sleep(0.02)

    def wait_taken(self, limit=60):
        """Until the server has read everything that was sent to it."""
        calm = 0
        def is_taken():
            nonlocal calm
            calm = calm + 1 if sockets(self.port_in)[1] == 0 else 0
            return calm >= 3
        self.wait("the server has read its input", is_taken, limit)

    def close(self, keep):
        for tool in self.tools:
            try:
                tool.quit()
            except Broken:
                pass
        if self.server:
            self.server.stop()
        if hasattr(self.peer, "tear_down"):
            self.peer.tear_down(self)
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)


# ---------------------------------------------------------------- rows

def proof(report):
    return {"lost": report.get("missing", 0), "duplicates": report.get("duplicates", 0), "out_of_order": report.get("disordered", 0),
            **({"strange": report["strange"]} if report.get("strange") else {})}


def throughput(place, events, connections, http=False):
    """As fast as it goes; a twentieth goes before as a warm-up and is not measured."""
    each = events // connections
    warm = max(1, each // 20)
    sink = place.sink(connections, warm + each, *(["--http"] if http else []))
    place.start()
    place.gen(connections, warm).finish(120)
    place.wait_arrivals(sink, warm * connections)
    time.sleep(0.3)
    before = place.cpu()
    gen = place.gen(connections, each, first=warm)
    sent = gen.finish(260)
    place.wait_arrivals(sink, (warm + each) * connections)
    cpu = place.cpu() - before
    last = sink.quit()
    arrived = each * connections - last["missing"]
    seconds = last["last"] - sent["first"]
    return {"events": each * connections, "events_per_s": round(arrived / seconds), "cpu_s_per_million": round(cpu / max(1, arrived) * 1e6, 3),
            "rss_peak_mb": round(place.server.peak, 1), **proof(last)}


def to_file(place, events, connections):
    """Lines in, files out. The end is when the files have all the bytes; what is in them is checked after a clean stop."""
    each = events // connections
    warm = max(1, each // 20)
    place.start()
    place.gen(connections, warm).finish(120)
    place.wait("the warm-up is in the files", lambda: disk_bytes(place.out)[0] >= warm * connections * SIZE, 60)
    time.sleep(0.3)
    before = place.cpu()
    gen = place.gen(connections, each, first=warm)
    wanted, end = (warm + each) * connections * SIZE, now() + 240
    newest, since = -1, now()
    while (have := disk_bytes(place.out)[0]) < wanted and now() < end:
        if have != newest:
            newest, since = have, now()
        elif now() - since > 15:
            break
        place.server.look()
        time.sleep(0.005)
    finished = since if have < wanted else now()
    cpu = place.cpu() - before
    sent = gen.finish(30)
    place.server.stop()
    files = sorted(file for file in place.out.rglob("*") if file.is_file())
    checked = json.loads(subprocess.run([TOOLS / "check", "--connections", str(connections), "--each", str(warm + each), *files],
                                        capture_output=True, check=True, timeout=120).stdout)
    arrived = each * connections - checked["missing"]
    return {"events": each * connections, "events_per_s": round(arrived / (finished - sent["first"])),
            "cpu_s_per_million": round(cpu / max(1, arrived) * 1e6, 3), "rss_peak_mb": round(place.server.peak, 1), "files": len(files),
            **proof(checked)}


def slow(place, events):
    """The receiver takes 5 MB/s for ten seconds while the sender sends what it may; then it takes all as fast as it comes."""
    sink = place.sink(1, events, "--rate", 5_000_000)
    place.start()
    before = place.cpu()
    gen = place.gen(1, events, limit=280)
    place.wait("something is sent", lambda: gen.get("events") > 0, 10)
    start_memory = place.server.memory()
    middle = None
    began = now()
    while now() - began < 10 and gen.process.poll() is None:
        time.sleep(0.1)
        place.server.look()
        if middle is None and now() - began > 5:
            middle = gen.get("bytes"), now()
    late = (gen.get("bytes") - middle[0]) / (now() - middle[1]) / 1e6 if middle else 0
    held = gen.get("bytes") - sink.get("bytes")
    spool = disk_bytes(place.spool)[0]
    sink.tell("rate 0")
    freed, early = now(), sink.get("unique")
    gen.finish(280)
    place.wait_arrivals(sink, events)
    cpu = place.cpu() - before
    last = sink.quit()
    arrived = events - last["missing"]
    return {"events": events, "taken_mb_per_s": round(late, 1), "held_mb": round(held / 1e6, 1), "spool_mb": round(spool / 1e6, 1),
            "then_events_per_s": round((arrived - early) / max(0.001, last["last"] - freed)),
            "cpu_s_per_million": round(cpu / max(1, arrived) * 1e6, 3), "rss_start_mb": round(start_memory, 1),
            "rss_peak_mb": round(place.server.peak, 1), **proof(last)}


def one_stalled(place, events):
    """As fast as it goes to two receivers; after the first quarter one of them reads nothing. What does the other one get?"""
    good, bad = place.sink(1, events), place.sink(1, events, port=place.port_other)
    place.start()
    began_cpu = place.cpu()
    gen = place.gen(1, events, limit=280)
    place.wait("a quarter has arrived", lambda: min(good.get("unique"), bad.get("unique")) > events // 4, 120)
    bad.tell("stall")
    before, began = good.get("unique"), now()
    place.wait_arrivals(good, events, quiet=20)
    during = (good.get("unique") - before) / max(0.001, good.get("last") - began)
    spool = disk_bytes(place.spool)[0]
    bad.tell("go")
    gen.finish(280)
    place.wait_arrivals(good, events)
    place.wait_arrivals(bad, events)
    cpu = place.cpu() - began_cpu
    good, bad = good.quit(), bad.quit()
    return {"events": events, "events_per_s": round(during), "cpu_s_per_million": round(cpu / events * 1e6, 3),
            "spool_mb": round(spool / 1e6, 1), "rss_peak_mb": round(place.server.peak, 1), "lost": good["missing"],
            "duplicates": good["duplicates"], "lost_stalled": bad["missing"], "duplicates_stalled": bad["duplicates"]}


def queue(place, events, ending):
    """The receiver is down, events go to the disk queue; then (after a clean restart, or kill -9) it is up and takes them."""
    place.start()
    gen = place.gen(1, events, limit=280)
    began_cpu = place.cpu()
    sent = gen.finish(290)
    place.wait_taken()
    taken_at = now()
    if ending != "kill":
        time.sleep(1)                         # what was read may still be on its way to the disk
    taken_cpu = place.cpu() - began_cpu
    result = {"events": events, "in_events_per_s": round(events / (max(sent["last"], taken_at - 0.01) - sent["first"])),
              "in_cpu_s_per_million": round(taken_cpu / events * 1e6, 3), "stall_longest_s": sent["stall_longest"]}
    if ending:
        stopped = place.server.stop(signal.SIGKILL if ending == "kill" else signal.SIGTERM)
        result["stop_s"] = round(stopped, 2)
        peak = place.server.peak
    spool = disk_bytes(place.spool)[0]
    result["spool_mb"] = round(spool / 1e6, 1)
    result["spool_overhead_pct"] = round(100 * (spool / (events * SIZE) - 1), 1)
    if ending:
        result["start_s"] = round(place.start(), 3)
        place.server.peak = max(place.server.peak, peak)
    before = place.cpu()
    sink = place.sink(1, events)
    place.wait_arrivals(sink, events, quiet=70 if sink.get("bytes") == 0 else 10)
    drain_cpu = place.cpu() - before
    last = sink.quit()
    arrived = events - last["missing"]
    if arrived and last["last"] > last["first"]:
        result["out_events_per_s"] = round(arrived / (last["last"] - last["first"]))
        result["out_cpu_s_per_million"] = round(drain_cpu / arrived * 1e6, 3)
    result["rss_peak_mb"] = round(place.server.peak, 1)
    return {**result, **proof(last)}


def backlog(place, events):
    """Five gigabytes wait in the queue: how long does a start take, when does the first event leave, how large does it get?"""
    events = max(events, 5_000_000_000 // SIZE) if events >= 1_000_000 else events
    place.start()
    place.gen(1, events, limit=560).finish(570)
    place.wait_taken()
    time.sleep(1)
    place.server.stop(limit=60)
    spool = disk_bytes(place.spool)[0]
    ready = place.start()
    time.sleep(2)
    place.server.look()
    return {"events": events, "spool_mb": round(spool / 1e6), "start_s": round(ready, 3), "rss_peak_mb": round(place.server.peak, 1)}


def idle(place, _):
    """Two seconds after its start, ten seconds of nothing."""
    place.sink(1, 1)
    start = place.start()
    time.sleep(2)
    before, began = place.cpu(), now()
    time.sleep(10)
    used = place.cpu() - before
    return {"start_s": round(start, 3), "rss_mb": round(place.server.memory(), 1), "cpu_pct": round(100 * used / (now() - began), 2)}


# name: kind of configuration, format of events, what is done
ROWS = {
    "tcp1": ("forward", "json", lambda p, n: throughput(p, n, 1)),
    "tcp8": ("forward", "json", lambda p, n: throughput(p, n, 8)),
    "syslog1": ("syslog", "syslog", lambda p, n: throughput(p, n, 1)),
    "syslog8": ("syslog", "syslog", lambda p, n: throughput(p, n, 8)),
    "filter1": ("filter", "json", lambda p, n: throughput(p, n, 1)),
    "filter8": ("filter", "json", lambda p, n: throughput(p, n, 8)),
    "file1": ("file", "json", lambda p, n: to_file(p, n, 1)),
    "http4": ("http", "json", lambda p, n: throughput(p, n, 4, http=True)),
    "slow": ("forward", "json", slow),
    "stalled": ("fanout", "json", one_stalled),
    "queue": ("queue", "json", lambda p, n: queue(p, n, None)),
    "queue-restart": ("queue", "json", lambda p, n: queue(p, n, "restart")),
    "queue-kill": ("queue", "json", lambda p, n: queue(p, n, "kill")),
    "backlog": ("queue", "json", backlog),
    "idle": ("idle", "json", idle),
    "amqp": ("amqp", "json", lambda p, n: connectors.bundles(p, n // 400, "amqp", 8 if p.variant == "8 connectors" else 1)),
    "api": ("api", "json", lambda p, n: connectors.bundles(p, n // 200, "api", 8 if p.variant == "8 connectors" else 1, objects=4)),
    "broker": ("broker", "json", lambda p, n: connectors.through_broker(p, n // 400)),
    "bundle100": ("bundle100", "json", lambda p, n: connectors.one_large(p, "api" if p.variant == "api" else "amqp")),
    "pings": ("pings", "json", lambda p, n: connectors.pings(p)),
    "schedule": ("schedule", "json", lambda p, n: connectors.schedule(p)),
    **tunnels.ROWS,
    **ldap.ROWS,
    **syncs.ROWS,
}
MEANING = {
    "tcp1": "TCP in, TCP out, one connection, 250-byte JSON lines", "tcp8": "the same over eight connections",
    "syslog1": "RFC 5424 in, RFC 5424 out, one connection", "syslog8": "the same over eight connections",
    "filter1": "as tcp1, one field of each event compared", "filter8": "as tcp8, one field of each event compared",
    "file1": "TCP in, files out", "http4": "TCP in over four connections, HTTP batches out",
    "slow": "the receiver takes 5 MB/s for ten seconds, then all", "stalled": "to two receivers; after the first quarter one of them reads nothing: what the other one gets",
    "queue": "receiver down, disk queue, then up", "queue-restart": "the same with a clean restart in between",
    "queue-kill": "the same with kill -9 right after the last byte was read", "backlog": "a start with 5 GB in the queue",
    "idle": "nothing to do",
    "amqp": "bundles of 3 KB published over AMQP, a connection for each, 16 at a time, each confirmed before the next",
    "api": "bundles of 3 KB (4 objects) pushed by the API, 16 connections, each answered before the next",
    "broker": "the same through a RabbitMQ beside Weir to a receiver; drained: what waited there is let go at once",
    "bundle100": "one bundle of 100 MB (20,000 objects)", "pings": "10,000 connectors ping every 40 s",
    "schedule": "100,000 connectors that start once an hour",
    **tunnels.MEANING,
    **ldap.MEANING,
    **syncs.MEANING,
}
# What the rows of connectors are to reach.
GOAL = {
    "amqp": "at least 420 bundles a second, ten times what pycti gets from a RabbitMQ.", "api": "at least 2,000 bundles a second.",
    "bundle100": "less than 64 MB of extra memory.", "pings": "less than 2 % CPU.",
    "schedule": "less than 5 % CPU, 99 of 100 starts less than 50 ms late.",
    **tunnels.GOAL,
    **ldap.GOAL,
    **syncs.GOAL,
}
DEFAULT_ROWS = list(ROWS)


def load_peers():
    peers = {}
    for file in sorted((HERE / "peers").glob("*.py")):
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        peers[module.NAME] = module
    return peers


def version(peer):
    try:
        out = subprocess.run([str(part) for part in peer.VERSION], capture_output=True, text=True, timeout=20,
                             env={**os.environ, **peer.ENVIRONMENT})
        return (out.stdout.strip().splitlines() or ["?"])[0].split("(")[0].strip()
    except OSError:
        return None


def run_one(peer, row, variant, events, keep):
    kind, row_format, action = ROWS[row]
    n = max(1000, int(events * peer.SCALE.get(f"{kind}-{variant}", 1)))
    result = {"row": row, "peer": peer.NAME, "variant": variant, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    place = Place(peer, kind, variant, row_format)
    load_before = os.getloadavg()[0]
    try:
        result.update(action(place, n))
    except (Broken, subprocess.SubprocessError, OSError) as problem:
        result["problem"] = str(problem)[-400:]
    finally:
        result["load_before"] = round(load_before, 1)
        place.close(keep)
    return result


def run(options):
    build_tools()
    peers = load_peers()
    rows = [row for row in options.rows.split(",") if row] or DEFAULT_ROWS
    chosen = [name for name in options.peers.split(",") if name] or list(peers)
    for name in chosen:
        if name not in peers:
            sys.exit(f"no peer {name}; there are {', '.join(peers)}")
    versions = {name: version(peers[name]) for name in chosen}
    Path(options.results).parent.mkdir(parents=True, exist_ok=True)
    with open(options.results, "a") as out:
        for row in rows:
            if row not in ROWS:
                sys.exit(f"no row {row}; there are {', '.join(ROWS)}")
            for name in chosen:
                if versions[name] is None:
                    print(f"{row:14} {name}: NOT HERE, skipped", flush=True)
                    continue
                for variant in peers[name].VARIANTS.get(ROWS[row][0], []):
                    for _ in range(options.passes):
                        result = run_one(peers[name], row, variant, options.events, options.keep)
                        result["version"] = versions[name]
                        out.write(json.dumps(result) + "\n")
                        out.flush()
                        shown = {key: value for key, value in result.items() if key not in ("row", "peer", "variant", "at", "version")}
                        print(f"{row:14} {name}/{variant}: " + "  ".join(f"{key}={value}" for key, value in shown.items()), flush=True)


COLUMNS = ["bundles_per_s", "wait_p50_ms", "wait_p99_ms", "cpu_ms_per_bundle", "arrived_per_s", "broker_cpu_ms_per_bundle", "drained_per_s", "drain_cpu_ms_per_bundle",
           "confirm_s", "delivered_s", "idle_mb", "extra_mb",
           "pings_per_s", "cpu_us_per_ping", "starts", "starts_per_s", "delay_p50_ms", "delay_p99_ms", "delay_most_ms", "events_per_s", "cpu_s_per_million", "in_events_per_s", "in_cpu_s_per_million", "out_events_per_s", "out_cpu_s_per_million",
           "spool_overhead_pct", "taken_mb_per_s", "held_mb", "then_events_per_s", "start_s", "spool_mb", "rss_mb", "cpu_pct", "kb_per_connection", "rss_peak_mb",
           "lost", "duplicates", "lost_stalled", *tunnels.COLUMNS, *ldap.COLUMNS, *syncs.COLUMNS, "problem"]


def tables(file):
    """Markdown, one table a row; the median where a row was run several times, the newest version of each server only."""
    results = [json.loads(line) for line in open(file)]
    newest = {}
    for result in results:
        newest[result["peer"]] = result["version"]
    text = []
    for row in ROWS:
        groups = {}
        for result in results:
            if result["row"] == row and result["version"] == newest[result["peer"]]:
                groups.setdefault((result["peer"], result["variant"]), []).append(result)
        if not groups:
            continue
        columns = [c for c in dict.fromkeys(COLUMNS) if any(c in result for group in groups.values() for result in group)]
        goal = [f"Goal: {GOAL[row]}", ""] if row in GOAL else []
        text += [f"### {row}: {MEANING[row]}", "", *goal, "| server | runs | " + " | ".join(c.replace("_", " ") for c in columns) + " |",
                 "|---|---|" + "---|" * len(columns)]
        for (peer, variant), group in sorted(groups.items()):
            cells = []
            for column in columns:
                values = [result[column] for result in group if column in result]
                if not values:
                    cells.append("")
                elif isinstance(values[0], str):
                    cells.append(values[-1].replace("\n", " ").replace("|", "/")[:80])
                else:
                    cells.append(f"{statistics.median(values):,g}" if abs(statistics.median(values)) < 1000
                                 else f"{statistics.median(values):,.0f}")
            text.append(f"| {peer} {variant} | {len(group)} | " + " | ".join(cells) + " |")
        text.append("")
    machine = f"{platform.system()} {platform.release().split('-')[0]}, {os.cpu_count()} cores"
    return "\n".join([f"Measured {time.strftime('%Y-%m-%d')} on {machine}; {', '.join(f'{p} {v}' for p, v in newest.items())}.", "", *text])


def write(options):
    start, end = "<!-- table -->", "<!-- end of table -->"
    page = PAGE.read_text()
    head, rest = page.split(start, 1)
    PAGE.write_text(head + start + "\n" + tables(options.results) + "\n" + end + rest.split(end, 1)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "table", "write", "list"])
    parser.add_argument("--rows", default="")
    parser.add_argument("--peers", default="")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--results", default=str(RESULTS))
    parser.add_argument("--keep", action="store_true", help="keep the directories of the runs")
    options = parser.parse_args()
    if options.action == "run":
        run(options)
    elif options.action == "table":
        print(tables(options.results))
    elif options.action == "write":
        write(options)
    else:
        for row in ROWS:
            print(f"{row:14} {MEANING[row]}")


if __name__ == "__main__":
    main()
