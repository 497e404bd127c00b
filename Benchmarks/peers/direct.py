"""Nothing between client and target: what the machine's loopback and the measuring tools themselves can do."""
import platform

NAME = "direct"
ENVIRONMENT = {}
VERSION = ["echo", f"{platform.system()} {platform.release().split('-')[0]}"]
VARIANTS = {"tunnel": ["loopback"]}
SCALE = {"tunnel": 2}


def set_up(kind, variant, place):
    place.port_in = place.port_out
    return [], ENVIRONMENT
