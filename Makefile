# Weir: what can be done here, one word each. `make` alone lists it.
# `make run` and `make test` do all the set-up that a fresh Debian 12 with a Swift 6.3 toolchain needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test quick format bench docs clean

export SWIFT_DETERMINISTIC_HASHING := 1

help:  ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

run:  ## build in release mode and start the demonstration (ARGS="…" goes to `weir demo`)
	@scripts/run $(ARGS)

test:  ## install what the tests need, build, run all tests; the last line counts them
	@scripts/test

quick:  ## build and test one room: make quick ROOM=WeirStore
	@scripts/quick "$(ROOM)"

format:  ## lay out the Swift sources as .swift-format says
	@scripts/format write

bench:  ## measure Weir beside rsyslog and syslog-ng: make bench ROWS=tcp1,file1 PEERS=weir,rsyslog
	@scripts/bench --rows "$(ROWS)" --peers "$(PEERS)" $(ARGS)

docs:  ## write docs/reference and the JSON Schema from the settings
	@scripts/docs

clean:  ## remove what was built here (packages and data stay)
	@rm -rf .build .venv
