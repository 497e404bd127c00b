"""The rows of LDAP: clients that search a real slapd through the tunnel at a steady rate (tools/ldapload.c), as in the original's own report:
each search is one page of 100 entries, which slapd finds, reads and writes out; 17 KB."""
import shutil
import socket
import subprocess

import tunnels
from beside import Beside

PEOPLE = 1_000
# An anonymous bind, message 1.
BIND = bytes.fromhex("300c020101600702010304008000")
SLAPD = """include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {0}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
access to * by * write
database mdb
suffix dc=example,dc=org
rootdn cn=admin,dc=example,dc=org
rootpw admin
directory {0}
maxsize 268435456
index objectClass,uid eq
"""
ENTRY = """dn: uid=u{0},ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: u{0}
cn: User {0}
sn: {0}
mail: user.{0}@example.org
telephoneNumber: +1 555 {0:07}
"""


def daemon(name):
    return shutil.which(name, path="/usr/sbin:/usr/bin")


class Directory(tunnels.Tunnel):
    """What stands between `ldapload` and a slapd."""

    def start_target(self):
        place, data = self.place, self.place.directory / "slapd"
        data.mkdir()
        file = place.write("slapd.conf", SLAPD.format(data))
        people = ["dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n",
                  "dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: people\n"]
        people = place.write("people.ldif", "\n".join(people + [ENTRY.format(number) for number in range(PEOPLE)]))
        subprocess.run([daemon("slapadd"), "-q", "-f", file, "-l", people], check=True, capture_output=True, timeout=60)
        command = [daemon("slapd"), "-f", file, "-h", f"ldap://127.0.0.1:{place.port_out}/", "-d", "0"]
        self.target = place.beside_server(Beside(place, command))

    def carries(self):
        try:
            with socket.create_connection(("127.0.0.1", self.place.port_in), 2) as client:
                client.settimeout(2)
                client.sendall(BIND)
                return client.recv(1) == b"0"
        except OSError:
            return False

    def stop(self):
        super().stop()
        self.target.stop()


def searches(workers, rate, *more, seconds=20):
    """A row's function of a place."""
    def row(place, _):
        directory = Directory(place)
        try:
            before = directory.cpu()
            done = place.tool("ldapload", "--port", place.port_in, "--workers", workers, "--rate", rate, "--seconds", seconds,
                              "--page", 100, *more).finish(seconds + 60)
            cpu = directory.cpu() - before
        finally:
            directory.stop()
        milliseconds = {f"search_{name}_ms": round(done[name] * 1e3, 2) for name in ("p50", "p99", "most")}
        # Nothing at all came for so long: a pause, where it is longer than the distance of the searches.
        return {"searches_per_s": done["per_s"], **milliseconds, "gap_ms": round(done["gap"] * 1e3, 1),
                "cpu_us_per_search": round(cpu / max(1, done["searches"]) * 1e6), "failed": done["failed"]}
    return row


ROWS = {
    "ldap10": ("tunnel", "-", searches(10, 2)), "ldap50": ("tunnel", "-", searches(50, 2)),
    "ldap50-fresh": ("tunnel", "-", searches(50, 2, "--fresh")), "ldap50-full": ("tunnel", "-", searches(50, 0, seconds=10)),
}
MEANING = {
    "ldap10": "ten clients search twice a second each, a page of 100 entries", "ldap50": "the same with fifty",
    "ldap50-fresh": "the same with fifty, and a connection and a bind for each search",
    "ldap50-full": "fifty clients, each as fast as it gets answers",
}
GOAL = {
    "ldap10": "p99 under 10 ms; the original's report has 153 ms.",
    "ldap50": "p99 under 10 ms and no pause; the original's report has 2,089 ms, at 50 searches a second.",
}
COLUMNS = ["searches_per_s", "search_p50_ms", "search_p99_ms", "search_most_ms", "gap_ms", "cpu_us_per_search"]
