"""Doors: one folder a protocol, each translating its wire to use cases and back."""
