"""Real programs that nobody here wrote, run in the foreground in a directory of the test: rsyslog, syslog-ng, nginx, haproxy."""
import os
import shutil
from pathlib import Path

import pytest

from processes import Process
from waiting import is_listening, until

PEERS = Path(os.environ.get("WEIR_PEERS", "/"))
LIBRARIES = PEERS / "usr/lib"
ARCHITECTURE = "x86_64-linux-gnu" if (LIBRARIES / "x86_64-linux-gnu").is_dir() else "aarch64-linux-gnu"


def program(name, *places):
    """The path of a program, or a skip that says what is missing."""
    for place in (*places, "/usr/sbin", "/usr/bin", "/sbin"):
        path = Path(place) / name
        if path.exists():
            return path
    pytest.skip(f"MISSING PROGRAM {name}: `make test` installs it on Debian 12")


def has_rsyslog_module(name):
    return (LIBRARIES / ARCHITECTURE / "rsyslog" / f"{name}.so").exists()


def start_rsyslog(directory, body, port=None, name="rsyslog"):
    """rsyslogd with `body` as its configuration; `port` is waited for when it shall listen."""
    binary = program("rsyslogd", PEERS / "usr/sbin")
    work = directory / f"{name}-work"
    work.mkdir(exist_ok=True)
    conf = directory / f"{name}.conf"
    conf.write_text(f'global(workDirectory="{work}" maxMessageSize="64k" preserveFQDN="on")\n{body}\n')
    process = Process(name, [binary, "-n", "-f", conf, "-i", work / "pid", "-M", LIBRARIES / ARCHITECTURE / "rsyslog"],
                      directory, env={"LD_LIBRARY_PATH": str(LIBRARIES / ARCHITECTURE)})
    if port:
        process.wait_until(f"{name} listens on {port}", lambda: is_listening(port))
    return process


def start_syslog_ng(directory, body, port=None, name="syslog-ng"):
    binary = program("syslog-ng", PEERS / "usr/sbin")
    work = directory / f"{name}-work"
    work.mkdir(exist_ok=True)
    conf = directory / f"{name}.conf"
    conf.write_text("@version: 3.38\noptions { keep-hostname(yes); use-dns(no); stats-freq(0); time-reopen(1); mark-freq(0); };\n"
                    f"{body}\n")
    process = Process(
        name, [binary, "-F", "--no-caps", "-f", conf, "-R", work / "persist", "-p", work / "pid", "-c", work / "ctl",
               f"--module-path={LIBRARIES}/syslog-ng/3.38"],
        directory, env={"LD_LIBRARY_PATH": f"{LIBRARIES / ARCHITECTURE}:{LIBRARIES}/syslog-ng"})
    if port:
        process.wait_until(f"{name} listens on {port}", lambda: is_listening(port))
    return process


def start_nginx(directory, port, body="return 200;", name="nginx", more=""):
    """nginx that writes every request body, as hexadecimal-free text, into `bodies.log`."""
    binary = program("nginx")
    (directory / f"{name}-work").mkdir(exist_ok=True)
    work = directory / f"{name}-work"
    conf = directory / f"{name}.conf"
    conf.write_text(f"""
daemon off; master_process off; pid {work}/pid; error_log stderr; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 64m; client_body_buffer_size 8m; keepalive_requests 100000;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  {more}
  server {{ listen 127.0.0.1:{port}; location / {{ {body} }} }}
}}
""")
    process = Process(name, [binary, "-e", "stderr", "-p", work, "-c", conf], directory)
    process.wait_until(f"{name} listens on {port}", lambda: is_listening(port))
    return process


def start_haproxy(directory, port, backend_ports, mode="tcp", name="haproxy"):
    binary = program("haproxy")
    conf = directory / f"{name}.cfg"
    servers = "\n".join(f"  server s{i} 127.0.0.1:{p}" for i, p in enumerate(backend_ports))
    conf.write_text(f"""
global
  maxconn 1000
defaults
  mode {mode}
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  retries 0
frontend in
  bind 127.0.0.1:{port}
  default_backend out
backend out
{servers}
""")
    process = Process(name, [binary, "-db", "-f", conf], directory)
    process.wait_until(f"{name} listens on {port}", lambda: is_listening(port))
    return process
