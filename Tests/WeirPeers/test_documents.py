"""What is printed in README, docs and examples is true: configurations pass `weir check`, shell blocks name real commands."""
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from daemons import program
from weir import weir

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language):
    """(page, number, text) of each fenced block of a language."""
    found = []
    for page in PAGES:
        if not page.exists():
            continue
        for number, (kind, text) in enumerate(BLOCK.findall(page.read_text())):
            if kind == language:
                found.append(pytest.param(text, id=f"{page.relative_to(ROOT)}-{number}"))
    return found


def test_there_are_examples():
    """There is something to check."""
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("file", EXAMPLES, ids=[str(file.relative_to(ROOT)) for file in EXAMPLES])
def test_example_passes_check(file):
    """Every file in examples/ passes `weir check`."""
    done = weir("check", "--offline", file.name, cwd=file.parent)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_block(text, tmp_path):
    """A YAML block that is a whole configuration passes `weir check`; every other one is at least YAML."""
    content = yaml.safe_load(text)
    assert content is not None
    if isinstance(content, dict) and "destinations" in content:
        (tmp_path / "weir.yaml").write_text(text)
        done = weir("check", "--offline", "weir.yaml", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text", [block for block in blocks("swift") if block.id.startswith("docs/guides/")])
def test_swift_block(text):
    """A Swift block is a part of an example, which is built with everything else; a manifest names a product that is there."""
    if text.startswith("// swift-tools-version"):
        manifest = (ROOT / "Package.swift").read_text()
        products = re.findall(r'\.product\(name: "(\w+)", package: "weir"\)', text)
        assert products and all(f'.library(name: "{product}"' in manifest for product in products)
        assert text.splitlines()[0] == manifest.splitlines()[0], "the tools versions differ"
    else:
        assert any(text in file.read_text() for file in (ROOT / "examples").rglob("*.swift")), "no example has this"


@pytest.mark.parametrize("text", blocks("sh"))
def test_shell_block(text):
    """A shell block is well-formed; its `weir` subcommands and `make` targets are there."""
    assert subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, timeout=20).returncode == 0
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "make":
            assert all(word in targets or "=" in word for word in words[1:]), line
        if words[0].endswith("weir") and len(words) > 1 and not words[1].startswith("-"):
            assert weir(words[1], "--help").returncode == 0, f"no such subcommand: {line}"


def test_guarantees_name_tests_that_exist():
    """Every test that the README's table of promises names is there."""
    readme = (ROOT / "README.md").read_text()
    file, named = "", 0
    for name_of_file, function in re.findall(r"`(test_\w+\.py)?(?:::)?(test_\w+)?`", readme):
        file = name_of_file or file
        if function:
            named += 1
            text = (ROOT / "Tests/WeirPeers" / file).read_text()
            assert f"def {function}(" in text, f"{file} has no {function}"
    assert named >= 10


@pytest.mark.parametrize("name, arguments", [("configuration.md", ["--markdown"]), ("weir.schema.json", [])])
def test_reference_is_fresh(name, arguments):
    """docs/reference says what the program says; `make docs` writes it again."""
    page = ROOT / "docs/reference" / name
    assert page.exists(), "run `make docs`"
    assert page.read_text() == weir("schema", *arguments).stdout, "stale: run `make docs`"


@pytest.mark.parametrize("board", sorted((ROOT / "deploy/grafana").glob("*.json")), ids=lambda board: board.name)
def test_dashboard(board, tmp_path):
    """Every question of a dashboard is one that Prometheus understands, about series that Weir has."""
    content = json.loads(board.read_text())
    asked = [target["expr"] for panel in content["panels"] for target in panel.get("targets", [])]
    variables = [variable["query"]["query"] for variable in content["templating"]["list"] if variable["type"] == "query"]
    assert asked and variables
    rules = [{"record": f"asked:{number}", "expr": text.replace("$__rate_interval", "1m").replace("$__range", "1h")}
             for number, text in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    done = subprocess.run([program("promtool"), "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_known(" ".join(asked + variables))


def assert_known(text):
    """Every series that is named here is on the page of the metrics."""
    known = (ROOT / "docs/reference/metrics.md").read_text()
    for name in set(re.findall(r"\b((?:weir|nowconnect)_[a-z_]+)\b(?!\.)", text)):
        assert f"`{re.sub('_(bucket|sum|count)$', '', name)}`" in known, f"{name} is not in docs/reference/metrics.md"


@pytest.mark.parametrize("rules", sorted((ROOT / "deploy/prometheus").glob("*.rules.yml")), ids=lambda rules: rules.name)
def test_alerts(rules):
    """Prometheus understands the alerts, and they speak of series that Weir has. (What they do is tested beside them.)"""
    done = subprocess.run([program("promtool"), "check", "rules", rules.name], cwd=rules.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_known(rules.read_text())
