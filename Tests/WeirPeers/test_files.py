"""Files that are followed: they grow, are renamed, copied and cut, while Weir runs and while it does not; every line arrives once."""
import shutil

import pytest

from events import assert_each_once, numbers, text
from waiting import until
from weir import flow, tcp_out


@pytest.fixture
def receiver(tcp_receiver):
    return tcp_receiver()


def arrive(receiver, count):
    until(f"{count} events have arrived", lambda: sum(numbers(receiver.bytes()).values()) >= count, 30)
    assert_each_once(receiver.bytes(), count)


def following(path, receiver):
    return flow({"in": {"type": "file", "path": str(path), "from": "beginning", "poll": "20ms"}}, {"out": tcp_out(receiver)})


def write(log, first, end):
    with log.open("a") as more:
        more.writelines(text(n) + "\n" for n in range(first, end))


def test_files_are_followed(run_weir, receiver, tmp_path):
    """A log that grows, is renamed and begun again, then copied and cut: every line arrives once."""
    log = tmp_path / "app.log"
    log.write_text("".join(text(n) + "\n" for n in range(100)))
    run_weir(flow({"in": {"type": "file", "path": str(tmp_path / "app.log"), "from": "beginning"}}, {"out": tcp_out(receiver)}))
    arrive(receiver, 100)
    with log.open("a") as more:
        more.writelines(text(n) + "\n" for n in range(100, 200))
    log.rename(tmp_path / "app.log.1")
    log.write_text("".join(text(n) + "\n" for n in range(200, 300)))
    arrive(receiver, 300)
    shutil.copy(log, tmp_path / "app.log.2")
    with log.open("r+") as cut:
        cut.truncate(0)
    with log.open("a") as more:
        more.writelines(text(n) + "\n" for n in range(300, 350))
    arrive(receiver, 350)


def test_files_are_not_read_twice_after_a_restart(run_weir, receiver, tmp_path):
    """The place in a file survives a restart."""
    log = tmp_path / "app.log"
    log.write_text("".join(text(n) + "\n" for n in range(100)))
    server = run_weir(flow({"in": {"type": "file", "path": str(log), "from": "beginning"}}, {"out": tcp_out(receiver)}))
    arrive(receiver, 100)
    assert server.terminate() == 0
    with log.open("a") as more:
        more.writelines(text(n) + "\n" for n in range(100, 200))
    server.start()
    arrive(receiver, 200)


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_rotation_by_rename_while_down(run_weir, receiver, tmp_path, pattern):
    """While Weir is stopped the file grows, is renamed and begun again: the rest of the old one and all of the new one arrive once."""
    log = tmp_path / "app.log"
    write(log, 0, 100)
    server = run_weir(following(tmp_path / pattern, receiver))
    arrive(receiver, 100)
    assert server.terminate() == 0
    write(log, 100, 150)
    log.rename(tmp_path / "app.log.1")
    write(log, 150, 200)
    server.start()
    arrive(receiver, 200)
    write(log, 200, 250)
    arrive(receiver, 250)


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_rotation_by_copy_while_down(run_weir, receiver, tmp_path, pattern):
    """While Weir is stopped the file grows, is copied and cut, and grows again: what only the copy has arrives too, and nothing twice."""
    log = tmp_path / "app.log"
    write(log, 0, 100)
    server = run_weir(following(tmp_path / pattern, receiver))
    arrive(receiver, 100)
    assert server.terminate() == 0
    write(log, 100, 150)
    shutil.copy(log, tmp_path / "app.log.1")
    log.open("r+").truncate(0)
    write(log, 150, 200)
    server.start()
    arrive(receiver, 200)


def test_kill_while_files_are_followed(run_weir, receiver, tmp_path):
    """kill -9 in the middle, three times: nothing is lost; what was read and not yet written down may come again."""
    log = tmp_path / "app.log"
    write(log, 0, 1_000)
    server = run_weir(following(log, receiver))
    for turn in range(1, 4):
        until("some have arrived", lambda: receiver.count() > 0)
        server.kill()
        write(log, turn * 1_000, turn * 1_000 + 1_000)
        server.start()
    until("all have arrived", lambda: len(numbers(receiver.bytes())) == 4_000, 30)
