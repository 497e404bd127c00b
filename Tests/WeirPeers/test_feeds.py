"""Connectors of type http against servers: a TAXII server and a web server that nobody here wrote, and one that misbehaves on demand."""
import base64
import json
import os
import urllib.request

import pytest
import trustme

import feeds
from events import objects
from waiting import until
from weir import flow


@pytest.fixture
def feed_server(stopping):
    """feed_server(answer) starts a server with made-up answers."""
    def make(answer, **more):
        server = feeds.FeedServer(answer, **more)
        stopping.append(server)
        return server
    return make


@pytest.fixture
def feed(tmp_path, run_weir):
    """feed(url=…, …) runs a Weir with that one connector, whose events go to files."""
    def run(**connector):
        files = {"type": "filesystem", "path": str(tmp_path / "out"), "flush": "50ms"}
        return run_weir({"connectors": {"feed": {"type": "http", "schedule": "PT1H", **connector}}, **flow({}, {"files": files}, [])})
    return run


def connector(server):
    status, text = server.http("/api/v1/connectors/feed")
    assert status == 200, text
    return json.loads(text)


def run_again(server):
    """Runs the connector once more; returns when that run has ended."""
    before = connector(server).get("last_run")
    assert server.command("connector", "run", "feed").returncode == 0
    until("it has run again", lambda: connector(server).get("last_run") not in (None, before))


def trouble(server):
    """What the last run failed of, as people are told."""
    until("a run has failed", lambda: connector(server)["failures"] >= 1)
    return connector(server)["troubles"][0]["sentence"]


def test_taxii(tmp_path, feed, stopping):
    """From the discovery address to the objects: all collections page by page, each object once, then only what is new."""
    first, second = [feeds.indicator(n) for n in range(1, 8)], [feeds.indicator(n) for n in range(11, 14)]
    taxii = feeds.start_medallion(tmp_path, {"High": first, "Low": second})
    stopping.append(taxii)
    out = tmp_path / "out"
    server = feed(url=f"{taxii.url}/taxii2/", format="taxii", taxii={"page_size": 3},
                  auth={"basic": {"user": "reader", "password": "pass"}})
    until("all objects came", lambda: len(objects(out)) >= 10)
    until("the run has ended", lambda: connector(server).get("last_run"))
    assert sorted(found["id"] for found in objects(out)) == sorted(found["id"] for found in first + second)
    run_again(server)
    new = feeds.indicator(20)
    request = urllib.request.Request(
        f"{taxii.collection('Low')}/objects/", json.dumps({"objects": [new]}).encode(), method="POST",
        headers={"Accept": feeds.TAXII, "Content-Type": feeds.TAXII,
                 "Authorization": "Basic " + base64.b64encode(b"reader:pass").decode()})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202
    run_again(server)
    until("the new object came", lambda: len(objects(out)) >= 11)
    run_again(server)
    assert sorted(found["id"] for found in objects(out)) == sorted(found["id"] for found in [*first, *second, new])


def test_taxii_collection_and_password(tmp_path, feed, stopping):
    """A collection by its title; a wrong password is said as such."""
    taxii = feeds.start_medallion(tmp_path, {"High": [feeds.indicator(1)], "Low": [feeds.indicator(2)]})
    stopping.append(taxii)
    server = feed(url=f"{taxii.url}/taxii2/", format="taxii", taxii={"collections": ["Low"]},
                  auth={"basic": {"user": "reader", "password": "wrong"}})
    assert "answered 401, it does not let us in (`auth`)" in trouble(server)
    server.configuration["connectors"]["feed"]["auth"]["basic"]["password"] = "pass"
    server.restart()
    until("its object came", lambda: objects(tmp_path / "out"))
    assert [found["id"] for found in objects(tmp_path / "out")] == [feeds.indicator(2)["id"]]


def test_nginx(tmp_path, feed, nginx, port):
    """A file of nginx, packed, behind a redirect; unchanged it is not sent again, and a new one comes whole."""
    (tmp_path / "www").mkdir()
    page = tmp_path / "www/feed.json"
    page.write_text(json.dumps({"data": [{"n": n, "pad": "x" * 200} for n in range(500)]}))
    number, files, log = port(), port(), tmp_path / "access.log"
    nginx(number, f"return 301 http://127.0.0.1:{files}/feed.json;", more=f"""
      log_format feed '$status $sent_http_content_encoding $body_bytes_sent';
      server {{ listen 127.0.0.1:{files}; access_log {log} feed; gzip on; gzip_types application/json; default_type application/json;
                root {tmp_path / 'www'}; }}""")
    out = tmp_path / "out"
    server = feed(url=f"http://127.0.0.1:{number}/", items="data")
    until("all of it came", lambda: len(objects(out)) >= 500)
    until("the run has ended", lambda: connector(server).get("last_run"))
    run_again(server)
    until("nginx has noted both", lambda: len(log.read_text().splitlines()) >= 2)
    first, second = log.read_text().splitlines()[:2]
    assert first.startswith("200 gzip") and second.startswith("304"), log.read_text()
    assert len(objects(out)) == 500
    page.write_text(json.dumps({"data": [{"n": 500}]}))
    os.utime(page, (1_900_000_000, 1_900_000_000))
    run_again(server)
    until("the new one came", lambda: [found["n"] for found in objects(out)] == list(range(501)))


def test_trouble_and_recovery(tmp_path, feed, feed_server):
    """Pages that never end, then a server that fails late, then a good one: each is told, nothing is lost, the schedule goes on."""
    state = {"mode": "endless"}

    def answer(path, parameters, headers):
        number = int(parameters["page"])
        if state["mode"] == "endless":
            return [{"n": 1}]
        if state["mode"] == "broken" and number == 3:
            return 500, {}, b"no database"
        return [{"n": number * 10 + n} for n in range(3)] if number <= 4 else []

    source = feed_server(answer)
    out = tmp_path / "out"
    server = feed(url=source.url, pagination={"type": "page"}, attempts=1, schedule="PT1S")
    assert "has the same events as the one before: the server seems to ignore `page`" in trouble(server)
    state["mode"] = "broken"
    until("another trouble", lambda: "answered 500: no database." in connector(server)["troubles"][0]["sentence"])
    assert connector(server).get("last_run") is None, "a failed run is no run"
    state["mode"] = "good"
    wanted = {page * 10 + n for page in range(1, 5) for n in range(3)}
    until("all of it came", lambda: wanted <= {found["n"] for found in objects(out)})
    until("it runs again", lambda: connector(server).get("last_run"))


def test_retry_after(tmp_path, feed, feed_server):
    """A server that is asked too often says when to come again; the run waits for it, and its pages come once."""
    seen = []

    def answer(path, parameters, headers):
        seen.append(parameters["page"])
        if parameters["page"] == "2" and seen.count("2") == 1:
            return 429, {"Retry-After": "1"}, b""
        return [{"n": int(parameters["page"])}] if int(parameters["page"]) <= 3 else []

    source = feed_server(answer)
    server = feed(url=source.url, pagination={"type": "page"})
    until("the run has ended", lambda: connector(server).get("last_run"))
    until("all came", lambda: [found["n"] for found in objects(tmp_path / "out")] == [1, 2, 3])
    assert seen == ["1", "2", "2", "3", "4"] and connector(server)["failures"] == 0


def test_kill_in_the_middle(tmp_path, feed, feed_server):
    """Killed between two pages: what was pushed stays, the next start fetches from the state of the last good run, and all of it is there."""
    state = {"wait": True}

    def answer(path, parameters, headers):
        number = int(parameters.get("after", 0))
        if number >= 300 and state["wait"]:
            return 503, {"Retry-After": "30"}, b""
        rows = [{"n": n, "pad": "x" * 2000} for n in range(number + 1, min(number + 100, 600) + 1)]
        return {"rows": rows, "next": rows[-1]["n"] if rows and rows[-1]["n"] < 600 else None}

    source = feed_server(answer)
    server = feed(url=source.url, items="rows", state="{ 'last': event.n }",
                  pagination={"type": "cursor", "next": "next", "parameter": "after"})
    until("some pages were fetched", lambda: any(parameters.get("after") == "300" for _, parameters in source.requests))
    server.kill()
    state["wait"] = False
    server.start()
    out = tmp_path / "out"
    until("all of it came", lambda: {found["n"] for found in objects(out)} >= set(range(1, 601)))
    until("its run has ended", lambda: connector(server).get("last_run"))
    assert json.loads(connector(server)["state"])["state"] == {"last": 600}


def test_tls(tmp_path, feed, feed_server):
    """A server of an authority that is not known is not asked; with `tls.ca` and a certificate of ours it is. It may not lead to plain text."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def issue(name):
        certificate = authority.issue_cert(name)
        key, chain = tmp_path / f"{name}.key", tmp_path / f"{name}.pem"
        certificate.private_key_pem.write_to_path(str(key))
        chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        return str(chain), str(key)

    chain, key = issue("127.0.0.1")
    plain = feed_server(lambda *_: [{"n": 2}])
    moved = (302, {"Location": f"{plain.url}/feed"}, b"")
    source = feed_server(lambda path, *_: moved if path == "/moved" else [{"n": 1}], context=feeds.tls_context(chain, key, client_ca=str(tmp_path / "ca.pem")))
    server = feed(url=source.url)
    assert "certificate cannot be verified" in trouble(server)
    ours, our_key = issue("weir.example.com")
    server.configuration["connectors"]["feed"]["tls"] = {"ca": str(tmp_path / "ca.pem"), "certificate": ours, "key": our_key}
    server.restart()
    until("its event came", lambda: [found["n"] for found in objects(tmp_path / "out")] == [1])
    server.configuration["connectors"]["feed"]["url"] = f"{source.url}/moved"
    server.restart()
    run = server.command("connector", "run", "feed")
    assert run.returncode == 0, run
    assert "moved from https to http" in trouble(server)
    assert plain.requests == []
