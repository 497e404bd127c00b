"""The OpenCTI door under load, behind TLS and on a full disk, and what clients get wrong."""
import base64
import http.client
import json
import re
import resource
import signal
import socket
import subprocess
import time

import pytest
import trustme

from events import objects
from opencti_peers import (SCRIPT, TOKEN, connector_of, door, expected, hold, is_held, make_connector, names, protocol, python_of,
                           queue_bytes, release, version)
from processes import Process
from test_tls import issue
from waiting import memory_mb, until

REGISTER = """mutation R($input: RegisterConnectorInput) { registerConnector(input: $input) {
    id config { connection { host port user pass use_ssl } } } }"""
PUSH = "mutation P($connectorId: String!, $bundle: String!) { stixBundlePush(connectorId: $connectorId, bundle: $bundle) }"
PING = "mutation P($id: ID!, $state: String) { pingConnector(id: $id, state: $state) { connector_state } }"
HEALTH = "query healthCheck { about { version } }"


def request(query, **variables):
    return json.dumps({"query": query, "variables": variables}).encode()


def ask(server, query, **variables):
    """-> the answer's data; fails when there are errors in it."""
    status, text = server.http("/graphql", "POST", request(query, **variables),
                               {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}, limit=60)
    answer = json.loads(text)
    assert status == 200 and "errors" not in answer, text
    return answer["data"]


def register(server, name):
    """-> how it may publish."""
    return ask(server, REGISTER, input={"id": name, "name": name, "type": "EXTERNAL_IMPORT", "scope": ["x"]})["registerConnector"]["config"]["connection"]


def bundle(*found):
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": list(found)})


def indicator(name, padding=0):
    return {"type": "indicator", "id": f"indicator--{name}", "name": name, "description": "x" * padding}


class Pusher:
    """One held request on a connection of its own, as a connector's would be."""

    def __init__(self, server, body):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self.socket.sendall((f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
                             f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)

    def answer(self):
        text = b""
        while b"\r\n\r\n" not in text or not text.endswith(b"}"):
            more = self.socket.recv(65536)
            if not more:
                break
            text += more
        return text.decode()

    def stop(self):
        self.socket.close()


def waiting_pushes(server, name):
    return {detail["name"]: detail["value"] for detail in server.gate(f"connector/{name}")["details"]}["pushes that wait now"]


def test_held_pushes_starve_nobody(tmp_path, run_weir, stopping):
    """300 pushes are held with 1,024 descriptors: page, API, other connectors and publishers are served all the while."""
    out = tmp_path / "out"
    server = run_weir(door(out, {"queue_threshold": 0.001, "hard_limit": "0.001MB"}),
                      limits=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024)))
    hold(server, "files")
    register(server, "full")
    ask(server, PUSH, connectorId="full", bundle=bundle(indicator("first", 2_000)))
    pushers = []
    for n in range(300):
        pushers.append(Pusher(server, request(PUSH, connectorId="full", bundle=bundle(indicator(f"held {n}")))))
        stopping.append(pushers[-1])
    until("300 pushes wait", lambda: waiting_pushes(server, "full") == "300")
    for n in range(20):
        assert server.http("/livez")[0] == 200 and server.http("/connectors")[0] == 200
        assert server.http("/api/v1/gates")[0] == 200 and ask(server, HEALTH)["about"]
    register(server, "other")
    ask(server, PUSH, connectorId="other", bundle=bundle(indicator("other")))
    release(server, "files")
    for pusher in pushers:
        answer = pusher.answer()
        assert " 200 " in answer.splitlines()[0] and '"stixBundlePush":true' in answer, answer
    until("all of it is there", lambda: len(names(out)) >= 302)
    assert names(out) == sorted(["first", "other"] + [f"held {n}" for n in range(300)])


def test_door_has_a_limit_of_its_own(tmp_path, run_weir, stopping):
    """`max_connections`: one request more is told so in words, pages are served, and with room the door takes requests again."""
    server = run_weir(door(tmp_path / "out", {"queue_threshold": 0.001, "hard_limit": "0.001MB", "max_connections": 10}))
    hold(server, "files")
    register(server, "full")
    ask(server, PUSH, connectorId="full", bundle=bundle(indicator("first", 2_000)))
    pushers = [Pusher(server, request(PUSH, connectorId="full", bundle=bundle(indicator(f"{n}")))) for n in range(10)]
    stopping.extend(pushers)
    until("10 pushes wait", lambda: waiting_pushes(server, "full") == "10")
    crowd = Pusher(server, request(HEALTH))
    refused = crowd.answer()
    assert " 503 " in refused.splitlines()[0] and "opencti.max_connections is 10" in refused, refused
    assert server.http("/")[0] == 200 and "connectors are refused" in server.output()
    release(server, "files")
    assert all("true" in pusher.answer() for pusher in pushers)
    until("the door takes requests again", lambda: server.http("/graphql", "POST", request(HEALTH), {
        "Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})[0] == 200)


def amqp_door(path, tls=None, **more):
    settings = door(path)
    settings["opencti"]["amqp"].update({**({"tls": tls} if tls else {}), **more})
    return settings


def test_flood_without_login(tmp_path, run_weir, stopping):
    """Connections that never log in are closed, the oldest first, and a publisher gets through all the while."""
    server = run_weir(amqp_door(tmp_path / "out", max_connections=40))
    way = register(server, "a")
    flood = [socket.create_connection(("127.0.0.1", way["port"]), timeout=10) for _ in range(100)]
    stopping.extend(type("Closing", (), {"stop": connection.close})() for connection in flood)
    assert publish(way, [message(bundle(indicator("one")))]).stdout.count("confirmed") == 1
    flood[0].settimeout(10)
    assert flood[0].recv(1) == b"", "the oldest is still there"


def message(content, **more):
    return json.dumps({"bundle_type": "QUEUE_BUNDLE", "applicant_id": "u", "content": base64.b64encode(content.encode()).decode(), **more})


def publish(way, bodies, *files):
    """pika, with the credentials that a registration gave."""
    command = [python_of("7"), SCRIPT.parent / "publish.py", way["port"], way["user"], way["pass"], *files]
    return subprocess.run([str(part) for part in command], input=json.dumps(bodies), capture_output=True, text=True, timeout=60)


@pytest.fixture
def certificates(tmp_path):
    """-> (authority file, settings of the server, certificate and key of a client)."""
    authority = trustme.CA()
    ca = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(ca)
    chain, key = issue(authority, tmp_path, "server", "127.0.0.1", "localhost")
    return ca, {"cert": chain, "key": key}, issue(authority, tmp_path, "client", "connector.example")


def test_publishing_over_tls(tmp_path, run_weir, make_connector, version, certificates):
    """On all addresses of the machine: a real connector is told a name and TLS, verifies Weir's certificate, and imports; one that knows
    another authority does not, and the log says so."""
    ca, tls, _ = certificates
    out = tmp_path / "out"
    server = run_weir(amqp_door(out, tls, listen="0.0.0.0:0", connectors={"host": "localhost"}))
    assert register(server, "a")["host"] == "localhost"
    connector = make_connector(server, version, protocol="amqp", MQ_USE_SSL_CA=ca, MQ_USE_SSL_REJECT_UNAUTHORIZED="true")
    connector.feed(bundles=3, objects=2).start()
    connector.until_said("run 1 ends")
    until("all objects are in the files", lambda: names(out) == expected(1, 3, 2))
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    stranger = make_connector(server, version, "stranger", protocol="amqp", MQ_USE_SSL_CA=str(other), MQ_USE_SSL_REJECT_UNAUTHORIZED="true")
    assert stranger.start().process.process.wait(120) != 0
    assert "CERTIFICATE_VERIFY_FAILED" in stranger.output() and names(out) == expected(1, 3, 2)
    assert "perhaps it does not trust our certificate" in server.output()


def test_client_certificates(tmp_path, run_weir, make_connector, version, certificates):
    """With `client_ca` a publisher shows a certificate of that authority, or does not come in."""
    ca, tls, client = certificates
    out = tmp_path / "out"
    server = run_weir(amqp_door(out, {**tls, "client_ca": ca}))
    way = register(server, "a")
    assert way["use_ssl"] is True
    foreign = issue(trustme.CA(), tmp_path, "foreign", "connector.example")
    for files in ([ca], [ca, *foreign]):
        refused = publish(way, [message(bundle(indicator("no")))], *files)
        assert refused.returncode != 0 and "confirmed" not in refused.stdout, refused
    assert "TLS with a publisher at 127.0.0.1 failed: it shows no certificate" in server.output()
    taken = publish(way, [message(bundle(indicator("yes")))], ca, *client)
    assert taken.returncode == 0 and "confirmed" in taken.stdout, taken
    until("what was confirmed is there", lambda: names(out) == ["yes"])
    env = {"MQ_USE_SSL_CA": ca, "MQ_USE_SSL_CERT": client[0], "MQ_USE_SSL_KEY": client[1], "MQ_USE_SSL_REJECT_UNAUTHORIZED": "true"}
    make_connector(server, version, protocol="amqp", **env).feed(bundles=1, objects=1).start().until_said("run 1 ends")


def test_many_bundles(tmp_path, run_weir):
    """Memory does not grow with the number of bundles: what a turn of the workers needed goes with it."""
    out = tmp_path / "out"
    server = run_weir(door(out))
    register(server, "a")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def push(numbers):
        for number in numbers:
            connection.request("POST", "/graphql", request(PUSH, connectorId="a", bundle=bundle(indicator(f"{number}"))),
                               {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
            assert b"true" in connection.getresponse().read()
    push(range(500))
    before = server.memory_mb()
    push(range(500, 2000))
    assert server.memory_mb() - before < 12, f"{before} MB before, {server.memory_mb()} after"
    until("all of them are there", lambda: len(names(out)) == 2000)


def test_content_that_cannot_be_read(tmp_path, run_weir):
    """What is no bundle is taken, becomes a dead letter with its reason at its work, and holds up nothing behind it."""
    out = tmp_path / "out"
    server = run_weir(door(out))
    way = register(server, "a")
    work = ask(server, 'mutation { workAdd(connectorId: "a", friendlyName: "run") { id } }')["workAdd"]["id"]
    wrong = ["not json", '{"type":"bundle","objects":[]}', '{"type":"bundle"}', "[]", '{"objects":[{"id":"x"}]}']
    for content in wrong:
        ask(server, PUSH, connectorId="a", bundle=content)
    bodies = ["{", json.dumps({"content": "!!! no base64 !!!", "work_id": work}), json.dumps({"work_id": work}),
              *[message(content, work_id=work) for content in wrong], message(bundle(indicator("good")), work_id=work)]
    done = publish(way, bodies)
    assert done.stdout.count("confirmed") == len(bodies), done
    until("what stands behind them is there", lambda: names(out) == ["good"])
    ask(server, "mutation W($id: ID!) { workEdit(id: $id) { toProcessed(message: \"done\") } }", id=work)
    seen = until("the work is complete", lambda: next(
        (found for found in connector_of(server, type("A", (), {"id": "a"}))["works"] if found["status"] == "complete"), None))
    # All but the one that names nothing by AMQP.
    assert (seen["delivered"], seen["failed"]) == (1, len(wrong) + len(bodies) - 2), seen
    said = " ".join(error["text"] for error in seen["errors"])
    for code in ("not_a_bundle", "no_objects", "no_content"):
        assert code in said, said


def test_a_long_state(tmp_path, run_weir):
    """The state of a connector that lists what it has seen: kept byte for byte, also over kill -9; lists and pages stay short."""
    server = run_weir(door(tmp_path / "out"))
    register(server, "feed")
    state = json.dumps({"seen": [f"été “{n}”" for n in range(100_000)]})
    assert ask(server, PING, id="feed", state=state)["pingConnector"]["connector_state"] == state
    server.kill()
    server.start()
    query = 'query { connector(id: "feed") { connector_state } }'
    assert ask(server, query)["connector"]["connector_state"] == state
    (listed,) = server.get("connectors")
    assert "state" not in listed and listed["state_bytes"] == len(state)
    described = server.command("describe", "connector", "feed").stdout
    assert "weir describe connector NAME -o json" in described and len(described) < 20_000
    assert len(server.http("/connectors/feed")[1]) < 50_000
    text = server.http("/graphql", "POST", request(PING, id="feed", state="x" * (16 << 20 | 1)),
                   {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "Connection": "keep-alive"}, limit=60)[1]
    assert "the most is 16777216" in text, text


def test_full_disk(tmp_path, run_weir, make_connector, version, protocol, mounted):
    """The disk of the work queue fills up while a real connector pushes: it waits, says nothing, and goes on when there is room."""
    out, disk = tmp_path / "out", mounted("tmpfs", 300)
    server = run_weir({**door(out), "data": str(disk / "data")})
    hold(server, "files")
    connector = make_connector(server, version, protocol=protocol).feed(bundles=120, objects=1, padding=300_000).start()
    connector.process.wait_until("it pushes", lambda: connector.said("of 120") >= 10)
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            pass
    until("pushes wait for the disk", lambda: server.gate(f"connector/{connector.id}")["state"] == "blocking")
    time.sleep(12)      # longer than the heartbeats of AMQP
    assert connector.process.is_alive and connector.said("run 1 ends") == 0, connector.output()[-2000:]
    ballast.unlink()
    connector.until_said("run 1 ends")
    release(server, "files")
    until("all of it is in the files, once", lambda: names(out) == expected(1, 120, 1))


@pytest.mark.parametrize("protocol", ("api", "amqp"))
def test_large_bundle(tmp_path, run_weir, make_connector, version, protocol):
    """A bundle of 40 MB: it arrives whole, and memory does not grow with it."""
    out = tmp_path / "out"
    server = run_weir(door(out))
    register(server, "warm")
    before = server.memory_mb()
    connector = make_connector(server, version, protocol=protocol, **({"WHOLE": "1"} if version == "7" else {}))
    connector.feed(bundles=1, objects=400, padding=100_000).start()
    connector.until_said("run 1 ends")
    until("all of it is in the files", lambda: len(names(out)) == 400)
    grown = server.memory_mb("VmHWM") - before
    assert names(out) == expected(1, 1, 400)
    assert grown < 100, f"{grown:.0f} MB more for a bundle of 40 MB"


# What connectors of these versions ask of a platform, and Weir answers.
ANSWERED = {"about", "registerConnector", "pingConnector", "connector", "deleteConnector", "resetStateConnector", "workAdd", "workEdit",
            "work", "works", "isWorkAlive", "stixBundlePush", "markingDefinition", "markingDefinitions", "connectors"}
# Work-related parts that Weir refuses: drafts are OpenCTI's own.
REFUSED = {"addDraftContext"}


def test_what_is_answered(tmp_path, run_weir, version):
    """Every document that stands in pycti is sent: Weir answers those that connectors need, and refuses the others by name."""
    server = run_weir(door(tmp_path / "out"))
    listed = subprocess.run([str(python_of(version)), str(SCRIPT.parent / "documents.py")], capture_output=True, text=True, timeout=60)
    documents = json.loads(listed.stdout)
    assert len(documents) > 40, listed.stderr
    answered, refused = set(), set()
    for file, document in documents:
        body = re.sub(r"^\s*(query|mutation)[^{]*\{", "", document, count=1)
        field = re.match(r"\s*(?:\w+\s*:\s*)?(\w+)", body)
        if not field:
            continue      # put together from pieces while it runs
        text = server.http("/graphql", "POST", request(document), {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})[1]
        answer = json.loads(text)
        unknown = re.findall(r"Weir does not answer `(\w+)`|Cannot query field `(\w+)`", text)
        if unknown:
            refused |= {name for names in unknown for name in names if name}
        elif "GRAPHQL_PARSE_FAILED" not in text:
            answered.add(field[1])
            assert all(error["name"] != "GRAPHQL_VALIDATION_FAILED" for error in answer.get("errors", [])), (file, document, text)
    print("answered:", sorted(answered))
    print("refused:", sorted(refused))
    assert answered <= ANSWERED and not answered & refused
    needed = {"about", "registerConnector", "pingConnector", "connector", "workAdd", "workEdit", "stixBundlePush"}
    assert needed <= answered, needed - answered
    assert not refused & (ANSWERED - {"markingDefinition", "markingDefinitions"}), refused & ANSWERED
