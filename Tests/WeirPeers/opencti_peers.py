"""Real connectors: pycti in two versions, each in a Python environment of its own (`scripts/test` makes them)."""
import json
import os
import signal
import uuid
from pathlib import Path

import pytest

from events import objects
from processes import Process
from waiting import LIMIT
from weir import flow

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).resolve().parent / "opencti" / "connector.py"
TOKEN = "a-token-for-connectors-of-the-tests"
VERSIONS = ("6", "7")


def python_of(version):
    """The Python that has pycti; skips loudly when it is not there."""
    python = Path(os.environ.get(f"WEIR_PYCTI{version}", ROOT / f".venv-pycti{version}")) / "bin/python"
    if not python.exists():
        pytest.skip(f"NO PYCTI {version}: there is no {python}; `make test` makes it (scripts/lib.sh, need_pycti)")
    return python


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture(params=("api", "amqp"))
def protocol(request):
    """How connectors push: pycti's default is AMQP, with Weir in the place of RabbitMQ."""
    return request.param


@pytest.fixture
def make_connector(tmp_path, stopping):
    def make(server, version, name="feed", **more):
        connector = Connector(tmp_path / name, server, version, **more)
        stopping.append(connector)
        return connector
    return make


def door(path, opencti=None, **destination):
    """A Weir that lets connectors in and writes what they bring to files."""
    return {"opencti": {"tokens": [TOKEN], "amqp": {"listen": "127.0.0.1:0"}, **(opencti or {})},
            **flow({}, {"files": {"type": "filesystem", "path": str(path), "flush": "50ms", **destination}})}


def names(path):
    return sorted(found["name"] for found in objects(path) if "name" in found)


def expected(run, bundles, count):
    return sorted(f"run {run} bundle {bundle} object {n}" for bundle in range(bundles) for n in range(count))


def connector_of(server, connector):
    """What the API says of it."""
    status, text = server.http(f"/api/v1/connectors/{connector.id}")
    assert status == 200, text
    return json.loads(text)


def queue_bytes(server, connector):
    return connector_of(server, connector)["queue_bytes"]


def is_held(server, connector):
    """True when its pushes wait; its gate comes with its registration."""
    return any(gate["id"] == f"connector/{connector.id}" and gate["state"] == "blocking" for gate in server.get("gates"))


def hold(server, gate):
    assert server.http(f"/api/v1/gates/{gate}/hold", "POST")[0] == 200


def release(server, gate):
    assert server.http(f"/api/v1/gates/{gate}/release", "POST")[0] == 200


class Connector:
    """One connector process; may be ended and started again under the same id."""

    def __init__(self, directory, server, version, period="PT1H", protocol="api", threshold=None, name="Feed", **env):
        self.directory = Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.python = python_of(version)
        self.id = str(uuid.uuid4())
        self.feed_file = self.directory / "feed.json"
        self.env = {"OPENCTI_URL": f"http://127.0.0.1:{server.port}", "OPENCTI_TOKEN": TOKEN, "CONNECTOR_ID": self.id,
                    "CONNECTOR_NAME": name, "CONNECTOR_DURATION_PERIOD": period, "FEED": str(self.feed_file),
                    "CONNECTOR_LOG_LEVEL": "info", "NO_PROXY": "127.0.0.1", **env}
        if protocol:
            self.env["CONNECTOR_QUEUE_PROTOCOL"] = self.env["QUEUE_PROTOCOL"] = protocol   # 7.x and 6.x
        if threshold is not None:
            self.env["CONNECTOR_QUEUE_THRESHOLD"] = str(threshold)
        self.process = None
        self.starts = 0
        self.feed()

    def feed(self, bundles=3, objects=2, padding=0):
        self.feed_file.write_text(json.dumps({"bundles": bundles, "objects": objects, "padding": padding}))
        return self

    def start(self):
        self.starts += 1
        self.process = Process(f"connector-{self.starts}", [self.python, SCRIPT], self.directory, env=self.env)
        return self

    def stop(self, number=signal.SIGTERM):
        return self.process.stop(number) if self.process and self.process.is_alive else None

    def output(self):
        return "".join(log.read_text(errors="replace") for log in sorted(self.directory.glob("connector-*.log")))

    def said(self, what):
        """How often it said this, all of its starts together."""
        return sum(line.startswith("FEED") and line.endswith(what) for line in self.output().splitlines())

    def until_said(self, what, times=1, limit=LIMIT):
        self.process.wait_until(f"it says “{what}” {times} times", lambda: self.said(what) >= times, limit)
