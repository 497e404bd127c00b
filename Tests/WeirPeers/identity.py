"""Who vouches for agents: an identity provider with tokens and published keys, and a site's own certificate authority."""
import base64
import datetime
import http.server
import ipaddress
import json
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """An identity provider. `keys` are those that it publishes; tokens are signed with the newest, published or not."""

    def __init__(self):
        self.keys, self.published, self.server, self.status, self.asked = {}, [], None, 200, 0
        self.rotate()

    def rotate(self, publish=True):
        """A new key; with `publish` it takes the place of those before."""
        self.kid = f"k{len(self.keys) + 1}"
        self.keys[self.kid] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if publish:
            self.publish(self.kid)

    def publish(self, *names):
        def public(name):
            numbers = self.keys[name].public_key().public_numbers()
            return {"kty": "RSA", "kid": name, "alg": "RS256", "use": "sig", "n": text(numbers.n.to_bytes(256, "big")), "e": text(b"\x01\x00\x01")}
        self.published = [public(name) for name in names]

    @property
    def document(self):
        return json.dumps({"keys": self.published}).encode()

    def write(self, file):
        file.write_bytes(self.document)
        return str(file)

    def serve(self, port=0):
        """-> where its keys are."""
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked += 1
                self.send_response(issuer.status)
                self.send_header("Content-Length", str(len(issuer.document)))
                self.end_headers()
                self.wfile.write(issuer.document)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/jwks"

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()

    def token(self, agent, kid=None, **claims):
        kid = kid or self.kid
        head = {"alg": "RS256", "typ": "JWT", "kid": kid}
        body = {"aud": "weir", "agent_id": agent, "exp": int(time.time()) + 3600, **claims}
        signed = ".".join(text(json.dumps(part).encode()) for part in (head, {key: value for key, value in body.items() if value is not None}))
        return signed + "." + text(self.keys[kid].sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))


class Authority:
    """A certificate authority. `issue` writes certificate and key; what is expired ended an hour ago."""

    def __init__(self, directory, name="site", key=None, certificate=None):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.key, self.certificate = key or ec.generate_private_key(ec.SECP256R1()), certificate
        if certificate is None:
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} authority")])
            now = datetime.datetime.now(datetime.timezone.utc)
            self.certificate = (
                x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(self.key.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
                .not_valid_after(now + datetime.timedelta(days=30)).add_extension(x509.BasicConstraints(True, 0), critical=True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False).sign(self.key, hashes.SHA256()))
        self.file = directory / f"{name}-ca.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def sign(self, name, public_key, since, until, names=(), usage=ExtendedKeyUsageOID.CLIENT_AUTH):
        """A certificate between two times, as seconds from now."""
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self.certificate.subject).public_key(public_key).serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(seconds=since)).not_valid_after(now + datetime.timedelta(seconds=until))
            .add_extension(x509.BasicConstraints(False, None), critical=True).add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(list(names) or [x509.DNSName(name)]), critical=False).sign(self.key, hashes.SHA256()))

    def issue(self, name, is_server=False, since=-86_400, until=86_400):
        """-> (certificate, key), files"""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] if is_server else ()
        certificate = self.sign(name, key.public_key(), since, until, names,
                                ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH)
        files = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(private(key))
        return files


def private(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
