"""syslog-ng as Debian packages it."""
import os
from pathlib import Path

NAME = "syslog-ng"
ROOT = Path(os.environ.get("WEIR_PEERS", "/"))
LIBRARIES = next((ROOT / "usr/lib").glob("*-linux-gnu"), ROOT / "usr/lib/x86_64-linux-gnu")
OWN = ROOT / "usr/lib/syslog-ng"
MODULES = f"--module-path={OWN}/3.38"
BINARY = ROOT / "usr/sbin/syslog-ng"
ENVIRONMENT = {"LD_LIBRARY_PATH": f"{LIBRARIES}:{OWN}"}
VERSION = [BINARY, "--version", MODULES]

# `durable` is its reliable disk buffer, `fast` the normal one.
VARIANTS = {"forward": ["fast"], "syslog": ["fast"], "filter": ["fast"], "file": ["fast"], "http": ["fast"],
            "queue": ["fast", "durable"], "fanout": ["fast"], "idle": ["fast"]}
SCALE = {"forward-fast": 0.3, "syslog-fast": 0.1, "filter-fast": 0.1, "file-fast": 0.3, "http-fast": 0.3,
         "queue-fast": 0.5, "queue-durable": 0.5}


def set_up(kind, variant, place):
    text = "flags(syslog-protocol)" if kind == "syslog" else 'template("$MSG\\n")'
    flags = "flags(syslog-protocol)" if kind == "syslog" else "flags(no-parse)"

    def network(name, port, more=""):
        return f'destination {name} {{ network("127.0.0.1" port({port}) transport("tcp") {text}{more}); }};\n'

    def disk(reliable):
        memory = "mem-buf-size(163840000)" if reliable else "mem-buf-length(10000) qout-size(1000)"
        return (f' disk-buffer(reliable({"yes" if reliable else "no"}) disk-buf-size(21474836480) dir("{place.spool}") {memory})')

    path = ""
    if kind == "file":
        body = f'destination d {{ file("{place.out}/events.log" {text}); }};\n'
    elif kind == "http":
        body = (f'destination d {{ http(url("http://127.0.0.1:{place.port_out}/in") method("POST") body("$MSG") delimiter("\\n") '
                'headers("Content-Type: application/x-ndjson") batch-lines(2000) batch-bytes(1048576) batch-timeout(200) workers(2) '
                'timeout(10)); };\n')
    elif kind == "queue":
        body = network("d", place.port_out, disk(variant == "durable"))
    elif kind == "fanout":
        body = (network("d", place.port_out, disk(False)) + network("e", place.port_other, disk(False))
                + "log { source(s); destination(e); };\n")
    else:
        body = network("d", place.port_out)
    if kind == "filter":
        body += 'parser p { json-parser(prefix(".j.")); };\nfilter f { "${.j.service}" eq "shop" };\n'
        path = "parser(p); filter(f); "
    flow = "" if kind == "fanout" else "flags(flow-control);"
    file = place.write("syslog-ng.conf", (
        "@version: 3.38\n"
        "options { keep-hostname(yes); use-dns(no); stats-freq(0); time-reopen(1); mark-freq(0); log-fifo-size(200000); "
        "flush-lines(1000); };\n"
        f'source s {{ network(ip("127.0.0.1") port({place.port_in}) transport("tcp") max-connections(10) {flags} '
        "log-iw-size(100000) log-fetch-limit(1000)); };\n"
        f"{body}log {{ source(s); {path}destination(d); {flow} }};\n"))
    return [BINARY, "-F", "--no-caps", "-f", file, "-R", place.spool / "persist", "-p", place.directory / "pid",
            "-c", place.directory / "ctl", MODULES], ENVIRONMENT
