"""A connector as people write them: pycti and nothing of ours. What each run sends is said by FEED, a file that the test may change
between two runs: {"bundles": …, "objects": …, "padding": bytes of each object's description}."""
import json
import os
import sys
import time
import uuid

import stix2
from pycti import OpenCTIConnectorHelper

CONFIG = {
    "opencti": {"url": os.environ["OPENCTI_URL"], "token": os.environ["OPENCTI_TOKEN"]},
    "connector": {"id": os.environ["CONNECTOR_ID"], "type": "EXTERNAL_IMPORT", "name": os.environ.get("CONNECTOR_NAME", "Feed"),
                  "scope": "feed", "log_level": "info"},
}
WHOLE = {"no_split": True} if os.environ.get("WHOLE") else {}      # pycti 7: a bundle is one message


def bundle(run, number, feed):
    indicators = [
        stix2.Indicator(id=f"indicator--{uuid.UUID(int=(run << 96) | (number << 32) | n, version=4)}",
                        name=f"run {run} bundle {number} object {n}", pattern="[ipv4-addr:value = '192.0.2.1']", pattern_type="stix",
                        valid_from="2026-01-01T00:00:00Z", description="x" * feed.get("padding", 0))
        for n in range(feed["objects"])]
    return stix2.Bundle(objects=indicators, allow_custom=True).serialize()


class Feed:
    def __init__(self):
        self.helper = OpenCTIConnectorHelper(CONFIG)

    def run(self):
        with open(os.environ["FEED"], encoding="utf-8") as file:
            feed = json.load(file)
        state = self.helper.get_state() or {}
        run = state.get("runs", 0) + 1
        work = self.helper.api.work.initiate_work(self.helper.connect_id, f"run {run}")
        self.say(f"run {run} begins")
        for number in range(feed["bundles"]):
            self.helper.send_stix2_bundle(bundle(run, number, feed), work_id=work, cleanup_inconsistent_bundle=False, **WHOLE)
            self.say(f"run {run} sent bundle {number} of {feed['bundles']}")
        self.helper.api.work.to_processed(work, f"run {run} is done")
        self.helper.set_state({"last_run": int(time.time()), "runs": run})
        if os.environ.get("PINGS"):      # else it pings every 40 s
            self.helper.force_ping()
        self.say(f"run {run} ends")

    @staticmethod
    def say(text):
        print(f"FEED {time.time():.3f} {text}", file=sys.stderr, flush=True)

    def start(self):
        self.helper.schedule_iso(message_callback=self.run, duration_period=os.environ["CONNECTOR_DURATION_PERIOD"])


if __name__ == "__main__":
    Feed().start()
