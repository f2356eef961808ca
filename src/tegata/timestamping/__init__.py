"""Binds a digest to an instant."""
