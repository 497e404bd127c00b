"""`write` and `drain` of the original's metrics: which of the two rises says whether the link or the receiver is slow."""
import socket
import threading
import time

import pytest

from tunnel import Between, carry, read_to_end
from waiting import LIMIT, until

MEGABYTE = bytes(range(256)) * 4096
RATE = 8_000_000


def phases(hub):
    """-> {phase: (samples, seconds)}"""
    name = "weir_tunnel_write_drain_seconds"
    return {phase: (hub.metric(f"{name}_count", connector="echo", phase=phase), hub.metric(f"{name}_sum", connector="echo", phase=phase))
            for phase in ("write", "drain")}


def slowly(connection, bytes_per_second):
    """Reads to the end, a little at a time. -> what has come"""
    data, began = bytearray(), time.monotonic()
    while part := connection.recv(65_536):
        data += part
        time.sleep(max(0, len(data) / bytes_per_second - (time.monotonic() - began)))
    return bytes(data)


class SlowLine(Between):
    """Between agent and hub; what goes to the agent is carried slowly, and little of it is taken ahead."""

    def __init__(self, port, bytes_per_second):
        self.there, self.rate = port, bytes_per_second
        super().__init__()

    def take(self, near):
        far = socket.socket()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        far.connect(("127.0.0.1", self.there))
        threading.Thread(target=carry, args=(near, far), daemon=True).start()
        carry(far, near, self.rate)


@pytest.mark.parametrize("slow", ["target", "client", "link"])
def test_which_phase_rises(run_hub, run_agent, target, stopping, slow):
    """Some slow megabytes, more than kernels hold: their time is in `drain` when a receiver is slow, and in `write` when the link is."""
    hub, behind = run_hub(), target()
    url = None
    if slow == "link":
        line = SlowLine(hub.door, RATE)
        stopping.append(line)
        url = f"tls://127.0.0.1:{line.port}"
    behind.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    run_agent(hub, {"echo": behind.port}, url=url)
    sent = MEGABYTE * 24
    with hub.connect(receive_buffer=8_192) as client, behind.accept() as far:
        sender, reader = (far, client) if slow == "client" else (client, far)
        sending = threading.Thread(target=lambda: (sender.sendall(sent), sender.shutdown(socket.SHUT_WR)), daemon=True)
        sending.start()
        assert (slowly(reader, RATE) if slow != "link" else read_to_end(reader)[0]) == sent
        sending.join(LIMIT)
    until("its end is counted", lambda: hub.tunnel()["connections"] == 0)
    seen = phases(hub)
    high, low = ("write", "drain") if slow == "link" else ("drain", "write")
    assert seen["write"][0] == seen["drain"][0] > 0, seen
    assert seen[high][1] > 4 * seen[low][1], seen
