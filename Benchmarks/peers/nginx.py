"""nginx as Debian packages it, which answers every ping with the same constant text: what a connection and a request cost at least."""
import os
from pathlib import Path

NAME = "nginx"
BINARY = next((path for path in (Path(os.environ.get("WEIR_PEERS", "/")) / "usr/sbin/nginx",) if path.exists()), Path("/usr/sbin/nginx"))
ENVIRONMENT = {}
VERSION = ["sh", "-c", f"{BINARY} -v 2>&1"]

VARIANTS = {"pings": ["constant answer"]}
SCALE = {}
ANSWER = ('{"data":{"pingConnector":{"id":"feed","connector_state":"{\\\\"last_run\\\\": 1795216041, \\\\"n\\\\": 2}","connector_info":'
          '{"run_and_terminate":false,"buffering":false,"queue_threshold":500.0,"queue_messages_size":0.0,'
          '"next_run_datetime":"2026-11-20T23:07:41.000Z","last_run_datetime":"2026-11-20T23:07:21.000Z"}}}}')


def set_up(kind, variant, place):
    temporary = " ".join(f"{name}_temp_path {place.spool}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    # One process, so that its CPU and memory are all there is.
    file = place.write("nginx.conf", (
        f"daemon off; master_process off; pid {place.directory}/pid; error_log {place.directory}/error.log;\n"
        "events { worker_connections 25000; }\n"
        "http {\n"
        f"  access_log off; keepalive_timeout 300s; keepalive_requests 1000000; default_type application/json; {temporary}\n"
        f"  server {{ listen 127.0.0.1:{place.port_in}; listen 127.0.0.1:{place.port_api}; location / {{ return 200 '{ANSWER}'; }} }}\n"
        "}\n"))
    return [BINARY, "-c", file, "-e", place.directory / "error.log"], ENVIRONMENT
