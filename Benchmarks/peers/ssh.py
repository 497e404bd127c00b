"""OpenSSH as Debian packages it, `ssh -R`: the far side dials out, as an agent does. An sshd of its own on a free loopback port, with keys
that live as long as the run."""
import getpass
import subprocess
from pathlib import Path

from beside import Beside

NAME = "ssh"
BINARY = "/usr/sbin/sshd"
ENVIRONMENT = {}
VERSION = ["sh", "-c", f"test -x {BINARY} && ssh -V 2>&1"]
# The fastest that it has, and what it takes unless told.
VARIANTS = {"tunnel": ["-R, aes128-gcm", "-R, chacha20 (default)"]}
CIPHERS = {"-R, aes128-gcm": "aes128-gcm@openssh.com", "-R, chacha20 (default)": "chacha20-poly1305@openssh.com"}
SCALE = {"tunnel": 0.5}
# It takes 35 ms for each.
HELD = 500


def set_up(kind, variant, place):
    Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place.directory / name], check=True, timeout=30)
    # sshd takes no other listener that could be waited for: the one for clients comes with the second process.
    place.port_in, place.port_clients = place.port_other, place.port_in
    file = place.write("sshd_config", (
        f"ListenAddress 127.0.0.1:{place.port_other}\nHostKey {place.directory}/host\nAuthorizedKeysFile {place.directory}/user.pub\n"
        f"PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxSessions 1\n"
        f"PermitRootLogin prohibit-password\nAllowTcpForwarding remote\nCiphers {CIPHERS[variant]}\n"))
    return [BINARY, "-D", "-e", "-f", file], ENVIRONMENT


def more(place):
    command = ["ssh", "-F", "none", "-N", "-T", "-p", place.port_other, "-i", place.directory / "user", "-o", "IdentitiesOnly=yes",
               "-o", "ExitOnForwardFailure=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
               "-R", f"127.0.0.1:{place.port_clients}:127.0.0.1:{place.port_out}", f"{getpass.getuser()}@127.0.0.1"]
    place.port_in = place.port_clients
    return [Beside(place, command)]
