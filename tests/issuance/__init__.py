"""Serials, and the octets of a certificate."""
