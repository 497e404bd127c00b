"""Processes of a test: started in a directory of their own, ended by their process id, never by name."""
import os
import signal
import subprocess

from waiting import LIMIT, until


class Process:
    """One program started here. What it prints is in `log`."""

    def __init__(self, name, command, directory, env=None, limits=None):
        self.name = name
        self.command = [str(part) for part in command]
        self.log = directory / f"{name}.log"
        self._out = open(self.log, "ab")
        self.process = subprocess.Popen(
            self.command, cwd=directory, stdin=subprocess.DEVNULL, stdout=self._out, stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})}, start_new_session=True, preexec_fn=limits)
        self.pid = self.process.pid

    @property
    def is_alive(self):
        return self.process.poll() is None

    def wait_until(self, what, condition, limit=LIMIT):
        """Waits, and fails at once with the end of the log when the program has ended."""
        def answer():
            if not self.is_alive:
                raise AssertionError(f"{self.name} ended with {self.process.returncode} before: {what}\n{self.output()[-3000:]}")
            return condition()
        try:
            return until(what, answer, limit)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.name} printed:\n{self.output()[-3000:]}") from None

    def output(self):
        return self.log.read_text(errors="replace")

    def send_signal(self, number):
        if self.is_alive:
            os.kill(self.pid, number)

    def stop(self, number=signal.SIGTERM, limit=30):
        """Ends it; returns its exit code, or None when it had to be killed after `limit` seconds."""
        self.send_signal(number)
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        try:
            os.killpg(self.pid, signal.SIGKILL)      # the group is ours: it was made by start_new_session
        except ProcessLookupError:
            pass
        self.process.wait(LIMIT)
        self._out.close()
        return code

    def kill(self):
        return self.stop(signal.SIGKILL)
