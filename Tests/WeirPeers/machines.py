"""Machines of a test: network namespaces with cables between them that can be cut. As root only; elsewhere all is one machine."""
import ctypes
import os
import subprocess
import threading
import warnings

from waiting import until

NET = 0x40000000        # CLONE_NEWNET
libc = ctypes.CDLL(None, use_errno=True)


def _ip(*arguments):
    subprocess.run(["ip", *map(str, arguments)], check=True, capture_output=True, timeout=30)


class Machine:
    """`with machine:` what is done by this thread, and the programs that it starts, are on that machine."""

    def __init__(self):
        self.keeper = subprocess.Popen(["unshare", "--net", "sleep", "600"])     # the namespace lives as long as it does
        self.path = f"/proc/{self.keeper.pid}/ns/net"
        own = os.readlink("/proc/self/ns/net")
        until("the namespace is there", lambda: self.keeper.poll() is None and os.readlink(self.path) != own)
        self.before = threading.local()
        with self:
            _ip("link", "set", "lo", "up")

    def __enter__(self):
        stack = self.before.__dict__.setdefault("stack", [])
        stack.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        there = os.open(self.path, os.O_RDONLY)
        self._enter(there)
        os.close(there)
        return self

    def __exit__(self, *_):
        back = self.before.stack.pop()
        self._enter(back)
        os.close(back)

    @staticmethod
    def _enter(descriptor):
        if libc.setns(descriptor, NET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def cut(self, cable):
        with self:
            _ip("link", "set", cable, "down")

    def mend(self, cable):
        with self:
            _ip("link", "set", cable, "up")

    def stop(self):
        self.keeper.kill()
        self.keeper.wait()


class Network:
    """A machine with a switch for each cable; `join` lays one from each switch to another machine."""

    def __init__(self, cables):
        self.cables, self.count, self.members = dict(cables), 0, []
        self.center = Machine()
        with self.center:
            for number, (name, net) in enumerate(self.cables.items()):
                # An address of its own: else it takes the lowest of its members, and changes it when another joins.
                _ip("link", "add", name, "address", f"02:00:00:00:01:{number:02x}", "type", "bridge")
                _ip("addr", "add", f"{net}.1/24", "dev", name)
                _ip("link", "set", name, "up")

    def machine(self):
        """-> (machine, {cable: its address})"""
        made = Machine()
        self.members.append(made)
        self.count += 1
        addresses = {}
        for name, net in self.cables.items():
            with self.center:
                _ip("link", "add", f"{name}{self.count}", "type", "veth", "peer", "name", name, "netns", made.keeper.pid)
                _ip("link", "set", f"{name}{self.count}", "master", name)
                _ip("link", "set", f"{name}{self.count}", "up")
            with made:
                _ip("addr", "add", f"{net}.{self.count + 10}/24", "dev", name)
                _ip("link", "set", name, "up")
            addresses[name] = f"{net}.{self.count + 10}"
        return made, addresses

    def stop(self):
        for machine in [*self.members, self.center]:
            machine.stop()


class OneMachine:
    """In the place of a network where there are no rights for one: everything is on this machine, and no cable can be cut."""

    is_one = True

    def __init__(self, cables):
        self.cables, self.center = dict(cables), self
        warnings.warn("NO NETWORK NAMESPACES (not root, or unshare and iproute2 are missing): the hubs of the mesh share this machine")

    def machine(self):
        return self, {name: "127.0.0.1" for name in self.cables}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def stop(self):
        pass


def network(**cables):
    """network(core="10.98.0", mesh="10.99.0")"""
    try:
        made = Network(cables)
    except (OSError, subprocess.SubprocessError, AssertionError):
        return OneMachine(cables)
    made.is_one = False
    return made
