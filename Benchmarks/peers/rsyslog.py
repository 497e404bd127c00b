"""rsyslog as Debian packages it."""
import os
from pathlib import Path

NAME = "rsyslog"
ROOT = Path(os.environ.get("WEIR_PEERS", "/"))
LIBRARIES = next((ROOT / "usr/lib").glob("*-linux-gnu"), ROOT / "usr/lib/x86_64-linux-gnu")
BINARY = ROOT / "usr/sbin/rsyslogd"
ENVIRONMENT = {"LD_LIBRARY_PATH": str(LIBRARIES)}
VERSION = [BINARY, "-v"]

# http: omhttp is not among Debian 12's packages. `durable` syncs its queue at every event, some thousand a second.
VARIANTS = {"forward": ["fast"], "syslog": ["fast"], "filter": ["fast"], "file": ["fast"], "queue": ["fast", "durable"],
            "fanout": ["fast"], "idle": ["fast"]}
SCALE = {"queue-durable": 0.005}


def set_up(kind, variant, place):
    batches = 'main_queue(queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="8192")\n'
    retry = 'action.resumeRetryCount="-1" action.resumeInterval="1"'
    template = "RSYSLOG_SyslogProtocol23Format" if kind == "syslog" else "raw"

    def forward(port, more=retry):
        return f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="{template}" {more})\n'

    modules, main = "", batches
    if kind == "file":
        actions = f'action(type="omfile" file="{place.out}/events.log" template="raw")\n'
    elif kind == "filter":
        modules = 'module(load="mmjsonparse")\n'
        actions = f'action(type="mmjsonparse" cookie="")\nif $!service == "shop" then {{\n{forward(place.port_out)}}}\n'
    elif kind == "queue":
        sync = 'queue.syncQueueFiles="on" queue.checkpointInterval="1"' if variant == "durable" else 'queue.checkpointInterval="1000"'
        main = (f'main_queue(queue.type="Disk" queue.size="1000000000" queue.lightDelayMark="0" queue.filename="m" '
                f'queue.spoolDirectory="{place.spool}" queue.maxDiskSpace="20g" queue.maxFileSize="64m" queue.saveOnShutdown="on" '
                f'queue.timeoutEnqueue="60000" {sync})\n')
        actions = forward(place.port_out)
    elif kind == "fanout":
        def own(name):
            return (f'queue.type="LinkedList" queue.size="500000" queue.filename="{name}" queue.spoolDirectory="{place.spool}" '
                    f'queue.maxDiskSpace="20g" queue.timeoutEnqueue="60000" {retry}')
        actions = forward(place.port_out, own("first")) + forward(place.port_other, own("second"))
    else:
        actions = forward(place.port_out)
    text = (f'global(workDirectory="{place.spool}" maxMessageSize="8k" preserveFQDN="on")\n{main}module(load="imptcp")\n{modules}'
            'template(name="raw" type="string" string="%rawmsg%\\n")\n'
            f'input(type="imptcp" address="127.0.0.1" port="{place.port_in}")\n{actions}')
    file = place.write("rsyslog.conf", text)
    return [BINARY, "-n", "-f", file, "-i", place.directory / "pid", "-M", LIBRARIES / "rsyslog"], ENVIRONMENT
