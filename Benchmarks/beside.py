"""A second process of a peer, with the directory of the first and an output of its own."""


class Beside:
    def __init__(self, place, command, environment=None):
        self.directory, self.command, self.environment = place.directory, command, environment or {}
