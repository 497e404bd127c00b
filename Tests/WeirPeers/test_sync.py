"""Lists and directories in step: preview, run, mail, page, approve, next sync, on files with nothing installed."""
import email
import email.policy
import json
import re
import shutil
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
import trustme
import yaml

from waiting import free_port, until
from weir import Weir, weir

aiosmtpd = pytest.importorskip("aiosmtpd.controller", reason="SKIPPED: pip install aiosmtpd")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples/identity"


class PostOffice:
    """An SMTP server that keeps what it takes."""

    def __init__(self, **more):
        self.mails, self.refuses = [], False
        self.controller = aiosmtpd.Controller(self, hostname="127.0.0.1", port=free_port(), **more)
        self.controller.start()

    @property
    def port(self):
        return self.controller.port

    async def handle_DATA(self, server, session, envelope):
        if self.refuses:
            return "451 not now"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((envelope.rcpt_tos, message, session.ssl is not None, session.authenticated))
        return "250 taken"

    def stop(self):
        self.controller.stop()

    def links(self, recipient, word):
        """Links of one kind in the newest mail to somebody."""
        message = [mail for to, mail, _, _ in self.mails if recipient in to][-1]
        text = message.get_body(("plain",)).get_content()
        return [re.search(r"\S+$", line)[0] for line in text.splitlines() if line.strip().startswith(word)]


@pytest.fixture
def office(stopping):
    made = PostOffice()
    stopping.append(made)
    return made


@pytest.fixture
def stage(tmp_path, office):
    """The example in a directory of the test, with mail. -> (directory, configuration without `data`)"""
    for name in ("hr.csv", "directory.ldif"):
        shutil.copy(EXAMPLE / name, tmp_path / name)
    configuration = yaml.safe_load((EXAMPLE / "weir.yaml").read_text())
    del configuration["data"]
    silos = configuration["identity"]["silos"]
    silos["hr"]["path"] = str(tmp_path / "hr.csv")
    silos["directory"]["path"] = str(tmp_path / "directory.ldif")
    configuration["identity"]["mail"] = {
        "server": f"smtp://127.0.0.1:{office.port}", "from": "weir@example.org", "to": ["boss@example.org", "other@example.org"]}
    return tmp_path, configuration


def start(stage, stopping):
    """A server whose mails lead to its own address."""
    directory, configuration = stage
    made = Weir(directory / "weir", configuration)
    made.configuration["identity"]["mail"]["url"] = f"http://127.0.0.1:{made.port}"
    stopping.append(made)
    return made.start()


@pytest.fixture
def server(stage, stopping):
    return start(stage, stopping)


def command(server, *arguments):
    done = weir(*arguments, env={"WEIR_ADDRESS": f"http://127.0.0.1:{server.port}"})
    assert done.returncode in (0, 2, 3), done.stderr
    return done


def opener():
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))


def fetch(browser, url, fields=None, method=None, headers=None):
    """-> (status, text, address at the end)"""
    body = urllib.parse.urlencode(fields).encode() if fields is not None else None
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with browser.open(request, timeout=30) as answer:
            return answer.status, answer.read().decode(), answer.geturl()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode(), answer.geturl()


def form_of(page):
    return re.search(r'name="form" value="([^"]*)"', page)[1]


def title_of(directory, login):
    text = (directory / "directory.ldif").read_text()
    entry = next(part for part in text.split("\n\n") if f"dn: uid={login}," in part)
    return re.search(r"^title: (.*)$", entry, re.M)[1]


def test_example_needs_nothing_but_its_files(tmp_path):
    """`weir sync preview --config` in the example: rows before → after, exit code 2, and nothing was written."""
    stage = tmp_path / "identity"
    shutil.copytree(EXAMPLE, stage)
    before = (stage / "directory.ldif").read_text()
    done = weir("sync", "preview", "--config", "weir.yaml", "-o", "json", cwd=stage)
    assert done.returncode == 2, done.stderr + done.stdout
    answer = json.loads(done.stdout)
    outcomes = {(row["rule"], row["label"]): row["outcome"] for row in answer["triggers"]}
    assert outcomes["joiners", "Farid Haddad"] == "skipped", "it would run, but this is a preview"
    assert outcomes["titles", "Elif Kaya"] == "suspended"
    assert outcomes["leavers", "Dmitri Volkov"] == "suspended"
    table = weir("sync", "preview", "--config", "weir.yaml", cwd=stage)
    assert table.returncode == 2 and "title: Engineer → Senior Engineer" in table.stdout
    assert (stage / "directory.ldif").read_text() == before
    done = weir("sync", "run", "--config", "weir.yaml", cwd=stage)
    assert done.returncode == 3, done.stderr
    after = (stage / "directory.ldif").read_text()
    assert "dn: uid=fhaddad,ou=people,dc=example,dc=org" in after and "dn: uid=dvolkov," in after
    assert weir("approve", "leavers", "--yes", "--reason", "HR-1", "--config", "weir.yaml", cwd=stage).returncode == 0
    assert "dn: uid=dvolkov," in (stage / "directory.ldif").read_text(), "an approval runs nothing"
    assert weir("sync", "run", "--config", "weir.yaml", cwd=stage).returncode == 3
    assert "dn: uid=dvolkov," not in (stage / "directory.ldif").read_text()


def test_mail_page_approve_next_sync(server, stage, office):
    """The whole way, and on it: a thousand openings decide nothing, a changed link is a 404, and a link is used once."""
    directory, _ = stage
    command(server, "sync", "run")
    until("both approvers have their mails", lambda: {to[0] for to, *_ in office.mails} == {"boss@example.org", "other@example.org"})
    approve = next(link for link in office.links("boss@example.org", "Approve all") if "rule=titles" in link)
    for number in range(1_000):
        status, _, _ = fetch(opener(), approve, method="HEAD" if number % 3 == 0 else "GET")
        assert status == 200
    held = next(review for review in server.get("reviews") if review["rule"] == "titles")
    assert held["suspended"] == 4
    assert fetch(opener(), approve[:-3] + "xyz")[0] == 404
    assert fetch(opener(), approve.replace("/approve", "/reject"))[0] == 404
    assert fetch(opener(), approve.split("&t=")[0].replace("run=", "run=x"))[0] == 404

    browser = opener()
    status, page, address = fetch(browser, approve)
    assert status == 200 and "&t=" not in address and "Head of Finance" in page
    assert page.index("Anna Meier") < page.index("Carla Ruiz"), "VIPs stand on top"
    path = f"http://127.0.0.1:{server.port}/hypersync/approve?run={held['run']}&rule=titles"
    foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert fetch(browser, path, {"form": form_of(page), "count": "4"}, headers=foreign)[0] == 403
    assert fetch(opener(), path, {"form": form_of(page), "count": "4"})[0] == 409, "a form belongs to its session"
    assert fetch(browser, path, {"form": form_of(page), "count": "3"})[0] == 400, "the number must be typed"
    assert title_of(directory, "ekaya") == "Engineer"
    status, page, _ = fetch(browser, path, {"form": form_of(page), "count": "4", "why": "HR-118"})
    assert status == 200, page
    assert title_of(directory, "ekaya") == "Engineer", "it runs in the next sync"
    status, page, _ = fetch(opener(), approve)
    assert status == 410 and "boss@example.org" in page
    command(server, "sync", "preview")
    assert title_of(directory, "ekaya") == "Engineer", "a preview runs nothing"
    command(server, "sync", "run", "--identity", "hr:1010")
    assert title_of(directory, "ekaya") == "Senior Engineer", "any committed sync runs what was approved"
    line = json.loads(command(server, "identity", "audit", "-o", "json").stdout)[0]
    assert line["who"] == "boss@example.org" and line["how"] == "token" and line["reason"] == "HR-118"


def test_links_that_only_show(server, office):
    """A rule that deletes has `links: login`: the mailed link shows, and only an operator decides."""
    command(server, "sync", "run")
    until("there is a mail", lambda: any("leavers" in str(mail["Subject"]) for _, mail, _, _ in office.mails))
    texts = [mail.get_body(("plain",)).get_content() for _, mail, _, _ in office.mails if "leavers" in str(mail["Subject"])]
    link = re.search(r"\S+/hypersync/approve\?run=\S+", texts[0])[0]
    # A proxy that says so is from elsewhere, though it comes from this machine.
    elsewhere = {"X-Forwarded-For": "192.0.2.7"}
    status, page, _ = fetch(opener(), link, headers=elsewhere)
    assert status == 200 and "This link only shows" in page and 'name="form"' not in page
    bare = link.split("&t=")[0]
    assert fetch(opener(), bare, headers=elsewhere)[0] == 404
    status, page, _ = fetch(opener(), bare)
    assert status == 200 and 'name="form"' in page


def test_markup_in_a_name(stage, stopping, office):
    directory, _ = stage
    rows = (directory / "hr.csv").read_text().replace("Elif Kaya", "<img src=x onerror=alert(1)>")
    (directory / "hr.csv").write_text(rows)
    server = start(stage, stopping)
    command(server, "sync", "run")
    until("there is a mail", lambda: office.mails)
    for _, mail, _, _ in office.mails:
        assert "<img" not in mail.get_body(("html",)).get_content()
    status, page = server.http("/reviews")
    assert status == 200 and "<img" not in page and "&lt;img" in page


def test_mail_with_tls_and_password(stage, stopping, tmp_path):
    """STARTTLS with a certificate that is verified, and a password; without the authority nothing is sent."""
    directory, configuration = stage
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    from aiosmtpd.smtp import AuthResult

    def check(server, session, envelope, mechanism, data):
        return AuthResult(success=data.login == b"weir" and data.password == b"secret")
    office = PostOffice(tls_context=context, require_starttls=True, auth_required=True, authenticator=check)
    stopping.append(office)
    (tmp_path / "pass").write_text("secret")
    (tmp_path / "pass").chmod(0o600)
    configuration["identity"]["mail"].update({
        "server": f"smtp://localhost:{office.port}", "start_tls": True, "user": "weir",
        "password": {"file": str(tmp_path / "pass")}})
    server = start(stage, stopping)
    command(server, "sync", "run")
    until("the failure is shown", lambda: any(notice["failures"] > 0 for notice in server.get("notices")))
    assert not office.mails
    assert "could not be told" in server.http("/identity")[1]
    server.terminate()
    configuration["identity"]["mail"]["ca_file"] = str(tmp_path / "ca.pem")
    (server.data / "identity/notices.json").unlink()
    server.start()
    until("a mail came over TLS, signed in", lambda: any(tls and signed for _, _, tls, signed in office.mails))


def test_mail_server_that_refuses(server, office):
    """It is tried again and shown, and decides nothing; what waits stays."""
    office.refuses = True
    command(server, "sync", "run")
    until("the failure is shown", lambda: any("451" in (notice.get("last_failure") or "") for notice in server.get("notices")))
    assert sum(review["suspended"] for review in server.get("reviews")) > 0
    assert "weir_approval_notices_failing" in server.http("/metrics")[1]


def test_pages_work_without_scripts(server):
    command(server, "sync", "run")
    for path, word in (("/identity", "titles"), ("/reviews", "Approve all"), ("/history", "full commit")):
        status, page = server.http(path)
        assert status == 200 and word in page, path
    run = server.get("syncs")[0]["id"]
    assert server.http(f"/history/{run}")[0] == 200
    held = server.get("reviews")[0]
    assert server.http(f"/hypersync/run={held['run']}&rule={held['rule']}")[0] == 200
