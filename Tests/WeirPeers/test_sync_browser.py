"""The whole way in a real browser: mail → page → approve → next sync → slapd changed, through the tunnel."""
import re
import subprocess

import pytest

from daemons import program
from test_console import CHROMIUM, browser, open_page  # noqa: F401 (fixtures)
from test_sync import PostOffice, command
from tunnel import Hub, ldapsearch, start_slapd
from waiting import until

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="SKIPPED: apt-get install chromium")
PEOPLE = [("u0", "1001", "Ada One"), ("u1", "1002", "Bo Two"), ("u2", "1003", "<script>alert(1)</script>")]


@pytest.fixture
def office(stopping):
    made = PostOffice()
    stopping.append(made)
    return made


def title(ldap, uid):
    found = re.search(r"^title: (.*)$", ldapsearch(ldap, f"(uid={uid})", "title").stdout, re.M)
    return found and found[1]


def test_from_the_mail_to_the_directory(tmp_path, stopping, office, run_agent, open_page):
    slapd, ldap = start_slapd(tmp_path / "slapd", people=20)
    stopping.append(slapd)
    changes = "".join(
        f"dn: uid={uid},ou=people,dc=example,dc=org\nchangetype: modify\nadd: employeeNumber\nemployeeNumber: {number}\n"
        f"-\nadd: title\ntitle: Old\n\n" for uid, number, _ in PEOPLE)
    subprocess.run([program("ldapmodify"), "-x", "-H", f"ldap://127.0.0.1:{ldap}", "-D", "cn=admin,dc=example,dc=org", "-w", "admin"],
                   input=changes, text=True, check=True, capture_output=True, timeout=60)
    (tmp_path / "hr.csv").write_text("id,name,title,status\n" + "".join(f"{number},{name},New,active\n" for _, number, name in PEOPLE))
    (tmp_path / "ldap.pass").write_text("admin")
    (tmp_path / "ldap.pass").chmod(0o600)
    hub = Hub(tmp_path / "hub", ("addomain",))
    stopping.append(hub)
    hub.configuration["identity"] = {
        "silos": {
            "hr": {"type": "csv", "path": str(tmp_path / "hr.csv"), "key": "id", "read_only": True},
            "ad": {"type": "ldap", "url": "tunnel://addomain", "bind_dn": "cn=admin,dc=example,dc=org",
                   "password": {"file": str(tmp_path / "ldap.pass")},
                   "objects": {"user": {"base": "ou=people,dc=example,dc=org", "filter": "(objectClass=inetOrgPerson)"}}}},
        "joins": [{"objects": "hr", "key": "hr.id"}, {"objects": "ad", "key": "ad.employeenumber"}],
        "label": "hr.?name.orValue(id)",
        "mail": {"server": f"smtp://127.0.0.1:{office.port}", "from": "weir@example.org", "to": ["boss@example.org"],
                 "url": f"http://127.0.0.1:{hub.port}"},
        "rules": [{"name": "titles", "kind": "update", "target": "ad", "scopes": ["has(hr.id)", "has(ad.uid)"],
                   "set": {"title": "[hr.title]"}, "threshold": 2}]}
    hub.start()
    run_agent(hub, {"addomain": ldap})
    command(hub, "sync", "run")
    assert title(ldap, "u0") == "Old", "three are more than two: they wait"
    until("the mail is there", lambda: office.mails)
    link = office.links("boss@example.org", "Approve all")[0]

    page = open_page(link)
    assert "t=" not in page.url
    assert page.locator("h1").inner_text() == "Approve 3 actions of titles?"
    assert page.locator("script").count() == 0 and "<script>alert(1)" in page.locator("main").inner_text()
    page.get_by_label("Type the number of actions: 3").fill("3")
    page.get_by_label("Why? It is kept with your decision.").fill("HR-118")
    page.get_by_role("button", name="Approve all 3").click()
    page.get_by_text("run in the next sync").wait_for()
    assert title(ldap, "u0") == "Old"

    reviews = open_page(f"http://127.0.0.1:{hub.port}/reviews")
    reviews.get_by_text("Nothing waits for a decision").wait_for()
    command(hub, "sync", "run")
    assert [title(ldap, uid) for uid, _, _ in PEOPLE] == ["New"] * 3
    history = open_page(f"http://127.0.0.1:{hub.port}/history")
    history.get_by_text("boss@example.org (token)").first.wait_for()
    assert hub.tunnel("addomain")["results"]["opened"] > 0, "it went through the tunnel"
