"""The example of a company, followed as its README says: with files, and with a slapd of its own."""
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from waiting import free_port
from weir import BINARY, weir

COMPANY = Path(__file__).resolve().parents[2] / "examples/identity/company"


@pytest.fixture
def company(tmp_path):
    shutil.copytree(COMPANY, tmp_path / "company", ignore=shutil.ignore_patterns("weir-data*", "admin.pass"))
    return tmp_path / "company"


def outcomes(text):
    """-> {(rule, label): (outcome, reason)} of the lines that `-o jsonl` prints."""
    rows = [json.loads(line) for line in text.splitlines()]
    return {(row["rule"], row["label"]): (row["outcome"], row["reason"]) for row in rows}


def entry(company, login):
    text = (company / "directory.ldif").read_text()
    return next(part for part in text.split("\n\n") if part.startswith(f"dn: uid={login},"))


def test_the_readme_with_files(company):
    config = ("--config", "weir.yaml")
    before = (company / "directory.ldif").read_text()
    done = weir("sync", "preview", *config, cwd=company)
    assert done.returncode == 2, done.stderr
    readme = (COMPANY.parent / "README.md").read_text()
    for line in re.search(r"```text\n(.*?)```", readme, re.DOTALL)[1].splitlines():
        assert line in done.stdout
    assert "16 changes: 6 would run, 9 would wait" in done.stdout
    assert (company / "directory.ldif").read_text() == before, "a preview writes nothing"

    done = weir("sync", "run", *config, "-o", "jsonl", cwd=company)
    assert done.returncode == 3, done.stderr
    found = outcomes(done.stdout)
    assert found["joiners", "Nora Nagel"] == ("executed", "passed")
    assert found["titles", "Jan Jung"] == ("executed", "passed")
    assert found["titles", "Anna Amsel"] == ("suspended", "vip")
    assert found["leavers", "Olga Orth"] == ("executed", "passed")
    assert found["removals", "Olga Orth"] == ("postponed", "grace")
    assert sum(rule == "addresses" and outcome == ("suspended", "volume") for (rule, _), outcome in found.items()) == 8
    assert "title: Account manager" in entry(company, "jjung") and "employeeType: left" in entry(company, "oorth")

    assert weir("approve", "addresses", *config, cwd=company).returncode == 64, "without a terminal it wants --yes"
    done = weir("approve", "addresses", "--yes", "--reason", "HR-118", *config, cwd=company)
    assert done.returncode == 0 and "8 approved" in done.stdout, done
    assert "mail: klara.kern@example.org" in entry(company, "kkern"), "an approval runs nothing"
    done = weir("sync", "run", *config, "-o", "jsonl", cwd=company)
    assert done.returncode == 3 and outcomes(done.stdout)["addresses", "Klara Kern"] == ("executed", "approved")
    assert outcomes(done.stdout)["teams", "Nora Nagel"] == ("executed", "passed")
    assert "mail: klara.kern@service.example.org" in entry(company, "kkern")

    done = weir("reject", "titles", "--mute", "--yes", "--reason", "not yet", *config, cwd=company)
    assert done.returncode == 0, done.stderr
    done = weir("sync", "run", *config, "-o", "jsonl", cwd=company)
    assert done.returncode == 0 and outcomes(done.stdout)["titles", "Anna Amsel"] == ("skipped", "muted")
    done = weir("identity", "audit", *config, "-o", "json", cwd=company)
    assert {line["reason"] for line in json.loads(done.stdout)} >= {"HR-118", "not yet"}


def test_a_broken_file_says_where_and_changes_nothing(company):
    directory = company / "directory.ldif"
    directory.write_text(directory.read_text() + "\ndn: uid=x,ou=people,dc=example,dc=org\nchangetype: delete\n")
    done = weir("sync", "scan", "--config", "weir.yaml", cwd=company)
    assert done.returncode == 3
    assert re.search(r"directory\.ldif:\d+: this is a file of changes", done.stdout + done.stderr), done


@pytest.mark.skipif(shutil.which("slapd", path="/usr/sbin:/usr/bin") is None, reason="NO slapd")
def test_the_same_with_slapd(company):
    port = str(free_port())
    config = company / "slapd.yaml"
    config.write_text(config.read_text().replace("13389", port))
    script = f"""
        {BINARY} sync run --config slapd.yaml -o jsonl > first.jsonl || test $? -eq 3
        {BINARY} approve addresses --yes --reason HR-118 --config slapd.yaml
        {BINARY} sync run --config slapd.yaml -o jsonl > second.jsonl || test $? -eq 3
        ldapsearch -LLL -x -H ldap://127.0.0.1:{port} -b dc=example,dc=org '(uid=kkern)' mail
    """
    done = subprocess.run(
        [str(company / "slapd.sh"), "sh", "-ec", script], cwd=company, capture_output=True, text=True, timeout=120,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SLAPD_PORT": port})
    assert done.returncode == 0, done.stderr
    assert "mail: klara.kern@service.example.org" in done.stdout
    first = outcomes((company / "first.jsonl").read_text())
    assert first["joiners", "Nora Nagel"] == ("executed", "passed") and first["titles", "Anna Amsel"] == ("suspended", "vip")
