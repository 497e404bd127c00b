"""The guides to connectors, followed to the letter: their configurations, programs and commands, in a fresh directory."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from events import objects
from opencti_peers import python_of, version  # noqa: F401
from processes import Process
from waiting import until

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs/guides"


def blocks(guide, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", (GUIDES / guide).read_text(), re.MULTILINE | re.DOTALL)


def configuration(guide):
    """The guide's first one, on ports that nobody else has."""
    content = yaml.safe_load(blocks(guide, "yaml")[0])
    if "amqp" in content.get("opencti", {}):
        content["opencti"]["amqp"]["listen"] = "127.0.0.1:0"
    return content


def shell(script, directory):
    done = subprocess.run(["sh", "-ec", script], cwd=directory, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_bring_your_connectors(tmp_path, run_weir, stopping, version):  # noqa: F811
    """The token is made, Weir runs, and the example connector's indicator lies where the route leads it."""
    home = tmp_path / "weir"
    home.mkdir()
    shell(next(block for block in blocks("opencti-connectors.md", "sh") if "openssl" in block).splitlines()[0], home)
    assert (home / "opencti-token").stat().st_mode & 0o077 == 0
    server = run_weir(configuration("opencti-connectors.md"))
    assert server.directory == home
    start = next(block for block in blocks("opencti-connectors.md", "sh") if "main.py" in block)
    start = start.replace("http://127.0.0.1:9471", f"http://127.0.0.1:{server.port}").replace("python3", f"exec {python_of(version)}")
    shutil.copy(ROOT / "examples/pycti-connector/main.py", home)
    connector = Process("connector", ["sh", "-ec", start], home, env={"NO_PROXY": "127.0.0.1"})
    stopping.append(connector)
    connector.wait_until("its indicator is there", lambda: [found["name"] for found in objects(home / "indicators")] == ["Example 1"])
    for command in next(block for block in blocks("opencti-connectors.md", "sh") if "weir why NAME" in block).splitlines():
        done = server.command(*command.replace("NAME", "Example").split()[1:])
        assert done.returncode == 0 and ("Example" in done.stdout or "connector/0b5e0f26" in done.stdout), done


def test_write_a_connector(tmp_path, run_weir):
    """The guide's two connectors run at once; the program counts on with each run."""
    home = tmp_path / "weir"
    home.mkdir()
    (home / "known_exploited_vulnerabilities.json").write_text('{"vulnerabilities": [{"cveID": "CVE-2026-1"}, {"cveID": "CVE-2026-2"}]}')
    (home / "count").write_text(next(block for block in blocks("write-a-connector.md", "sh") if block.startswith("#!")))
    shell("chmod +x count", home)
    server = run_weir(configuration("write-a-connector.md"))
    out = home / "archive"
    until("both ran", lambda: len(objects(out)) >= 3)
    assert sorted(str(found.get("cveID")) for found in objects(out)) == ["CVE-2026-1", "CVE-2026-2", "None"]
    commands = next(block for block in blocks("write-a-connector.md", "sh") if "connector run" in block)
    for command in commands.splitlines():
        done = server.command(*command.split()[1:])
        assert done.returncode == 0 and "count" in done.stdout, done
    until("it counts on", lambda: {"number": 2} in objects(out))


@pytest.mark.skipif(shutil.which("swift") is None, reason="NO SWIFT on PATH")
def test_a_package_outside(tmp_path):
    """The guide's manifest is one, and asks for the kit."""
    (tmp_path / "Package.swift").write_text(next(block for block in blocks("write-a-connector.md", "swift") if "PackageDescription" in block))
    done = subprocess.run(["swift", "package", "dump-package"], cwd=tmp_path, capture_output=True, text=True, timeout=120, env=os.environ)
    assert done.returncode == 0 and '"WeirConnectorKit"' in done.stdout, done.stderr
