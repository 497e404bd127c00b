"""A sender that knows what was promised to it: it posts batches over HTTP and remembers those that were acknowledged."""
import http.client
import threading
import time

from events import json_event, numbers
from waiting import LIMIT


class Poster:
    """Posts batches of numbered events, one after the other, until told to stop or until the server is gone."""

    def __init__(self, port, size=20, first=0, timeout=LIMIT, more=""):
        self.port, self.size, self.next, self.timeout = port, size, first, timeout
        self.more = {"more": more} if more else {}
        self.acknowledged = set()
        self.offered = first
        self.refusals = []
        self._stop = threading.Event()
        self._thread = None

    def post(self, connection):
        """One batch. -> its status; raises OSError or HTTPException when the server is gone."""
        numbers = range(self.next, self.next + self.size)
        body = "".join(json_event(n, **self.more) + "\n" for n in numbers).encode()
        self.offered = max(self.offered, numbers.stop)
        connection.request("POST", "/", body, {"Content-Type": "application/x-ndjson"})
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            self.acknowledged.update(numbers)
            self.next = numbers.stop
        else:
            self.refusals.append((answer.status, answer.getheader("Retry-After")))
        return answer.status

    def run(self, most=None):
        """Posts until `most` batches were acknowledged, `stop`, or the server is gone. -> True when it was still there."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        done = 0
        try:
            while not self._stop.is_set() and (most is None or done < most):
                if self.post(connection) == 200:
                    done += 1
                elif len(self.refusals) > 2000:
                    return True
            return True
        except (OSError, http.client.HTTPException):
            self.next = self.offered      # the last batch may or may not be in: its numbers are not used again
            return False
        finally:
            connection.close()

    def start(self):
        self._stop.clear()
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        return self

    def stop(self):
        self._stop.set()
        if self._thread:
            self._thread.join(LIMIT)


def assert_kept(poster, receiver, limit=LIMIT):
    """Everything acknowledged arrives, and nothing arrives that was never offered. What the kernel has taken from Weir may still be
    on its way through the receiver's threads: that is waited for."""
    end = time.monotonic() + limit
    while (lost := poster.acknowledged - set(seen := numbers(receiver.bytes()))) and time.monotonic() < end:
        time.sleep(0.02)
    strange = [n for n in seen if n >= poster.offered]
    assert not lost, f"{len(lost)} acknowledged events are lost, first: {sorted(lost)[:5]}"
    assert not strange, f"events that nobody sent: {strange[:5]}"
