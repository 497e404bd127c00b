"""Who agents are, against real programs: bearer tokens with published keys, certificates of a site's own authority, and their renewal."""
import json
import os
import sqlite3
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from identity import Authority, Issuer
from tunnel import exchange, is_reset
from waiting import until


def refused(hub, reason):
    return hub.metric("weir_tunnel_agents_refused_total", reason=reason)


@pytest.fixture
def site(tmp_path):
    """The site's own authority; `site.tls` are the hub's settings with a certificate of it."""
    made = Authority(tmp_path / "site")
    certificate, key = made.issue("hub", is_server=True)
    made.tls = {"cert": str(certificate), "key": str(key)}
    return made


@pytest.fixture
def issuer(stopping):
    made = Issuer()
    stopping.append(made)
    return made


@pytest.fixture
def run_bearer(tmp_path, run_agent, site):
    """run_bearer(hub, name, token, serve) starts an agent with a bearer token in a file, whose path is `agent.bearer`."""
    def run(hub, name, token, serve, connected=True):
        file = tmp_path / f"{name}.jwt"
        file.write_text(token)
        agent = run_agent(hub, serve, "--name", name, "--bearer-file", file, "--ca-file", site.file, name=name, enrols=False, connected=connected)
        agent.bearer = file
        return agent
    return run


# MARK: Bearer tokens

def test_keys_by_url_that_are_exchanged(run_hub, run_bearer, target, issuer, site):
    """Read once for many agents; a key that is new is found at once; unknown ones do not have them read each time; and when they
    cannot be read, those that are known are good."""
    url, echo = issuer.serve(), target(echoes=True).port
    hub = run_hub(tls=site.tls, jwt={"jwks": url, "issuer": "https://id.example.org"})
    serve = {"echo": echo}
    token = lambda name, **more: issuer.token(name, iss="https://id.example.org", **more)  # noqa: E731
    issuer.status = 503
    waits = run_bearer(hub, "first", token("first"), serve, connected=False)
    waits.until_says("cannot read the keys")
    waits.until_says("answered 503")
    until("it is counted", lambda: refused(hub, "token_keys") >= 1)
    assert is_reset(hub.ports["echo"])
    issuer.status = 200
    waits.until_connected()
    asked = issuer.asked
    for name in ("second", "third"):
        run_bearer(hub, name, token(name), serve)
    assert issuer.asked == asked, "once is enough"
    issuer.rotate()
    run_bearer(hub, "new-key", token("new-key"), serve)
    assert issuer.asked == asked + 1
    issuer.rotate(publish=False)
    stranger = run_bearer(hub, "stranger", token("stranger"), serve, connected=False)
    stranger.until_says("reason=token_key")
    stranger.until_says("is not published")
    until("it has come again", lambda: refused(hub, "token_key") >= 4)
    assert issuer.asked <= asked + 1 + 4, "an unknown key has them read every ten seconds at most"
    issuer.stop()
    issuer.server = None
    run_bearer(hub, "offline", token("offline", kid="k2"), serve)
    assert {agent["name"] for agent in hub.get("agents") if agent["connected"]} == {"first", "second", "third", "new-key", "offline"}
    assert exchange(hub.ports["echo"]) == b"hello"


def test_bearer_tokens_that_are_no_good(run_hub, run_bearer, target, issuer, site):
    """Each wrong claim is refused with its own reason, counted, and said with what to do; who is inside goes on."""
    hub = run_hub(["echo", "other"], tls=site.tls, jwt={
        "jwks": issuer.serve(), "audience": "weir-eu", "issuer": "https://id.example.org", "require_connector_scopes": True})
    serve = {name: target(echoes=True).port for name in hub.ports}
    good = {"aud": ["other", "weir-eu"], "iss": "https://id.example.org", "scope": "openid connector:echo"}
    run_bearer(hub, "good", issuer.token("good", **good), serve)
    assert hub.agent("good")["connectors"] == ["echo"]
    now = int(time.time())
    wrong = {
        "token_audience": {"aud": "weir"}, "token_expired": {"exp": now - 60}, "token_early": {"nbf": now + 600},
        "token_issuer": {"iss": "https://else.example.org"}, "connector_not_allowed": {"scope": "openid"},
        "agent_mismatch": {"agent_id": "good"}, "agent_name": {"agent_id": "../x"}, "token_malformed": {"exp": None}}
    agents = {reason: run_bearer(hub, reason, issuer.token(reason, **{**good, **claims}), serve, connected=False)
              for reason, claims in wrong.items()}
    for reason, agent in agents.items():
        agent.until_says(f"reason={reason}")
        until(f"{reason} is counted", lambda reason=reason: refused(hub, reason) >= 1)
        assert " help=" in agent.output(), agent.output()
    assert [agent["name"] for agent in hub.get("agents")] == ["good"]
    assert exchange(hub.ports["echo"]) == b"hello" and is_reset(hub.ports["other"])
    assert not any(issuer.token("x").split(".")[0] in one.output() for one in [hub, *agents.values()]), "tokens are not logged"


# MARK: Certificates of the site's own authority

def test_certificates_of_the_site_s_own_authority(tmp_path, run_hub, run_agent, target, site):
    """With `client_ca` an agent needs no enrolment: it is who its certificate says. Others, expired ones and names that do not fit stay out."""
    hub = run_hub(tls={**site.tls, "client_ca": str(site.file)})
    serve = {"echo": target(echoes=True).port}

    def agent(name, files, *options, connected=True, as_name=None):
        proof = ["--name", as_name or name, "--cert", files[0], "--key", files[1], "--ca-file", site.file]
        return run_agent(hub, serve, *proof, *options, name=name, enrols=False, connected=connected)
    agent("site-01", site.issue("site-01"))
    seen = hub.agent("site-01")
    assert seen["proof"] == "mtls" and seen["certificate_expiry"] and exchange(hub.ports["echo"]) == b"hello", seen
    other = Authority(tmp_path / "other", "other")
    stranger = agent("stranger", other.issue("stranger"), connected=False)
    late = agent("late", site.issue("late", until=-3600), connected=False)
    posing = agent("posing", site.issue("posing"), as_name="site-01", connected=False)
    posing.until_says("reason=agent_mismatch")
    for one in (stranger, late):
        one.until_says("certificate")
        one.until_says("help=")
    bare = run_agent(hub, serve, "--name", "bare", "--ca-file", site.file, name="bare", enrols=False, connected=False)
    bare.until_says("reason=no_proof")
    until("they are counted", lambda: refused(hub, "agent_mismatch") >= 1 and refused(hub, "no_proof") >= 1
          and hub.metric("weir_tunnel_door_closed_total", reason="certificate") >= 2)
    assert [one["name"] for one in hub.get("agents")] == ["site-01"] and hub.agent("site-01")["reconnects"] == 0
    # TLS says it last, after the agent has sent its hello: it arrives each time, and never a mere reset.
    ends = lambda one: [line for line in one.output().splitlines() if "The link to the hub is down" in line]  # noqa: E731
    for one in (stranger, late):
        until("it has tried often", lambda one=one: len(ends(one)) >= 4)
        assert all("it does not accept our certificate" in line for line in ends(one)), ends(one)
    # Enrolment goes on beside it.
    run_agent(hub, serve, "--ca-file", site.file, name="enrolled")
    assert hub.agent("enrolled")["proof"] == "certificate"


def test_the_hub_s_authority_for_agents_with_bearer_tokens(tmp_path, run_hub, run_agent, target, site):
    """`weir tunnel ca` prints what `--ca-file` takes; a hub that shows another certificate, or none, says which one to use."""
    issuer = Issuer()
    jwt = {"jwks": issuer.write(tmp_path / "jwks.json")}
    hub = run_hub(jwt=jwt)
    printed = hub.command("tunnel", "ca")
    assert printed.returncode == 0 and printed.stderr == "", printed
    file, bearer = tmp_path / "hub-ca.pem", tmp_path / "jwt"
    file.write_text(printed.stdout)
    bearer.write_text(issuer.token("site-01", connectors=["echo"]))
    run_agent(hub, {"echo": target(echoes=True).port}, "--name", "site-01", "--ca-file", file, "--bearer-file", bearer, enrols=False)
    assert exchange(hub.ports["echo"]) == b"hello" and hub.agent("site-01")["proof"] == "jwt"
    own = run_hub(name="own", tls=site.tls).command("tunnel", "ca")
    assert own.returncode != 0 and site.tls["cert"] in own.stderr and "its own authority did not make" in own.stderr, own
    plain = run_hub(name="plain", plain=True, jwt=jwt).command("tunnel", "ca")
    assert plain.returncode != 0 and "the proxy before it" in plain.stderr, plain


# MARK: Renewal

def age(hub, agent, since, until):
    """Gives an agent that was enrolled a certificate of the hub's own authority for its key, between two times, as seconds from now; hub
    and agent are not running. So a certificate is as old as a test needs it."""
    with sqlite3.connect(hub.data / "ledger") as ledger:
        (kept,), = ledger.execute("select body from document where collection = 'tunnel_authorities'").fetchall()
        kept = json.loads(kept)
        authority = Authority(
            hub.directory, "own", serialization.load_pem_private_key(kept["key"].encode(), None), x509.load_pem_x509_certificate(kept["certificate"].encode()))
        file = agent.directory / "identity.json"
        identity = json.loads(file.read_text())
        key = serialization.load_pem_private_key(identity["key"].encode(), None)
        # Certificates of the hub begin five minutes early, for clocks that differ.
        made = authority.sign(agent.name, key.public_key(), since - 300, until, [x509.UniformResourceIdentifier(f"weir:agent:{agent.name}")])
        identity["chain"] = made.public_bytes(serialization.Encoding.PEM).decode() + kept["certificate"]
        file.write_text(json.dumps(identity))
        (number, member), = ledger.execute("select id, body from document where collection = 'tunnel_agents' and id = ?", (agent.name,)).fetchall()
        member = json.loads(member)
        size = (made.serial_number.bit_length() + 7) // 8
        member["certificates"] = [{"serial": made.serial_number.to_bytes(size, "big").hex(), "expiry": int((time.time() + until) * 1e9)}]
        ledger.execute("update document set body = ? where collection = 'tunnel_agents' and id = ?", (json.dumps(member).encode(), number))
    ledger.close()


def test_a_certificate_is_renewed_under_running_streams(run_hub, run_agent, target):
    """At two thirds of its life: the same connection goes on, over the same link; metric and API show the new end; the next link shows
    the new certificate."""
    hub, behind = run_hub(certificate_life="1h"), target(echoes=True)
    agent = run_agent(hub, {"echo": behind.port}, "--links", "2")
    hub.terminate()
    agent.kill()
    age(hub, agent, -3600, 1805)        # two thirds of it in a few seconds
    hub.start()
    old = time.time() + 1805
    agent.token_file.unlink()
    agent.start().until_connected()
    until("both links stand", lambda: hub.agent("site-01")["links"] == 2)
    clients = [hub.connect() for _ in range(4)]
    expiry = lambda: hub.metric("weir_tunnel_agent_cert_expiry_timestamp_seconds", agent="site-01")  # noqa: E731
    carried = 0

    def carry():
        nonlocal carried
        for client in clients:
            part = os.urandom(60_000)
            client.sendall(part)
            came = b""
            while len(came) < len(part):
                more = client.recv(1 << 16)
                assert more, "it ended"
                came += more
            assert came == part
        carried += 1
        return True
    assert carry() and expiry() < old + 60
    until("it is renewed while bytes flow", lambda: carry() and expiry() > old + 1200)
    until("the agent has it too", lambda: carry() and agent.metric("weir_agent_certificate_expiry_timestamp_seconds") > old + 1200)
    assert carry() and carried >= 3
    seen = hub.agent("site-01")
    assert (seen["links"], seen["reconnects"], seen["streams"]) == (2, 0, 4), seen
    assert hub.metric("weir_tunnel_link_ends_total", agent="site-01") == 0, "no link was touched"
    assert seen["certificate_renewal"] < seen["certificate_expiry"]
    for client in clients:
        client.close()
    agent.kill()
    agent.start().until_connected()
    assert exchange(hub.ports["echo"]) == b"hello" and abs(agent.metric("weir_agent_certificate_expiry_timestamp_seconds") - expiry()) < 2


def test_a_certificate_that_has_ended_and_one_that_begins_later(run_hub, run_agent, target):
    """The agent says so at its start, with its file, both times and the way on; with a new token it is back."""
    hub = run_hub()
    late = run_agent(hub, {"echo": target(echoes=True).port})
    early = run_agent(hub, {"echo": 9}, name="site-02")
    hub.terminate()
    for agent, since, end in ((late, -7200, -3600), (early, 7200, 14_400)):
        agent.kill()
        age(hub, agent, since, end)
        agent.token_file.rename(agent.directory / "spent")
        agent.command = [part for part in agent.command if part not in ("--token-file", agent.token_file)]
    hub.start()
    late.start()
    late.until_says(f"The certificate in {late.directory}/identity.json ended at ")
    for text in ("this machine's clock says", "weir tunnel token --agent site-01", "Look at the clocks"):
        late.until_says(text)
    until("status says so too", lambda: "ended at" in late.status().stdout and "weir tunnel token" in late.status().stdout)
    early.start()
    early.until_says("begins at")
    early.until_says("Set this machine's clock.")
    assert not hub.is_connected("site-01") and late.process.is_alive
    late.kill()
    late.token_file.write_text(hub.token("site-01"))
    late.command += ["--token-file", late.token_file]
    late.start().until_connected()
    assert exchange(hub.ports["echo"]) == b"hello"


def test_a_renewal_that_is_refused(run_hub, run_agent, target):
    """The ledger of a hub that was set back knows the certificate no more: said with what to do, and counted; others go on."""
    hub = run_hub(["echo", "other"])
    agent = run_agent(hub, {"echo": target(echoes=True).port})
    run_agent(hub, {"other": target(echoes=True).port}, name="site-02")
    hub.terminate()
    with sqlite3.connect(hub.data / "ledger") as ledger:
        ledger.execute("delete from document where collection = 'tunnel_agents' and id = 'site-01'")
    ledger.close()
    hub.start()
    agent.until_says("reason=agent_unknown")
    agent.until_says("weir tunnel token --agent site-01")
    until("it is counted", lambda: refused(hub, "agent_unknown") >= 1 and hub.is_connected("site-02"))
    assert exchange(hub.ports["other"]) == b"hello" and is_reset(hub.ports["echo"])
