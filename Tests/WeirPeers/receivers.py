"""Receivers played by the test itself: a TCP sink and a scripted HTTP server."""
import gzip
import http.server
import json
import select
import socket
import socketserver
import struct
import threading
import time
import zlib

from waiting import connections_at, free_port


class TCPReceiver:
    """Collects what is sent to it. `stall` stops reading; `stop` refuses connections until `start`. With `half_closes` it ends its own
    side of each connection with the first bytes that come, and goes on reading. (At once would be a receiver that nobody can tell from
    one that is gone: Weir does not write to a connection whose other side has ended.)"""

    def __init__(self, port=None, receive_buffer=None, host="127.0.0.1", half_closes=False):
        self.port = port or free_port()
        self.data = bytearray()
        self.connections = 0
        self.bytes_per_second = None
        self.host, self.half_closes = host, half_closes
        self._receive_buffer = receive_buffer
        self._lock = threading.Lock()
        self._flow = threading.Event()
        self._flow.set()
        self._server = None

    def start(self):
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._receive_buffer:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        server.bind((self.host, self.port))
        server.listen(64)
        self._server, self._open = server, []
        threading.Thread(target=self._accept, args=(server, self._open), daemon=True).start()
        return self

    def _accept(self, server, connections):
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            self.connections += 1
            connections.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection):
        is_whole = True
        while True:
            self._flow.wait()
            try:
                if not select.select([connection], [], [], 0.05)[0]:
                    continue
                if not self._flow.is_set():
                    continue
                chunk = connection.recv(min(65536, (self.bytes_per_second or 1 << 20) // 10))
            except (OSError, ValueError):
                return
            if not chunk:
                connection.close()
                return
            with self._lock:
                self.data += chunk
            if self.half_closes and is_whole:
                is_whole = False
                try:
                    connection.shutdown(socket.SHUT_WR)
                except OSError:
                    return
            if self.bytes_per_second:
                time.sleep(len(chunk) / self.bytes_per_second)

    @property
    def has_read_all(self):
        """Every connection was ended by the other side and read to its end: nothing is on its way any more."""
        return connections_at(self.port, self.host) == 0

    @property
    def is_listening(self):
        return self._server is not None

    def bytes(self):
        with self._lock:
            return bytes(self.data)

    def lines(self):
        return [line for line in self.bytes().split(b"\n") if line]

    def count(self):
        with self._lock:
            return self.data.count(b"\n")

    def stall(self):
        self._flow.clear()

    def resume(self):
        self._flow.set()

    def reset_connections(self):
        """Ends every open connection with RST, as a crashed receiver would."""
        for connection in self._open:
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
            except OSError:
                pass
        self._open.clear()

    def stop(self):
        if self._server:
            try:
                self._server.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self._server.close()
            self._server = None
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                    connection.close()
                except OSError:
                    pass
            self._open.clear()
        self._flow.set()


class Answer:
    """What the HTTP receiver does with one request: a status, or one of the ways to misbehave."""

    def __init__(self, status=200, headers=None, body=b"", delay=0.0, reset=False, garbage=False, half_close=False, take=None):
        self.status, self.headers, self.body = status, headers or {}, body
        self.delay, self.reset, self.garbage, self.half_close = delay, reset, garbage, half_close
        # Whether the events of the request count as received; by default with every 2xx.
        self.take = 200 <= status < 300 and not (reset or garbage or half_close) if take is None else take


class Request:
    def __init__(self, at, method, path, headers, body, answer):
        self.at, self.method, self.path, self.headers, self.body, self.answer = at, method, path, headers, body, answer


class HTTPReceiver:
    """A scripted HTTP server: `answers` are used up one a request, then `default` holds (an Answer or a function of the request)."""

    def __init__(self, port=None, default=None, bulk=False):
        self.port = port or free_port()
        self.default = default or Answer()
        self.answers = []
        self.requests = []
        self.bulk = bulk
        self._taken = []
        self._connections = []
        self._lock = threading.Lock()
        self._server = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _serve(self):
                body = self._body()
                receiver._serve(self, body)

            def _body(self):
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    parts = []
                    while True:
                        size = int(self.rfile.readline().split(b";")[0], 16)
                        if size == 0:
                            self.rfile.readline()
                            break
                        parts.append(self.rfile.read(size))
                        self.rfile.readline()
                    body = b"".join(parts)
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                encoding = self.headers.get("Content-Encoding", "")
                if encoding == "gzip":
                    body = gzip.decompress(body)
                elif encoding == "deflate":
                    body = zlib.decompress(body)
                return body

            do_POST = do_PUT = do_GET = do_HEAD = do_OPTIONS = _serve

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

            def get_request(self):
                connection, address = super().get_request()
                receiver._connections.append(connection)
                return connection, address

            def handle_error(self, request, address):
                pass                      # a receiver that resets its own connections has errors by design

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def _serve(self, handler, body):
        with self._lock:
            chosen = self.answers.pop(0) if self.answers else self.default
        request = Request(time.monotonic(), handler.command, handler.path, dict(handler.headers), body, None)
        answer = chosen(request) if callable(chosen) else chosen
        request.answer = answer
        if answer.delay:
            time.sleep(answer.delay)
        with self._lock:
            self.requests.append(request)
            if answer.take and body:
                self._taken.append(body)
        connection = handler.connection
        if answer.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.close_connection = True
            connection.close()
            return
        if answer.garbage:
            handler.wfile.write(b"\x00\xffnothing that is HTTP\r\n\r\n")
            handler.close_connection = True
            return
        if answer.half_close:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf of")
            handler.wfile.flush()
            handler.close_connection = True
            return
        content = answer.body
        if self.bulk and not content and 200 <= answer.status < 300:
            actions = [line for line in body.split(b"\n") if line][::2]
            content = json.dumps({"took": 1, "errors": False, "items": [{"index": {"status": 201}} for _ in actions]}).encode()
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def bytes(self):
        with self._lock:
            return b"\n".join(self._taken)

    def count(self):
        from events import numbers
        return sum(numbers(self.bytes()).values())

    def stop(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            # Kept-alive connections have threads of their own, which would go on answering.
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass                  # closed already
            self._connections = []
