"""Waiting with a limit, and the pieces of the machine that tests look at."""
import os
import socket
import time

# The machine may be busy with other things: a limit is there to end a test that will never pass, and says nothing about speed.
LIMIT = 120.0


def until(what, condition, limit=LIMIT, pause=0.02):
    """Returns the first true answer of `condition`; fails with `what` after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"after {limit} s there was still not: {what}")
        time.sleep(pause)


_reserved = []


def free_port():
    """A loopback port that is free for TCP and UDP alike, and stays so until the test ends.

    It is kept by a TCP socket that is bound and does not listen: connections are refused, the kernel gives the port to nobody who asks
    for any, and whoever asks for this one with SO_REUSEADDR, as servers do, gets it, as often as it is started.
    """
    for _ in range(50):
        keeper = socket.socket()
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        port = keeper.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                keeper.close()
                continue
        _reserved.append(keeper)
        return port
    raise AssertionError("no free port")


def give_ports_back():
    while _reserved:
        _reserved.pop().close()


def is_listening(port):
    """True when something on loopback takes connections on `port`; looked up in /proc, without connecting."""
    wanted = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as lines:
                for line in lines:
                    fields = line.split()
                    if len(fields) > 3 and fields[1].endswith(wanted) and fields[3] == "0A":
                        return True
        except OSError:
            pass
    return False


def _connections(column, port, host):
    wanted = f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}"
    with open("/proc/net/tcp") as lines:
        fields = [line.split() for line in lines]
    # ESTABLISHED and CLOSE_WAIT: not closed by their owner, whether or not the other end is gone.
    return sum(field[column] == wanted and field[3] in ("01", "08") for field in fields)


def connections_at(port, host="127.0.0.1"):
    """How many connections a server at host:port has not closed, accepted or not."""
    return _connections(1, port, host)


def connections_to(port, host="127.0.0.1"):
    """How many connections to host:port their makers have not closed."""
    return _connections(2, port, host)


def memory_mb(pid, key="VmRSS"):
    """Resident memory of a process, in MB; VmHWM is its peak."""
    with open(f"/proc/{pid}/status") as lines:
        for line in lines:
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} has no {key}")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
