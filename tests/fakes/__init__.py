"""Stand-ins for ports, written by hand: they do what the port promises, in memory."""
