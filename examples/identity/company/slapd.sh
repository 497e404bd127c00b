#!/bin/sh
# slapd.sh COMMAND…: loads directory.ldif into a slapd of its own on loopback, runs the command, and stops that slapd.
# The directory begins anew each time. It needs Debian's slapd; nothing of an installed one is touched.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
port=${SLAPD_PORT:-13389}
PATH=$PATH:/usr/sbin
command -v slapd >/dev/null || { echo "slapd.sh: there is no slapd: apt-get install slapd" >&2; exit 69; }
[ $# -gt 0 ] || { echo "usage: slapd.sh COMMAND…" >&2; exit 64; }

home=$(mktemp -d)
pid=
stop() {
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null || :; wait "$pid" 2>/dev/null || :; }
    rm -rf "$home"
}
trap stop EXIT
trap 'exit 130' INT TERM

umask 077
[ -s "$here/admin.pass" ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' > "$here/admin.pass"
mkdir "$home/data"
cat > "$home/slapd.conf" <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $home/slapd.pid
database mdb
maxsize 104857600
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
rootpw $(cat "$here/admin.pass")
directory $home/data
index objectClass,uid,employeeNumber,member eq
CONF
slapadd -q -f "$home/slapd.conf" -l "$here/directory.ldif"
slapd -f "$home/slapd.conf" -h "ldap://127.0.0.1:$port" -d 0 2> "$home/log" &
pid=$!
tries=0
until ldapsearch -x -H "ldap://127.0.0.1:$port" -b dc=example,dc=org -s base dn >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || { cat "$home/log" >&2; echo "slapd.sh: slapd did not start; is port $port taken?" >&2; exit 1; }
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { echo "slapd.sh: slapd does not answer" >&2; exit 1; }
    sleep 0.1
done
"$@"
