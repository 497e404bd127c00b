"""Receivers that nobody here wrote, behind Weir's destinations."""
import subprocess

import pytest

from daemons import start_nginx
from events import assert_each_once, assert_none_lost, json_event, send_lines, syslog5424, text
from waiting import connections_to, until
from weir import flow, http_out, syslog_in, tcp_in, tcp_out

COUNT = 2_000


def arrive_in(file, count=COUNT):
    until(f"{file.name} has {count} lines", lambda: file.exists() and file.read_bytes().count(b"\n") >= count)
    assert_each_once(file.read_bytes(), count)


@pytest.mark.parametrize("framing", ["newline", "octet_counting"])
def test_rsyslog_receives(run_weir, rsyslog, port, tmp_path, framing):
    """The syslog destination at rsyslog's imptcp, which detects the framing by itself."""
    listen, into, out = port(), port(), tmp_path / "out.log"
    rsyslog(f'''module(load="imptcp")
input(type="imptcp" address="127.0.0.1" port="{into}")
action(type="omfile" file="{out}")''', port=into)
    run_weir(flow(syslog_in(listen), {"out": {"type": "syslog", "address": f"127.0.0.1:{into}", "framing": framing}}))
    send_lines(listen, [syslog5424(n) for n in range(COUNT)])
    arrive_in(out)


def test_syslog_ng_receives(run_weir, syslog_ng, port, tmp_path):
    """The syslog destination at syslog-ng's syslog() source, octet-counted."""
    listen, into, out = port(), port(), tmp_path / "out.log"
    syslog_ng(f'''source s {{ syslog(ip("127.0.0.1") port({into}) transport("tcp")); }};
destination d {{ file("{out}"); }};
log {{ source(s); destination(d); flags(flow-control); }};''', port=into)
    run_weir(flow(syslog_in(listen), {"out": {"type": "syslog", "address": f"127.0.0.1:{into}", "framing": "octet_counting"}}))
    send_lines(listen, [syslog5424(n) for n in range(COUNT)])
    arrive_in(out)


def test_nginx_receives(run_weir, nginx, http_receiver, port):
    """The http destination through nginx as a reverse proxy that buffers."""
    receiver, listen, proxy = http_receiver(), port(), port()
    nginx(proxy, f"proxy_pass {receiver.url};")
    run_weir(flow(tcp_in(listen), {"out": {"type": "http", "url": f"http://127.0.0.1:{proxy}/in", "flush": "50ms"}}))
    send_lines(listen, [json_event(n) for n in range(COUNT)])
    until("all events", lambda: receiver.count() >= COUNT)
    assert_each_once(receiver.bytes(), COUNT)


def test_nginx_refuses_what_is_too_large(run_weir, nginx, http_receiver, port):
    """413: the batch is split until it fits; nothing is lost and nothing comes twice."""
    receiver, listen, proxy = http_receiver(), port(), port()
    nginx(proxy, f"client_max_body_size 8k; proxy_pass {receiver.url};")
    run_weir(flow(tcp_in(listen), {"out": {"type": "http", "url": f"http://127.0.0.1:{proxy}/in", "flush": "200ms"}}))
    send_lines(listen, [json_event(n) for n in range(1000)])
    until("all events", lambda: receiver.count() >= 1000)
    assert_each_once(receiver.bytes(), 1000)


def test_haproxy_in_between_is_restarted(run_weir, haproxy, tcp_receiver, port):
    """haproxy between Weir and the receiver goes away and comes back: no event is lost."""
    receiver, listen, proxy = tcp_receiver(), port(), port()
    first = haproxy(proxy, [receiver.port])
    server = run_weir(flow(tcp_in(listen), {"out": tcp_out(proxy, on_backpressure="queue", queue={"mode": "always"})}))
    send_lines(listen, [text(n) for n in range(500)])
    until("the first part", lambda: receiver.count() >= 500)
    first.stop()
    # What is written to a connection whose other end is gone is lost, and nobody can tell.
    until("Weir has seen that it is gone", lambda: connections_to(proxy) == 0)
    send_lines(listen, [text(n) for n in range(500, 1000)])
    server.until_state("out", "queueing")
    haproxy(proxy, [receiver.port], name="haproxy-again")
    until("the rest", lambda: receiver.count() >= 1000)
    assert_none_lost(receiver.bytes(), 1000)


def test_balance_over_two_receivers(run_weir, tmp_path, stopping, http_receiver, port):
    """Two URLs share the load; one is stopped and the other takes everything."""
    one, two, listen = http_receiver(), http_receiver(), port()
    run_weir(flow(tcp_in(listen), {"out": {"type": "http", "flush": "20ms", "max_events": 20,
                                           "urls": [{"url": f"{one.url}/in"}, {"url": f"{two.url}/in"}]}}))
    send_lines(listen, [json_event(n) for n in range(1000)])
    until("all have arrived", lambda: one.count() + two.count() >= 1000)
    assert one.count() > 0 and two.count() > 0
    one.stop()
    before = two.count()
    send_lines(listen, [json_event(n) for n in range(1000, 1500)])
    until("the other takes the rest", lambda: two.count() >= before + 500)
    assert_none_lost(one.bytes() + b"\n" + two.bytes(), 1500)
