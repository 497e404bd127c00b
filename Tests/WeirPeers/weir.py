"""The binary under test: `weir run` in a directory of the test, and the other subcommands."""
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from processes import Process
from waiting import LIMIT, cpu_seconds, free_port, memory_mb, until

BINARY = Path(os.environ.get("WEIR_BINARY", Path(__file__).resolve().parents[2] / ".build/debug/weir"))


def weir(*arguments, stdin=None, cwd=None, limit=LIMIT, env=None):
    """Runs one subcommand to its end. -> CompletedProcess with text."""
    return subprocess.run([str(BINARY), *map(str, arguments)], input=stdin, capture_output=True, text=True, cwd=cwd,
                          timeout=limit, env={**os.environ, "NO_COLOR": "1", **(env or {})})


class Weir:
    """A running `weir run`. It may be stopped or killed and started again on the same data."""

    def __init__(self, directory, configuration, wrap=(), env=None, limits=None):
        self.directory = Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.port = free_port()
        self.data = self.directory / "weir-data"
        self.configuration = {"data": str(self.data), "api": {"listen": f"127.0.0.1:{self.port}"}, **configuration}
        self.file = self.directory / "weir.yaml"
        self.wrap, self.env, self.limits = list(wrap), env, limits
        self.process = None
        self.starts = 0

    def start(self, ready=True, limit=LIMIT):
        self.file.write_text(yaml.safe_dump(self.configuration, sort_keys=False))
        self.starts += 1
        self.process = Process(f"weir-{self.starts}", [*self.wrap, BINARY, "run", "--config", self.file], self.directory,
                               env={"NO_COLOR": "1", **(self.env or {})}, limits=self.limits)
        if ready:
            self.process.wait_until("weir is ready", self.is_ready, limit)
        return self

    @property
    def pid(self):
        """The process id of weir itself, also when a tracer was started around it."""
        if not self.wrap:
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else self.process.pid

    def output(self):
        return self.process.output()

    def is_ready(self):
        try:
            return self.http("/readyz")[0] == 200
        except OSError:
            return False

    def http(self, path, method="GET", body=None, headers=None, limit=LIMIT):
        """-> (status, text) of a request to the API's address."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=limit) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()

    def get(self, kind):
        """`weir get KIND` as JSON, through the API."""
        status, text = self.http(f"/api/v1/{kind}")
        assert status == 200, f"GET /api/v1/{kind}: {status} {text}"
        answer = json.loads(text)
        return answer.get("items", answer.get(kind, answer)) if isinstance(answer, dict) else answer

    def gate(self, name):
        for gate in self.get("gates"):
            if gate.get("id", gate.get("name")) == name:
                return gate
        raise AssertionError(f"no gate {name}: {self.get('gates')}")

    def state(self, name):
        return self.gate(name)["state"]

    def reason(self, name):
        return self.gate(name)["reason"]["code"]

    def entered(self, name, state):
        """How often a gate entered a state since the start: a state that did not last is seen too."""
        rows = (line for line in self.http("/metrics")[1].splitlines() if line.startswith("weir_gate_transitions_total{"))
        return sum(int(float(row.rsplit(" ", 1)[1])) for row in rows if f'gate="{name}"' in row and f'to="{state}"' in row)

    def until_state(self, name, *states, limit=LIMIT):
        try:
            until(f"gate {name} is {' or '.join(states)}", lambda: self.state(name) in states, limit)
        except AssertionError as problem:
            raise AssertionError(f"{problem}; it is {self.gate(name)}\n{self.output()[-2000:]}") from None

    def command(self, *arguments, **more):
        """A subcommand that talks to this server."""
        return weir(*arguments, "--address", f"http://127.0.0.1:{self.port}", **more)

    def memory_mb(self, key="VmRSS"):
        return memory_mb(self.pid, key)

    def cpu_seconds(self):
        return cpu_seconds(self.pid)

    def send_signal(self, number):
        os.kill(self.pid, number)

    def terminate(self, limit=30):
        """SIGTERM, and its exit code; None when it had to be killed."""
        if self.process is None or not self.process.is_alive:
            return self.process.process.returncode if self.process else 0
        if self.wrap:
            try:
                self.send_signal(signal.SIGTERM)
            except ProcessLookupError:      # it has just been killed, and its tracer is about to end
                pass
            return self.process.stop(0, limit)
        return self.process.stop(signal.SIGTERM, limit)

    def kill(self):
        if self.process is not None:
            if self.wrap and self.process.is_alive:
                self.send_signal(signal.SIGKILL)
            self.process.kill()

    def restart(self):
        self.terminate()
        return self.start()


def flow(sources, destinations, routes=None):
    """A configuration; without routes everything goes to the first destination."""
    routes = routes if routes is not None else [{"name": "all", "to": next(iter(destinations))}]
    return {"sources": sources, "destinations": destinations, "routes": routes}


def tcp_in(port, **more):
    return {"in": {"type": "tcp", "listen": f"127.0.0.1:{port}", **more}}


def syslog_in(port, transport="tcp", **more):
    return {"in": {"type": "syslog", "listen": f"127.0.0.1:{port}", "transport": transport, **more}}


def http_in(port, **more):
    return {"in": {"type": "http", "listen": f"127.0.0.1:{port}", **more}}


def tcp_out(receiver, **more):
    return {"type": "tcp", "address": f"127.0.0.1:{receiver if isinstance(receiver, int) else receiver.port}", "retry": QUICK, **more}


def http_out(receiver, **more):
    return {"type": "http", "url": f"{receiver.url}/in", "flush": "50ms", "retry": QUICK, **more}


def drained(server, name="out"):
    """Nothing is left at a gate, on disk or in memory."""
    gate = server.gate(name)
    return gate["queue"]["events"] == 0 and gate["counters"]["held_events"] == 0


# Everything through the disk, in small segments.
ALWAYS = {"on_backpressure": "queue", "queue": {"mode": "always", "segment_size": "64KiB", "max_size": "100MB"}}
# Real defaults are 2 s and 60 s; tests of anything but the waiting itself need not wait so long.
QUICK = {"first": "100ms", "most": "500ms"}
