"""Several hubs that are one: a client comes to any of them. Hubs and agents on machines of their own, Debian's Redis between them."""
import socket
import threading

import pytest

from machines import network
from mesh import Member, Redis
from tunnel import Agent, Target, read_to_end, reset
from waiting import give_ports_back, until

MEGABYTE = bytes(range(256)) * 4096
CABLES = {"core": "10.98.0", "mesh": "10.99.0"}


class Site:
    """Two hubs, and an agent with the hub that it was told of first."""

    def __init__(self, directory, tls=False, **more):
        self.directory, self.things = directory, []
        self.network = network(**CABLES)
        self.things.append(self.network)
        self.redis = Redis(directory / "redis", self.network.center, "127.0.0.1" if self.network.is_one else f"{CABLES['core']}.1",
                           tls)
        self.things.append(self.redis)
        self.redis.start()
        self.a, self.b = (Member(directory, name, self.network, self.redis, connectors=["echo", "closed"], **more)
                          for name in ("hub-a", "hub-b"))
        for hub in (self.a, self.b):
            self.things.append(hub)
            hub.start()
        self.machine, addresses = self.network.machine()
        with self.machine:
            self.target = Target()
            self.holder = socket.socket()
            self.holder.bind(("127.0.0.1", 0))
        self.things += [self.target]

    def agent(self, *hubs, name="site-01", token=None, seen_by=None, connected=True, options=()):
        made = Agent(self.directory, hubs[0], name, {"echo": self.target.port, "closed": self.holder.getsockname()[1]},
                     [part for hub in hubs[1:] for part in ("--hub", hub.url)] + list(options), token)
        self.things.append(made)
        self.restart(made)
        if connected:
            made.hub = seen_by or hubs[0]
            made.until_connected()
        return made

    def restart(self, agent):
        with self.machine:
            agent.start()

    def pair(self, hub, name="echo"):
        """-> a client at a hub, and its other end at the target"""
        client = hub.connect(name)
        with self.machine:
            return client, self.target.accept()

    def speaks(self, hub):
        """A client at the hub reaches the target and is answered."""
        try:
            client = hub.connect()
        except OSError:
            return False
        with client:
            try:
                client.sendall(b"question")
                # What a probe or a client before it has left behind is accepted first, and has nothing to say.
                while self._answer() != b"question":
                    pass
                return client.recv(100) == b"QUESTION"
            except OSError:
                return False

    def _answer(self):
        self.target.server.settimeout(3)
        with self.target.accept() as far:
            try:
                question = far.recv(100)
                far.sendall(question.upper())
                return question
            except OSError:
                return b""

    def stop(self):
        self.holder.close()
        for thing in reversed(self.things):
            thing.stop() if not isinstance(thing, Member) else thing.terminate()
        give_ports_back()


@pytest.fixture
def site(tmp_path):
    made = []

    def make(**more):
        made.append(Site(tmp_path, **more))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def is_refused(hub, name="echo"):
    try:
        with hub.connect(name) as client:
            return read_to_end(client) == (b"", "reset")
    except ConnectionResetError:
        return True


def test_a_client_at_any_hub_reaches_an_agent_at_another(site):
    """Enrolled at one with the other's token, and then the whole matrix across two hubs; tokens and revocations are everybody's."""
    site = site()
    token = site.b.token("site-01")
    agent = site.agent(site.a, token=token)
    epoch = site.b.until_owner("hub-a")
    until("the hubs are linked", lambda: site.a.is_linked() and site.b.is_linked())

    client, far = site.pair(site.b)
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(far) == (b"question", "eof")
    threading.Thread(target=lambda: (far.sendall(MEGABYTE * 4), far.close())).start()
    assert read_to_end(client) == (MEGABYTE * 4, "eof")

    client, far = site.pair(site.b)
    threading.Thread(target=lambda: (far.sendall(MEGABYTE), far.shutdown(socket.SHUT_WR))).start()
    assert read_to_end(client) == (MEGABYTE, "eof")
    client.sendall(b"late")
    client.close()
    assert read_to_end(far) == (b"late", "eof")

    client, far = site.pair(site.b)
    client.sendall(b"x")
    assert far.recv(1) == b"x"
    reset(far)
    assert read_to_end(client) == (b"", "reset")
    client, far = site.pair(site.b)
    reset(client)
    assert read_to_end(far)[1] == "reset"
    assert is_refused(site.b, "closed") and is_refused(site.a, "closed")

    # A client that takes nothing holds its own sender, and nobody else.
    slow, source = site.pair(site.b)
    source.settimeout(0.5)
    sent = 0
    with pytest.raises(TimeoutError):
        while True:
            sent += source.send(MEGABYTE)
    assert sent < 64 << 20
    assert site.speaks(site.b) and site.speaks(site.a)
    slow.close()
    source.close()

    assert site.b.command("tunnel", "probe", "echo").stdout.count(f"site-01 at hub-a, epoch {epoch}") == 1
    assert f"at hub-a, epoch {epoch}" in site.b.command("get", "agents").stdout
    assert "site-01 at hub-a" in site.b.command("get", "tunnels").stdout
    why = site.b.command("why", "tunnel/echo")
    assert why.returncode == 0 and f"site-01 at hub-a, epoch {epoch}" in why.stdout, why.stdout + why.stderr
    until("the last record is written", lambda: len([one for one in site.b.audit() if one["event"] == "close"]) >= 5)
    opened = next(one for one in site.b.audit() if one["event"] == "open")
    assert (opened["agent"], opened["through"], opened["client"].split(":")[0]) == ("site-01", "hub-a", "127.0.0.1"), opened
    assert site.a.metric("weir_tunnel_mesh_forwards_total", direction="in", result="opened") >= 5
    assert site.b.metric("weir_tunnel_mesh_forwards_total", direction="out", result="opened") >= 5

    # The same token at another hub, in other hands.
    thief = site.agent(site.b, name="site-01-again", token=token, connected=False, options=["--name", "site-01"])
    thief.until_says("token_used")
    thief.kill()

    # The certificate of one hub is good at the other.
    agent.kill()
    agent.command[3] = site.b.url
    site.restart(agent)
    agent.hub = site.b
    agent.until_connected()
    assert site.a.until_owner("hub-b", above=epoch) > epoch
    assert site.speaks(site.a) and site.speaks(site.b)

    # Revoked at the hub that does not have it.
    revoked = site.a.command("tunnel", "revoke", "site-01", "--why", "gone", "--yes")
    assert revoked.returncode == 0, revoked.stderr
    until("the other hub has let go of it", lambda: not site.b.is_connected("site-01"))
    agent.until_says("agent_revoked")
    assert is_refused(site.a) and is_refused(site.b)


def test_the_owner_dies_and_another_hub_takes_its_agents(site):
    site = site()
    site.agent(site.a, site.b, token=site.a.token("site-01"))
    first = site.b.until_owner("hub-a")
    until("the hubs are linked", lambda: site.a.is_linked() and site.b.is_linked())
    assert site.speaks(site.b)
    client, far = site.pair(site.b)
    site.a.kill()
    # Not an end: what was cut off must not look whole.
    assert read_to_end(client)[1] == "reset" and read_to_end(far)[1] == "reset"
    second = site.b.until_owner("hub-b", above=first)
    until("clients are served again", lambda: site.speaks(site.b))
    site.a.start()
    assert site.a.until_owner("hub-b", above=first) == second
    until("clients of the hub that came back are served", lambda: site.speaks(site.a))

    # It stops as it should: the agent goes to the other, which needs no lease to run out.
    site.b.terminate()
    assert site.a.until_owner("hub-a", above=second) > second
    until("clients are served again", lambda: site.speaks(site.a))


def test_without_registry_or_mesh_a_hub_serves_its_own(site):
    site = site()
    site.agent(site.a, token=site.a.token("site-01"))
    first = site.b.until_owner("hub-a")
    until("clients are served by both", lambda: site.speaks(site.b) and site.speaks(site.a))
    assert "degraded" not in site.a.readiness + site.b.readiness

    # The registry is gone, and with it all that it knew.
    site.redis.stop()
    until("both are degraded", lambda: "[~]mesh degraded" in site.a.readiness and "[~]mesh degraded" in site.b.readiness)
    assert "Agents of this hub go on" in site.a.readiness
    assert site.speaks(site.a) and is_refused(site.b)
    assert site.a.metric("weir_tunnel_mesh_registry_up") == 0
    no_token = site.agent(site.b, name="site-02", token=site.b.token("site-02"), connected=False)
    no_token.until_says("registry_down")
    site.redis.start()
    assert site.b.until_owner("hub-a", above=first) > first
    until("all is well again", lambda: site.speaks(site.b) and "degraded" not in site.a.readiness + site.b.readiness)
    # What it was told when nobody could note it counts now.
    no_token.until_connected()
    no_token.kill()

    if site.network.is_one:
        return
    site.b.machine.cut("mesh")
    until("the cut is seen", lambda: "There is no link to hub `hub-a`" in site.b.readiness)
    assert site.speaks(site.a) and is_refused(site.b)
    until("the audit says why", lambda: "mesh_down" in [one.get("reason") for one in site.b.audit()])
    site.b.machine.mend("mesh")
    until("all is well again", lambda: site.speaks(site.b) and "degraded" not in site.a.readiness + site.b.readiness)


def test_shadow_compares_and_forwards_nothing(site):
    """With a registry that speaks TLS."""
    site = site(mode="shadow", tls=True)
    site.agent(site.a, token=site.b.token("site-01"))
    site.b.until_owner("hub-a")
    assert site.speaks(site.a) and is_refused(site.b)
    assert site.b.metric("weir_tunnel_mesh_comparisons_total", result="remote") == 1
    assert site.a.metric("weir_tunnel_mesh_comparisons_total", result="same") == 1
    assert site.a.metric("weir_tunnel_mesh_forwards_total") == 0
