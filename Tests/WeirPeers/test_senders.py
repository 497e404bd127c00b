"""Programs that nobody here wrote send their events; each event arrives once."""
import gzip
import json
import shutil
import socket
import subprocess

import elasticsearch
import elasticsearch.helpers
import pytest

import daemons
from daemons import program
from events import assert_each_once, json_event, numbers, send_lines, syslog3164, syslog5424, text
from waiting import until
from weir import flow, http_in, syslog_in, tcp_in, tcp_out

COUNT = 2_000


@pytest.fixture
def receiver(tcp_receiver):
    return tcp_receiver()


def arrive(receiver, count=COUNT):
    until(f"{count} events have arrived", lambda: sum(numbers(receiver.bytes()).values()) >= count)
    assert_each_once(receiver.bytes(), count)


@pytest.mark.parametrize("framing", [[], ["--octet-count"]], ids=["lines", "octet-count"])
@pytest.mark.parametrize("form", ["--rfc5424", "--rfc3164"])
def test_logger_over_tcp(run_weir, receiver, port, tmp_path, form, framing):
    """`logger --tcp` of util-linux, both syslog forms, both framings."""
    listen = port()
    run_weir(flow(syslog_in(listen), {"out": tcp_out(receiver)}))
    lines = tmp_path / "lines"
    lines.write_text("".join(text(n) + "\n" for n in range(COUNT)))
    subprocess.run([program("logger"), "--server", "127.0.0.1", "--tcp", "--port", str(listen), form, *framing, "--file", lines],
                   check=True, timeout=90)
    arrive(receiver)


def test_logger_over_udp(run_weir, receiver, port, tmp_path):
    """`logger --udp`: a datagram is an event, on the port that takes TCP too. UDP gives no promise, so few are sent."""
    listen = port()
    run_weir(flow(syslog_in(listen, transport="both"), {"out": tcp_out(receiver)}))
    lines = tmp_path / "lines"
    lines.write_text("".join(text(n) + "\n" for n in range(50)))
    subprocess.run([program("logger"), "--server", "127.0.0.1", "--udp", "--port", str(listen), "--file", lines], check=True, timeout=90)
    arrive(receiver, 50)


@pytest.mark.parametrize("framing", ["traditional", "octet-counted"])
def test_rsyslog_forwards(run_weir, receiver, rsyslog, port, framing):
    """rsyslog's omfwd, both framings."""
    listen, into = port(), port()
    run_weir(flow(syslog_in(listen), {"out": tcp_out(receiver)}))
    rsyslog(f'''module(load="imptcp")
input(type="imptcp" address="127.0.0.1" port="{into}")
action(type="omfwd" target="127.0.0.1" port="{listen}" protocol="tcp" TCP_Framing="{framing}" template="RSYSLOG_SyslogProtocol23Format")''',
            port=into)
    send_lines(into, [syslog5424(n) for n in range(COUNT)])
    arrive(receiver)


def test_rsyslog_posts(run_weir, receiver, rsyslog, port):
    """rsyslog's omhttp. It is not among the packages of Debian 12: scripts/omhttp builds it from Debian's source of rsyslog."""
    if not daemons.has_rsyslog_module("omhttp"):
        pytest.skip("MISSING MODULE omhttp: scripts/omhttp could not build it (.build/omhttp.log tells why)")
    listen, into = port(), port()
    run_weir(flow(http_in(listen), {"out": tcp_out(receiver)}))
    rsyslog(f'''module(load="imptcp") module(load="omhttp")
input(type="imptcp" address="127.0.0.1" port="{into}")
action(type="omhttp" server="127.0.0.1" serverport="{listen}" restpath="" usehttps="off" batch="on" batch.format="newline")''', port=into)
    send_lines(into, [syslog5424(n) for n in range(COUNT)])
    arrive(receiver)


def test_rsyslog_bulk(run_weir, receiver, rsyslog, port):
    """rsyslog's omelasticsearch at the bulk door of the http source."""
    listen, into = port(), port()
    run_weir(flow(http_in(listen), {"out": tcp_out(receiver)}))
    rsyslog(f'''module(load="imptcp") module(load="omelasticsearch")
template(name="doc" type="list" option.jsonf="on") {{ property(outname="message" name="msg" format="jsonf") }}
input(type="imptcp" address="127.0.0.1" port="{into}")
action(type="omelasticsearch" server="127.0.0.1" serverport="{listen}" template="doc" searchIndex="logs" searchType="" bulkmode="on"
       action.resumeRetryCount="-1" action.resumeInterval="1")''', port=into)
    send_lines(into, [syslog5424(n) for n in range(COUNT)])
    arrive(receiver)


@pytest.mark.parametrize("kind", ["network", "syslog", "http"])
def test_syslog_ng_forwards(run_weir, receiver, syslog_ng, port, kind):
    """syslog-ng's network() (RFC 3164 lines), syslog() (RFC 5424, octet-counted) and http() destinations."""
    listen, into = port(), port()
    run_weir(flow(http_in(listen) if kind == "http" else syslog_in(listen), {"out": tcp_out(receiver)}))
    target = {
        "network": f'network("127.0.0.1" port({listen}) transport("tcp"))',
        "syslog": f'syslog("127.0.0.1" port({listen}) transport("tcp"))',
        "http": f'http(url("http://127.0.0.1:{listen}/") method("POST") body("$MSG") delimiter("\\n") batch-lines(100) batch-timeout(200))',
    }[kind]
    syslog_ng(f'''source s {{ network(ip("127.0.0.1") port({into}) transport("tcp") flags(syslog-protocol)); }};
destination d {{ {target}; }};
log {{ source(s); destination(d); flags(flow-control); }};''', port=into)
    send_lines(into, [syslog5424(n) for n in range(COUNT)])
    arrive(receiver)


def curl(*arguments, body=None):
    done = subprocess.run([program("curl"), "--silent", "--show-error", "--max-time", "60", *map(str, arguments)], input=body,
                          capture_output=True, timeout=90, check=True)
    return done.stdout


@pytest.mark.parametrize("form", ["ndjson", "array", "lines", "gzip", "chunked"])
def test_curl_posts(run_weir, receiver, port, form):
    """curl: NDJSON, a JSON array, raw lines, a gzip body, a body of unknown length. 200 means that every event was delivered."""
    listen = port()
    run_weir(flow(http_in(listen), {"out": tcp_out(receiver)}))
    records = [json_event(n) for n in range(COUNT)]
    body = "\n".join(records).encode() + b"\n"
    headers = ["-H", "Content-Type: application/x-ndjson"]
    if form == "array":
        body, headers = ("[" + ",".join(records) + "]").encode(), ["-H", "Content-Type: application/json"]
    elif form == "lines":
        body, headers = "".join(text(n) + "\n" for n in range(COUNT)).encode(), ["-H", "Content-Type: text/plain"]
    elif form == "gzip":
        body, headers = gzip.compress(body), [*headers, "-H", "Content-Encoding: gzip"]
    elif form == "chunked":
        headers = [*headers, "-H", "Transfer-Encoding: chunked"]
    status = curl("-o", "/dev/null", "-w", "%{http_code}", *headers, "--data-binary", "@-", f"http://127.0.0.1:{listen}/", body=body)
    assert status == b"200"
    arrive(receiver)


def test_curl_speaks_hec(run_weir, receiver, port):
    """The Splunk HTTP Event Collector door: event and raw, its health page, and its codes for a wrong token and for no data."""
    listen = port()
    run_weir(flow(http_in(listen, tokens=["0e1f-token"]), {"out": tcp_out(receiver)}))
    door = f"http://127.0.0.1:{listen}/services/collector"
    token = ["-H", "Authorization: Splunk 0e1f-token"]
    body = "".join(json.dumps({"event": {"n": f"{n:07d}"}, "host": "web1"}) for n in range(100)).encode()
    assert json.loads(curl(*token, "--data-binary", "@-", f"{door}/event", body=body))["code"] == 0
    raw = "".join(text(n) + "\n" for n in range(100, 200)).encode()
    assert json.loads(curl(*token, "--data-binary", "@-", f"{door}/raw", body=raw))["code"] == 0
    assert json.loads(curl(f"{door}/health"))["code"] == 17
    assert json.loads(curl("-H", "Authorization: Splunk wrong", "--data-binary", "@-", f"{door}/event", body=body))["code"] == 4
    assert json.loads(curl("--data-binary", "@-", f"{door}/event", body=body))["code"] == 2
    assert json.loads(curl(*token, "-X", "POST", f"{door}/event"))["code"] == 5
    arrive(receiver, 200)


def test_elasticsearch_client_bulk(run_weir, receiver, port):
    """The Python `elasticsearch` client's bulk helper: it checks that the server is an Elasticsearch, and each item's result."""
    listen = port()
    run_weir(flow(http_in(listen), {"out": tcp_out(receiver)}))
    client = elasticsearch.Elasticsearch(f"http://127.0.0.1:{listen}", request_timeout=60)
    assert client.info()["version"]["number"]
    actions = ({"_index": "shop", "_source": json.loads(json_event(n))} for n in range(COUNT))
    done, problems = elasticsearch.helpers.bulk(client, actions, chunk_size=250)
    assert (done, problems) == (COUNT, [])
    arrive(receiver)


def test_many_connections_at_once(run_weir, receiver, port):
    """Fifty connections that write at the same time, byte by byte cut anywhere: no line is mixed with another."""
    listen = port()
    run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver)}))
    connections = [socket.create_connection(("127.0.0.1", listen)) for _ in range(50)]
    streams = ["".join(text(c * 40 + i) + "\n" for i in range(40)).encode() for c in range(50)]
    for start in range(0, max(map(len, streams)), 97):
        for connection, stream in zip(connections, streams):
            connection.sendall(stream[start:start + 97])
    for connection in connections:
        connection.close()
    arrive(receiver, COUNT)
    assert all(line.startswith(b"n=") for line in receiver.lines())
