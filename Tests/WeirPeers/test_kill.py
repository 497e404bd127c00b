"""kill -9 at every write, sync, rename, cut and removal of a run, and at any time under load: what was acknowledged is never lost.

Each place is one run of its own under strace, which kills at the n-th use of a call by a thread, and a second one that must make it
good. n rises until the call is not reached any more: about 200 places in all. CI takes each of the first eight of a call and then
every fifth, about 80; WEIR_FAULTS=long takes all, with each compression and durability.
"""
import copy
import os
import time

import pytest

from daemons import program
from events import assert_none_lost, numbers, text
from posting import Poster, assert_kept
from waiting import until
from weir import ALWAYS, drained, flow, http_in, tcp_out

LONG = os.environ.get("WEIR_FAULTS") == "long"
VARIANTS = [{}] + ([{"compress": "lz4"}, {"compress": "zstd"}, {"durability": "20ms"}] if LONG else [])


def is_over(server, condition):
    """True when the server was killed, or the condition holds."""
    try:
        return condition() or not server.process.is_alive
    except OSError:
        return not server.process.is_alive


class QueueRun:
    """Events are posted, lie on disk, and go out when the receiver comes: segments are made, closed, read and removed."""

    def __init__(self, tcp_receiver, port, tmp_path, variant):
        self.receiver, self.listen = tcp_receiver(started=False), port()
        always = copy.deepcopy(ALWAYS)
        always["queue"].update(variant)
        self.poster = Poster(self.listen, more="x" * 250)
        self.configuration = flow(http_in(self.listen, settle_wait="5s"), {"out": tcp_out(self.receiver, **always)})

    def drive(self, server):
        if self.poster.run(most=20):
            self.receiver.start()
            if self.poster.run(most=20):
                until("it was killed, or the queue is empty", lambda: is_over(server, lambda: drained(server)))

    def check(self, server):
        if not self.receiver.is_listening:
            self.receiver.start()
        until("the queue is empty", lambda: drained(server))
        assert_kept(self.poster, self.receiver)
        assert Poster(self.listen, first=self.poster.offered).run(most=1), "after the repair it takes no more events"

    def end(self):
        self.receiver.stop()


class RecoveryRun(QueueRun):
    """The same on what an earlier kill left behind: the open segment is read, cut and sealed."""

    def prepare(self, server):
        assert self.poster.run(most=15)


class FilesRun:
    """A file that is written, and rotated, becomes files: checkpoints are replaced, output files are synced and moved into place."""

    def __init__(self, tcp_receiver, port, tmp_path, variant):
        directory = tmp_path / f"files-{len(list(tmp_path.glob('files-*')))}"
        directory.mkdir()
        self.log, self.out, self.count = directory / "in.log", directory / "out", 0
        self.configuration = flow(
            {"in": {"type": "file", "path": f"{self.log}*", "from": "beginning", "poll": "10ms", "rotate_wait": "100ms"}},
            {"out": {"type": "filesystem", "path": str(self.out), "max_size": "10KB", "flush": "10ms"}})

    def received(self):
        try:
            return b"".join(file.read_bytes() for file in sorted(self.out.rglob("*.log")) + sorted(self.out.rglob("*.part*")))
        except FileNotFoundError:                     # it got its last name meanwhile
            return self.received()

    def write(self, count):
        with open(self.log, "a") as file:
            file.write("".join(text(n) + "\n" for n in range(self.count, self.count + count)))
        self.count += count

    def drive(self, server):
        for part in range(6):
            if part == 3:
                self.log.rename(self.log.with_suffix(".log.1"))
            self.write(150)
            until("it was killed, or has them", lambda: is_over(server, self.has_all))

    def has_all(self):
        return len(numbers(self.received())) == self.count

    def check(self, server):
        self.write(50)
        until("all are there", self.has_all)
        server.terminate()
        assert_none_lost(self.received(), self.count)
        assert all(line.startswith(b"n=") and line.endswith(b"test") for line in self.received().splitlines()), "a torn line"

    def end(self):
        pass


# What each run is known to call: a sweep that finds none of it would prove nothing.
SWEEPS = [(QueueRun, call) for call in ("pwritev", "fdatasync", "fsync", "unlink")] + [
    (RecoveryRun, call) for call in ("pwritev", "fdatasync", "ftruncate")] + [
    (FilesRun, call) for call in ("fdatasync", "rename", "renameat2", "ftruncate", "pwritev")]


@pytest.mark.timeout(3600 if LONG else 900)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(variant.values()) or "plain")
@pytest.mark.parametrize("kind, call", SWEEPS, ids=[f"{kind.__name__}-{call}" for kind, call in SWEEPS])
def test_kill_at_every_nth_call(run_weir, tcp_receiver, port, tmp_path, kind, call, variant):
    """kill -9 at the n-th write, sync, rename, cut or removal, for every n of a run: after the restart nothing is missing."""
    places, n = 0, 1
    while True:
        trace = tmp_path / "strace"
        tracer = [program("strace"), "-f", "-qq", "-o", trace, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}"]
        run = kind(tcp_receiver, port, tmp_path, variant)
        if kind is RecoveryRun:
            server = run_weir(run.configuration, name=f"weir-{n}")
            run.prepare(server)
            server.kill()
            server.wrap = tracer
            server.start(ready=False)
        else:
            server = run_weir(run.configuration, ready=False, wrap=tracer, name=f"weir-{n}")
        until("it is ready or was killed", lambda: not server.process.is_alive or server.is_ready())
        run.drive(server)
        server.terminate()
        is_reached = "killed by SIGKILL" in trace.read_text()
        server.wrap = []
        server.start()
        run.check(server)
        server.terminate()
        run.end()
        if not is_reached:
            break
        places, n = places + 1, n + (1 if LONG or n < 8 else 5)
    print(f"{kind.__name__}, {call}: {places} places")
    assert places > 0, f"{call} is never called: the sweep proves nothing"


@pytest.mark.parametrize("seed", range(20 if LONG else 3))
def test_kill_at_any_time_under_load(run_weir, tcp_receiver, port, seed):
    """kill -9 while events come in and go out, three times in a row: nothing that was acknowledged is lost."""
    receiver, listen = tcp_receiver(), port()
    server = run_weir(flow(http_in(listen), {"out": tcp_out(receiver, **ALWAYS)}))
    posters = []
    for turn in range(3):
        poster = Poster(listen, first=turn * 1_000_000)
        posters.append(poster)
        poster.start()
        until("some is acknowledged", lambda: poster.acknowledged)
        time.sleep(0.13 * ((seed * 7 + turn * 3) % 5))
        server.kill()
        poster.stop()
        server.start()
    until("the queue is empty", lambda: drained(server))
    for poster in posters:
        assert poster.acknowledged, "nothing was acknowledged: the test proves nothing"
        until("all that was acknowledged", lambda: poster.acknowledged <= set(numbers(receiver.bytes())))
