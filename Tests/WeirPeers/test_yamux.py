"""Weir's tunnel against another yamux, in both roles: a hub of the test with a real agent, an agent of the test with a real hub; on TLS and in
a WebSocket. Each test has a stream and the socket that Weir has joined with it."""
import json
import random
import signal
import socket
import threading

import pytest

from tunnel import Hub, connect, is_reset, read_to_end, reset
from tunnel_peer import AgentPeer, HubPeer, say
from waiting import LIMIT, give_ports_back, until
from yamux import ACK, DATA, FIN, GO_AWAY, NORMAL, PING, PROTOCOL_ERROR, RST, SYN, WINDOW, WINDOW_FIRST

MEGABYTE = bytes(range(256)) * 4096
# Reasons that travel in the length of a reset.
UNSPECIFIED, SOCKET_RESET, NOT_ALLOWED, MISTAKE = 0, 1, 5, 9


@pytest.fixture(scope="module", params=["hub-tls", "hub-websocket", "agent-tls", "agent-websocket"])
def peer(request, tmp_path_factory):
    """The test's own end, and Weir as the other one; named by the test's role."""
    role, transport = request.param.split("-")
    directory = tmp_path_factory.mktemp(request.param)
    stopping = []
    try:
        if role == "hub":
            made = HubPeer(directory, transport)
        else:
            hub = Hub(directory / "hub")
            stopping.append(hub.terminate)
            made = AgentPeer(directory, transport, hub.start())
        stopping.append(made.stop)
        yield made
    finally:
        for stop in reversed(stopping):
            stop()
        give_ports_back()


@pytest.fixture(scope="module")
def standing(peer):
    return {}


@pytest.fixture
def session(peer, standing):
    """A link that stands; the same for all tests that leave it so. At the end of each its peer has done nothing wrong and it still carries."""
    link = standing.get("link")
    if link is None or link.ended or link.gone_away is not None:
        link = standing["link"] = peer.link()
    yield link
    if standing["link"] is link and not link.ended and link.gone_away is None:
        carries(peer, link)
    assert link.faults == [] and [stray for stray in link.strays if not stray.flags & RST] == []


@pytest.fixture
def joined(peer, session):
    """joined(…) -> (stream, socket)"""
    sockets = []

    def make(**more):
        stream, far = peer.join(session, **more)
        sockets.append(far)
        return stream, far
    yield make
    for one in sockets:
        one.close()


def carries(peer, session):
    """A new stream works, from its opening to both ends."""
    stream, far = peer.join(session)
    with far:
        stream.send(b"ping")
        assert far.recv(4, socket.MSG_WAITALL) == b"ping"
        far.sendall(b"pong")
        far.shutdown(socket.SHUT_WR)
        assert stream.read_to_end() == (b"pong", "fin")
        stream.finish()
        assert read_to_end(far) == (b"", "eof")


def in_background(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


# MARK: What both sides do right

def test_data_both_ways_with_updates_in_odd_sizes(joined):
    """The peer sends frames of 16 KiB at the most and never more than it was granted, however oddly; ours have any size."""
    stream, far = joined()
    stream.grants = False
    chance, size = random.Random(7), 3

    def talk():
        for _ in range(size):
            far.sendall(MEGABYTE)
        far.shutdown(socket.SHUT_WR)
    talking = in_background(talk)
    heard = bytearray()
    listening = in_background(lambda: heard.extend(read_to_end(far)[0]))

    def speak():
        at = 0
        while at < len(MEGABYTE):
            amount = chance.choice((1, 11, 4_095, 16_384, 50_001))
            stream.send(MEGABYTE[at:at + amount], size=amount)
            at += amount
        stream.finish()
    speaking = in_background(speak)
    came = bytearray()
    while len(came) < size << 20:
        amount = min(chance.choice((1, 777, 16_385, 65_535, 131_073)), (size << 20) - len(came))
        if stream.granted < WINDOW_FIRST:
            stream.grant(chance.choice((1, 3, 999, 65_537, 200_001)))
        stream.session.until("more", lambda: stream.data)
        with stream.session.changed:
            came += stream.data[:amount]
            del stream.data[:amount]
    assert came == MEGABYTE * size and stream.biggest <= 16_384
    assert stream.read_to_end() == (b"", "fin") and stream.fins == 1
    for thread in (talking, listening, speaking):
        thread.join(LIMIT)
    assert heard == MEGABYTE and sum(stream.updates) <= (1 << 20) + (4 << 20)


def test_half_close_of_this_side(joined):
    stream, far = joined()
    stream.send(b"question")
    stream.finish()
    assert read_to_end(far) == (b"question", "eof")
    in_background(lambda: (far.sendall(MEGABYTE), far.shutdown(socket.SHUT_WR)))
    assert stream.read_to_end() == (MEGABYTE, "fin")


def test_half_close_of_the_other_side(joined):
    """And FIN on the last data frame."""
    stream, far = joined()
    far.sendall(b"greeting")
    far.shutdown(socket.SHUT_WR)
    assert stream.read_to_end() == (b"greeting", "fin")
    heard = []
    listening = in_background(lambda: heard.append(read_to_end(far)))
    stream.send(MEGABYTE)
    stream.finish(on_data=b"end")
    listening.join(LIMIT)
    assert heard == [(MEGABYTE + b"end", "eof")] and stream.fins == 1


@pytest.mark.parametrize("kind", [WINDOW, DATA])
def test_a_reset_of_this_side(joined, session, kind):
    """RST on either kind of frame, with a reason and without: the socket is reset, and does not end well."""
    stream, far = joined()
    far.sendall(b"x")
    assert stream.read(1) == b"x"
    session.frame(kind, RST, stream.id, SOCKET_RESET if kind == WINDOW else 0)
    assert read_to_end(far) == (b"", "reset")


def test_a_reset_of_the_other_side_has_a_reason(joined):
    stream, far = joined()
    stream.send(b"x")
    assert far.recv(1) == b"x"
    reset(far)
    assert stream.until_reset() == SOCKET_RESET


def test_pings(session):
    assert [session.ping(number) for number in (0, 7, 0xFFFF_FFFF)] == [1, 1, 1]
    session.frame(PING, ACK, 0, 99)             # an answer that nobody asked for


def test_the_window_is_respected_to_the_byte(joined, session):
    """Nobody reads: 256 KiB come and no byte more, whatever the socket has; then exactly what is granted."""
    stream, far = joined()
    before = stream.received
    stream.grants = False
    sending = in_background(lambda: (far.sendall(MEGABYTE * 2), far.shutdown(socket.SHUT_WR)))
    session.until("the window is used up", lambda: stream.granted == 0)
    for extra in (1, 2, 70_001, 262_144):
        carries_on = session.ping(1) == 1 and session.ping(2) == 1
        assert carries_on and stream.granted == 0
        stream.grant(extra)
        session.until(f"{extra} more", lambda: stream.granted == 0)
    session.ping(3)
    assert stream.received == WINDOW_FIRST + 1 + 2 + 70_001 + 262_144
    stream.grants = True
    stream.grant(WINDOW_FIRST)
    came = stream.read_to_end()
    assert (len(came[0]) + before, came[1]) == ((2 << 20) + before, "fin")
    sending.join(LIMIT)


def test_a_socket_that_is_not_read_grants_nothing(peer, joined, session):
    """All credit is used: no more comes until the socket is read, the stream is not reset, and its neighbour goes on."""
    stream, far = joined(receive_buffer=8_192)
    sent = 0
    size = 24 << 20
    text = (MEGABYTE * 24)[:size]

    def fill():
        stream.send(text)
        stream.finish()
    filling = in_background(fill)
    until("no credit is left", lambda: stream.credit == 0 and session.ping(5) and stream.credit == 0)
    carries(peer, session)
    sent = WINDOW_FIRST + sum(stream.updates) - stream.credit
    assert filling.is_alive() and sent < size and stream.ended is None
    assert read_to_end(far) == (text, "eof")
    filling.join(LIMIT)


def test_many_streams(peer, session):
    """All open at once; the peer's numbers have its parity and grow."""
    pairs = [peer.join(session) for _ in range(150)]
    numbers = [stream.id for stream, _ in pairs]
    assert numbers == sorted(set(numbers)) and {number % 2 for number in numbers} == {0}, "the hub opens, with even numbers"
    for number, (stream, far) in enumerate(pairs):
        stream.send(f"to {number}".encode())
        far.sendall(f"from {number}".encode())
    for number, (stream, far) in enumerate(pairs):
        assert stream.read(len(f"from {number}")) == f"from {number}".encode()
        assert far.recv(64) == f"to {number}".encode()
    for number, (stream, far) in enumerate(pairs):
        if number % 2:
            far.close()
            assert stream.read_to_end() == (b"", "fin")
            stream.finish()
        else:
            stream.finish()
            assert read_to_end(far) == (b"", "eof")
            far.close()
            assert stream.read_to_end() == (b"", "fin")


def test_frames_of_no_bytes(joined, session):
    """Empty data, windows that grant nothing, an empty FIN: each means nothing more than its flags."""
    stream, far = joined(on_data=True)      # SYN or ACK on a data frame
    for _ in range(3):
        session.frame(DATA, 0, stream.id, 0)
        session.frame(WINDOW, 0, stream.id, 0)
        session.frame(WINDOW, ACK, stream.id, 0)
    stream.send(b"x")
    assert far.recv(1) == b"x"
    stream.finish(on_data=b"")
    assert read_to_end(far) == (b"", "eof")
    far.sendall(b"y")
    far.close()
    assert stream.read_to_end() == (b"y", "fin")


def test_the_last_numbers(peer, session):
    """Streams may have any number of their side, up to the last of 2³², and in any order."""
    if peer.role == "agent":
        # Agents open none but the conversation: refused like any other.
        numbers = (0xFFFF_FFFF, 0x8000_0001)
        for session.next in numbers:
            assert session.open().until_reset() == NOT_ALLOWED
        return
    before = session.next
    for session.next in (0xFFFF_FFFE, 0x8000_0000):
        carries(peer, session)
    session.next = before


# MARK: What this side does wrong

def counted(peer):
    """How many streams Weir has ended because their peer made a mistake."""
    if peer.role == "hub":
        return peer.agent.metric("weir_agent_stream_ends_total", connector="echo", reason="protocol_error")
    return peer.hub.metric("weir_tunnel_stream_ends_total", connector="echo", reason="protocol_error")


def is_counted(peer, before):
    until("it is counted", lambda: counted(peer) == before + 1)


def test_more_than_was_granted(peer, joined, session):
    """That stream is reset, with the reason; its neighbour keeps its bytes and goes on."""
    before = counted(peer)
    neighbour, near = joined()
    neighbour.send(b"kept")
    stream, far = joined(receive_buffer=8_192)
    over = stream.credit + 1
    session.frame(DATA, 0, stream.id, over, bytes(over))
    assert stream.until_reset() == MISTAKE
    assert read_to_end(far)[1] == "reset"
    near.sendall(b"too")
    assert (near.recv(4, socket.MSG_WAITALL), neighbour.read(3)) == (b"kept", b"too")
    is_counted(peer, before)


def test_more_than_was_granted_after_all_was_used(peer, joined, session):
    """One byte over, when the window is used up to the last."""
    before = counted(peer)
    stream, far = joined(receive_buffer=8_192)
    in_background(lambda: stream.session and send_all(stream))
    until("no credit is left", lambda: stream.credit == 0 and session.ping(6) and stream.credit == 0)
    session.frame(DATA, 0, stream.id, 1, b"!")
    assert stream.until_reset() == MISTAKE
    assert read_to_end(far)[1] == "reset"
    is_counted(peer, before)


def send_all(stream):
    try:
        stream.send(MEGABYTE * 24)
    except AssertionError:
        pass        # reset, as the test wants


@pytest.mark.parametrize("what", ["second-fin", "data-after-fin"])
def test_more_after_the_end(peer, joined, session, what):
    before = counted(peer)
    stream, far = joined()
    stream.finish()
    assert read_to_end(far) == (b"", "eof")
    if what == "second-fin":
        stream.finish()
    else:
        session.frame(DATA, 0, stream.id, 4, b"more")
    assert stream.until_reset() == MISTAKE
    with pytest.raises(OSError):
        for _ in range(1000):
            far.sendall(MEGABYTE)       # FIN was read before: the reset shows in the next write
    is_counted(peer, before)


def test_more_credit_than_there_can_be(peer, joined, session):
    before = counted(peer)
    stream, far = joined()
    session.frame(WINDOW, 0, stream.id, 0xFFFF_FFFF)
    assert stream.until_reset() == MISTAKE
    assert read_to_end(far) == (b"", "reset")
    is_counted(peer, before)


def test_frames_of_streams_that_are_not_there(joined, session):
    """Of one that was never opened and of one that is over: payload is skipped, nothing is answered, others go on."""
    stream, far = joined()
    over, away = joined()
    over.reset()
    assert read_to_end(away)[1] == "reset"
    for number in (over.id, 4_002, 4_001):
        session.frame(DATA, 0, number, 5_000, bytes(5_000))
        for flags in (0, FIN, RST, ACK):
            session.frame(WINDOW, flags, number, 10)
    stream.send(b"still")
    assert far.recv(16) == b"still"
    assert session.strays == [] and session.gone_away is None


def test_streams_that_may_not_be_opened(peer, session):
    """A real hub: agents open one stream. A real agent: a request must be one, and name what it serves."""
    if peer.role == "agent":
        mistakes = lambda: peer.hub.metric("weir_tunnel_agent_mistakes_total", agent="site-01", type="opened_stream")  # noqa: E731
        before = mistakes()
        assert [session.open().until_reset() for _ in range(300)] == [NOT_ALLOWED] * 300
        assert mistakes() == before + 300
        return
    refused = lambda: peer.agent.metric("weir_agent_opens_refused_total", reason="not_allowed")  # noqa: E731
    before = refused()
    for request in (b"\xff\xff" + bytes(5_000), b"\x00\x04\xff{}\"", b"\x00\x02[]", b"\x00\x00"):
        assert session.open(request).until_reset() == MISTAKE
    assert session.open(peer.request("nobody")).read_to_end()[0] == b"\x04", "not allowed"
    assert refused() == before + 1
    assert session.open(peer.request("none")).read_to_end()[0] == b"\x01", "refused"


# Only a hub is asked.
@pytest.mark.parametrize("peer", ["agent-tls", "agent-websocket"], indirect=True)
def test_answers_that_are_no_good(peer, session):
    """What an agent says before the target's first byte: refusals, nonsense, an end; the client is reset, and the reason is recorded."""
    for answer, reason in ((b"\x01", "refused"), (b"\x02", "unreachable"), (b"\x03", "connect_timeout"), (b"\x04", "not_allowed"),
                           (b"\x63", "protocol_error"), ("fin", "protocol_error"), ("rst", "unspecified")):
        before, came = len(refusals(peer.hub)), []
        dial = in_background(lambda: came.append(is_reset(peer.hub.ports["echo"])))
        stream = peer.taken(session, status=None)
        if answer == "fin":
            stream.finish()
        elif answer == "rst":
            stream.reset()
        else:
            stream.send(answer)
        dial.join(LIMIT)
        assert came == [True], reason
        until("it is recorded", lambda: len(refusals(peer.hub)) == before + 1)
        assert refusals(peer.hub)[-1] == reason


def refusals(hub):
    return [record["reason"] for record in hub.audit() if record["result"] == "refused"]


WRONG = {
    "version": lambda link: link.frame(DATA, version=1),
    "type": lambda link: link.frame(7),
    "flags": lambda link: link.frame(WINDOW, 16, 3),
    "stream-zero": lambda link: link.frame(DATA, 0, 0, 4, b"zero"),
    "wrong-side": lambda link: link.frame(WINDOW, SYN, link.next + 1, 0),
    "opened-twice": lambda link: link.frame(WINDOW, SYN, link.talk.id if link.talk.id % 2 == link.next % 2 else link.again, 0),
    "too-long": lambda link: link.frame(DATA, 0, link.talk.id, (16 << 20) + 1),
    "long-message": lambda link: link.talk.send(b"\xff\xff\xff\xff"),
    "no-json": lambda link: link.talk.send(b"\x00\x00\x00\x04nope"),
    "half-a-message": lambda link: say(link.talk, type="hello"),
    "http": lambda link: link.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
}


@pytest.mark.parametrize("what", WRONG)
def test_frames_that_leave_the_rest_without_meaning(peer, standing, what):
    """GOAWAY with 1 and the end of the link, no more: the socket is reset, it is counted, the next link stands at once."""
    link = standing.get("link")
    if link is None or link.ended or link.gone_away is not None:
        link = peer.link()
    standing["link"] = None
    ends = ended(peer)
    stream, far = peer.join(link)
    link.again = stream.id
    WRONG[what](link)
    with far:
        assert read_to_end(far) == (b"", "reset")
    link.until("it says so", lambda: link.gone_away == PROTOCOL_ERROR)
    until("the link has ended", lambda: link.ended)
    standing["link"] = peer.link() if what == "version" else peer.anew()
    carries(peer, standing["link"])
    assert ends is None or ended(peer) == ends + 1, "it is counted"


def ended(peer):
    """How often the test's agent has come back after a real hub had ended its link for what came over it."""
    if peer.role == "agent":
        return peer.hub.metric("weir_tunnel_agent_reconnects_total", agent="site-01", reason="protocol")
    return None


# MARK: Going

def test_goaway_of_this_side(peer, session, standing):
    """What is open goes on to its end; new streams take the next link."""
    stream, far = peer.join(session)
    session.frame(GO_AWAY, 0, 0, NORMAL)
    session.ping(8)
    standing["link"] = peer.link()      # a real agent dials by itself
    carries(peer, standing["link"])
    stream.send(b"still")
    assert far.recv(16) == b"still"
    far.sendall(MEGABYTE[:100_000])
    far.close()
    assert stream.read_to_end() == (MEGABYTE[:100_000], "fin")
    stream.finish()
    assert session.opened == []


def test_goaway_of_the_other_side(peer, session):
    """Weir is told to stop: it says so, takes no more, lets what is open end, and ends well."""
    stream, far = peer.join(session)
    process = peer.agent.process if peer.role == "hub" else peer.hub.process
    process.send_signal(signal.SIGTERM)
    session.until("it goes away", lambda: session.gone_away is not None)
    assert session.gone_away == NORMAL
    if peer.role == "hub":
        # The agent takes no more streams.
        assert session.open(peer.request()).until_reset() != UNSPECIFIED
    stream.send(b"last words")
    assert far.recv(16) == b"last words"
    far.close()
    assert stream.read_to_end() == (b"", "fin")
    stream.finish()
    until("the link has ended", lambda: session.ended)
    assert session.ended == "eof" and process.process.wait(LIMIT) == 0, process.output()[-2000:]
