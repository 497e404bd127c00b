"""Both ends of the tunnel as programs, and what stands at its ends: targets and clients played by the test, a real slapd."""
import http.server
import json
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request

from daemons import program
from processes import Process
from waiting import LIMIT, free_port, is_listening, until
from weir import BINARY, Weir, weir


class Hub(Weir):
    """`weir run` with a tunnel. `connectors` are names; each has a port for clients in `ports`."""

    def __init__(self, directory, connectors=("echo",), more=None, **tunnel):
        super().__init__(directory, more or {})
        self.door = free_port()
        settings = connectors if isinstance(connectors, dict) else {name: {} for name in connectors}
        self.ports = {name: free_port() for name in settings}
        self.configuration["tunnel"] = {
            "listen": f"127.0.0.1:{self.door}", **tunnel,
            "connectors": {name: {"listen": f"127.0.0.1:{self.ports[name]}", **own} for name, own in settings.items()}}

    @property
    def url(self):
        return f"tls://127.0.0.1:{self.door}"

    def token(self, agent, *connectors, life=3600):
        wanted = [part for name in connectors or self.ports for part in ("--connector", name)]
        done = self.command("tunnel", "token", "--agent", agent, *wanted, "--life", life)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def agent(self, name):
        """What the API says of an agent; empty when it was not seen."""
        return next((agent for agent in self.get("agents") if agent["name"] == name), {})

    def is_connected(self, name):
        return self.agent(name).get("connected", False)

    def tunnel(self, name="echo"):
        return next(tunnel for tunnel in self.get("tunnels") if tunnel["connector"] == name)

    def result(self, kind, name="echo"):
        return self.tunnel(name)["results"][kind]

    def until_results(self, name="echo", **counts):
        until(f"{name} has {counts}", lambda: all(self.result(kind, name) == count for kind, count in counts.items()))

    def metric(self, name, **labels):
        """The sum of a metric's samples with these labels."""
        return metric(self.http("/metrics")[1], name, **labels)

    def audit(self):
        """The records that are written whole: the hub may be in the middle of its next one."""
        files = sorted((self.data / "audit").glob("*.ndjson"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def connect(self, name="echo", **more):
        return connect(self.ports[name], **more)


class Agent:
    """`weir agent`. It may be killed and started again on the same state."""

    def __init__(self, directory, hub, name, serve, options=(), token=None, env=None, url=None):
        self.directory = directory / f"agent-{name}"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.hub, self.name, self.env, self.starts, self.process = hub, name, env, 0, None
        self.token_file = self.directory / "token"
        if token is not None:
            self.token_file.write_text(token)
        proof = ["--token-file", self.token_file] if token is not None else []
        targets = [part for key, port in serve.items() for part in ("--serve", f"{key}={port if ':' in str(port) else f'127.0.0.1:{port}'}")]
        self.face = free_port()
        listen = [] if "--listen" in options else ["--listen", f"127.0.0.1:{self.face}"]
        self.command = [BINARY, "agent", "--hub", url or hub.url, "--state", self.directory / "identity.json", *proof, *targets, *listen, *options]

    def start(self):
        self.starts += 1
        self.process = Process(f"agent-{self.starts}", self.command, self.directory, env={"NO_COLOR": "1", **(self.env or {})})
        return self

    def until_connected(self):
        self.process.wait_until(f"{self.name} is connected", lambda: self.hub.is_connected(self.name))
        return self

    def until_says(self, text):
        self.process.wait_until(f"{self.name} says {text}", lambda: text in self.output())

    def output(self):
        return self.process.output()

    def status(self, *arguments):
        """`weir agent status` of this agent."""
        return weir("agent", "status", "--address", f"http://127.0.0.1:{self.face}", *arguments)

    def http(self, path, **headers):
        """-> (status, text) of its own face."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.face}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()

    def metric(self, name, **labels):
        return metric(self.http("/metrics")[1], name, **labels)

    def kill(self):
        self.process.kill()

    # What is open at the end of a test is of no interest: no drain.
    stop = kill


def metric(text, name, **labels):
    rows = (row for row in text.splitlines() if row.startswith((name + "{", name + " ")))
    return sum(float(row.rsplit(" ", 1)[1]) for row in rows if all(f'{key}="{value}"' in row for key, value in labels.items()))


def connect(port, source=None, receive_buffer=None):
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source:
        client.bind((source, 0))
    client.settimeout(LIMIT)
    client.connect(("127.0.0.1", port))
    return client


def reset(connection):
    """Closes with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_to_end(connection):
    """-> (bytes, "eof" or "reset"): how the other side ended."""
    data = bytearray()
    while True:
        try:
            part = connection.recv(1 << 16)
        except ConnectionResetError:
            return bytes(data), "reset"
        if not part:
            return bytes(data), "eof"
        data += part


def is_reset(port, **more):
    """A client that comes, and is reset without an answer."""
    try:
        with connect(port, **more) as client:
            return read_to_end(client) == (b"", "reset")
    except ConnectionResetError:
        return True


def exchange(port, text=b"hello", **more):
    """What an echo says, after this side has ended; None when the connection is reset."""
    try:
        with connect(port, **more) as client:
            client.sendall(text)
            client.shutdown(socket.SHUT_WR)
            data, end = read_to_end(client)
            return data if end == "eof" else None
    except TimeoutError:
        raise
    except OSError:     # a reset, or ENOTCONN after one
        return None


class Target:
    """A system behind the agent. `accept` gives its side of the next connection; with `echoes` it answers by itself."""

    def __init__(self, echoes=False, backlog=128):
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind(("127.0.0.1", 0))
        self.server.listen(backlog)
        self.server.settimeout(LIMIT)
        self.port = self.server.getsockname()[1]
        self.connections = 0
        if echoes:
            threading.Thread(target=self._serve, daemon=True).start()

    def accept(self):
        connection, _ = self.server.accept()
        connection.settimeout(LIMIT)
        self.connections += 1
        return connection

    def _serve(self):
        while True:
            try:
                connection = self.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    @staticmethod
    def _echo(connection):
        try:
            with connection:
                while data := connection.recv(1 << 16):
                    connection.sendall(data)
        except OSError:
            pass

    def stop(self):
        try:
            self.server.shutdown(socket.SHUT_RDWR)     # wakes an accept
        except OSError:
            pass
        self.server.close()


SLAPD = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {0}/pid
argsfile {0}/args
modulepath /usr/lib/ldap
moduleload back_mdb
access to * by * write
database mdb
suffix dc=example,dc=org
rootdn cn=admin,dc=example,dc=org
rootpw admin
directory {0}/data
maxsize 67108864
index objectClass,uid eq
"""


def start_slapd(directory, people):
    """A real directory with so many people below ou=people. -> (process, port)"""
    port = free_port()
    (directory / "data").mkdir(parents=True)
    (directory / "slapd.conf").write_text(SLAPD.format(directory))
    entries = ["dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n",
               "dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: people\n"]
    entries += [f"dn: uid=u{n},ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: u{n}\ncn: User {n}\nsn: {n}\n"
                for n in range(people)]
    (directory / "people.ldif").write_text("\n".join(entries))
    subprocess.run([program("slapadd"), "-q", "-f", directory / "slapd.conf", "-l", directory / "people.ldif"], check=True, timeout=60)
    process = Process("slapd", [program("slapd"), "-f", directory / "slapd.conf", "-h", f"ldap://127.0.0.1:{port}/", "-d", "0"], directory)
    process.wait_until("slapd listens", lambda: is_listening(port))
    return process, port


def ldapsearch(port, *arguments):
    return subprocess.run([program("ldapsearch"), "-x", "-LLL", "-H", f"ldap://127.0.0.1:{port}", "-D", "cn=admin,dc=example,dc=org",
                           "-w", "admin", "-b", "ou=people,dc=example,dc=org", *arguments], capture_output=True, text=True, timeout=LIMIT)


def carry(source, sink, rate=None):
    """Until the source ends, or either of the two is gone; `rate` in bytes a second."""
    try:
        while data := source.recv(8_192 if rate else 1 << 16):
            sink.sendall(data)
            if rate:
                time.sleep(len(data) / rate)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Between:
    """Something on the way to the hub: each connection that comes is given to `take`, on a thread of its own."""

    def __init__(self, host="127.0.0.1"):
        self.server = socket.create_server((host, 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._take, args=(near,), daemon=True).start()

    def _take(self, near):
        try:
            self.take(near)
        except OSError:
            near.close()        # it has gone, or what is behind is away

    def stop(self):
        self.server.shutdown(socket.SHUT_RDWR)      # wakes the accept
        self.server.close()


class ConnectProxy(Between):
    """An HTTP proxy for CONNECT that wants Basic credentials."""

    def __init__(self, credentials):
        self.credentials, self.opened, self.refused = credentials, [], 0
        super().__init__()

    def take(self, near):
        head = b""
        while b"\r\n\r\n" not in head:
            part = near.recv(4096)
            if not part:
                return near.close()
            head += part
        wanted = head.split()[1].decode()
        if f"Proxy-Authorization: Basic {self.credentials}".encode() not in head:
            self.refused += 1
            near.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
            return near.close()
        self.opened.append(wanted)
        host, port = wanted.rsplit(":", 1)
        far = socket.create_connection((host, int(port)))
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=carry, args=(far, near), daemon=True).start()
        carry(near, far)


class Relay(Between):
    """A TCP relay in front of the hub's door, each connection by itself. `cut` resets those that are given, or all; `holds` lets nothing in."""

    def __init__(self, port, host="127.0.0.1"):
        self.port_behind, self.pairs, self.holds = port, [], False
        super().__init__(host)

    def take(self, near):
        if self.holds:
            return reset(near)
        pair = near, socket.create_connection(("127.0.0.1", self.port_behind))
        self.pairs.append(pair)
        threading.Thread(target=carry, args=pair, daemon=True).start()
        carry(*pair[::-1])

    def cut(self, pairs=None):
        for near, far in list(self.pairs if pairs is None else pairs):
            for one in (near, far):
                try:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                one.close()
            self.pairs.remove((near, far))


class DecisionPoint:
    """An AuthZEN decision point that answers what it is told: `answer` is bytes, something for JSON, or a function that makes one of these
    from the question; or one that is given the handler as well and writes by itself. After `wait` seconds."""

    def __init__(self):
        self.status, self.answer, self.wait, self.questions = 200, {"decision": True}, 0, []
        point = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                point.questions.append(question)
                time.sleep(point.wait)
                try:
                    answer = point.answer(question, self) if callable(point.answer) else point.answer
                    if answer is None:      # it has written by itself, and is done with the connection
                        self.close_connection = True
                        return
                    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                    self.send_response(point.status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/access/v1/evaluation"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
