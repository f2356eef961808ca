"""Tegata: a trust-service platform whose rooms decide, whose doors and gear act."""

__version__ = "0.1.0"
