"""Revocation, on stand-ins for its ports."""
