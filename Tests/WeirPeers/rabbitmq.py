"""A real RabbitMQ of Debian's, in a directory of the tests, with its management API; ended by its process ids."""
import base64
import json
import os
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from processes import Process
from waiting import free_port, until

# Not /usr/sbin/rabbitmq-server: that one changes to the user rabbitmq.
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class RabbitMQ:
    """One broker; may be killed and started again on the same data. With `tls` (authority, certificate, key) it speaks TLS on ports of
    their own, to clients with a certificate of that authority."""

    def __init__(self, directory, tls=None):
        if not SERVER.exists():
            pytest.skip("MISSING PROGRAM rabbitmq-server: `make test` installs it on Debian 12")
        self.directory = Path(directory)
        self.port, self.management_port, distribution, self.names_port = (free_port() for _ in range(4))
        self.management = f"http://127.0.0.1:{self.management_port}"
        (self.directory / "home").mkdir(parents=True)
        (self.directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{self.port}\nmanagement.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.management_port}\n" + (self._secure(*tls) if tls else ""))
        (self.directory / "plugins").write_text("[rabbitmq_management].\n")
        self.env = {
            "HOME": str(self.directory / "home"), "RABBITMQ_NODENAME": f"weir{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution), "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(self.names_port),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"), "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"), "RABBITMQ_PID_FILE": str(self.directory / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "none"), "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"}
        # Its name server, started here so that it is ended here.
        self.names = Process("epmd", ["epmd", "-address", "127.0.0.1", "-port", self.names_port], self.directory)
        self.process = None
        self.starts = 0

    def _secure(self, authority, certificate, key):
        self.tls_port, self.tls_management_port = free_port(), free_port()
        files = {"cacertfile": authority, "certfile": certificate, "keyfile": key, "verify": "verify_peer", "fail_if_no_peer_cert": "true"}
        return (f"listeners.ssl.local = 127.0.0.1:{self.tls_port}\nmanagement.ssl.ip = 127.0.0.1\n"
                f"management.ssl.port = {self.tls_management_port}\n"
                + "".join(f"{what}.{name} = {value}\n" for what in ("ssl_options", "management.ssl") for name, value in files.items()))

    def start(self):
        self.starts += 1
        (self.directory / "pid").unlink(missing_ok=True)
        self.process = Process(f"rabbitmq-{self.starts}", [SERVER], self.directory, env=self.env)
        self.process.wait_until("RabbitMQ is ready", self.is_ready, 180)
        return self

    def is_ready(self):
        try:
            return self.http("/api/overview")[0] == 200
        except OSError:
            return False

    @property
    def pid(self):
        return int((self.directory / "pid").read_text())

    def kill(self):
        """kill -9, as a machine that loses its power."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.kill()

    def stop(self):
        if self.process and self.process.is_alive:
            try:
                os.kill(self.pid, signal.SIGTERM)
                self.process.process.wait(20)
            except (OSError, ValueError, subprocess.TimeoutExpired):
                pass
            self.process.kill()
        self.names.kill()

    # The management API

    def http(self, path, method="GET", body=None, user="guest:guest"):
        """-> (status, what it says)"""
        request = urllib.request.Request(
            self.management + path, data=None if body is None else json.dumps(body).encode(), method=method,
            headers={"Authorization": "Basic " + base64.b64encode(user.encode()).decode(), "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode(errors="replace")

    def vhost(self, name):
        """A vhost of one test."""
        until("the vhost is there", lambda: self.http(f"/api/vhosts/{name}", "PUT")[0] in (201, 204))
        assert self.http(f"/api/permissions/{name}/guest", "PUT", {"configure": ".*", "write": ".*", "read": ".*"})[0] in (201, 204)
        return VHost(self, name)


class VHost:
    def __init__(self, broker, name):
        self.broker, self.name = broker, name

    @property
    def url(self):
        return f"amqp://guest:guest@127.0.0.1:{self.broker.port}/{self.name}"

    def user(self, name, tags):
        """One with all rights here, and the password `secret`."""
        assert self.broker.http(f"/api/users/{name}", "PUT", {"password": "secret", "tags": tags})[0] in (201, 204)
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        assert self.broker.http(f"/api/permissions/{self.name}/{name}", "PUT", everything)[0] in (201, 204)

    def queue(self, name):
        """As the management API shows it; None when there is none."""
        status, queue = self.broker.http(f"/api/queues/{self.name}/{urllib.parse.quote(name, safe='')}")
        return queue if status == 200 else None

    def delete_queue(self, name):
        assert self.broker.http(f"/api/queues/{self.name}/{name}", "DELETE")[0] == 204

    def bindings(self):
        """-> {(exchange, queue, routing key)} without those to the exchange that has no name"""
        found = self.broker.http(f"/api/bindings/{self.name}")[1]
        return {(each["source"], each["destination"], each["routing_key"]) for each in found if each["source"]}

    def publish(self, connector, payload):
        """As a connector does; -> whether it was routed."""
        status, answer = self.broker.http(f"/api/exchanges/{self.name}/amqp.worker.exchange/publish", "POST", {
            "properties": {"delivery_mode": 2}, "routing_key": f"push_routing_{connector}",
            "payload": base64.b64encode(payload).decode(), "payload_encoding": "base64"})
        assert status == 200, answer
        return answer["routed"]
