"""Tenancy, on stand-ins for its ports."""
