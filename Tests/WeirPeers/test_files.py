"""Files that are followed: they grow, are renamed, copied and cut, while Weir runs, while it is down and while it is killed. What can be
read is read, each line once; after kill -9 what was not yet noted as safe may come again."""
import shutil

import pytest

from events import assert_each_once, assert_none_lost, numbers, text
from waiting import until
from weir import flow, tcp_out


@pytest.fixture
def receiver(tcp_receiver):
    return tcp_receiver()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "app.log"


def following(path, receiver, begin="beginning", **more):
    return flow({"in": {"type": "file", "path": str(path), "from": begin, **more}}, {"out": tcp_out(receiver)})


def write(log, first, end, mode="a"):
    with log.open(mode) as more:
        more.writelines(text(n) + "\n" for n in range(first, end))


def cut(log, size=0):
    with log.open("r+") as file:
        file.truncate(size)


def arrive(receiver, count):
    until(f"{count} events have arrived", lambda: len(numbers(receiver.bytes())) >= count)


def arrive_once(receiver, count):
    arrive(receiver, count)
    assert_each_once(receiver.bytes(), count)


def test_files_are_followed(run_weir, receiver, log, tmp_path):
    """A log that grows, is renamed and begun again, then copied and cut: every line arrives once."""
    write(log, 0, 100)
    run_weir(following(log, receiver))
    arrive_once(receiver, 100)
    write(log, 100, 200)
    log.rename(tmp_path / "app.log.1")
    write(log, 200, 300)
    arrive_once(receiver, 300)
    shutil.copy(log, tmp_path / "app.log.2")
    cut(log)
    write(log, 300, 350)
    arrive_once(receiver, 350)


def test_files_are_not_read_twice_after_a_restart(run_weir, receiver, log):
    """The place in a file survives a restart."""
    write(log, 0, 100)
    server = run_weir(following(log, receiver))
    arrive_once(receiver, 100)
    assert server.terminate() == 0
    write(log, 100, 200)
    server.start()
    arrive_once(receiver, 200)


@pytest.mark.parametrize("pattern, begin", [("app.log", "beginning"), ("app.log", "end"), ("app.log*", "beginning")])
def test_renamed_while_down(run_weir, receiver, log, tmp_path, pattern, begin):
    """While Weir is stopped the file grows, is renamed and begun again: the rest of the old one and all of the new one arrive once."""
    log.write_text("a line of long ago\n")
    server = run_weir(following(tmp_path / pattern, receiver, begin, poll="20ms"))
    until("the file is followed", lambda: server.get("sources")[0]["connections"] == 1)
    write(log, 0, 100)
    arrive_once(receiver, 100)
    assert server.terminate() == 0
    write(log, 100, 200)
    log.rename(tmp_path / "app.log.1")
    write(log, 200, 300, "w")
    server.start()
    arrive_once(receiver, 300)
    write(log, 300, 350)
    arrive_once(receiver, 350)


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_copied_and_cut_while_down(run_weir, receiver, log, tmp_path, pattern):
    """While Weir is stopped the file grows, is copied and cut, and grows again: what only the copy has arrives too, and nothing twice."""
    write(log, 0, 100)
    server = run_weir(following(tmp_path / pattern, receiver, poll="20ms"))
    arrive_once(receiver, 100)
    assert server.terminate() == 0
    write(log, 100, 150)
    shutil.copy(log, tmp_path / "app.log.1")
    cut(log)
    write(log, 150, 200)
    server.start()
    arrive_once(receiver, 200)


def test_cut_while_down_and_grown_past_its_place(run_weir, receiver, log, tmp_path):
    """A file that was copied and cut, and is longer again than the place that was reached, is told from one that only grew: it is read
    from its beginning, the copy is not read again, and neither is after one more restart."""
    write(log, 0, 100)
    server = run_weir(following(log, receiver))
    arrive_once(receiver, 100)
    assert server.terminate() == 0
    shutil.copy(log, tmp_path / "app.log.1")
    write(log, 100, 250, "r+")
    cut(log, sum(len(text(n)) + 1 for n in range(100, 250)))
    server.start()
    arrive_once(receiver, 250)
    assert server.terminate() == 0
    server.start()
    write(log, 250, 260)
    arrive_once(receiver, 260)


def test_killed_while_files_are_read(run_weir, receiver, log, tmp_path):
    """kill -9 in the middle, three times, once with a rotation while nobody looks: what was not yet noted as safe may come again, and
    nothing is lost."""
    write(log, 0, 20_000)
    server = run_weir(following(log, receiver, poll="20ms"))
    until("some have arrived", lambda: len(numbers(receiver.bytes())) > 100)
    for turn in range(3):
        server.kill()
        begins = 20_000 + turn * 2_000
        write(log, begins, begins + 1_000)
        if turn == 1:
            log.rename(tmp_path / "app.log.1")
        write(log, begins + 1_000, begins + 2_000)
        seen = receiver.count()
        server.start()
        until("more have arrived", lambda: receiver.count() > seen)
    arrive(receiver, 26_000)
    assert_none_lost(receiver.bytes(), 26_000)
