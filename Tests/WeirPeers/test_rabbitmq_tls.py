"""A real RabbitMQ that speaks TLS only to those whom it knows: Weir and unmodified connectors come in, and every mistake has its sentence."""
import datetime
import uuid

import pytest
import trustme

from opencti_peers import make_connector, version  # noqa: F401
from rabbitmq import RabbitMQ
from test_opencti import connector_of, expected, names
from test_rabbitmq import LONG, broker_door, gate_of, graphql, register, until_empty
from test_tls import TLSReceiver, issue
from waiting import until


class Files:
    """An authority and what it has signed."""

    def __init__(self, directory):
        self.directory = directory
        self.authority = trustme.CA()
        self.ca = str(directory / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca)
        self.server = issue(self.authority, directory, "server", "localhost")
        self.client = issue(self.authority, directory, "client", "weir.example")
        yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        certificate = self.authority.issue_cert("localhost", not_after=yesterday)
        self.expired = str(directory / "expired.pem"), str(directory / "expired.key")
        certificate.cert_chain_pems[0].write_to_path(self.expired[0])
        certificate.private_key_pem.write_to_path(self.expired[1])

    @property
    def ours(self):
        """Weir's settings."""
        return {"ca": self.ca, "certificate": self.client[0], "key": self.client[1]}


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def secure_broker(tmp_path_factory, files):
    broker = RabbitMQ(tmp_path_factory.mktemp("rabbitmq-tls"), tls=(files.ca, *files.server))
    try:
        yield broker.start()
    finally:
        broker.stop()


@pytest.fixture
def vhost(secure_broker):
    return secure_broker.vhost(f"test-{uuid.uuid4().hex[:8]}")


def secure_door(path, vhost, tls, url=None, management=None):
    """Weir with this RabbitMQ, by TLS both ways."""
    broker = vhost.broker
    return broker_door(path, vhost, {"management": management or f"https://localhost:{broker.tls_management_port}"},
                       url=url or f"amqps://guest:guest@localhost:{broker.tls_port}/{vhost.name}", tls=tls)


def test_import(tmp_path, run_weir, make_connector, version, vhost, files):
    """An unmodified connector is told to use TLS, shows its certificate and publishes; Weir consumes, and reads the sizes by https."""
    out = tmp_path / "out"
    server = run_weir(secure_door(out, vhost, files.ours))
    way = register(server)[1]["data"]["registerConnector"]["config"]["connection"]
    assert (way["use_ssl"], way["port"]) == (True, vhost.broker.tls_port), way
    env = {"MQ_USE_SSL_CA": files.ca, "MQ_USE_SSL_CERT": files.client[0], "MQ_USE_SSL_KEY": files.client[1],
           "MQ_USE_SSL_REJECT_UNAUTHORIZED": "true"}
    connector = make_connector(server, version, protocol="amqp", **env).feed(bundles=3, objects=2).start()
    connector.until_said("run 1 ends", limit=LONG)
    until("all objects are in the files", lambda: names(out) == expected(1, 3, 2), LONG)
    until_empty(server, vhost, connector)
    assert connector_of(server, connector)["troubles"] == []


def test_certificate_with_another_name(tmp_path, run_weir, vhost, files):
    """`server_name` is what the certificate is verified against, where the address is another one."""
    url = f"amqps://guest:guest@127.0.0.1:{vhost.broker.tls_port}/{vhost.name}"
    server = run_weir(secure_door(tmp_path / "out", vhost, {**files.ours, "server_name": "localhost"}, url))
    assert "errors" not in register(server)[1]


def refusal(server, code="broker_tls"):
    """What a connector is told that registers; its gate says the same. -> the sentence"""
    connector, answer = register(server)
    sentence = answer["errors"][0]["message"]
    gate = until("the gate says it", lambda: next(
        (found for found in [gate_of(server, connector)] if found["reason"]["code"] == code), None), LONG)
    assert gate["state"] == "unknown" and gate["reason"]["sentence"] in sentence, (gate, sentence)
    assert "sslError" not in sentence and server.http("/readyz")[0] == 200
    return sentence


@pytest.mark.parametrize("wrong, says", [
    ("authority", "its certificate cannot be verified"), ("name", "its certificate is for another name"),
    ("expired", "its certificate has expired"), ("no certificate of ours", "it wants a client certificate"),
    ("foreign certificate of ours", "it does not accept our certificate"), ("no TLS there", "it speaks no TLS")])
def test_refused(tmp_path, run_weir, stopping, vhost, files, wrong, says):
    """Not one connector comes in, and one sentence says why."""
    stranger = trustme.CA()
    stranger.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    port = vhost.broker.tls_port
    host, tls = "localhost", dict(files.ours)
    if wrong == "authority":
        tls["ca"] = str(tmp_path / "other.pem")
    elif wrong == "name":
        host = "127.0.0.1"
    elif wrong == "expired":
        receiver = TLSReceiver(*files.expired)
        stopping.append(receiver)
        port = receiver.port
    elif wrong == "no certificate of ours":
        tls = {"ca": files.ca}
    elif wrong == "foreign certificate of ours":
        tls["certificate"], tls["key"] = issue(stranger, tmp_path, "foreign", "weir.example")
    else:
        port = vhost.broker.port
    server = run_weir(secure_door(tmp_path / "out", vhost, tls, url=f"amqps://guest:guest@{host}:{port}/{vhost.name}"))
    sentence = refusal(server)
    assert says in sentence and f"{host}:{port}" in sentence and "opencti.broker.tls" in sentence, sentence


def test_tls_forgotten(tmp_path, run_weir, vhost, files):
    """`amqp://` to a port that wants TLS."""
    server = run_weir(broker_door(tmp_path / "out", vhost, url=f"amqp://guest:guest@127.0.0.1:{vhost.broker.tls_port}/{vhost.name}"))
    until("the log says it", lambda: "amqps://" in server.output(), LONG)


@pytest.mark.parametrize("wrong, says", [
    ("expired", "its certificate cannot be verified"), ("no TLS there", "it speaks no TLS"), ("http", "something that is not HTTP")])
def test_management_refused(tmp_path, run_weir, stopping, vhost, files, wrong, says):
    """Its sizes count as full, and the gate says why; bundles are delivered all the same."""
    if wrong == "expired":
        receiver = TLSReceiver(*files.expired)
        stopping.append(receiver)
        management = f"https://localhost:{receiver.port}"
    else:
        broker = vhost.broker
        management = f"https://127.0.0.1:{broker.management_port}" if wrong == "no TLS there" else f"http://127.0.0.1:{broker.tls_management_port}"
    server = run_weir(secure_door(tmp_path / "out", vhost, files.ours, management=management))
    connector, answer = register(server)
    assert "errors" not in answer, answer
    gate = until("the gate says it", lambda: next(
        (found for found in [gate_of(server, connector)] if says in found["reason"]["sentence"]), None), LONG)
    assert (gate["state"], gate["reason"]["code"]) == ("unknown", "broker_unmeasured"), gate
    assert "management API" in gate["reason"]["sentence"] and "sslError" not in gate["reason"]["sentence"], gate
