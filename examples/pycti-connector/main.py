"""A connector for OpenCTI as people write them, with pycti and nothing of Weir's: each run imports one indicator."""
import datetime
import os

import stix2
from pycti import OpenCTIConnectorHelper

# OPENCTI_URL, OPENCTI_TOKEN, CONNECTOR_ID and whatever else pycti reads come from the environment.
CONFIG = {"connector": {"type": "EXTERNAL_IMPORT", "name": "Example", "scope": "indicator", "log_level": "info"}}


class Example:
    def __init__(self):
        self.helper = OpenCTIConnectorHelper(CONFIG)

    def run(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        runs = (self.helper.get_state() or {}).get("runs", 0) + 1
        work = self.helper.api.work.initiate_work(self.helper.connect_id, f"Example run {runs}")
        indicator = stix2.Indicator(
            name=f"Example {runs}", pattern="[ipv4-addr:value = '192.0.2.1']", pattern_type="stix", valid_from=now)
        self.helper.send_stix2_bundle(stix2.Bundle(objects=[indicator]).serialize(), work_id=work)
        self.helper.api.work.to_processed(work, "One indicator was imported.")
        self.helper.set_state({"last_run": int(now.timestamp()), "runs": runs})

    def start(self):
        self.helper.schedule_iso(self.run, os.environ.get("CONNECTOR_DURATION_PERIOD", "PT1M"))


if __name__ == "__main__":
    Example().start()
