"""Servers that connectors of type http fetch from: one whose answers a test makes up, and medallion, a TAXII 2.1 server of others."""
import json
import os
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from processes import Process
from waiting import free_port, is_listening

TAXII = "application/taxii+json;version=2.1"


class FeedServer:
    """Answers with what `answer(path, parameters, headers)` returns: JSON, or (status, headers, bytes)."""

    def __init__(self, answer, context=None):
        self.answer, self.requests = answer, []
        feed = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                url = urlsplit(self.path)
                parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
                feed.requests.append((url.path, parameters))
                given = feed.answer(url.path, parameters, self.headers)
                status, headers, body = given if isinstance(given, tuple) else (200, {}, json.dumps(given).encode())
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def tls_context(chain, key, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def indicator(number):
    stamp = f"2026-11-21T10:00:{number % 60:02d}.000Z"
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--00000000-0000-4000-8000-{number:012d}", "created": stamp,
            "modified": stamp, "pattern": f"[ipv4-addr:value = '10.0.0.{number}']", "pattern_type": "stix", "valid_from": stamp}


def start_medallion(directory, collections):
    """medallion with `{title: [objects]}` in one API root, for the user `reader` with the password `pass`."""
    python = os.environ.get("WEIR_TAXII_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import medallion"], capture_output=True).returncode:
        pytest.skip(f"NO TAXII SERVER: {python} has no medallion; `make test` installs it")
    port = free_port()
    stored = []
    for place, (title, objects) in enumerate(collections.items()):
        stored.append({
            "id": f"91a7b528-80eb-42ed-a74d-{place:012d}", "title": title, "can_read": True, "can_write": True, "media_types": [TAXII],
            "objects": objects,
            "manifest": [{"id": found["id"], "date_added": f"2026-11-21T11:00:{at % 60:02d}.000000Z", "version": found["modified"],
                          "media_type": "application/stix+json;version=2.1"} for at, found in enumerate(objects)]})
    base = f"http://127.0.0.1:{port}"
    data = {"/discovery": {"title": "A server", "default": f"{base}/trust/", "api_roots": [f"{base}/trust/"]},
            "trust": {"information": {"title": "A root", "versions": [TAXII], "max_content_length": 9765625}, "status": [],
                     "collections": stored}}
    (directory / "taxii-data.json").write_text(json.dumps(data))
    (directory / "taxii.json").write_text(json.dumps({
        "backend": {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend",
                    "filename": str(directory / "taxii-data.json")},
        "users": {"reader": "pass"}, "taxii": {"max_page_size": 100}}))
    process = Process("medallion", [python, "-m", "medallion.scripts.run", "--port", port, directory / "taxii.json"], directory)
    process.port, process.url = port, base
    process.collection = lambda title: f"{base}/trust/collections/{stored[list(collections).index(title)]['id']}"
    process.wait_until(f"medallion listens on {port}", lambda: is_listening(port))
    return process
