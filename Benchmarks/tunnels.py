"""The rows of the tunnel: what a connection costs that goes through it, and how that is measured. Both ends are native (tools/streams.c and
tools/target.c) and the same for every peer; CPU and memory are those of all processes between them."""
import os
import socket
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def family(pid):
    """A process and all that came out of it."""
    found = [pid]
    for child in found:
        for task in Path(f"/proc/{child}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                pass
    return found


class Tunnel:
    """What stands between `streams` and `target`: one process, two, or none."""

    def __init__(self, place):
        self.place, self.others = place, []
        self.start_target()
        place.wait("the target listens", lambda: listens(place.port_out), 10)
        if place.command:
            place.start()
        for more in getattr(place.peer, "more", lambda place: [])(place):
            self.others.append(place.beside_server(more))
        place.wait("it carries a byte", self.carries, 20)
        time.sleep(0.5)

    def start_target(self):
        self.target = self.place.tool("target", "--port", self.place.port_out)

    def carries(self):
        try:
            with socket.create_connection(("127.0.0.1", self.place.port_in), 2) as client:
                client.settimeout(2)
                client.sendall(b"Ex")
                return client.recv(1) == b"x"
        except OSError:
            return False

    @property
    def pids(self):
        servers = [self.place.server, *self.others] if self.place.server else self.others
        return [pid for server in servers for pid in family(server.pid)]

    def cpu(self):
        """Seconds of all processes, user and system."""
        ticks = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICK

    def memory(self):
        """Resident, in KB, of each process."""
        found = []
        for pid in self.pids:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            found.append(next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), 0))
        return found

    def streams(self, mode, *more):
        return self.place.tool("streams", "--port", self.place.port_in, "--mode", mode, *more)

    def carried(self):
        self.target.now = {}
        self.target.tell("report")
        self.place.wait("the target reports", lambda: self.target.now, 10)
        return self.target.now

    def stop(self):
        for other in reversed(self.others):
            other.stop()


def listens(port):
    tag = f":{port:04X}"
    with open("/proc/net/tcp") as lines:
        return any(fields[1].endswith(tag) and fields[3] == "0A" for fields in (line.split() for line in list(lines)[1:]))


def through(action):
    """A row's function of a place: with a tunnel, which is stopped at the end."""
    def row(place, _):
        tunnel = Tunnel(place)
        try:
            return action(tunnel)
        finally:
            tunnel.stop()
    return row


def transfer(connections, mode="push", total=8_000_000_000):
    def action(tunnel):
        each = int(total * tunnel.place.peer.SCALE.get("tunnel", 1)) // connections
        tunnel.streams(mode, "--connections", connections, "--bytes", each // 20).finish(60)
        before = tunnel.cpu()
        done = tunnel.streams(mode, "--connections", connections, "--bytes", each).finish(120)
        cpu = tunnel.cpu() - before
        return {"mb_per_s": round(done["bytes"] / done["seconds"] / 1e6), "cpu_s_per_gb": round(cpu / done["bytes"] * 1e9, 3),
                "first_end_pct": round(100 * done["first_end"] / done["seconds"]), "rss_mb": round(sum(tunnel.memory()) / 1024, 1),
                "lost_bytes": done["missing"]}
    return through(action)


@through
def latency(tunnel):
    """One small message at a time; then connections, one after the other and sixteen at a time."""
    tunnel.streams("ping", "--seconds", 1).finish(20)
    before = tunnel.cpu()
    ping = tunnel.streams("ping", "--seconds", 5).finish(20)
    cpu = tunnel.cpu() - before
    return {"rtt_p50_us": round(ping["p50"] * 1e6), "rtt_p99_us": round(ping["p99"] * 1e6), "cpu_us_per_ping": round(cpu / ping["pings"] * 1e6, 1)}


@through
def dials(tunnel):
    tunnel.streams("dial", "--seconds", 1).finish(20)
    one = tunnel.streams("dial", "--seconds", 5).finish(20)
    before = tunnel.cpu()
    many = tunnel.streams("dial", "--seconds", 5, "--connections", 16).finish(30)
    cpu = tunnel.cpu() - before
    return {"dials_per_s": round(one["dials"] / one["seconds"]), "dials_16_per_s": round(many["dials"] / many["seconds"]),
            "cpu_us_per_dial": round(cpu / max(1, many["dials"]) * 1e6), "failed": one["failed"] + many["failed"]}


@through
def idle(tunnel):
    """Open, proven by a byte each, and silent."""
    count = getattr(tunnel.place.peer, "HELD", 10_000)
    # What a first connection brings with it is no stream's.
    tunnel.streams("hold", "--connections", 16).quit()
    time.sleep(1)
    before = tunnel.memory()
    held = tunnel.streams("hold", "--connections", count)
    tunnel.place.wait("they are open", lambda: "open" in held.now or held.process.poll() is not None, 200)
    time.sleep(3)
    after = tunnel.memory()
    cpu, began = tunnel.cpu(), time.monotonic()
    time.sleep(5)
    cpu = (tunnel.cpu() - cpu) / (time.monotonic() - began)
    held.tell("prove")
    tunnel.place.wait("each has answered again", lambda: held.get("round") == 1 or held.process.poll() is not None, 100)
    alive = held.get("open")
    result = {"streams": count, "alive": alive, "idle_cpu_pct": round(100 * cpu, 2),
              "kb_per_stream": round((sum(after) - sum(before[:len(after)])) / count, 2)}
    if tunnel.place.peer.NAME == "weir":
        result["hub_kb_per_stream"], result["agent_kb_per_stream"] = (round((a - b) / count, 2) for a, b in zip(after, before))
    held.quit()
    return result


@through
def stalled(tunnel):
    """A neighbour's round trips before and while two connections stand still: one whose target reads nothing, and one that reads nothing."""
    def neighbour():
        return tunnel.streams("ping", "--seconds", 5).finish(20)
    tunnel.streams("ping", "--seconds", 1).finish(20)
    alone, memory = neighbour(), sum(tunnel.memory())
    sent = tunnel.carried()["sent"]
    ways = [tunnel.streams("stall"), tunnel.streams("stall", "--bytes", 1 << 40)]

    def swallowed():
        ways[0].tell("report")
        time.sleep(0.5)
        return ways[0].get("swallowed"), tunnel.carried()["sent"] - sent
    last = swallowed()
    for _ in range(60):
        last, before = swallowed(), last
        if last == before and min(last) > 0:
            break
    grown = sum(tunnel.memory()) - memory
    beside = neighbour()
    for way in ways:
        way.quit()
    return {"to_target_mb": round(last[0] / 1e6, 2), "to_client_mb": round(last[1] / 1e6, 2), "rss_grown_mb": round(grown / 1024, 2),
            "rtt_p50_us": round(alone["p50"] * 1e6), "rtt_p99_us": round(alone["p99"] * 1e6),
            "beside_p50_us": round(beside["p50"] * 1e6), "beside_p99_us": round(beside["p99"] * 1e6)}


ROWS = {
    "tunnel1": ("tunnel", "-", transfer(1)), "tunnel8": ("tunnel", "-", transfer(8)), "tunnel1-back": ("tunnel", "-", transfer(1, "pull")),
    "tunnel-rtt": ("tunnel", "-", latency), "tunnel-dials": ("tunnel", "-", dials), "tunnel-idle": ("tunnel", "-", idle),
    "tunnel-stalled": ("tunnel", "-", stalled),
}
MEANING = {
    "tunnel1": "one stream from client to target, 8 GB", "tunnel8": "eight streams, 1 GB each",
    "tunnel1-back": "one stream from target to client, 8 GB", "tunnel-rtt": "64 bytes and their echo, one at a time",
    "tunnel-dials": "connect, a byte and its echo, end; one at a time, and sixteen",
    "tunnel-idle": "open and silent streams", "tunnel-stalled": "a neighbour's round trips while two streams are not read",
}
GOAL = {
    "tunnel1": "over mutual TLS 1,200 MB/s, more than the stunnel pair and ssh, at most 1 CPU second per GB; plain 1,800 MB/s.",
    "tunnel8": "no less in sum than one stream.", "tunnel-rtt": "at most 150 µs more than direct.",
    "tunnel-dials": "at least 1,900 a second.", "tunnel-idle": "10,000 streams, at most 8 KB each.",
    "tunnel-stalled": "it costs at most a window and kernel buffers; the neighbour's round trips stay as they were.",
}
COLUMNS = ["mb_per_s", "cpu_s_per_gb", "first_end_pct", "rtt_p50_us", "rtt_p99_us", "cpu_us_per_ping", "dials_per_s", "dials_16_per_s",
           "cpu_us_per_dial", "failed", "streams", "alive", "kb_per_stream", "hub_kb_per_stream", "agent_kb_per_stream", "idle_cpu_pct",
           "to_target_mb", "to_client_mb", "rss_grown_mb", "beside_p50_us", "beside_p99_us", "lost_bytes"]
