"""yamux version 0, written from its public specification and from nothing of Weir's: one side of a session as a test wants it, well behaved
or not. Frames go over TCP, TLS or a WebSocket; one thread a session reads and writes."""
import base64
import hashlib
import os
import select
import socket
import ssl
import struct
import threading
from typing import NamedTuple

from waiting import LIMIT

DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
NORMAL, PROTOCOL_ERROR, INTERNAL_ERROR = range(3)
HEADER = struct.Struct(">BBHII")
WINDOW_FIRST = 262_144


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    length: int
    body: bytes = b""


class WebSocketFrames:
    """RFC 6455 as far as a stream of bytes needs it: binary messages of any size, ping and close."""

    def __init__(self, masks):
        self.masks, self.rest = masks, b""

    def encode(self, data, opcode=2):
        mask = os.urandom(4) if self.masks else b""
        size = len(data)
        head = bytes([0x80 | opcode])
        bit = 0x80 if self.masks else 0
        head += bytes([bit | size]) if size < 126 else struct.pack(">BH", bit | 126, size) if size < 65_536 else struct.pack(">BQ", bit | 127, size)
        return head + mask + (xor(data, mask) if mask else data)

    def decode(self, data):
        """-> (payload so far, answers to send)"""
        self.rest += data
        payload, answers = b"", b""
        while len(self.rest) >= 2:
            opcode, second = self.rest[0] & 15, self.rest[1]
            at, size = 2, second & 127
            if size >= 126:
                width = 2 if size == 126 else 8
                if len(self.rest) < at + width:
                    break
                size = int.from_bytes(self.rest[at:at + width], "big")
                at += width
            mask = b""
            if second & 128:
                mask = self.rest[at:at + 4]
                at += 4
            if len(self.rest) < at + size:
                break
            body = self.rest[at:at + size]
            body = xor(body, mask) if mask else body
            self.rest = self.rest[at + size:]
            if opcode in (0, 2):
                payload += body
            elif opcode == 9:
                answers += self.encode(body, 10)
        return payload, answers


def xor(data, mask):
    key = (mask * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(len(data), "big")


def websocket_accept(key):
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


class Session:
    """One side of a session. `dialled`: this side has odd streams.

    What the peer does wrong is in `faults`; what it said that belongs to no stream in `pings` and `gone_away`; how it ended in `ended`
    ("eof" or "reset"). `opened` are streams that the peer has opened; they are accepted by `accept`.
    """

    def __init__(self, connection, dialled, websocket=None):
        self.connection, self.websocket = connection, websocket
        self.next = 1 if dialled else 2
        self.changed = threading.Condition()
        self.streams, self.opened, self.faults, self.pings = {}, [], [], {}
        self.gone_away = self.ended = None
        self.strays = []                # frames of streams that are not known
        self._out, self._in, self._stops = bytearray(), bytearray(), False
        self._wake, self._woken = socket.socketpair()
        connection.setblocking(False)
        if isinstance(connection, ssl.SSLSocket):
            connection.suppress_ragged_eofs = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # MARK: What a test does

    def until(self, what, condition, limit=LIMIT):
        """Waits for something of this session; called with it locked."""
        with self.changed:
            done = self.changed.wait_for(lambda: condition() or self.ended, limit)
            assert condition(), f"{what}: {'the link ended: ' + self.ended if self.ended else 'not within the limit'}" if done else what

    def frame(self, kind, flags=0, stream=0, length=0, body=b"", version=0):
        """Exactly this, right or wrong."""
        self.raw(HEADER.pack(version, kind, flags, stream, length) + body)

    def raw(self, data):
        with self.changed:
            self._out += self.websocket.encode(data) if self.websocket else data
        self._wake.send(b"x")

    def open(self, first=b"", on_data=False):
        """A new stream of ours; with `on_data` its SYN is on a data frame."""
        with self.changed:
            stream = self.streams[self.next] = Stream(self, self.next)
            self.next += 2
        if on_data:
            stream.credit -= len(first)
            self.frame(DATA, SYN, stream.id, len(first), first)
        else:
            self.frame(WINDOW, SYN, stream.id, 0)
            stream.send(first)
        return stream

    def accept(self, on_data=False):
        """The next stream that the peer has opened; ACK on a frame of its own, or on an empty data frame."""
        self.until("a stream is opened", lambda: self.opened)
        stream = self.opened.pop(0)
        self.frame(DATA if on_data else WINDOW, ACK, stream.id, 0)
        return stream

    def ping(self, number):
        """Until the answer is there: the peer has read all that was sent before."""
        self.frame(PING, SYN, 0, number)
        self.until(f"an answer to ping {number}", lambda: number in self.pings)
        return self.pings.pop(number)

    def close(self, resets=False):
        self._stops = True
        try:
            self._wake.send(b"x")
        except OSError:
            pass
        self._thread.join(LIMIT)
        if resets:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    # MARK: Bytes

    def _run(self):
        ended = None
        while ended is None and not self._stops:
            readable, _, _ = select.select([self.connection, self._woken], [self.connection] if self._out else [], [])
            if self._woken in readable:
                self._woken.recv(4096)
            ended = self._read() or self._write()
        with self.changed:
            self.ended = ended or "closed"
            self.changed.notify_all()
        try:
            if ended:
                self.connection.shutdown(socket.SHUT_RDWR)      # as a peer does that has nothing more to say
        except OSError:
            pass

    def _read(self):
        while True:
            try:
                data = self.connection.recv(1 << 16)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return None
            except ConnectionResetError:
                return "reset"
            except OSError:
                return "eof"
            if not data:
                return "eof"
            with self.changed:
                if self.websocket:
                    data, answers = self.websocket.decode(data)
                    self._out += answers
                self._in += data
                self._take()
                self.changed.notify_all()

    def _write(self):
        with self.changed:
            while self._out:
                try:
                    sent = self.connection.send(self._out[:1 << 16])
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                    return None
                except OSError:
                    return None         # the reader finds out how it ended
                del self._out[:sent]
        return None

    # MARK: Frames

    def _take(self):
        while len(self._in) >= HEADER.size:
            version, kind, flags, stream, length = HEADER.unpack_from(self._in)
            if version != 0 or kind > GO_AWAY or flags > 15:
                self.faults.append(f"header {self._in[:12].hex()}")
                return self._in.clear()
            body = b""
            if kind == DATA:
                if len(self._in) < HEADER.size + length:
                    return None
                body = bytes(self._in[HEADER.size:HEADER.size + length])
            del self._in[:HEADER.size + len(body)]
            self._got(Frame(kind, flags, stream, length, body))

    def _got(self, frame):
        if frame.kind in (PING, GO_AWAY) and frame.stream != 0:
            self.faults.append(f"{frame} is of a stream")
        if frame.kind == PING:
            if frame.flags == SYN:
                self._answer(HEADER.pack(0, PING, ACK, 0, frame.length))
            else:
                self.pings[frame.length] = self.pings.get(frame.length, 0) + 1
        elif frame.kind == GO_AWAY:
            self.gone_away = frame.length
        else:
            if frame.flags & SYN:
                theirs = [number for number in self.streams if number % 2 != self.next % 2]
                if frame.stream % 2 == self.next % 2 or any(number >= frame.stream for number in theirs):
                    self.faults.append(f"{frame} opens the wrong stream")
                self.streams[frame.stream] = stream = Stream(self, frame.stream)
                self.opened.append(stream)
            if frame.stream in self.streams:
                self.streams[frame.stream]._got(frame)
            else:
                self.strays.append(frame)

    def _answer(self, data):
        self._out += self.websocket.encode(data) if self.websocket else data


class Stream:
    """One stream. It grants as it is read, unless `grants` is False; then only `grant` does.

    `data` is what has come and was not read, `received` how much in all, `ended` "fin", or ("reset", reason); `biggest` is the longest frame.
    """

    def __init__(self, session, number):
        self.session, self.id = session, number
        self.credit, self.granted = WINDOW_FIRST, WINDOW_FIRST     # what we may send; what the peer may
        self.grants, self.owed = True, 0
        self.data, self.received, self.biggest, self.updates = bytearray(), 0, 0, []
        self.accepted, self.ended, self.fins = False, None, 0

    def _got(self, frame):
        session = self.session
        if frame.flags & ACK:
            if self.accepted:
                session.faults.append(f"{frame} accepts twice")
            self.accepted = True
        if frame.flags & RST:
            self.ended = ("reset", frame.length if frame.kind == WINDOW else 0)
            return
        if frame.kind == WINDOW and frame.length:
            self.credit += frame.length
            self.updates.append(frame.length)
        if frame.kind == DATA:
            if self.fins and frame.length:
                session.faults.append(f"{frame.length} bytes after the FIN of stream {self.id}")
            self.granted -= frame.length
            if self.granted < 0:
                session.faults.append(f"{-self.granted} bytes more than granted on stream {self.id}")
            self.data += frame.body
            self.received += frame.length
            self.biggest = max(self.biggest, frame.length)
        if frame.flags & FIN:
            self.fins += 1
            if self.fins > 1:
                session.faults.append(f"a second FIN on stream {self.id}")
            self.ended = self.ended or "fin"

    # MARK: What a test does

    def send(self, data, size=16_384):
        """Frames of `size` bytes at the most, as credit comes."""
        at = 0
        while at < len(data):
            self.session.until(f"credit on stream {self.id}", lambda: self.credit > 0 or isinstance(self.ended, tuple))
            assert not isinstance(self.ended, tuple), f"stream {self.id} was reset: {self.ended}"
            with self.session.changed:
                part = data[at:at + min(size, self.credit)]
                self.credit -= len(part)
            self.session.frame(DATA, 0, self.id, len(part), part)
            at += len(part)

    def read(self, size):
        """So many bytes; the window is granted again when half of it was read."""
        self.session.until(f"{size} bytes of stream {self.id}", lambda: len(self.data) >= size or self.ended)
        with self.session.changed:
            part = bytes(self.data[:size])
            del self.data[:size]
            self.owed += len(part)
        assert len(part) == size, f"{len(part)} of {size} bytes, then {self.ended}"
        if self.grants and self.owed >= WINDOW_FIRST // 2:
            self.grant(self.owed)
        return part

    def read_to_end(self):
        """-> (bytes, "fin" or ("reset", reason))"""
        data = bytearray()
        while True:
            self.session.until(f"more of stream {self.id}, or its end", lambda: self.data or self.ended)
            with self.session.changed:
                size = len(self.data)
            if not size:
                return bytes(data), self.ended
            data += self.read(size)

    def grant(self, amount):
        with self.session.changed:
            self.granted += amount
            self.owed = max(0, self.owed - amount)
        self.session.frame(WINDOW, 0, self.id, amount)

    def finish(self, on_data=None):
        """FIN, on a frame of its own, or with these last bytes."""
        if on_data is None:
            self.session.frame(WINDOW, FIN, self.id, 0)
        else:
            with self.session.changed:
                self.credit -= len(on_data)
            self.session.frame(DATA, FIN, self.id, len(on_data), on_data)

    def reset(self, reason=0):
        self.session.frame(WINDOW, RST, self.id, reason)

    def until_reset(self):
        self.session.until(f"stream {self.id} is reset", lambda: isinstance(self.ended, tuple))
        return self.ended[1]
