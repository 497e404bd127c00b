"""Events with numbers, so that every test can say which arrived and how often."""
import collections
import json
import re
import socket

from waiting import LIMIT

NUMBER = re.compile(rb'n=(\d{7})\b|"n":\s?"?(\d{7})"?')


def text(number, more=""):
    return f"n={number:07d} a line of the test{more}"


def json_event(number, **more):
    return json.dumps({"n": f"{number:07d}", "level": "info", "service": "shop", **more}, separators=(",", ":"))


def syslog5424(number, severity=6, host="web1", app="shop"):
    return f"<{16 * 8 + severity}>1 2026-11-21T13:00:00.000Z {host} {app} 4711 ID7 - {text(number)}"


def syslog3164(number, severity=6, host="web1", app="shop"):
    return f"<{16 * 8 + severity}>Nov 21 13:00:00 {host} {app}[4711]: {text(number)}"


def numbers(data):
    """How often each event's number stands in `data` (bytes, or a list of bytes)."""
    if not isinstance(data, (bytes, bytearray)):
        data = b"\n".join(data)
    return collections.Counter(int(a or b) for a, b in NUMBER.findall(data))


def assert_each_once(data, count, first=0):
    """Every one of `count` events is there, and none twice."""
    seen = numbers(data)
    wanted = range(first, first + count)
    missing = [n for n in wanted if n not in seen]
    twice = {n: times for n, times in seen.items() if times > 1}
    strange = [n for n in seen if n not in wanted]
    assert not missing, f"{len(missing)} of {count} events are missing, first: {missing[:5]}"
    assert not twice, f"{len(twice)} events came more than once, first: {sorted(twice.items())[:5]}"
    assert not strange, f"events that nobody sent: {strange[:5]}"


def assert_none_lost(data, count, first=0):
    """Every one of `count` events is there; some may have come again."""
    seen = numbers(data)
    missing = [n for n in range(first, first + count) if n not in seen]
    assert not missing, f"{len(missing)} of {count} events are lost, first: {missing[:5]}"


def send_lines(port, lines, limit=LIMIT):
    """Sends lines over one TCP connection and waits until the other end has taken all and closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=limit) as connection:
        connection.sendall("".join(line + "\n" for line in lines).encode())
        connection.shutdown(socket.SHUT_WR)
        try:
            while connection.recv(4096):
                pass
        except OSError:
            pass


def objects(path):
    """The JSON objects in the files of a filesystem destination, in order. A line that is still being written does not count."""
    found = []
    for file in sorted(path.rglob("*")):
        try:
            written = b"" if file.name.startswith(".") or not file.is_file() else file.read_bytes()
        except FileNotFoundError:                     # it got its last name meanwhile
            return objects(path)
        found += [json.loads(line) for line in written[:written.rfind(b"\n") + 1].splitlines() if line.strip()]
    return found
