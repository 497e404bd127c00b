"""Weir, as built from this tree (`make bench` builds it in release mode)."""
import json
import os
import subprocess
from pathlib import Path

import bearer
import connectors
from beside import Beside
from peers import rabbitmq

NAME = "weir"
BINARY = Path(os.environ.get("WEIR_BINARY", Path(__file__).resolve().parents[2] / ".build/release/weir"))
ENVIRONMENT = {"NO_COLOR": "1"}
VERSION = [BINARY, "--version"]

VARIANTS = {"forward": ["default"], "syslog": ["default"], "filter": ["default"], "file": ["default"], "http": ["default"],
            "queue": ["commit", "interval"], "fanout": ["queue"], "idle": ["default"],
            "amqp": ["1 connector", "8 connectors"], "api": ["1 connector", "8 connectors"], "bundle100": ["amqp", "api"],
            "broker": ["classic", "quorum"] if Path(rabbitmq.BINARY).exists() else [], "pings": ["default"], "schedule": ["live", "virtual"],
            "tunnel": ["mutual TLS", "plain"], "sync": ["100,000 people", "500,000 people"]}
SCALE = {"broker-classic": 0.25, "broker-quorum": 0.25}


def tunnel(place):
    """A hub; its agent comes with `more`."""
    settings = {"listen": f"127.0.0.1:{place.port_other}", "limits": {"max_conn_total": 20_000},
                "connectors": {"target": {"listen": f"127.0.0.1:{place.port_in}"}}}
    if place.variant == "plain":
        keys, place.token = bearer.make(place, "far", ["target"])
        settings |= {"plain": True, "jwt": {"jwks": str(keys)}}
    return settings


def more(place):
    if place.variant == "plain":
        proof = ["--hub", f"tcp://127.0.0.1:{place.port_other}", "--name", "far", "--bearer-file", place.token]
    else:
        made = subprocess.run([BINARY, "tunnel", "token", "--agent", "far", "--connector", "target", "--address", f"http://127.0.0.1:{place.port_api}"],
                              check=True, capture_output=True, text=True, timeout=60)
        proof = ["--hub", f"tls://127.0.0.1:{place.port_other}", "--token-file", place.write("token", made.stdout),
                 "--state", place.directory / "agent/identity.json"]
    return [Beside(place, [BINARY, "agent", *proof, "--serve", f"target=127.0.0.1:{place.port_out}", "--max-streams", 15_000, "--listen", "off"], ENVIRONMENT)]


def set_up(kind, variant, place):
    if kind == "tunnel":
        place.variant = variant
        file = place.write("weir.yaml", json.dumps({
            "data": str(place.spool), "api": {"listen": f"127.0.0.1:{place.port_api}"}, "tunnel": tunnel(place)}, indent=1))
        return [BINARY, "run", "--config", file], ENVIRONMENT
    if kind in ("amqp", "api", "broker", "bundle100", "pings", "schedule", "sync"):
        door = {"amqp": {"listen": f"127.0.0.1:{place.port_in}"}}
        if kind == "broker":
            place.beside = connectors.Beside(place, rabbitmq, variant)
            door = {"broker": {"url": f"amqp://127.0.0.1:{place.port_in}", "queue_type": variant},
                    "management": f"http://127.0.0.1:{place.beside.port_out}"}
        file = place.write("weir.yaml", json.dumps({
            "data": str(place.spool), "api": {"listen": f"127.0.0.1:{place.port_api}"},
            # Room for the connections that ten thousand connectors keep open.
            "opencti": {"tokens": [connectors.TOKEN], "max_connections": 25_000, **door},
            "destinations": {"out": {"type": "tcp", "address": f"127.0.0.1:{place.port_out}"}},
            "routes": [{"name": "all", "to": "out"}]}, indent=1))
        return [BINARY, "run", "--config", file], ENVIRONMENT
    source = {"type": "syslog" if kind == "syslog" else "tcp", "listen": f"127.0.0.1:{place.port_in}"}
    if kind == "syslog":
        source["transport"] = "tcp"
    out = {"type": "syslog" if kind == "syslog" else "tcp", "address": f"127.0.0.1:{place.port_out}"}
    route = {"name": "all", "to": "out"}
    destinations = {"out": out}
    if kind == "filter":
        route["when"] = 'event.service == "shop"'
    elif kind == "file":
        destinations["out"] = {"type": "filesystem", "path": str(place.out)}
    elif kind == "http":
        destinations["out"] = {"type": "http", "url": f"http://127.0.0.1:{place.port_out}/in", "format": "ndjson"}
    elif kind == "queue":
        out["on_backpressure"] = "queue"
        out["queue"] = {"mode": "always", "max_size": "20GB", "on_full": "block",
                        "durability": "commit" if variant == "commit" else "100ms"}
    elif kind == "fanout":
        for destination in (out, destinations.setdefault("other", {"type": "tcp", "address": f"127.0.0.1:{place.port_other}"})):
            destination["on_backpressure"] = "queue"
            destination["queue"] = {"mode": "smart", "max_size": "20GB"}
        route["to"] = ["out", "other"]
    # JSON is YAML too.
    file = place.write("weir.yaml", json.dumps({
        "data": str(place.spool), "api": {"listen": f"127.0.0.1:{place.port_api}"}, "sources": {"in": source},
        "destinations": destinations, "routes": [route]}, indent=1))
    return [BINARY, "run", "--config", file], ENVIRONMENT


def tear_down(place):
    if hasattr(place, "beside"):
        place.beside.stop()
