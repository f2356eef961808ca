"""Keeps the machines recoverable, sized, watched and unchanged."""
