"""Either end of a tunnel played by the test, on the test's own yamux: a hub for a real `weir agent`, an agent for a real hub."""
import base64
import json
import os
import socket
import ssl
import subprocess
import threading
from types import SimpleNamespace

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from daemons import program
from tunnel import Agent, Target, connect
from yamux import Session, WebSocketFrames, websocket_accept

DIRECT, HTTP = "weir-tunnel/1", "http/1.1"
CONNECTED = b"\x00"


def say(stream, **message):
    """On the control stream: four bytes of length, JSON."""
    text = json.dumps(message).encode()
    stream.send(len(text).to_bytes(4, "big") + text)


def hear(stream):
    return json.loads(stream.read(int.from_bytes(stream.read(4), "big")))


def read_head(connection):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        part = connection.recv(1)
        assert part, head
        head += part
    return head


class HubPeer:
    """A hub: waits for links of a real agent. `transport` is "tls" or "websocket" (over TLS)."""

    role = "hub"

    def __init__(self, directory, transport):
        self.transport, self.directory, self.links = transport, directory, []
        subprocess.run([program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem", "-out",
                        "cert.pem"], cwd=directory, check=True, capture_output=True, timeout=60)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
        self.context.set_alpn_protocols([DIRECT if transport == "tls" else HTTP])
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(120)
        self.door = self.server.getsockname()[1]
        self.url = f"tls://127.0.0.1:{self.door}" if transport == "tls" else f"wss://127.0.0.1:{self.door}/tunnel"
        (directory / "bearer").write_text("a.b.c")
        self.target = Target()
        self.agent = Agent(directory, self, "site-01", {"echo": self.target.port, "none": 9},
                           ["--name", "site-01", "--ca-file", directory / "cert.pem", "--bearer-file", directory / "bearer"]).start()

    def link(self):
        """The next link of the agent, after its hello. -> session"""
        self.agent.process.wait_until("the agent dials", lambda: True)
        connection, _ = self.server.accept()
        connection.settimeout(120)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secure = self.context.wrap_socket(connection, server_side=True)
        frames = None
        if self.transport == "websocket":
            head = read_head(secure)
            lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
            lines = {name.lower(): value for name, value in lines.items()}
            assert head.startswith(b"GET /tunnel HTTP/1.1\r\n") and lines[b"authorization"] == b"Bearer a.b.c", head
            secure.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: "
                           b"weir.tunnel.v1\r\nSec-WebSocket-Accept: " + websocket_accept(lines[b"sec-websocket-key"]) + b"\r\n\r\n")
            frames = WebSocketFrames(masks=False)
        session = Session(secure, dialled=False, websocket=frames)
        self.links.append(session)
        session.talk = session.accept()
        assert session.talk.id == 1, "the agent's first stream"
        hello = hear(session.talk)
        assert (hello["type"], hello["agent"], sorted(hello["connectors"])) == ("hello", "site-01", ["echo", "none"]), hello
        say(session.talk, type="welcome", hub="test", version="1", connectors=hello["connectors"])
        return session

    def anew(self):
        """A link of a new process: one that lost its link waits before it dials again."""
        self.agent.kill()
        self.agent.start()
        return self.link()

    @staticmethod
    def request(connector="echo"):
        text = json.dumps({"connector": connector, "client": "192.0.2.1:7", "unknown": [1, {}]}).encode()
        return len(text).to_bytes(2, "big") + text

    def join(self, session, receive_buffer=None, **more):
        """-> (stream, the socket that Weir has joined with it)"""
        self.target.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer or 1 << 18)
        stream = session.open(self.request(), **more)
        far = self.target.accept()
        assert stream.read(1) == CONNECTED
        return stream, far

    def stop(self):
        for link in self.links:
            link.close()
        self.agent.stop()
        self.target.stop()
        self.server.close()


class AgentPeer:
    """An agent of a real hub: enrols with a token of `weir tunnel token`, then dials links."""

    role = "agent"

    def __init__(self, directory, transport, hub):
        self.transport, self.directory, self.hub, self.links = transport, directory, hub, []
        token = hub.token("site-01").removeprefix("weir-enrol-1.")
        token = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        authority = ssl.DER_cert_to_PEM_cert(base64.b64decode(token["authority"]))
        key = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder().subject_name(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site-01")])).sign(key, hashes.SHA256())
        self.context = ssl.create_default_context(cadata=authority)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.set_alpn_protocols([DIRECT if transport == "tls" else HTTP])
        session = self._dial()
        say(session.talk, type="enrol", agent="site-01", secret=token["secret"],
            request=request.public_bytes(serialization.Encoding.PEM).decode())
        answer = hear(session.talk)
        assert answer["type"] == "certificate", answer
        session.close()
        file = directory / "identity.pem"
        file.write_text(answer["chain"] + "\n" + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode())
        self.context.load_cert_chain(file)

    def _dial(self):
        connection = connect(self.hub.door)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secure = self.context.wrap_socket(connection, server_hostname="127.0.0.1")
        frames = None
        if self.transport == "websocket":
            key = base64.b64encode(os.urandom(16))
            secure.sendall(b"GET /tunnel HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           b"Sec-WebSocket-Protocol: weir.tunnel.v1\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n")
            head = read_head(secure)
            assert b" 101 " in head and websocket_accept(key) in head, head
            frames = WebSocketFrames(masks=True)
        else:
            assert secure.selected_alpn_protocol() == DIRECT
        session = Session(secure, dialled=True, websocket=frames)
        self.links.append(session)
        session.talk = session.open()
        return session

    def link(self, instance="one"):
        """A new link, welcomed. -> session"""
        session = self._dial()
        say(session.talk, type="hello", agent="site-01", version="0", connectors=list(self.hub.ports), link=0, links=1, capabilities=["x"],
            instance=instance, unknown={"a": [1]})
        welcome = hear(session.talk)
        assert welcome["type"] == "welcome" and welcome["connectors"] == list(self.hub.ports), welcome
        return session

    anew = link

    def taken(self, session, status=CONNECTED, on_data=False):
        """The next stream that the hub opens, after its request was answered. -> stream"""
        stream = session.accept(on_data)
        request = json.loads(stream.read(int.from_bytes(stream.read(2), "big")))
        assert request["connector"] == "echo" and request["client"].startswith("127.0.0.1:"), request
        if status is not None:
            stream.send(status)
        return stream

    def join(self, session, receive_buffer=None, on_data=False):
        """-> (stream, the client that Weir has joined with it)"""
        came = SimpleNamespace(client=None)
        dial = threading.Thread(target=lambda: setattr(came, "client", connect(self.hub.ports["echo"], receive_buffer=receive_buffer)))
        dial.start()
        stream = self.taken(session, on_data=on_data)
        dial.join()
        return stream, came.client

    def stop(self):
        for link in self.links:
            link.close()
