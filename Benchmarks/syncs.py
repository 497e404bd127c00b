"""The row of syncs, in a process of its own (Identity/IdentityBench.swift): one list and two targets with an object each for every person,
20 rules, a database on disk."""
import json
import subprocess


def sync(place, n):
    binary = place.peer.BINARY.parent / "identity-bench"
    people = place.variant.split()[0].replace(",", "")
    done = subprocess.run([str(binary), people, str(place.directory)], capture_output=True, text=True, timeout=280, check=True)
    told = json.loads(done.stdout)
    return {column: told[column] for column in COLUMNS if column in told}


ROWS = {"sync": ("sync", "-", sync)}
MEANING = {"sync": "full syncs of one list and two targets, 20 rules: all is new; nothing has changed; everybody's title is another one, and is held; "
                   "5,000 held actions are approved"}
GOAL = {"sync": "100,000 people without changes in 2 s (evaluating), 500,000 in 10 s and 700 MB; 100,000 triggers sealed in 3 s; "
                "5,000 approved in 0.2 s."}
COLUMNS = ["people", "first_s", "unchanged_s", "unchanged_cpu_s", "unchanged_scanning_s", "unchanged_joining_s", "unchanged_evaluating_s",
           "rss_unchanged_mb", "held", "held_s", "held_sealing_s", "approved", "approve_s", "rss_mb"]
