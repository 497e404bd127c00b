"""What was acknowledged is never lost: power cuts, full disks, disks that fail, a clean stop.

Accounting: the poster remembers which events were answered with 200; the receiver remembers what arrived. Lost is what was
acknowledged and did not arrive; it must be nothing. Events that were offered and not acknowledged may arrive.
"""
import subprocess
import threading
import time

import pytest

from daemons import program
from events import assert_each_once, numbers, send_lines, text
from posting import Poster, assert_kept
from waiting import until
from weir import ALWAYS, drained, flow, http_in, tcp_in, tcp_out

def test_clean_restart_keeps_the_queue(run_weir, tcp_receiver, port):
    """SIGTERM with events in the queue: it ends at once with 0, and after the start each event arrives once."""
    receiver, listen = tcp_receiver(started=False), port()
    server = run_weir(flow(http_in(listen), {"out": tcp_out(receiver, **ALWAYS)}))
    poster = Poster(listen, size=50)
    assert poster.run(most=20)
    assert server.terminate() == 0
    receiver.start()
    server.start()
    until("all events", lambda: receiver.count() >= 1000)
    assert_each_once(receiver.bytes(), 1000)


def test_terminate_under_load_loses_nothing(run_weir, tcp_receiver, port):
    """SIGTERM while a sender writes over TCP: everything that was read is delivered before it ends with 0."""
    receiver, listen = tcp_receiver(), port()
    server = run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver)}))
    sent = threading.Thread(target=send_lines, args=(listen, [text(n) for n in range(200_000)]))
    sent.start()
    until("some have arrived", lambda: receiver.count() > 1000)
    assert server.terminate() == 0
    sent.join(60)
    until("the receiver has read to the end", lambda: receiver.has_read_all)
    seen = numbers(receiver.bytes())
    assert all(times == 1 for times in seen.values())
    assert sorted(seen) == list(range(len(seen))), "there is a hole in what was delivered"
    assert receiver.bytes().endswith(b"\n") and all(line.startswith(b"n=") for line in receiver.lines())


def test_power_cut(run_weir, tcp_receiver, port, mounted):
    """The file system is cut off in the middle of the writing, as by a power failure: what was acknowledged is on the disk."""
    xfs_io = program("xfs_io")
    receiver, listen, disk = tcp_receiver(started=False), port(), mounted("ext4", 256)
    server = run_weir({**flow(http_in(listen), {"out": tcp_out(receiver, **ALWAYS)}), "data": str(disk / "data")})
    poster = Poster(listen).start()
    until("some are acknowledged", lambda: len(poster.acknowledged) > 1000)
    # A power failure takes the process with it, so nobody sees what it acknowledges afterwards. Here it lives on: a sync that is under
    # way in the moment of the shutdown may return success, because its journal transaction is gone when it looks. So what was
    # acknowledged before the cut must be there, and after it at most the requests that were under way may be.
    before = set(poster.acknowledged)
    done = subprocess.run([xfs_io, "-x", "-c", "shutdown", disk], capture_output=True, text=True, timeout=30)
    if done.returncode != 0 or "not supported" in done.stderr:
        poster.stop()
        pytest.skip(f"NO SHUTDOWN: this kernel cannot cut off a file system ({done.stderr.strip()})")
    after = set(poster.acknowledged)
    time.sleep(0.5)
    server.kill()
    poster.stop()
    mounted.again(disk)
    receiver.start()
    server.start()
    until("the queue is empty", lambda: drained(server))
    assert len(poster.acknowledged - after) <= 2 * poster.size, "it went on acknowledging on a disk that was gone"
    poster.acknowledged = before
    assert_kept(poster, receiver)


def test_disk_full_and_back(run_weir, tcp_receiver, port, mounted):
    """The disk of the queue fills up: a state of the gate with its reason, no crash, no loss; with room it goes on by itself."""
    receiver, listen, disk = tcp_receiver(started=False), port(), mounted("tmpfs", 400)
    server = run_weir({**flow(http_in(listen, wait="200ms", settle_wait="1s"), {"out": tcp_out(receiver, **ALWAYS)}), "data": str(disk / "data")})
    ballast = disk / "ballast"
    poster = Poster(listen, size=200)
    assert poster.run(most=2)
    with open(ballast, "wb") as file:
        try:
            while True:
                file.write(bytes(1 << 20))
                file.flush()
        except OSError:
            pass
    poster.start()
    until("the gate says disk_full", lambda: server.reason("out") == "disk_full")
    assert server.http("/readyz")[0] == 200 and server.process.is_alive
    before = len(poster.acknowledged)
    ballast.unlink()
    until("it takes events again", lambda: len(poster.acknowledged) > before)
    poster.stop()
    receiver.start()
    until("the queue is empty", lambda: drained(server))
    assert_kept(poster, receiver)


def test_failing_sync_is_never_acknowledged(run_weir, tcp_receiver, port, tmp_path):
    """fdatasync answers with an error once: the batch is not acknowledged on the strength of it, and nothing acknowledged is lost."""
    receiver, listen = tcp_receiver(started=False), port()
    tracer = [program("strace"), "-f", "-qq", "-o", tmp_path / "strace", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=4"]
    server = run_weir(flow(http_in(listen, wait="500ms"), {"out": tcp_out(receiver, **ALWAYS)}), wrap=tracer)
    poster = Poster(listen)
    poster.run(most=20)
    server.kill()
    assert "EIO" in (tmp_path / "strace").read_text(), "the fault was never injected"
    receiver.start()
    server.wrap = []
    server.start()
    until("the queue is empty", lambda: drained(server))
    assert_kept(poster, receiver)


def test_damaged_segment_loses_only_what_is_damaged(run_weir, tcp_receiver, port):
    """A byte flipped in the middle of a segment: verify names the damage, the rest is delivered, nothing wrong is delivered."""
    receiver, listen = tcp_receiver(started=False), port()
    server = run_weir(flow(http_in(listen), {"out": tcp_out(receiver, **ALWAYS)}))
    poster = Poster(listen, size=10)
    assert poster.run(most=60)
    assert server.terminate() == 0
    segments = sorted((file for file in server.data.rglob("*") if file.is_file() and file.stat().st_size > 8192), key=lambda f: f.stat().st_size)
    assert segments, "no segment was found"
    with open(segments[-1], "r+b") as file:
        middle = segments[-1].stat().st_size // 3
        file.seek(middle)
        byte = file.read(1)
        file.seek(middle)
        file.write(bytes([byte[0] ^ 0x40]))
    receiver.start()
    server.start()
    until("the queue is empty", lambda: drained(server))
    assert server.terminate() == 0
    until("the receiver has read to the end", lambda: receiver.has_read_all)
    lost = poster.acknowledged - set(numbers(receiver.bytes()))
    assert 0 < len(lost) <= 40, f"{len(lost)} events lost to one flipped byte"
    assert all(line.startswith(b'{"n":"') and line.endswith(b"}") for line in receiver.lines())


def test_memory_is_flat_while_the_destination_is_down(run_weir, tcp_receiver, port):
    """60 MB of events go to the queue of a destination that is not there: memory does not grow with them."""
    receiver, listen = tcp_receiver(started=False), port()
    server = run_weir(flow(tcp_in(listen), {"out": tcp_out(receiver, on_backpressure="queue", queue={"mode": "error", "max_size": "1GB"})}))
    lines = [text(n, " " + "x" * 220) for n in range(80_000)]
    send_lines(listen, lines[:40_000])
    until("half is queued", lambda: server.gate("out")["queue"]["events"] > 30_000)
    half = server.memory_mb()
    for _ in range(3):
        send_lines(listen, lines[40_000:])
    until("all is queued", lambda: server.gate("out")["queue"]["events"] > 150_000)
    assert server.memory_mb() - half < 40
    assert server.memory_mb("VmHWM") < 300, "this is a debug build; the benchmark holds the release build to 150 MB"
