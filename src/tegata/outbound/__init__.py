"""Calls to the world outside the platform, and to the system it runs on."""
