"""Wiring: settings, composition, processes, and the server commands of `tegata`."""
