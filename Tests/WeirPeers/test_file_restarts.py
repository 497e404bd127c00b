"""A log that is followed goes on being written, rotated and cut while Weir is down: what it would have read is read."""
import shutil

import pytest

from events import assert_each_once, assert_none_lost, numbers, text
from waiting import until
from weir import flow, tcp_out


def write(log, start, end, mode="a"):
    with log.open(mode) as more:
        more.writelines(text(n) + "\n" for n in range(start, end))


def follow(log, receiver, begin):
    return flow({"in": {"type": "file", "path": str(log), "from": begin}}, {"out": tcp_out(receiver)})


def arrive(receiver, count):
    until(f"{count} events have arrived", lambda: len(numbers(receiver.bytes())) >= count, 30)


@pytest.mark.parametrize("begin", ["beginning", "end"])
def test_renamed_while_weir_was_down(run_weir, tcp_receiver, tmp_path, begin):
    """The rest of the old file and the whole of the new one arrive, each line once."""
    receiver = tcp_receiver()
    log = tmp_path / "app.log"
    log.write_text("a line of long ago\n")
    server = run_weir(follow(log, receiver, begin))
    until("the file is followed", lambda: server.get("sources")[0]["connections"] == 1, 10)
    write(log, 0, 100)
    arrive(receiver, 100)
    assert server.terminate() == 0
    write(log, 100, 200)
    log.rename(tmp_path / "app.log.1")
    write(log, 200, 300, "w")
    server.start()
    arrive(receiver, 300)
    write(log, 300, 350)
    arrive(receiver, 350)
    assert_each_once(receiver.bytes(), 350)


def test_copied_and_cut_while_weir_was_down(run_weir, tcp_receiver, tmp_path):
    """After copytruncate the file begins anew; what was read before is not read again, from neither of the two."""
    receiver = tcp_receiver()
    log = tmp_path / "app.log"
    write(log, 0, 100)
    server = run_weir(follow(log, receiver, "beginning"))
    arrive(receiver, 100)
    assert server.terminate() == 0
    shutil.copy(log, tmp_path / "app.log.1")
    write(log, 100, 250, "r+")
    log.open("r+").truncate(sum(len(text(n)) + 1 for n in range(100, 250)))
    server.start()
    arrive(receiver, 250)
    assert server.terminate() == 0
    server.start()
    write(log, 250, 260)
    arrive(receiver, 260)
    assert_each_once(receiver.bytes(), 260)


def test_killed_while_a_file_is_read(run_weir, tcp_receiver, tmp_path):
    """kill -9 repeats at most what was not yet noted as safe, and loses nothing."""
    receiver = tcp_receiver()
    log = tmp_path / "app.log"
    write(log, 0, 20_000)
    server = run_weir(follow(log, receiver, "beginning"))
    until("some have arrived", lambda: len(numbers(receiver.bytes())) > 100, 30)
    server.kill()
    write(log, 20_000, 21_000)
    log.rename(tmp_path / "app.log.1")
    write(log, 21_000, 22_000, "w")
    server.start()
    arrive(receiver, 22_000)
    assert_none_lost(receiver.bytes(), 22_000)
