"""A connector in Swift: the example of WeirConnectorKit as a process of its own, against a running Weir, by AMQP and by the API."""
import json
import os
import re
import signal
import uuid
from pathlib import Path

import pytest

from events import objects
from opencti_peers import TOKEN
from processes import Process
from test_connectors import catalogue
from test_opencti_door import amqp_door, certificates  # noqa: F401
from test_opencti import connector_of, door, hold, is_held, queue_bytes, release
from waiting import LIMIT, until
from weir import BINARY

KEV = Path(os.environ.get("WEIR_KEV", BINARY.parent / "kev-connector"))
pytestmark = pytest.mark.skipif(not KEV.exists(), reason=f"NO {KEV}: `swift build --product kev-connector` makes it")


@pytest.fixture(params=("api", "amqp"))
def protocol(request):
    return request.param


def entries(count, version="2026.11.21"):
    """A catalogue of our own, as CISA lays it out."""
    return {"catalogVersion": version, "dateReleased": "2026-11-21T00:00:00.000Z", "count": count, "vulnerabilities": [
        {"cveID": f"CVE-2026-{10000 + n}", "vendorProject": "Vendor", "product": f"Product {n}", "vulnerabilityName": f"Vulnerability {n}",
         "dateAdded": "2026-11-20", "shortDescription": "It is “exploited”.", "requiredAction": "Apply updates.", "dueDate": "2026-12-11",
         "knownRansomwareCampaignUse": "Unknown", "notes": "", "cwes": []} for n in range(count)]}


class KEVConnector:
    """One connector process; may be ended and started again under the same id."""

    def __init__(self, directory, server, source, protocol="api", period="PT1H", **env):
        self.directory = Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.id = f"kev--{uuid.uuid4()}"
        self.file = source if isinstance(source, Path) else self.directory / "kev.json"
        if not isinstance(source, Path):
            self.write(source)
        self.env = {"OPENCTI_URL": f"http://127.0.0.1:{server.port}", "OPENCTI_TOKEN": TOKEN, "CONNECTOR_ID": self.id,
                    "CONNECTOR_NAME": "KEV", "CONNECTOR_DURATION_PERIOD": period, "KEV_CATALOG_URL": f"file:{self.file}",
                    "CONNECTOR_QUEUE_PROTOCOL": protocol, **env}
        self.process = None
        self.starts = 0

    def write(self, content):
        """Whole or not at all: the connector may be reading."""
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(content))
        new.rename(self.file)

    def start(self):
        self.starts += 1
        self.process = Process(f"kev-{self.starts}", [KEV], self.directory, env=self.env)
        return self

    def stop(self, number=signal.SIGTERM):
        return self.process.stop(number) if self.process and self.process.is_alive else None

    def ended(self, limit=LIMIT):
        return self.process.process.wait(limit)

    def output(self):
        return "".join(log.read_text(errors="replace") for log in sorted(self.directory.glob("kev-*.log")))

    def said(self, what):
        """How often it logged this; only whole lines."""
        lines = [json.loads(line) for line in self.output().splitlines(keepends=True) if line.endswith("}\n")]
        return sum(line["message"].startswith(what) for line in lines)

    def until_said(self, what, times=1, limit=LIMIT):
        self.process.wait_until(f"it says “{what}” {times} times", lambda: self.said(what) >= times, limit)


@pytest.fixture
def make_kev(tmp_path, stopping):
    def make(server, source, **more):
        connector = KEVConnector(tmp_path / "kev", server, source, **more)
        stopping.append(connector)
        return connector
    return make


def vulnerabilities(path):
    return sorted(found["name"] for found in objects(path) if found["type"] == "vulnerability")


def names(content):
    return sorted(entry["cveID"] for entry in content["vulnerabilities"])


def test_the_real_catalogue(tmp_path, run_weir, make_kev, protocol):
    """Each entry arrives once as a vulnerability; started again it knows what it sent and sends nothing."""
    source = catalogue("known_exploited_vulnerabilities.json")
    content = json.loads(source.read_text())
    out = tmp_path / "out"
    server = run_weir(door(out))
    connector = make_kev(server, source, protocol=protocol).start()
    connector.until_said("The catalogue was sent.")
    until("all of it is in the files", lambda: len(vulnerabilities(out)) >= content["count"])
    until("the work is complete", lambda: connector_of(server, connector)["works"][0]["status"] == "complete")
    assert connector.stop() == 0, connector.output()[-2000:]
    connector.start().until_said("The catalogue has not changed.")
    assert vulnerabilities(out) == names(content)
    assert [found["type"] for found in objects(out)].count("identity") == 1
    work = connector_of(server, connector)["works"][0]
    assert (work["failed"], work["delivered"]) == (0, work["pushed"]) and work["name"] == f"KEV {content['catalogVersion']}"


def test_over_tls(tmp_path, run_weir, make_kev, certificates):
    """By AMQP over TLS: Weir's certificate is verified by its address and by its name, and the connector shows one of its own."""
    ca, tls, (certificate, key) = certificates
    env = {"MQ_USE_SSL_CA": ca, "MQ_USE_SSL_CERT": certificate, "MQ_USE_SSL_KEY": key}
    out = tmp_path / "out"
    server = run_weir(amqp_door(out, {**tls, "client_ca": ca}))
    make_kev(server, entries(5), protocol="amqp", **env).start().until_said("The catalogue was sent.")
    until("all of it is in the files", lambda: vulnerabilities(out) == names(entries(5)))
    connector = make_kev(server, entries(7), protocol="amqp", **env, MQ_HOST="localhost").start()
    connector.until_said("The catalogue was sent.")
    until("all of that too", lambda: len(vulnerabilities(out)) == 12)
    stranger = make_kev(server, entries(1), protocol="amqp").start()
    stranger.until_said("The broker is not there")
    assert len(vulnerabilities(out)) == 12


def test_our_own_catalogue(tmp_path, run_weir, make_kev, protocol):
    """A new version is sent at the next run; what people see is right."""
    out = tmp_path / "out"
    server = run_weir(door(out))
    connector = make_kev(server, entries(5), protocol=protocol, period="PT1S", CONNECTOR_QUEUE_THRESHOLD="8").start()
    connector.until_said("The catalogue was sent.")
    connector.write(entries(7, version="2026.11.22"))
    connector.until_said("The catalogue was sent.", times=2)
    until("both are in the files", lambda: len(vulnerabilities(out)) >= 12)
    assert sorted(set(vulnerabilities(out))) == names(entries(7))
    until("its last run is told", lambda: connector_of(server, connector)["shown"]["last_run"] != "Not provided")
    seen = connector_of(server, connector)
    assert seen["shown"]["server_capacity"].endswith("/ 8.00 MB") and not seen["troubles"], seen
    assert connector.stop() == 0


def test_run_and_terminate_at_the_threshold(tmp_path, run_weir, make_kev, protocol):
    """At the threshold nothing runs; a byte below it does. Both end well."""
    server = run_weir(door(tmp_path / "out"))
    hold(server, "files")
    connector = make_kev(server, entries(3), protocol=protocol, CONNECTOR_RUN_AND_TERMINATE="true").start()
    assert connector.ended() == 0, connector.output()[-2000:]
    assert connector.said("The catalogue was sent.") == 1
    size = queue_bytes(server, connector)
    assert size > 0
    for threshold, runs in ((size, 0), (size + 1, 1)):
        connector.env["CONNECTOR_QUEUE_THRESHOLD"] = repr(threshold / 1_000_000)
        before = connector.said("A run begins.")
        connector.start()
        assert connector.ended() == 0, connector.output()[-2000:]
        assert connector.said("A run begins.") - before == runs, f"{size} bytes wait, the threshold is {threshold}"
        seen = connector_of(server, connector)
        assert seen["shown"]["next_run"] == "External schedule" and seen["threshold_bytes"] == threshold, seen


def test_buffering_and_release(tmp_path, run_weir, make_kev):
    """Over its threshold the next run is put off, all see it, and it begins when there is room, not a period later."""
    out = tmp_path / "out"
    server = run_weir(door(out, {"queue_threshold": 0.001, "hard_limit": "10MB"}))
    hold(server, "files")
    connector = make_kev(server, entries(20), period="PT3S", CONNECTOR_QUEUE_THRESHOLD="0.001", CONNECTOR_LOG_LEVEL="debug").start()
    connector.until_said("Runs are put off")
    until("all see it", lambda: connector_of(server, connector)["buffering"])
    connector.until_said("The queue was looked at.", times=4)
    assert connector.said("A run begins.") == 1, "a run began although the queue was over the threshold"
    assert connector.said("Runs are put off") == 1
    release(server, "files")
    connector.until_said("A run begins.", times=2)
    assert vulnerabilities(out) == names(entries(20))


def test_reset_state(tmp_path, run_weir, make_kev):
    """A reset reaches the process once: it sends the catalogue again, and then goes on as before."""
    server = run_weir(door(tmp_path / "out"))
    connector = make_kev(server, entries(2), period="PT1S").start()
    connector.until_said("The catalogue has not changed.", times=2)
    assert server.command("connector", "reset", connector.id, "--yes").returncode == 0
    connector.until_said("The catalogue was sent.", times=2)
    unchanged = connector.said("The catalogue has not changed.")
    connector.until_said("The catalogue has not changed.", times=unchanged + 3)
    assert connector.said("The catalogue was sent.") == 2 and connector.said("The state was changed on the platform.") == 1


def start_and_hold(server, connector, protocol):
    """Starts it, and returns when a push waits: over AMQP within the first bundle, by the API with the second."""
    hold(server, "files")
    connector.start()
    if protocol == "api":
        connector.until_said("The catalogue was sent.")
        connector.write(entries(301, version="2026.11.22"))
        connector.until_said("A run begins.", times=2)
    connector.process.wait_until("a push waits", lambda: is_held(server, connector))


def narrow(out):
    return door(out, {"queue_threshold": 0.01, "hard_limit": "0.02MB"})


def test_told_to_end_while_a_push_is_held(tmp_path, run_weir, make_kev, protocol):
    """SIGTERM ends it well although Weir takes nothing more; the next start brings what was not sent."""
    out = tmp_path / "out"
    server = run_weir(narrow(out))
    connector = make_kev(server, entries(300), protocol=protocol, period="PT1S")
    start_and_hold(server, connector, protocol)
    assert connector.stop() == 0, connector.output()[-2000:]
    sent = connector.said("The catalogue was sent.")
    release(server, "files")
    connector.start().until_said("The catalogue was sent.", times=sent + 1)
    until("all of it is in the files", lambda: set(names(entries(301 if protocol == "api" else 300))) == set(vulnerabilities(out)))


def test_weir_is_killed_in_a_push(tmp_path, run_weir, make_kev, protocol):
    """kill -9 of Weir: the connector waits for it, at another port for AMQP, and everything arrives; its process lives on."""
    out = tmp_path / "out"
    server = run_weir(narrow(out))
    connector = make_kev(server, entries(300), protocol=protocol, period="PT1S")
    start_and_hold(server, connector, protocol)
    sent = connector.said("The catalogue was sent.")
    server.kill()
    connector.until_said("The broker is not there" if protocol == "amqp" else "The platform is not there")
    server.start()
    connector.until_said("The catalogue was sent.", times=sent + 1)
    until("all of it is in the files", lambda: set(names(entries(301 if protocol == "api" else 300))) == set(vulnerabilities(out)))
    assert connector.process.is_alive and connector.starts == 1


def test_the_guide(tmp_path, run_weir, make_kev):
    """The guide's config.yml, with another token and port from the environment, is all that the connector needs."""
    guide = (Path(__file__).resolve().parents[2] / "docs/guides/write-a-connector.md").read_text()
    text = next(text for text in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL) if "catalog_url" in text)
    out = tmp_path / "out"
    server = run_weir(door(out))
    connector = make_kev(server, entries(3))
    (connector.directory / "config.yml").write_text(text)
    connector.file.rename(connector.directory / "known_exploited_vulnerabilities.json")
    connector.env = {name: connector.env[name] for name in ("OPENCTI_URL", "OPENCTI_TOKEN")}
    connector.start().until_said("The catalogue was sent.")
    until("all of it is in the files", lambda: vulnerabilities(out) == names(entries(3)))
    assert server.get("connectors")[0]["name"] == "Known Exploited Vulnerabilities"


def test_wrong_configuration(tmp_path, run_weir, make_kev):
    """All mistakes at once, each with its place; a wrong token names its variable; no Weir is another exit code."""
    server = run_weir(door(tmp_path / "out"))
    connector = make_kev(server, entries(1), period="5h", CONNECTOR_QUEUE_THRESHOLD="1GB")
    (connector.directory / "config.yml").write_text("connector:\n  run_and_terminate: perhaps\n")
    connector.start()
    assert connector.ended() == 78
    for part in ("environment: CONNECTOR_DURATION_PERIOD", "environment: CONNECTOR_QUEUE_THRESHOLD", "config.yml:2: CONNECTOR_RUN_AND_TERMINATE"):
        assert part in connector.output(), connector.output()
    (connector.directory / "config.yml").unlink()
    connector.env.update(CONNECTOR_DURATION_PERIOD="PT5H", CONNECTOR_QUEUE_THRESHOLD="500", OPENCTI_TOKEN="another")
    connector.start()
    assert connector.ended() == 1 and "OPENCTI_TOKEN" in connector.output(), connector.output()
    assert server.get("connectors") == []
