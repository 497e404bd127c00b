"""The rows of connectors: what is measured of an import, and how. Clients are native (tools/bundles.c), so what is seen is the server."""
import json
import socket
import subprocess
import time
import urllib.request

TOKEN = "a-token-of-the-benchmark"
SIZE = 3_000
REGISTER = """mutation RegisterConnector($input: RegisterConnectorInput) { registerConnector(input: $input) { id config {
    connection { user pass } push_routing push_exchange } } }"""
WORK = """mutation workAdd($connectorId: String!, $friendlyName: String) {
    workAdd(connectorId: $connectorId, friendlyName: $friendlyName) { id } }"""


def ask(place, query, **variables):
    request = urllib.request.Request(f"http://127.0.0.1:{place.port_api}/graphql", json.dumps({"query": query, "variables": variables}).encode(),
                                     {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def keys(place, count, protocol):
    """Registers connectors, each with an open work. -> a file with a line for each, as `bundles` reads it."""
    lines = []
    for number in range(count):
        name = f"feed-{number}"
        if place.peer.NAME == "weir":
            config = ask(place, REGISTER, input={"id": name, "name": "Feed", "type": "EXTERNAL_IMPORT", "scope": ["indicator"], "auto": False,
                                                 "only_contextual": False, "playbook_compatible": False})["registerConnector"]["config"]
            work = ask(place, WORK, connectorId=name, friendlyName="run")["workAdd"]["id"]
            user, password = config["connection"]["user"], config["connection"]["pass"] if protocol == "amqp" else TOKEN
            lines.append([name, user, password, config["push_exchange"], config["push_routing"], work])
        else:
            lines.append([name, "guest", "guest", "amqp.worker.exchange", f"push_routing_{name}", f"work_{name}_2026-11-21T13:00:00.000Z"])
    return place.write("keys", "".join(" ".join(line) + "\n" for line in lines))


def start(place, protocol, connectors, connections, each):
    """Starts the server, and what proves the arrivals: behind Weir a TCP receiver, behind a broker a consumer."""
    if place.peer.NAME == "weir":
        sink = place.sink(connections, each)
        place.start()
        return keys(place, connectors, protocol), sink
    place.start()
    file = keys(place, connectors, protocol)
    tool = place.tool("consume", "--port", place.port_in, "--keys", file, "--queue-type", place.variant, "--connections", connections,
                      "--each", each)
    place.wait("the consumer has its queues", lambda: tool.get("ready") == 1, 20)
    return file, tool


def send(place, protocol, file, connections, each, *more, first=0, size=SIZE, objects=1):
    port = place.port_in if protocol == "amqp" else place.port_api
    return place.tool("bundles", "--mode", protocol, "--port", port, "--keys", file, "--connections", connections, "--each", each,
                      "--first", first, "--size", size, "--objects", objects, *more)


def proof(report):
    return {"lost": report["missing"], "duplicates": report["duplicates"]}


def bundles(place, count, protocol, connectors, connections=16, objects=1):
    """As many as it takes, each durable before the next one of its client; a twentieth goes before and is not measured."""
    keep = [] if protocol == "amqp" else ["--keep"]
    each = max(1, count // connections)
    warm = max(1, each // 20)
    file, sink = start(place, protocol, connectors, connections, (warm + each) * objects)
    send(place, protocol, file, connections, warm, *keep, objects=objects).finish(120)
    place.wait_arrivals(sink, warm * connections * objects)
    time.sleep(0.5)
    before = place.cpu()
    sent = send(place, protocol, file, connections, each, *keep, first=warm, objects=objects).finish(240)
    place.wait_arrivals(sink, (warm + each) * connections * objects)
    cpu = place.cpu() - before
    last = sink.quit()
    done = each * connections
    return {"bundles": done, "bundles_per_s": round(done / (sent["last"] - sent["first"])), "wait_p50_ms": round(sent["wait_p50"] * 1e3, 2),
            "wait_p99_ms": round(sent["wait_p99"] * 1e3, 2), "cpu_ms_per_bundle": round(cpu / done * 1e3, 3),
            "arrived_per_s": round(done / (last["last"] - sent["first"])), "rss_peak_mb": round(place.server.peak, 1), **proof(last)}


class Beside:
    """A broker that runs beside the server, with a directory and ports of its own but for the one that connectors publish to."""

    def __init__(self, place, peer, queue_type):
        self.peer, self.place = peer, place
        self.directory = place.directory / peer.NAME
        self.spool = self.directory / "spool"
        self.spool.mkdir(parents=True)
        self.port_in, (self.port_out, self.port_other, self.port_api) = place.port_in, place.free_ports(3)
        self.command, self.environment = peer.set_up("broker", queue_type, self)
        self.server = None

    def write(self, name, text):
        file = self.directory / name
        file.write_text(text)
        return file

    def start(self):
        self.server = self.place.beside_server(self)

        def answers():
            try:
                with socket.create_connection(("127.0.0.1", self.port_out), 1):
                    return True
            except OSError:
                return False
        self.place.wait("the broker listens", answers, 120)
        return self

    def cpu(self):
        return self.server.look()

    def stop(self):
        if self.server:
            self.server.stop()
        self.peer.tear_down(self)


def through_broker(place, count, connections=16):
    """Bundles of one connector by way of a RabbitMQ to a receiver. First they come in as they are published; then as many wait there,
    because the receiver is held, and are let go: that is what Weir takes out of a broker."""
    each = max(1, count // connections)
    beside = place.beside.start()
    sink = place.sink(connections, 2 * each)
    place.start()
    file = keys(place, 1, "amqp")
    done = each * connections
    before, beside_before = place.cpu(), beside.cpu()
    sent = send(place, "amqp", file, connections, each).finish(300)
    place.wait_arrivals(sink, done)
    cpu, beside_cpu = place.cpu() - before, beside.cpu() - beside_before
    through = sink.get("last") - sent["first"]
    order(place, "hold")
    send(place, "amqp", file, connections, each, first=each).finish(300)
    before, began = place.cpu(), time.monotonic()
    order(place, "release")
    place.wait_arrivals(sink, 2 * done)
    drained = place.cpu() - before
    last = sink.quit()
    return {"bundles": 2 * done, "bundles_per_s": round(done / (sent["last"] - sent["first"])), "arrived_per_s": round(done / through),
            "cpu_ms_per_bundle": round(cpu / done * 1e3, 3), "broker_cpu_ms_per_bundle": round(beside_cpu / done * 1e3, 3),
            "drained_per_s": round(done / (last["last"] - began)), "drain_cpu_ms_per_bundle": round(drained / done * 1e3, 3),
            "rss_peak_mb": round(place.server.peak, 1), **proof(last)}


def order(place, what):
    """Holds or releases the destination."""
    request = urllib.request.Request(f"http://127.0.0.1:{place.port_api}/api/v1/gates/out/{what}", method="POST")
    urllib.request.urlopen(request, timeout=30).close()


def one_large(place, protocol, size=100_000_000):
    """One bundle of 100 MB after a small one. What memory it takes is the peak over what was there before."""
    objects = 20_000 * size // 100_000_000
    file, sink = start(place, protocol, 1, 1, 1 + objects)
    send(place, protocol, file, 1, 1).finish(30)
    place.wait_arrivals(sink, 1)
    time.sleep(2)
    idle = place.server.memory()
    place.server.forget_peak()
    before = place.cpu()
    began = time.monotonic()
    sent = send(place, protocol, file, 1, 1, "--from", 1, size=size, objects=objects).finish(120)
    place.wait_arrivals(sink, 1 + objects)
    cpu = place.cpu() - before
    place.server.look()
    last = sink.quit()
    return {"confirm_s": round(sent["wait_most"], 2), "delivered_s": round(last["last"] - began, 2), "idle_mb": round(idle, 1),
            "extra_mb": round(place.server.peak - idle, 1), "cpu_s": round(cpu, 2), **proof(last)}


def pings(place, connectors=10_000, every=40, rounds=2):
    """Each on its own connection, which it keeps as pycti does. All have pinged once before: the first one brings a state to write.
    Memory is what each connection takes, over what was there without them."""
    place.start()
    lines = "".join(f"feed-{number} - {TOKEN} - - -\n" for number in range(connectors))
    file = place.write("keys", lines)

    def ping(*more):
        return place.tool("bundles", "--mode", "ping", "--port", place.port_api, "--keys", file, "--keep", *more)

    if place.peer.NAME == "weir":
        place.tool("bundles", "--mode", "register", "--port", place.port_api, "--keys", file, "--connections", 20,
                   "--each", connectors // 20, "--keep").finish(240)
    ping("--connections", 20, "--each", connectors // 20).finish(120)
    time.sleep(2)
    place.server.look()
    idle = place.server.memory()
    tool = ping("--connections", connectors, "--each", rounds + 1, "--first-rate", 1_000, "--rate", connectors / every)
    place.wait("all are connected", lambda: tool.get("warm"), 120)
    before, began = place.cpu(), time.monotonic()
    sent = tool.finish(every * rounds + 60)
    spent, took = place.cpu() - before, time.monotonic() - began
    return {"pings": connectors * rounds, "pings_per_s": round(connectors * rounds / (sent["last"] - sent["first"])),
            "cpu_pct": round(100 * spent / took, 2), "cpu_us_per_ping": round(spent / connectors / rounds * 1e6),
            "wait_p50_ms": round(sent["wait_p50"] * 1e3, 2), "wait_p99_ms": round(sent["wait_p99"] * 1e3, 2),
            "kb_per_connection": round((place.server.peak - idle) * 1024 / connectors, 1), "rss_peak_mb": round(place.server.peak, 1)}


def schedule(place, connectors=100_000):
    """The scheduler in a process of its own (Schedule/ScheduleBench.swift): a minute by the clock, or an hour that is only told."""
    binary = place.peer.BINARY.parent / "schedule-bench"
    seconds = 60 if place.variant == "live" else 3_600
    done = subprocess.run([str(binary), place.variant, str(connectors), str(seconds)], capture_output=True, text=True, timeout=200, check=True)
    return json.loads(done.stdout)
