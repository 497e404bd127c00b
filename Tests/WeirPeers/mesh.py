"""Several hubs that are one, as programs: a real Redis between them, each on a machine of its own."""
import socket
import subprocess

from daemons import program
from processes import Process
from tunnel import Hub, connect
from waiting import LIMIT, free_port, until

SECRET = "correct horse battery staple"
PASSWORD = "redis-only-4-tests"


class Redis:
    """Debian's Redis on a machine, with a password and without a file: stopped and started again it is empty. With `tls` it speaks TLS
    to those who trust `authority`."""

    def __init__(self, directory, machine, host, tls=False):
        self.directory, self.machine, self.host, self.port = directory, machine, host, free_port()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.binary, self.process = program("redis-server"), None
        self.authority = self._certificate() if tls else None

    def _certificate(self):
        certificate, key = self.directory / "redis.pem", self.directory / "redis.key"
        subprocess.run([program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=redis", "-addext", f"subjectAltName=IP:{self.host}", "-keyout", key, "-out",
                        certificate], check=True, capture_output=True, timeout=LIMIT)
        return certificate

    @property
    def settings(self):
        """What a hub is told of it."""
        if self.authority is None:
            return {"registry": f"redis://{self.host}:{self.port}"}
        return {"registry": f"rediss://{self.host}:{self.port}", "registry_ca": str(self.authority)}

    @property
    def doors(self):
        if self.authority is None:
            return ["--port", self.port]
        return ["--port", "0", "--tls-port", self.port, "--tls-cert-file", self.authority, "--tls-key-file",
                self.directory / "redis.key", "--tls-auth-clients", "no"]

    def start(self):
        with self.machine:
            self.process = Process("redis", [
                self.binary, *self.doors, "--bind", self.host, "--dir", self.directory, "--save", "",
                "--appendonly", "no", "--requirepass", PASSWORD], self.directory)
            self.process.wait_until("redis listens", self.answers)
        return self

    def answers(self):
        with self.machine:
            try:
                with socket.create_connection((self.host, self.port), timeout=5) as connection:
                    if self.authority is not None:
                        return True
                    connection.sendall(b"PING\r\n")
                    return connection.recv(100).startswith(b"-NOAUTH")
            except OSError:
                return False

    def stop(self):
        if self.process is not None and self.process.is_alive:
            self.process.stop()


class Member(Hub):
    """A hub of a mesh on a machine of its own: everything that is asked of it is asked there."""

    def __init__(self, directory, name, network, redis, mode="active", lease="2s", **more):
        self.machine, self.addresses = network.machine()
        super().__init__(directory / name, **more)
        (directory / name / "secret").write_text(SECRET + "\n")
        (directory / name / "secret").chmod(0o600)
        (directory / name / "password").write_text(PASSWORD)
        (directory / name / "password").chmod(0o600)
        self.name, self.host = name, self.addresses["core"]
        self.mesh_port = free_port()
        self.configuration["tunnel"].update({
            "name": name, "names": [self.host], "listen": f"{self.host}:{self.door}",
            "mesh": {
                "mode": mode, **redis.settings, "password": {"file": str(directory / name / "password")},
                "secret": {"file": str(directory / name / "secret")}, "listen": f"{self.addresses['mesh']}:{self.mesh_port}",
                "lease": lease}})

    @property
    def url(self):
        return f"tls://{self.host}:{self.door}"

    def start(self, **more):
        with self.machine:
            return super().start(**more)

    def http(self, *arguments, **more):
        with self.machine:
            return super().http(*arguments, **more)

    def command(self, *arguments, **more):
        with self.machine:
            return super().command(*arguments, **more)

    def connect(self, name="echo", **more):
        with self.machine:
            return connect(self.ports[name], **more)

    @property
    def readiness(self):
        status, text = self.http("/readyz")
        assert status == 200, text
        return text

    def owner(self, agent="site-01"):
        """Where this hub takes the agent to be. -> (hub, epoch), or None."""
        seen = self.agent(agent).get("owner")
        return (seen["hub"], seen["epoch"]) if seen else None

    def until_owner(self, hub, agent="site-01", above=0):
        """Waits until this hub knows who has the agent, under a number above another. -> the number"""
        def known():
            seen = self.owner(agent)
            return seen and seen[0] == hub and seen[1] > above and seen[1]
        return until(f"{self.name} knows {agent} at {hub} above {above}; it is {self.owner(agent)}", known)

    def is_linked(self):
        """It has a link to each other hub, and knows one at least."""
        return self.metric("weir_tunnel_mesh_links", state="up") > 0 and self.metric("weir_tunnel_mesh_links", state="down") == 0
