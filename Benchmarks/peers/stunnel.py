"""A pair of stunnels as Debian packages it, mutual TLS 1.3 between them: a connection of its own for each stream."""
import subprocess

from beside import Beside

NAME = "stunnel"
BINARY = "/usr/bin/stunnel4"
ENVIRONMENT = {}
VERSION = ["sh", "-c", f"{BINARY} -version 2>&1"]
VARIANTS = {"tunnel": ["pair, AES-128-GCM"]}
SCALE = {"tunnel": 0.5}
# Each stream is a thread in both.
HELD = 1_000


def set_up(kind, variant, place):
    for side in ("near", "far"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        f"/CN={side}", "-keyout", place.directory / f"{side}.key", "-out", place.directory / f"{side}.pem"],
                       check=True, capture_output=True, timeout=30)
    return [BINARY, configuration(place, "near", place.port_in, place.port_other)], ENVIRONMENT


def more(place):
    return [Beside(place, [BINARY, configuration(place, "far", place.port_other, place.port_out)])]


def configuration(place, side, accept, connect):
    other = "far" if side == "near" else "near"
    return place.write(f"{side}.conf", (
        f"foreground = yes\npid =\nsyslog = no\ndebug = 3\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n"
        f"[tunnel]\nclient = {'yes' if side == 'near' else 'no'}\naccept = 127.0.0.1:{accept}\nconnect = 127.0.0.1:{connect}\n"
        f"cert = {place.directory}/{side}.pem\nkey = {place.directory}/{side}.key\n"
        f"CAfile = {place.directory}/{other}.pem\nverifyPeer = yes\nsslVersionMin = TLSv1.3\n"
        f"ciphersuites = TLS_AES_128_GCM_SHA256\n"))
