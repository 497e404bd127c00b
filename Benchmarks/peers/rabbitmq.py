"""RabbitMQ as Debian packages it, with what OpenCTI declares there: what pycti publishes to."""
import os
import subprocess

NAME = "rabbitmq"
BINARY = "/usr/lib/rabbitmq/bin/rabbitmq-server"
ENVIRONMENT = {}
VERSION = ["dpkg-query", "--show", "--showformat", "RabbitMQ ${Version}", "rabbitmq-server"]

# What OpenCTI sets as `rabbitmq:queue_type`; its default is classic.
VARIANTS = {"amqp": ["classic", "quorum"], "bundle100": ["classic"]}
SCALE = {"amqp-classic": 0.25, "amqp-quorum": 0.25}


def set_up(kind, variant, place):
    home = place.directory / "home"
    home.mkdir()
    conf = place.write("rabbitmq.conf", f"listeners.tcp.local = 127.0.0.1:{place.port_in}\nmanagement.tcp.ip = 127.0.0.1\n"
                       f"management.tcp.port = {place.port_out}\n")
    # Behind Weir: sizes are read there. Beside it, where it does the same as an ingress, it costs nothing.
    plugins = "[rabbitmq_management].\n" if kind == "broker" else "[].\n"
    environment = {
        "HOME": home, "RABBITMQ_NODENAME": f"bench{place.port_in}@localhost", "RABBITMQ_DIST_PORT": place.port_other,
        "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": place.port_api, "RABBITMQ_MNESIA_BASE": place.spool,
        "RABBITMQ_LOG_BASE": place.directory / "log", "RABBITMQ_ENABLED_PLUGINS_FILE": place.write("enabled_plugins", plugins),
        "RABBITMQ_PID_FILE": place.directory / "pid", "RABBITMQ_CONF_ENV_FILE": place.directory / "none", "RABBITMQ_CONFIG_FILE": conf,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        # Then the script becomes the server instead of its parent, so that its CPU and memory are the server's.
        "RUNNING_UNDER_SYSTEMD": "true",
    }
    return [BINARY], {name: str(value) for name, value in environment.items()}


def tear_down(place):
    """Erlang's port mapper outlives the node that started it."""
    subprocess.run(["epmd", "-kill"], env={**os.environ, "ERL_EPMD_PORT": str(place.port_api)}, capture_output=True, timeout=10)
