"""What machines and people ask a running Weir: metrics, health, the API and its description, the commands."""
import codecs
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

import openapi_spec_validator
import pytest
import yaml

from daemons import program
from events import json_event, send_lines, text
from receivers import Answer
from waiting import LIMIT, until
from weir import BINARY, flow, http_out, tcp_in, tcp_out, weir


@pytest.fixture
def server(run_weir, tcp_receiver, http_receiver, port):
    """A Weir with one destination that works, one that queues, and events through both."""
    good, bad, listen = tcp_receiver(), http_receiver(default=Answer(503)), port()
    server = run_weir(flow(tcp_in(listen), {
        "good": tcp_out(good), "bad": http_out(bad, buffer="1MiB", on_backpressure="queue", queue={"mode": "error", "max_size": "100MB"})},
        [{"name": "errors", "when": 'event.level == "error"', "to": "bad", "final": False}, {"name": "all", "to": "good"}]))
    server.listen = listen
    send_lines(listen, [json_event(n, level="error" if n % 10 == 0 else "info") for n in range(1000)])
    until("all have arrived", lambda: good.count() >= 1000)
    server.until_state("bad", "queueing")
    return server


def test_metrics_pass_promtool(server):
    """`promtool check metrics` has nothing to say, and the promised families are there from the start."""
    status, text_ = server.http("/metrics")
    assert status == 200
    done = subprocess.run([program("promtool"), "check", "metrics"], input=text_, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    for family in ("weir_gate_state", "weir_gate_level_ratio", "weir_gate_transitions_total", "weir_events_total", "weir_queue_bytes",
                   "weir_queue_events", "weir_queue_oldest_seconds", "weir_delivery_seconds_bucket", "weir_build_info"):
        assert f"\n{family}{{" in text_ or f"\n{family} " in text_, f"{family} is not there"


# What only a node with an `identity:` block answers.
IDENTITY = {"silos", "rules", "syncs", "reviews", "actions", "identities", "overrides", "decisions", "notices"}


def test_openapi_describes_every_answer(server):
    """The OpenAPI document is valid, and the real answers have the shapes it says."""
    import jsonschema
    document = json.loads(server.http("/api/v1/openapi.json")[1])
    openapi_spec_validator.validate(document)
    checked = 0
    absent = {"/api/v1/mesh": (404, "no_mesh"), "/api/v1/authority": (409, "no_tunnel")}      # this node has no tunnel
    for path, operations in document["paths"].items():
        if "get" not in operations or "{" in path or path.endswith(("events", "openapi.json")):
            continue
        answer = operations["get"]["responses"]["200"].get("content", {}).get("application/json")
        if not answer:
            continue
        status, body = server.http(path)[:2]
        assert str(status) in operations["get"]["responses"], (path, status)
        if path in absent:
            assert (status, json.loads(body)["code"]) == absent[path] and json.loads(body)["help"], body
            continue
        if path.removeprefix("/api/v1/").split("/")[0] in IDENTITY:
            assert (status, json.loads(body)["code"]) == (404, "no_identity") and json.loads(body)["help"], body
            continue
        assert status == 200, (path, status)
        schema = {**answer["schema"], "components": document.get("components", {})}
        jsonschema.validate(json.loads(body), schema)
        checked += 1
    assert checked >= 5
    assert server.http("/api/v1/gates/nobody")[0] == 404
    problem = json.loads(server.http("/api/v1/gates/nobody")[1])
    assert {"code", "message", "help"} <= set(problem)


def test_methods(server):
    """A wrong method is 405 with `Allow`; HEAD is answered, with nothing after its head."""
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
    connection.request("DELETE", "/api/v1/gates")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Allow")) == (405, "GET, HEAD"), answer.read()
    assert json.loads(answer.read())["code"] == "method_not_allowed"
    paths = {"/api/v1/gates": 200, "/": 200, "/livez": 200, "/api/v1/gates/nobody": 404, "/nothing": 404}
    for path, status in paths.items():
        # On one connection: a body after the head of an answer would be taken for the next answer.
        connection.request("HEAD", path)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (status, b""), path
    connection.request("GET", "/livez")
    assert connection.getresponse().read() == b"ok\n"
    connection.close()


def test_health(server):
    """Alive and ready, also with a gate that is held: a held gate does what it is for."""
    assert server.http("/livez")[0] == 200
    status, said = server.http("/readyz?verbose")
    assert status == 200 and said.strip().endswith("ok") and said.count("[+]") >= 2


@pytest.mark.parametrize("kind", ["gates", "sources", "destinations", "routes"])
def test_get(server, kind):
    """`weir get` as a table and as JSON."""
    table = server.command("get", kind)
    assert table.returncode in (0, 3), table
    assert len(table.stdout.splitlines()) >= 2
    listed = server.command("get", kind, "-o", "json")
    assert json.loads(listed.stdout)


def test_why(server):
    """`weir why` says state, since when, measured, limit and its line, what reopens it and what was not lost."""
    done = server.command("why", "bad")
    assert done.returncode in (0, 3), done
    for word in ("bad is queueing since", "on disk", "100 MB", "reopens", "not lost", "weir.yaml:"):
        assert word in done.stdout, f"{word!r} is not in:\n{done.stdout}"
    unknown = server.command("why", "goood")
    assert unknown.returncode != 0 and "good" in unknown.stdout + unknown.stderr


def test_tap(server):
    """`weir tap` shows events as they pass."""
    import threading
    is_over = threading.Event()

    def feed():
        # Again and again: nobody knows when the tap is open.
        while not is_over.wait(0.2):
            send_lines(server.listen, [json_event(n) for n in range(5000, 5050)])
    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        done = server.command("tap", "in", "--limit", "5", "--duration", "50")
    finally:
        is_over.set()
        feeder.join()
    assert done.returncode == 0 and '"n":"000500' in done.stdout.replace("\\", ""), done


def test_eval():
    """`weir eval` prints type and value; `--lines` answers a line each, and goes on after errors."""
    done = weir("eval", "1 + 2")
    assert json.loads(done.stdout)["value"] == 3
    event = weir("eval", 'event.level == "error"', stdin=json_event(1, level="error"))
    assert json.loads(event.stdout) == {"value": True, "type": "bool"}
    lines = weir("eval", "--lines", stdin='{"expr":"x * 2","bindings":{"x":21}}\n{"expr":"1 +"}\n{"expr":"\\"a\\" in [\\"a\\"]"}\n')
    answers = [json.loads(line) for line in lines.stdout.splitlines()]
    assert answers[0]["value"] == 42 and "error" in answers[1] and answers[2]["value"] is True


def test_schema_accepts_what_check_accepts(server, tmp_path):
    """`weir schema` is a JSON Schema that accepts the configuration of this very server."""
    import jsonschema
    schema = json.loads(weir("schema").stdout)
    jsonschema.validators.validator_for(schema).check_schema(schema)
    jsonschema.validate(yaml.safe_load(server.file.read_text()), schema)


def test_unknown_subcommand_suggests_the_nearest():
    """A mistyped subcommand: the nearest known one, exit code 64."""
    done = weir("chek")
    assert done.returncode == 64 and "check" in done.stderr


def subcommands():
    """Every command line that `weir help` knows of."""
    found = [()]
    for path in found:
        said = weir("help", *path).stdout.partition("SUBCOMMANDS:")[2]
        found += [(*path, line.split()[0]) for line in said.splitlines() if re.match(r"  \S", line) and "See" not in line]
    return found


def test_every_help_has_examples():
    """Each subcommand's help shows how it is used, and no line of it was broken by the width of a terminal."""
    found = subcommands()
    assert len(found) >= 24, found
    for path in found:
        said = weir("help", *path).stdout
        examples = re.search(r"(EXAMPLES|First steps):\n((?:.+\n)+)", said)
        assert examples, f"weir help {' '.join(path)}:\n{said}"
        for line in examples[2].splitlines():
            assert line.startswith("  "), f"weir help {' '.join(path)}: {line!r} was broken"


def test_exit_codes_are_explained():
    said = weir("help", "exit-codes").stdout
    for number in (0, 1, 2, 3, 64, 69, 75, 77, 78):
        assert re.search(rf"^ +{number}  \w", said, re.M), said
    assert weir("exit-codes").stdout.count("\n") == 9


class Terminal:
    """A command in a pseudo-terminal: what it writes, keys that are pressed, a size that changes."""

    def __init__(self, *arguments, columns=100, rows=20):
        self.master, slave = pty.openpty()
        self.resize(columns, rows)
        self.process = subprocess.Popen([BINARY, *arguments], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        env={**os.environ, "TERM": "xterm", "LANG": "C.UTF-8"}, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.mode = termios.tcgetattr(slave)
        self.slave = slave
        self.text = ""
        # What is read may end in the middle of a character.
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.master, keys.encode())

    def shows(self, part):
        while select.select([self.master], [], [], 0)[0]:
            self.text += self.decoder.decode(os.read(self.master, 65536))
        return part in self.text

    def forget(self):
        self.text = ""

    def drawings(self):
        """The widths of what was drawn, whole drawings only: one is whole when the next has begun."""
        self.shows("")
        drawn = (re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", part) for part in self.text.split("\x1b[H")[1:-1])
        return [max(map(len, part.splitlines() or [""])) for part in drawn if "GATE" in part]

    def ends(self):
        """Its exit code; read on meanwhile, or it could not write its last words."""
        until("it ended", lambda: (self.shows(""), self.process.poll() is not None)[1])
        return self.process.returncode


@pytest.mark.parametrize("leave", ["q", "\x03"], ids=["q", "ctrl-c"])
def test_top_in_a_terminal(server, leave):
    """`weir top` draws the gates, follows the size, and gives the terminal back as it was, by q and by Ctrl-C."""
    screen = Terminal("top", "--address", f"http://127.0.0.1:{server.port}")
    until("it is drawn", lambda: screen.shows("queueing") and screen.shows("q quits"))
    assert "\x1b[?1049h" in screen.text and "\x1b[?25l" in screen.text
    screen.forget()
    screen.resize(44, 20)
    # A drawing in the old width may have been under way; after the first in the new one all are.
    until("it is drawn anew", lambda: any(width <= 44 for width in screen.drawings()))
    screen.press(leave)
    assert screen.ends() == 0
    widths = screen.drawings()
    assert all(width <= 44 for width in widths[next(n for n, width in enumerate(widths) if width <= 44):]), widths
    assert screen.shows("\x1b[?25h") and screen.shows("\x1b[?1049l")
    assert termios.tcgetattr(screen.slave)[3] == screen.mode[3], "echo and lines are as they were"


def test_top_leaves_a_node_that_does_not_answer(server):
    """The node is stopped in the middle: q still works, at once."""
    screen = Terminal("top", "--address", f"http://127.0.0.1:{server.port}")
    until("it is drawn", lambda: screen.shows("queueing"))
    server.send_signal(signal.SIGSTOP)
    try:
        screen.press("q")
        assert screen.ends() == 0
    finally:
        server.send_signal(signal.SIGCONT)


def test_top_without_a_terminal(server):
    """Once, or a line for each gate every interval, with its time; and no node is exit code 69."""
    assert "bad" in server.command("top", "--once").stdout
    with subprocess.Popen([BINARY, "top", "--address", f"127.0.0.1:{server.port}"], stdout=subprocess.PIPE, text=True) as process:
        assert re.match(r"\d{4}-\d\d-\d\dT\S+Z bad +queueing", process.stdout.readline())
        process.terminate()
    assert weir("top", "--address", "127.0.0.1:1").returncode == 69


def test_nothing_secret_is_shown(run_weir, http_receiver, port, tmp_path):
    """A bearer token given by reference stands in no answer, no log and no printed configuration."""
    receiver, listen = http_receiver(), port()
    secret = tmp_path / "token"
    secret.write_text("canary-8c41f0\n")
    secret.chmod(0o600)
    server = run_weir(flow(tcp_in(listen), {"out": http_out(receiver, auth={"bearer": {"file": str(secret)}})}))
    send_lines(listen, [text(1)])
    until("it was delivered with the token", lambda: receiver.requests)
    assert receiver.requests[0].headers["Authorization"] == "Bearer canary-8c41f0"
    shown = "".join(server.http(path)[1] for path in ("/api/v1/gates", "/api/v1/destinations", "/metrics", "/api/v1/health", "/"))
    printed = weir("check", server.file).stdout
    assert "canary-8c41f0" not in shown + printed + server.output()
