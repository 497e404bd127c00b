"""haproxy as Debian packages it: one process between client and target, TCP mode, no TLS."""
NAME = "haproxy"
BINARY = "/usr/sbin/haproxy"
ENVIRONMENT = {}
VERSION = [BINARY, "-v"]
VARIANTS = {"tunnel": ["tcp"]}
SCALE = {}


def set_up(kind, variant, place):
    file = place.write("haproxy.cfg", (
        "global\n maxconn 9900\n"
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 10m\n timeout server 10m\n"
        f"listen tunnel\n bind 127.0.0.1:{place.port_in}\n server target 127.0.0.1:{place.port_out}\n"))
    return [BINARY, "-db", "-f", file], ENVIRONMENT
