"""Syntax, against other people's implementations."""
