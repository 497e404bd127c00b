"""Fixtures: a running Weir, receivers, real daemons. Everything ends by its process id when its test ends."""
import os
import subprocess

import pytest

import daemons
from receivers import HTTPReceiver, TCPReceiver
from tunnel import Agent, Hub, Target
from waiting import free_port, give_ports_back
from weir import BINARY, Weir


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"there is no {BINARY}: `make test` builds it", returncode=3)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    item.stash.setdefault(FAILED, {})[call.when] = outcome.get_result().failed


FAILED = pytest.StashKey()


@pytest.fixture
def stopping(request):
    """A list of things with `stop()`, `terminate()` or `kill()`; ended in reverse order."""
    things = []
    request.addfinalizer(give_ports_back)
    yield things
    for thing in reversed(things):
        try:
            if isinstance(thing, Weir):
                if request.node.stash.get(FAILED, {}).get("call") and thing.process is not None:
                    print(f"--- end of {thing.process.log.name}\n{thing.output()[-4000:]}")
                if thing.terminate(limit=30) is None:
                    print(f"{thing.process.name} did not end within 30 s of SIGTERM")
            else:
                thing.stop()
        except (OSError, subprocess.SubprocessError) as problem:
            print(f"while stopping {thing}: {problem}")


@pytest.fixture
def run_weir(tmp_path, stopping):
    """run_weir(configuration, …) starts a Weir and waits until it is ready."""
    def run(configuration, name="weir", ready=True, **more):
        server = Weir(tmp_path / name, configuration, **more)
        stopping.append(server)
        return server.start(ready=ready)
    return run


@pytest.fixture
def run_hub(tmp_path, stopping):
    """run_hub(connectors, …) starts a hub of the tunnel and waits until it is ready."""
    def run(connectors=("echo",), name="hub", **more):
        hub = Hub(tmp_path / name, connectors, **more)
        stopping.append(hub)
        return hub.start()
    return run


@pytest.fixture
def run_agent(tmp_path, stopping):
    """run_agent(hub, {"echo": port}, *options) starts an agent; it enrols unless it is told how else to prove itself."""
    def run(hub, serve, *options, name="site-01", token=None, enrols=True, connected=True, **more):
        token = (token or hub.token(name, *(key for key in serve if key in hub.ports))) if enrols else None
        agent = Agent(tmp_path, hub, name, serve, options, token, **more)
        stopping.append(agent)
        agent.start()
        return agent.until_connected() if connected else agent
    return run


@pytest.fixture
def target(stopping):
    """target(…) is a system behind an agent."""
    def make(**more):
        made = Target(**more)
        stopping.append(made)
        return made
    return make


@pytest.fixture
def tcp_receiver(stopping):
    def make(started=True, **more):
        receiver = TCPReceiver(**more)
        stopping.append(receiver)
        return receiver.start() if started else receiver
    return make


@pytest.fixture
def http_receiver(stopping):
    def make(started=True, **more):
        receiver = HTTPReceiver(**more)
        stopping.append(receiver)
        return receiver.start() if started else receiver
    return make


def _daemon(start):
    @pytest.fixture
    def fixture(tmp_path, stopping):
        def run(*arguments, **more):
            process = start(tmp_path, *arguments, **more)
            stopping.append(process)
            return process
        return run
    return fixture


rsyslog = _daemon(daemons.start_rsyslog)
syslog_ng = _daemon(daemons.start_syslog_ng)
nginx = _daemon(daemons.start_nginx)
haproxy = _daemon(daemons.start_haproxy)


@pytest.fixture
def port():
    """port() gives a free loopback port."""
    return free_port


@pytest.fixture
def mounted(tmp_path, as_root):
    """mounted(kind, size_mb): a file system of its own; a skip where the machine does not allow it."""
    mounts, loops = [], []

    def run(*command):
        return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)

    def mount(kind, size_mb):
        place = tmp_path / f"mount-{len(mounts)}"
        place.mkdir()
        if kind == "tmpfs":
            done = run("mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", place)
        else:
            image = tmp_path / f"image-{len(mounts)}"
            with open(image, "wb") as file:
                file.truncate(size_mb << 20)
            run(daemons.program("mkfs.ext4"), "-q", "-F", image)
            done = run("mount", "-o", "loop", image, place)
        if done.returncode != 0:
            pytest.skip(f"NO MOUNT: this machine mounts no {kind} ({done.stderr.strip()})")
        mounts.append(place)
        return place

    def remount(place):
        run("umount", place)
        done = run("mount", "-o", "loop", tmp_path / f"image-{mounts.index(place)}", place)
        assert done.returncode == 0, done.stderr

    mount.again = remount
    yield mount
    for place in mounts:
        if run("umount", place).returncode != 0:
            run("umount", "-l", place)


@pytest.fixture
def as_root():
    if os.geteuid() != 0:
        pytest.skip("NOT ROOT: mounting a file system of the test's own needs root")
