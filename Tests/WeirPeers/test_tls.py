"""TLS with certificates made for the test: verified in full, and there is no way round it."""
import socket
import ssl
import threading

import pytest
import trustme

from events import assert_each_once, numbers, send_lines, syslog5424, text
from waiting import LIMIT, free_port, until
from weir import flow, syslog_in, tcp_in, tcp_out


@pytest.fixture
def authority(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return authority


def issue(authority, directory, name, *identities):
    certificate = authority.issue_cert(*identities)
    key, chain = directory / f"{name}.key", directory / f"{name}.pem"
    certificate.private_key_pem.write_to_path(str(key))
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    return str(chain), str(key)


class TLSReceiver:
    """Takes TLS connections, one thread each; with `client_ca` only those with a certificate of it."""

    def __init__(self, chain, key, client_ca=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        if client_ca:
            self.context.load_verify_locations(client_ca)
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.port, self.data = free_port(), bytearray()
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection):
        try:
            with self.context.wrap_socket(connection, server_side=True) as secure:
                while chunk := secure.recv(65536):
                    self.data += chunk
        except OSError:
            pass

    def stop(self):
        self._server.close()


def test_verified_receiver(run_weir, authority, tmp_path, stopping, port):
    """A receiver whose certificate our authority signed gets the events."""
    receiver = TLSReceiver(*issue(authority, tmp_path, "server", "127.0.0.1"))
    stopping.append(receiver)
    listen = port()
    run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver, tls={"ca": str(tmp_path / "ca.pem")})}))
    send_lines(listen, [text(n) for n in range(500)])
    until("all events", lambda: sum(numbers(bytes(receiver.data)).values()) >= 500)
    assert_each_once(bytes(receiver.data), 500)


@pytest.mark.parametrize("wrong", ["unknown authority", "wrong name"])
def test_unverified_receiver_gets_nothing(run_weir, authority, tmp_path, stopping, port, wrong):
    """A certificate of another authority, or for another name: not one byte is sent, and the gate says why."""
    signer = trustme.CA() if wrong == "unknown authority" else authority
    receiver = TLSReceiver(*issue(signer, tmp_path, "server", "127.0.0.1" if wrong == "unknown authority" else "other.example"))
    stopping.append(receiver)
    listen = port()
    server = run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver, tls={"ca": str(tmp_path / "ca.pem")})}))
    send_lines(listen, [text(1)])
    server.until_state("out", "blocking", "suspended")
    assert "tls" in server.reason("out") or "certificate" in server.gate("out")["reason"]["sentence"].lower()
    assert not receiver.data


def test_client_certificate(run_weir, authority, tmp_path, stopping, port):
    """A receiver that wants a certificate of ours."""
    ca = str(tmp_path / "ca.pem")
    receiver = TLSReceiver(*issue(authority, tmp_path, "server", "127.0.0.1"), client_ca=ca)
    stopping.append(receiver)
    chain, key = issue(authority, tmp_path, "client", "weir.example")
    listen = port()
    run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver, tls={"ca": ca, "certificate": chain, "key": key})}))
    send_lines(listen, [text(n) for n in range(100)])
    until("all events", lambda: sum(numbers(bytes(receiver.data)).values()) >= 100)


def test_syslog_over_tls_with_client_certificates(run_weir, authority, tmp_path, tcp_receiver, port):
    """The syslog source over TLS takes senders with a certificate of its authority and refuses those without."""
    receiver, listen, ca = tcp_receiver(), port(), str(tmp_path / "ca.pem")
    cert, key = issue(authority, tmp_path, "server", "127.0.0.1")
    run_weir(flow(syslog_in(listen, tls={"cert": cert, "key": key, "client_ca": ca, "require_client_cert": True}), {"out": tcp_out(receiver)}))
    context = ssl.create_default_context(cafile=ca)
    with pytest.raises((ssl.SSLError, OSError)):
        with context.wrap_socket(socket.create_connection(("127.0.0.1", listen), LIMIT), server_hostname="127.0.0.1") as secure:
            secure.sendall(b"<13>1 - - - - - - no\n")
            secure.recv(1)
            raise OSError("closed without a word")
    context.load_cert_chain(*issue(authority, tmp_path, "client", "sender.example"))
    with context.wrap_socket(socket.create_connection(("127.0.0.1", listen), LIMIT), server_hostname="127.0.0.1") as secure:
        secure.sendall("".join(syslog5424(n) + "\n" for n in range(200)).encode())
    until("all events", lambda: receiver.count() >= 200)
    assert_each_once(receiver.bytes(), 200)
