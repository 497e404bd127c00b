"""A bearer token (JWT, RS256) and the key set that proves it, made with openssl: for agents where TLS does not say who they are."""
import base64
import json
import subprocess
import time


def text(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def make(place, agent, connectors):
    """-> (file of the key set, file of the token)"""
    key = place.directory / "provider.key"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True, timeout=60)
    modulus = subprocess.run(["openssl", "rsa", "-in", key, "-noout", "-modulus"], check=True, capture_output=True, text=True, timeout=30)
    number = bytes.fromhex(modulus.stdout.strip().partition("=")[2])
    keys = {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "bench", "n": text(number), "e": "AQAB"}]}
    claims = {"aud": "weir", "agent_id": agent, "connectors": connectors, "exp": int(time.time()) + 86_400}
    signed = ".".join(text(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT", "kid": "bench"}, claims))
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=signed.encode(), check=True, capture_output=True, timeout=30)
    return place.write("jwks.json", json.dumps(keys)), place.write("token.jwt", f"{signed}.{text(signature.stdout)}")
