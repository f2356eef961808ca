"""Measurements against the floor: `python -m bench`. Not part of the platform."""
