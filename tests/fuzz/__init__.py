"""Parsers under octets that nobody meant: they refuse in their own words, and do not hang."""
