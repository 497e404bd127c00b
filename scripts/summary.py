"""Adds up the reports of the Swift tests and of pytest, and closes with `N passed, N failed, N skipped`.

Exit code 0 only when tests of both kinds ran and none failed. A run that broke off (its program ended badly although no test
of its report failed, or it left no report) counts as one failure, so that a crash can never look like success.
"""
import argparse
import sys
import xml.etree.ElementTree as ElementTree


def count(name, path, status):
    """(passed, failed, skipped) of one report."""
    passed = failed = skipped = 0
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as problem:
        print(f"{name}: no report ({problem})", file=sys.stderr)
        return 0, 1, 0
    for case in cases:
        children = {child.tag for child in case}
        if children & {"failure", "error"}:
            failed += 1
        elif "skipped" in children:
            skipped += 1
        else:
            passed += 1
    if not cases:
        print(f"{name}: no test ran", file=sys.stderr)
        failed += 1
    elif status != 0 and failed == 0:
        print(f"{name}: ended with {status} although no test failed", file=sys.stderr)
        failed += 1
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--swift", nargs=2, action="append", default=[], metavar=("REPORT", "STATUS"))
    parser.add_argument("--peers", nargs=2, metavar=("REPORT", "STATUS"))
    options = parser.parse_args()
    total = [0, 0, 0]
    runs = [("Swift tests", given) for given in options.swift] + [("tests against real programs", options.peers)]
    for name, given in runs:
        if given:
            counts = count(name, given[0], int(given[1]))
            print(f"{name}: {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
            total = [a + b for a, b in zip(total, counts)]
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 0 if total[0] > 0 and total[1] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
