"""The OpenCTI door with a real RabbitMQ as its broker: unmodified connectors publish there, and Weir consumes."""
import base64
import json
import subprocess
import time
import uuid

import pytest

from opencti_peers import TOKEN, python_of
from rabbitmq import RabbitMQ
from test_opencti import connector_of, door, expected, hold, make_connector, names, release, version  # noqa: F401
from waiting import free_port, until

# RabbitMQ's own figures are seconds old, and this machine may be busy.
LONG = 60


@pytest.fixture(scope="session")
def shared_broker(tmp_path_factory):
    broker = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    try:
        yield broker.start()
    finally:
        broker.stop()


@pytest.fixture
def vhost(shared_broker):
    if not shared_broker.process.is_alive:      # a test that killed it has failed
        shared_broker.start()
    return shared_broker.vhost(f"test-{uuid.uuid4().hex[:8]}")


def broker_door(path, vhost, opencti=None, **broker):
    """Weir with this RabbitMQ."""
    return door(path, {"broker": {"url": vhost.url, **broker}, "management": vhost.broker.management, **(opencti or {})})


def message(work=None, name="by hand", padding=0):
    """A queue message as pycti publishes it."""
    found = {"type": "indicator", "id": f"indicator--{uuid.uuid4()}", "name": name, "description": "x" * padding}
    bundle = {"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": [found]}
    body = {"bundle_type": "QUEUE_BUNDLE", "content": base64.b64encode(json.dumps(bundle).encode()).decode(), "update": False}
    return json.dumps(body | ({"work_id": work} if work else {})).encode()


def publish_large(vhost, connector, payload, directory):
    """More than the management API takes: by pika, as pycti does."""
    file = directory / "payload"
    file.write_bytes(payload)
    script = """import pika, sys
channel = pika.BlockingConnection(pika.URLParameters(sys.argv[1])).channel()
channel.confirm_delivery()
channel.basic_publish("amqp.worker.exchange", sys.argv[2], open(sys.argv[3], "rb").read(), pika.BasicProperties(delivery_mode=2))"""
    subprocess.run([python_of("7"), "-c", script, vhost.url, f"push_routing_{connector}", file], check=True, timeout=120)


def graphql(server, query, variables, token=TOKEN):
    status, text = server.http("/graphql", "POST", json.dumps({"query": query, "variables": variables}).encode(),
                               {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}, limit=40)
    return status, json.loads(text)


def register(server, connector=None):
    """-> (id, answer)"""
    connector = connector or str(uuid.uuid4())
    query = """mutation RegisterConnector($input: RegisterConnectorInput) { registerConnector(input: $input) {
        id config { connection { host vhost use_ssl port user pass } push push_routing push_exchange } } }"""
    answer = graphql(server, query, {"input": {"id": connector, "name": "By hand", "type": "EXTERNAL_IMPORT", "scope": ["x"]}})[1]
    return connector, answer


def gate_of(server, connector):
    return server.gate(f"connector/{getattr(connector, 'id', connector)}")


def until_empty(server, vhost, connector):
    """Nothing waits anywhere; also by RabbitMQ's own word, and nothing is unacknowledged."""
    until("the queue is empty for Weir", lambda: connector_of(server, connector).get("queue_bytes") == 0, LONG)
    until("the queue is empty for RabbitMQ", lambda: (vhost.queue(f"push_{connector.id}") or {}).get("messages") == 0, LONG)


def test_first_run(tmp_path, run_weir, make_connector, version, vhost):
    """Exchanges, queues and bindings are those of OpenCTI; what is published arrives once, and its work completes."""
    out = tmp_path / "out"
    server = run_weir(broker_door(out, vhost))
    connector = make_connector(server, version, protocol="amqp").feed(bundles=5, objects=3).start()
    connector.until_said("run 1 ends", limit=LONG)
    until("all objects are in the files", lambda: len(names(out)) >= 15, LONG)
    push, listen = (vhost.queue(f"{kind}_{connector.id}") for kind in ("push", "listen"))
    for queue in (push, listen):
        assert queue["durable"] and queue["type"] == "quorum" and queue["arguments"]["config"]["id"] == connector.id, queue
    assert vhost.bindings() == {("amqp.worker.exchange", push["name"], f"push_routing_{connector.id}"),
                                ("amqp.connector.exchange", listen["name"], f"listen_routing_{connector.id}")}
    until("its work is complete", lambda: connector_of(server, connector)["works"][0]["status"] == "complete", LONG)
    work = connector_of(server, connector)["works"][0]
    assert (work["pushed"], work["delivered"], work["failed"]) == (15, 15, 0), work
    until_empty(server, vhost, connector)
    assert names(out) == expected(1, 5, 3)
    assert connector_of(server, connector)["troubles"] == []
    assert "Feed" in server.command("get", "connectors").stdout


def test_exactly_at_the_threshold(tmp_path, run_weir, make_connector, version, vhost):
    """RabbitMQ's own figure is what is compared: at the threshold nothing runs; a byte below it does."""
    server = run_weir(broker_door(tmp_path / "out", vhost, prefetch=1))
    hold(server, "files")
    connector = make_connector(server, version, protocol="amqp").feed(bundles=3, objects=2).start()
    connector.until_said("run 1 ends", limit=LONG)
    connector.stop()

    def told():
        queue = vhost.queue(f"push_{connector.id}")
        return queue.get("message_bytes") if queue.get("messages") == 6 else None
    size = until("RabbitMQ has the size of all six", told, LONG)
    until("Weir has it too", lambda: connector_of(server, connector).get("queue_bytes") == size, LONG)
    connector.env["CONNECTOR_RUN_AND_TERMINATE"] = "true"
    for threshold, begins in ((size, False), (size + 1, True)):
        connector.env["CONNECTOR_QUEUE_THRESHOLD"] = repr(threshold / 1_000_000)
        before = connector.said("begins")
        connector.start()
        assert connector.process.process.wait(LONG) == 0, connector.output()[-2000:]
        assert connector.said("begins") - before == int(begins), f"{size} bytes wait, the threshold is {threshold}"


def test_broker_killed_with_bundles_in_hand(tmp_path, run_weir, make_connector, shared_broker, vhost):
    """What Weir delivers while its broker is dead is not delivered again when the broker brings it back."""
    out = tmp_path / "out"
    server = run_weir(broker_door(out, vhost, prefetch=5))
    hold(server, "files")
    connector = make_connector(server, "7", protocol="amqp").feed(bundles=20, objects=1).start()
    connector.until_said("run 1 ends", limit=LONG)
    connector.stop()
    until("all of it waits", lambda: connector_of(server, connector).get("queue_bundles") == 20, LONG)
    shared_broker.kill()
    until("the gate knows", lambda: gate_of(server, connector)["reason"]["code"] == "broker_unreachable", LONG)
    assert gate_of(server, connector)["state"] == "unknown" and connector_of(server, connector)["full"]
    release(server, "files")
    until("what Weir had in its hands is in the files", lambda: names(out), LONG)
    shared_broker.start()
    until("all of it is in the files", lambda: set(names(out)) == set(expected(1, 20, 1)), LONG)
    until_empty(server, vhost, connector)
    assert names(out) == expected(1, 20, 1), "a bundle was delivered twice"
    work = connector_of(server, connector)["works"][0]
    assert (work["status"], work["delivered"]) == ("complete", 20), work


def test_broker_killed_during_pushes(tmp_path, run_weir, make_connector, version, shared_broker, vhost):
    """kill -9 of the broker while a connector publishes: what the connector was told is taken arrives."""
    out = tmp_path / "out"
    server = run_weir(broker_door(out, vhost))
    connector = make_connector(server, version, protocol="amqp").feed(bundles=200, objects=1)
    # RabbitMQ writes the list of its quorum queues now and then, not when one is made: killed within the first second of
    # a queue it comes back with a queue that has no leader, and nobody can consume that.
    register(server, connector.id)
    time.sleep(5)
    connector.start()
    connector.process.wait_until("it pushes", lambda: connector.said("of 200") >= 20, LONG)
    shared_broker.kill()
    connector.stop()
    taken = {int(line.split()[6]) for line in connector.output().splitlines() if line.endswith("of 200")}
    shared_broker.start()
    until("what was taken is there", lambda: taken <= {int(name.split()[3]) for name in names(out)}, LONG)
    connector.start()
    connector.until_said("run 1 ends", limit=LONG)
    until("all of it is in the files", lambda: set(names(out)) == set(expected(1, 200, 1)), LONG)
    until_empty(server, vhost, connector)


def test_weir_killed_while_consuming(tmp_path, run_weir, make_connector, version, vhost):
    """kill -9 of Weir: RabbitMQ has what was not settled, and it arrives; at most what was on its way comes twice."""
    out = tmp_path / "out"
    server = run_weir(broker_door(out, vhost, prefetch=10))
    connector = make_connector(server, version, protocol="amqp").feed(bundles=60, objects=5).start()
    for part in (40, 120):
        connector.process.wait_until("it has delivered some", lambda part=part: len(names(out)) >= part, LONG)
        server.kill()
        server.start()
    connector.until_said("run 1 ends")
    until("all of it is in the files", lambda: set(names(out)) == set(expected(1, 60, 5)), LONG)
    until_empty(server, vhost, connector)
    assert len(names(out)) <= 300 + 2 * 10, "more came twice than was on its way"
    assert connector_of(server, connector)["works"][0]["status"] == "complete"


def test_management_unreachable(tmp_path, run_weir, make_connector, version, vhost):
    """Sizes that nobody can read count as full: nothing runs, and the gate says why. Bundles are delivered all the same."""
    out = tmp_path / "out"
    server = run_weir(broker_door(out, vhost, {"management": f"http://127.0.0.1:{free_port()}"}))
    connector = make_connector(server, version, protocol="amqp", CONNECTOR_RUN_AND_TERMINATE="true").feed(bundles=1, objects=1).start()
    assert connector.process.process.wait(LONG) == 0, connector.output()[-2000:]
    assert connector.said("begins") == 0
    gate = gate_of(server, connector)
    assert gate["state"] == "unknown" and gate["reason"]["code"] == "broker_unmeasured", gate
    assert "management API" in gate["reason"]["sentence"], gate
    assert "broker_unmeasured" in json.dumps(connector_of(server, connector)["troubles"])
    assert vhost.publish(connector.id, message(name="all the same"))
    until("it is delivered", lambda: names(out) == ["all the same"], LONG)


def test_poison(tmp_path, run_weir, vhost):
    """What cannot be read becomes a dead letter and holds up nothing; its work knows."""
    out = tmp_path / "out"
    server = run_weir(broker_door(out, vhost))
    connector, answer = register(server)
    assert answer["data"]["registerConnector"]["config"]["connection"]["port"] == vhost.broker.port, answer
    work = graphql(server, "mutation workAdd($connectorId: String!) { workAdd(connectorId: $connectorId) { id } }",
                   {"connectorId": connector})[1]["data"]["workAdd"]["id"]
    bad = [b"not json", b"", b"{}", json.dumps({"content": "!!!", "work_id": work}).encode(),
           b"x" * 3_000_000, message(work)[:-20]]
    for number, payload in enumerate(bad):
        assert vhost.publish(connector, payload)
        assert vhost.publish(connector, message(work, f"good {number}"))
    until("the good ones are in the files", lambda: names(out) == [f"good {n}" for n in range(len(bad))], LONG)
    until("the bad ones are dead letters", lambda: gate_of(server, connector)["counters"]["dead_lettered_events"] == len(bad), LONG)
    until("nothing waits", lambda: (vhost.queue(f"push_{connector}") or {}).get("messages") == 0, LONG)
    seen = json.loads(server.http(f"/api/v1/connectors/{connector}")[1])["works"][0]
    assert seen["delivered"] == len(bad) and seen["failed"] >= 1 and seen["errors"], seen
    assert server.process.is_alive


def test_wrong_credentials(tmp_path, run_weir, make_connector, version, vhost):
    """Weir stays up and says what is wrong, in its log and to the connector that registers."""
    server = run_weir(broker_door(tmp_path / "out", vhost, user="guest", password="not-the-password"))
    until("the log says it", lambda: "ACCESS_REFUSED" in server.output(), LONG)
    assert "not-the-password" not in server.output()
    connector = make_connector(server, version, protocol="amqp").feed(bundles=1, objects=1).start()
    assert connector.process.process.wait(LONG) != 0
    assert "a connector cannot register" in server.output(), "pycti itself prints nothing of why it ends"
    assert "opencti.broker" in register(server, connector.id)[1]["errors"][0]["message"]
    assert gate_of(server, connector)["reason"]["code"] == "broker_refused", gate_of(server, connector)
    assert server.process.is_alive and server.http("/readyz")[0] == 200


def test_queues_that_go_and_queues_that_differ(tmp_path, run_weir, vhost):
    """A deleted queue is made again; one that somebody made otherwise is used as it is; a removed connector takes its own along."""
    out = tmp_path / "out"
    server = run_weir(broker_door(out, vhost))
    connector = register(server)[0]
    vhost.delete_queue(f"push_{connector}")
    until("the queue is there again", lambda: vhost.publish(connector, message(name="after")), LONG)
    until("and is consumed", lambda: names(out) == ["after"], LONG)
    other = str(uuid.uuid4())
    path = f"/api/queues/{vhost.name}/push_{other}"
    assert vhost.broker.http(path, "PUT", {"durable": True, "arguments": {"x-queue-type": "classic"}})[0] == 201
    assert "errors" not in register(server, other)[1]
    assert vhost.publish(other, message(name="by another queue"))
    until("it is consumed", lambda: names(out) == ["after", "by another queue"], LONG)
    assert vhost.queue(f"push_{other}")["type"] == "classic"
    removal = "mutation ConnectorDeletionMutation($id: ID!) { deleteConnector(id: $id) }"
    hold(server, "files")
    assert vhost.publish(other, message(name="waits"))
    assert "errors" in graphql(server, removal, {"id": other})[1], "what waits would be lost"
    release(server, "files")
    until("it is delivered", lambda: "waits" in names(out), LONG)
    until("it may go", lambda: "errors" not in graphql(server, removal, {"id": other})[1], LONG)
    assert vhost.queue(f"push_{other}") is None and vhost.queue(f"listen_{other}") is None
    assert vhost.queue(f"push_{connector}") is not None


def test_a_large_bundle(tmp_path, run_weir, vhost):
    """It goes by way of a file: memory does not grow with it. No file is left."""
    out = tmp_path / "out"
    server = run_weir(broker_door(out, vhost))
    connector = register(server)[0]
    assert vhost.publish(connector, message(name="small"))
    until("it is in the files", lambda: names(out) == ["small"], LONG)
    before = server.memory_mb("VmHWM")
    padding = 12_000_000
    bundle = {"type": "bundle", "objects": [
        {"type": "indicator", "id": f"indicator--{n}", "name": f"large {n:02}", "description": "y" * (padding // 12)} for n in range(12)]}
    body = {"content": base64.b64encode(json.dumps(bundle).encode()).decode()}
    publish_large(vhost, connector, json.dumps(body).encode(), tmp_path)
    until("its objects are in the files", lambda: len(names(out)) == 13)
    assert server.memory_mb("VmHWM") - before < 64, f"{before} MB before, {server.memory_mb('VmHWM')} after"
    until("no file is left", lambda: not list((server.data / "connectors").rglob("*.bundle")), LONG)


def letters_of(server, connector):
    return json.loads(server.command("connector", "dead-letters", "ls", connector, "-o", "json").stdout)


def test_dead_letters(tmp_path, run_weir, vhost):
    """Those of a broker's bundles are listed, shown, pushed again and discarded like all others; one that was mended arrives."""
    out = tmp_path / "out"
    server = run_weir(broker_door(out, vhost))
    connector = register(server)[0]
    for payload in (b"not json", b"x" * 3_000_000, message()[:-20]):
        assert vhost.publish(connector, payload)
    letters = until("three are dead", lambda: (found := letters_of(server, connector)) and len(found) == 3 and found, LONG)
    shown = server.command("connector", "dead-letters", "show", connector, letters[0]["id"])
    assert "not json" in shown.stdout, shown
    file, = (path for path in (server.data / "connectors").rglob("*") if path.is_file() and path.stat().st_size == 3_000_000)
    file.write_bytes(message(name="mended"))
    done = server.command("connector", "dead-letters", "replay", connector)
    assert done.returncode == 0 and "3 of the dead letters" in done.stdout, done
    until("what was mended arrives", lambda: names(out) == ["mended"], LONG)
    until("the others are dead again", lambda: len(letters_of(server, connector)) == 2, LONG)
    done = server.command("connector", "dead-letters", "discard", connector, "--yes")
    assert done.returncode == 0 and letters_of(server, connector) == [], done
    assert (vhost.queue(f"push_{connector}") or {}).get("messages", 0) == 0, "a replay goes through Weir's own queue"


PUBLISH = """import pika, sys
host = pika.URLParameters(sys.argv[1])
host.credentials = pika.PlainCredentials(sys.argv[2], sys.argv[3])
channel = pika.BlockingConnection(host).channel()
channel.confirm_delivery()
channel.basic_publish(sys.argv[4], sys.argv[5], b"{}", mandatory=True)
print("taken")"""


def publish_as(vhost, way, exchange, key):
    """pika, with what a registration gave. -> what it says"""
    done = subprocess.run([python_of("7"), "-c", PUBLISH, vhost.url, way["user"], way["pass"], exchange, key],
                          capture_output=True, text=True, timeout=60)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_accounts(tmp_path, run_weir, make_connector, version, vhost):
    """Each connector is a user of its own, who may publish its own bundles and nothing else; the user goes with the connector."""
    out = tmp_path / "out"
    server = run_weir(broker_door(out, vhost, accounts=True))
    other = register(server)[0]
    connector = make_connector(server, version, protocol="amqp").feed(bundles=3, objects=2).start()
    connector.until_said("run 1 ends", limit=LONG)
    connector.stop()
    until("all objects are in the files", lambda: names(out) == expected(1, 3, 2), LONG)
    config = register(server, connector.id)[1]["data"]["registerConnector"]["config"]
    way, own = config["connection"], config["push_exchange"]
    assert way["user"] == f"weir:{vhost.name}:{connector.id}" and own == f"push_{connector.id}", config
    for exchange, key in (("amqp.worker.exchange", f"push_routing_{other}"), ("amqp.worker.exchange", config["push_routing"]),
                          ("", f"push_{other}"), (f"push_{other}", f"push_routing_{other}")):
        assert "ACCESS_REFUSED" in publish_as(vhost, way, exchange, key), exchange
    assert publish_as(vhost, way, own, config["push_routing"]) == "taken"
    until("nothing waits", lambda: (vhost.queue(f"push_{connector.id}") or {}).get("messages") == 0, LONG)
    assert "errors" not in graphql(server, "mutation ConnectorDeletionMutation($id: ID!) { deleteConnector(id: $id) }",
                                   {"id": connector.id})[1]
    assert "ACCESS_REFUSED" in publish_as(vhost, way, own, config["push_routing"]), "its user is still there"
    assert all(own not in binding for binding in vhost.bindings())


def test_accounts_without_the_right(tmp_path, run_weir, vhost):
    """A user who may make no users: who registers is told what is missing."""
    vhost.user("poor", tags="management")
    server = run_weir(broker_door(tmp_path / "out", vhost, accounts=True, user="poor", password="secret"))
    assert "needs the tag `administrator`" in register(server)[1]["errors"][0]["message"]
